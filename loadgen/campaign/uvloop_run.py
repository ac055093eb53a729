"""Runs a script on uvloop in place of asyncio's own loop, as servers in Python are deployed: uvloop_run.py SCRIPT."""

import runpy
import sys

import uvloop

uvloop.install()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
