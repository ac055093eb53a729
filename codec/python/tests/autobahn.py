#!/usr/bin/env python3
"""The Autobahn test suite, through kosoku, with `wscodec.asyncio` in both roles.

    target/python/bin/python codec/python/tests/autobahn.py [--all | CASE...]

Unless cases are named, as in `1.*`, all but most of permessage-deflate: of 12.* and 13.* two sizes of
each group. `--all` runs all 517 cases, which takes a quarter of an hour. Exits 1 if a case failed. What is not plainly OK is listed.
"""

from __future__ import annotations

import asyncio
import collections
import sys
from typing import Any

import kosoku
from kosoku.cases import CASES

from wscodec import ConnectionClosed, Deflate
from wscodec.asyncio import Connection, connect, serve

# Of permessage-deflate: 4 KiB, and 8 KiB in frames of 256 bytes.
PLAIN = [f"{group}.*" for group in (*range(1, 8), 9, 10)]
BOUNDED = [*PLAIN, "12.*.5", "12.*.11", "13.*.5", "13.*.11"]
# A closing handshake that is as the case wants it, or left open by the RFC.
CLOSE_PASSES = {"OK", "INFORMATIONAL"}
AGENT = "wscodec-python"


def take_uncompressed_replies() -> None:
    """kosoku 0.1.0 hands a message that came without RSV1 to its cases as `str`, a character a byte;
    those of permessage-deflate want bytes, and a peer need not compress what doesn't get shorter
    (RFC 7692, 6)."""
    cases: dict[str, Any] = CASES
    for name, case in cases.items():
        if name.startswith(("12.", "13.")):

            def on_message(self: Any, message: Any, binary: bool, judge: Any = case.onMessage) -> None:
                judge(self, message.encode("latin-1") if isinstance(message, str) else message, binary)

            case.onMessage = on_message


async def echo(websocket: Connection) -> None:
    try:
        async for message in websocket:
            await websocket.send(message)
    except ConnectionClosed:
        pass  # how a case ends is the suite's to judge


# Without keep-alive: on a busy machine a case may keep the suite from answering a Ping in time.
async def as_server(cases: list[str]) -> list[Any]:
    async with serve(echo, "127.0.0.1", 0, max_size=None, ping_interval=None) as server:
        host, port = server.sockets[0].getsockname()
        try:
            return list(await kosoku.run_fuzzingclient(f"ws://{host}:{port}", cases, concurrency=2))
        except kosoku.FailureError as failure:
            return list(failure.results)


async def as_client(cases: list[str]) -> list[Any]:
    # The second is for servers that want no context takeover from clients, and wait for an offer of it.
    offers = [Deflate.client(), Deflate.client(client_context_takeover=False)]
    options: dict[str, Any] = {"max_size": None, "compression": offers, "ping_interval": None}
    async with kosoku.run_fuzzingserver(cases, port=0) as server:
        base = f"ws://{server.address}:{server.port}"
        async with connect(f"{base}/getCaseCount") as websocket:
            count = int(await websocket.recv())
        for case in range(1, count + 1):
            async with connect(f"{base}/runCase?case={case}&agent={AGENT}", **options) as websocket:
                await echo(websocket)
        async with connect(f"{base}/updateReports?agent={AGENT}") as websocket:
            await echo(websocket)
        try:
            return list(await asyncio.wait_for(server.get_result(), 60))
        except kosoku.FailureError as failure:
            return list(failure.results)
    raise AssertionError("the server's context swallows no exception")


def summary(role: str, results: list[Any]) -> bool:
    """Prints what came of the cases; true if none failed."""
    groups: dict[int, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    print(f"\nAutobahn, {role}")
    for case in results:
        groups[int(case.case_id.split(".")[0])][case.behavior.value] += 1
        if case.behavior.value != "OK" or case.behavior_close.value not in CLOSE_PASSES:
            print(f"  {case.case_id:<8} {case.behavior.value}, close {case.behavior_close.value}: {case.result}")
    for group, counts in sorted(groups.items()):
        print(f"  {group:>3}.*  {'  '.join(f'{name} {count}' for name, count in sorted(counts.items()))}")
    failed = [case.case_id for case in results if not case.passed]
    print(f"  {len(results)} cases, {len(failed)} failed {' '.join(failed)}", flush=True)
    return bool(results) and not failed


def main() -> int:
    cases = sys.argv[1:] or BOUNDED
    if cases == ["--all"]:
        cases = [*PLAIN, "12.*", "13.*"]
    take_uncompressed_replies()
    passed = [
        summary("wscodec.asyncio as the server", asyncio.run(as_server(cases))),
        summary("wscodec.asyncio as the client", asyncio.run(as_client(cases))),
    ]
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
