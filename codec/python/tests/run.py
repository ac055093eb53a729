#!/usr/bin/env python3
"""Runs all tests of the installed package: of types first, then of behaviour.

    target/python/bin/python codec/python/tests/run.py [NAME...]

NAME is that of a test, as in `test_mask` or `test_mask.Masking`; without one, all run.
"""

import subprocess
import sys
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parent


def check_types() -> None:
    """The package and its tests by mypy, and the stubs against what they describe."""
    package = TESTS.parent
    subprocess.run([sys.executable, "-m", "mypy", "--no-error-summary"], cwd=package, check=True)
    stubtest = [sys.executable, "-m", "mypy.stubtest", "wscodec", "--concise"]
    stubtest += ["--allowlist", "stubtest-allowed.txt"]
    subprocess.run(stubtest, cwd=TESTS, check=True)


def main() -> int:
    names = sys.argv[1:]
    sys.path.insert(0, str(TESTS))
    if names:
        suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    else:
        check_types()
        suite = unittest.defaultTestLoader.discover(str(TESTS))
    return int(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())


if __name__ == "__main__":
    sys.exit(main())
