"""What a client of an echo server has to see, and one line a check: `ok NAME` or `FAILED NAME: why`.

Before the last check `ready` is printed: the server is expected to shut down then, and to close with 1001.
"""

import asyncio
import sys

SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20]
CODES = [(1000, "done"), (1001, ""), (3000, "ä" * 61), (4999, "x" * 123)]


def messages():
    """A text, a text of several bytes a character, and bytes, of each size."""
    for size in SIZES:
        yield "a" * size
        yield "ä€😀"[: size % 4] + "b" * size
        yield bytes(i & 255 for i in range(size))


async def run(checks, *arguments):
    """Takes one check after the other, the one that the server ends last."""
    failed = False
    for check in checks:
        if check is checks[-1]:
            print("ready", flush=True)
        try:
            await asyncio.wait_for(check(*arguments), 60)
            print(f"ok {check.__name__}", flush=True)
        except Exception as error:  # reported, and the next check runs
            failed = True
            print(f"FAILED {check.__name__}: {type(error).__name__} {error}", flush=True)
    sys.exit(failed)
