"""The Autobahn test suite through kosoku: its cases in either role, and what came of them."""

import asyncio
import collections

import harness

# Of permessage-deflate: 4 KiB, and 8 KiB in frames of 256 bytes.
BOUNDED = [f"{group}.*" for group in (*range(1, 8), 9, 10)] + ["12.*.5", "12.*.11", "13.*.5", "13.*.11"]
# A closing handshake that is as the case wants it, or left open by the RFC.
CLOSE_PASSES = {"OK", "INFORMATIONAL"}


def take_uncompressed_replies():
    """kosoku 0.1.0 hands a message that came without RSV1 to its cases as `str`, a character a byte; those of
    permessage-deflate want bytes, and a peer need not compress what doesn't get shorter (RFC 7692, 6)."""
    from kosoku.cases import CASES  # only the environment that `harness.python` has installed has it

    for name, case in CASES.items():
        if name.startswith(("12.", "13.")):

            def on_message(self, message, binary, judge=case.onMessage):
                judge(self, message.encode("latin-1") if isinstance(message, str) else message, binary)

            case.onMessage = on_message


async def server_results(server, cases):
    """A server that listens at `server.url` and ends by `server.stop`, tested by a fuzzing client."""
    import kosoku

    try:
        results = await kosoku.run_fuzzingclient(server.url, cases, concurrency=2)
    except kosoku.FailureError as failure:
        results = failure.results
    code, _ = server.stop()
    return results if code == 0 else []


async def client_results(command, cases):
    """A client, tested by a fuzzing server; `command` makes its words from host and port."""
    import kosoku

    async with kosoku.run_fuzzingserver(cases, port=0) as server:
        words = [str(word) for word in command(server.address, server.port)]
        client = await asyncio.create_subprocess_exec(*words)
        # The server has results once a client has asked for the report: never, if the client gave up before.
        if code := await client.wait():
            print(f"{words[0]} exited {code}")
            return []
        try:
            return await asyncio.wait_for(server.get_result(), 60)
        except kosoku.FailureError as failure:
            return failure.results


def summary(role, results, name):
    """Prints what came of the cases, and records it under `name`; true if none failed."""
    groups = collections.defaultdict(collections.Counter)
    rows = [
        {"case": case.case_id, "behavior": case.behavior.value, "close": case.behavior_close.value, "said": case.result}
        for case in results
    ]
    harness.record(name, rows)
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
