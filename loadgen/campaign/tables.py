"""From samples to tables.md, charts, the trend of the fixed-rate runs, and the tables in README.md."""

import re
import statistics

import clients
import harness
import servers
import ways
from charts import Panel, chart

OWN = ("loadgen", "wscodec", "WebSocket")
RANGE = "line: the rounds' range"


class Found:
    """The samples of one work, by subject; what failed or was skipped is not among them."""

    def __init__(self, samples, part, work):
        self.rows = {}
        for row in samples.of(part, work):
            if "failed" not in row and "skipped" not in row:
                self.rows.setdefault(row["subject"], []).append(row)

    def values(self, subject, key):
        """In the order of their size, without what is not known; `key` is a name or a function of a sample."""
        of = key if callable(key) else lambda row: row.get(key)
        return sorted(value for value in map(of, self.rows.get(subject, [])) if value is not None)

    def median(self, subject, key):
        values = self.values(subject, key)
        return statistics.median(values) if values else None

    def spread(self, subject, key, shown):
        """A median and the range around it."""
        values = self.values(subject, key)
        if not values:
            return "-"
        middle = shown(statistics.median(values))
        return middle if len(values) == 1 else f"{middle} ({shown(values[0])} to {shown(values[-1])})"

    def name(self, subject):
        """With a dagger for each round whose verdict was not `valid`."""
        return subject + "†" * sum(row.get("verdict", "valid") != "valid" for row in self.rows.get(subject, []))

    def bars(self, key, words, is_descending=True):
        """A row of bars for each subject, the best first; `words` is a function of the median, or of it and the subject."""
        rows = []
        for subject in self.rows:
            if values := self.values(subject, key):
                middle = statistics.median(values)
                shown = words(middle, subject) if words.__code__.co_argcount == 2 else words(middle)
                rows.append((self.name(subject), middle, values[0], values[-1], shown, is_own(subject)))
        return sorted(rows, key=lambda row: -row[1] if is_descending else row[1])

    def dots(self, keys, subjects=None):
        """A row of dots for each subject: what `keys` name, as far as it is known."""
        rows = []
        for subject in subjects or self.rows:
            values = {series: self.median(subject, key) for series, key in keys.items()}
            values = {series: value for series, value in values.items() if value is not None}
            if values:
                rows.append((self.name(subject), values, is_own(subject)))
        return rows


def is_own(name):
    return name.startswith(OWN)


def si(value):
    """At most three digits and a letter: 950, 12.5k, 1.2M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"


def size(value):
    """Bytes, in thousands or millions of them if there are as many."""
    for unit, letters in ((1e6, "MB"), (1e3, "kB")):
        if abs(value) >= unit:
            return f"{value / unit:.3g} {letters}"
    return f"{value:,.0f} B"


def ms(value):
    """A time in milliseconds, with three digits and in the unit that suits it."""
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:.3g} ms" if value >= 1 else f"{value * 1000:.3g} us"


def us(value):
    return ms(value / 1e3)


def whole(value):
    return "-" if value is None else f"{value:,.0f}"


def a_second(value):
    return f"{value:,.0f}/s"


def table(head, rows):
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def clients_rate(samples):
    found = Found(samples, clients.PART, "rate")
    bars, base = found.bars("per_s", a_second), found.median("bare loop", "per_s")
    subjects = sorted(found.rows, key=lambda subject: -found.median(subject, "per_s"))
    rows = [
        [
            found.name(subject),
            found.spread(subject, "per_s", whole),
            f"{found.median(subject, 'per_s') / base:.2f}" if base else "-",
        ]
        for subject in subjects
    ]
    work = f"{clients.CONNECTIONS} connections, one message of 64 bytes on its way on each; {RANGE}"
    picture = chart("Clients on one core: echoes a second", work, [Panel("", bars, si)])
    return table(["client", "echoes/s", "to the bare loop"], rows), {"clients-rate": picture}


def clients_latency(samples):
    late, stall = (Found(samples, clients.PART, work) for work in ("late", "stall"))
    keys = {name: f"{name}_ms" for name in ("p50", "p90", "p99", "max", "mean")}
    exact, stalled = dict.fromkeys(("p50", "p99", "mean"), clients.LATE_MS), true_of_stalls()
    rows = [["**true**", *map(ms, exact.values()), *(ms(stalled[name]) for name in keys), whole(clients.PACED)]]
    for name in clients.CLIENTS:
        if name in late.rows or name in stall.rows:
            first = [ms(late.median(name, keys[series])) for series in exact]
            second = [ms(stall.median(name, key)) for key in keys.values()]
            # As many daggers as there are in both.
            marked = late.name(name) + stall.name(name).removeprefix(name)
            rows.append([marked, *first, *second, whole(stall.median(name, "per_s"))])
    works = {
        f"a server that is {clients.LATE_MS} ms late": (late, exact),
        f"a server that stalls for {clients.STALL_MS} ms of each second": (stall, stalled),
    }
    panels = []
    for heading, (found, true) in works.items():
        dots = found.dots({series: keys[series] for series in keys if series in true}, list(clients.CLIENTS))
        panels.append(Panel(heading, [("true", true, False), *dots], lambda value: f"{value:g} ms"))
    picture = chart(
        "Clients: the latency that they report of a server that is known to be late",
        f"{clients.CONNECTIONS} connections, {clients.PACED:,} messages a second; medians; tsung: no percentiles",
        panels,
        keys,
    )
    head = ["client", "5 ms late: p50", "p99", "mean", "stalls: p50", "p90", "p99", "max", "mean", "messages/s"]
    return table(head, rows), {"clients-latency": picture}


def true_of_stalls():
    """The latencies of a server that stalls, if messages are due at all times alike, in milliseconds."""
    share = clients.STALL_MS / clients.PERIOD_MS
    quantiles = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1}
    true = {name: max(0, clients.STALL_MS * (1 - (1 - quantile) / share)) for name, quantile in quantiles.items()}
    return {**true, "mean": share * clients.STALL_MS / 2}


def clients_memory(samples):
    found = Found(samples, clients.PART, "memory")
    few, many = clients.IDLE
    rows = [[name, *(found.spread(name, key, size) for key in ("few", "many"))] for name in found.rows]
    picture = chart(
        f"Clients: memory of {many:,} idle connections",
        f"the most that all processes of the client took, shared pages counted once; {RANGE}",
        [Panel("", found.bars("many", size, is_descending=False), size)],
    )
    head = ["client", f"{few:,} connections", f"{many:,} connections"]
    return table(head, rows), {"clients-memory": picture}


def servers_fixed(samples):
    found = Found(samples, servers.PART, "fixed")
    keys = {"p50": "p50_us", "p99 (in figures)": "p99_us", "p99.9": "p999_us"}
    keys = {series: lambda row, key=key: row[key] / 1e3 for series, key in keys.items()}
    rows = [
        [
            found.name(name),
            *(ms(found.median(name, key)) for key in keys.values()),
            f"{found.median(name, 'cpu_ns_per_echo') / 1e3:.1f} us",
            whole(found.median(name, "achieved_per_s")),
            whole(sum(found.values(name, "lost"))),
        ]
        for name in found.rows
    ]
    picture = chart(
        f"Servers on one core at {servers.RATE:,} messages a second: latency",
        f"{servers.CONNECTIONS} connections, 64 bytes, from the time when a message was due; medians of the rounds",
        [Panel("", found.dots(keys), ms, is_log=True, words=lambda times: ms(times["p99 (in figures)"]))],
        keys,
    )
    head = ["server", "p50", "p99", "p99.9", "processor time an echo", "echoes/s", "lost"]
    return table(head, rows), {"servers-latency": picture}


def servers_capacity(samples):
    found = Found(samples, servers.PART, "capacity")
    rows, least = [], {}
    for name, own in found.rows.items():
        others = sum(row["limit"] != "server" for row in own)
        least[name] = "at least " if others else ""
        limit = f"the client, in {others} of {len(own)} rounds" if others else "the server"
        rows.append([name, least[name] + found.spread(name, "capacity_per_s", whole), limit])
    bars = found.bars("capacity_per_s", lambda value, name: f"{least[name]}{value:,.0f}/s")
    picture = chart(
        f"Servers on one core: the most messages a second with a p99 below {servers.P99_MS} ms",
        f"{servers.CONNECTIONS} connections, 64 bytes, open loop; at least: the client was the limit; {RANGE}",
        [Panel("", bars, si)],
    )
    return table(["server", "capacity, messages/s", "what ended the search"], rows), {"servers-capacity": picture}


def servers_connects(samples):
    found = Found(samples, servers.PART, "connects")
    rows = [
        [
            found.name(name),
            found.spread(name, "per_s", whole),
            us(found.median(name, "p50_us")),
            us(found.median(name, "p99_us")),
        ]
        for name in found.rows
    ]
    picture = chart(
        "Servers on one core: connections opened and closed a second",
        f"50 at a time, by `loadgen connect` on the other core; {RANGE}",
        [Panel("", found.bars("per_s", a_second), si)],
    )
    return table(["server", "connections/s", "p50 to open one", "p99"], rows), {"servers-connects": picture}


def servers_memory(samples):
    found = Found(samples, servers.PART, "memory")
    few, many = servers.IDLE
    rows = [[name, *(found.spread(name, key, size) for key in ("begin", "many", "per_connection"))] for name in found.rows]
    picture = chart(
        "Servers: memory of an idle connection",
        f"growth of the resident memory from {few:,} to {many:,} connections that have sent nothing; {RANGE}",
        [Panel("", found.bars("per_connection", size, is_descending=False), size)],
    )
    head = ["server", "when started", f"with {many:,} connections", "each further connection"]
    return table(head, rows), {"servers-memory": picture}


def an_event(key):
    """A count for each event that a client got."""
    return lambda row: row[key] / row["events"]


def ways_table(found):
    rows = []
    for name in found.rows:
        counts = {key: found.median(name, an_event(key)) for key in ("sent_bytes", "received_bytes", "wire_bytes")}
        rows.append(
            [
                name,
                f"{found.median(name, an_event('requests')):,.2f}",
                *map(whole, counts.values()),
                f"{found.median(name, an_event('packets')):.1f}",
                *(ms(found.median(name, key) / 1e6) for key in ("p50_ns", "p99_ns")),
                us(found.median(name, an_event("cpu_ns")) / 1e3),
            ]
        )
    head = ["way", "requests", "bytes to the server", "to the client", "on the wire", "packets"]
    return table([*head, "latency p50", "p99", "server's processor time"], rows)


def ways_all(samples):
    texts, panels = [], []
    times = {"p50": lambda row: row["p50_ns"] / 1e6, "p99": lambda row: row["p99_ns"] / 1e6}
    for work in ways.RATES:
        found = Found(samples, ways.PART, work)
        texts.append(f"{work}:\n\n{ways_table(found)}")
        # In the order of their invention.
        found.rows = {name: found.rows[name] for name in ways.WAYS if name in found.rows}
        order = list(found.rows)
        wire, cpu = (
            sorted(found.bars(an_event(key), words), key=lambda row: order.index(row[0]))
            for key, words in (("wire_bytes", lambda value: f"{value:,.0f} B"), ("cpu_ns", lambda value: us(value / 1e3)))
        )
        both = lambda values: " / ".join(map(ms, values.values()))  # noqa: E731
        panels += [
            Panel(f"{work}: bytes on the wire for each event that a client got", wire, si),
            Panel(f"{work}: from the event to the client", found.dots(times), ms, is_log=True, words=both),
            Panel(f"{work}: server's processor time for each event that a client got", cpu, lambda value: us(value / 1e3)),
        ]
    picture = chart(
        "One stream of events, got in five ways",
        f"{ways.CLIENTS} clients, events of 100 bytes; the wire has headers of Ethernet, IP and TCP, and acknowledgements",
        panels,
        times,
    )
    return "\n".join(texts), {"ways": picture}


TABLES = {
    "clients-rate": clients_rate,
    "clients-latency": clients_latency,
    "clients-memory": clients_memory,
    "servers-capacity": servers_capacity,
    "servers-fixed": servers_fixed,
    "servers-connects": servers_connects,
    "servers-memory": servers_memory,
    "ways": ways_all,
}


def rounds(samples, name):
    """How many there are behind the numbers of a table."""
    part, _, work = name.partition("-")
    works = {"latency": ("late", "stall"), "": ways.RATES}.get(work, (work,))
    counts = [len(rows) for work in works for rows in Found(samples, part, work).rows.values()]
    if not counts:
        return ""
    return f"\nRounds: {max(counts)}.\n" if min(counts) == max(counts) else f"\nRounds: {min(counts)} to {max(counts)}.\n"


def write(samples):
    """Makes all that is made of samples, as far as there are some."""
    folder, texts = samples.folder, {}
    for name, make in TABLES.items():
        if samples.of(name.partition("-")[0]):
            text, pictures = make(samples)
            texts[name] = text + rounds(samples, name)
            for picture, svg in pictures.items():
                if svg:
                    (folder / f"{picture}.svg").write_text(svg)
    (folder / "tables.md").write_text("\n".join(f"## {name}\n\n{text}" for name, text in texts.items()))
    readme = folder / "README.md"
    if readme.exists():
        page = readme.read_text()
        for name, text in texts.items():
            marked = rf"(<!-- table:{name} -->\n).*?(<!-- /table -->)"
            page = re.sub(marked, lambda found, text=text: found[1] + text + found[2], page, flags=re.S)
        readme.write_text(page)
    if any((folder / "fixed-rate").glob("*.json")):
        # From there, so that the page names no folder of this machine.
        harness.call(harness.LOADGEN, "report", "fixed-rate", "-o", "html=trend.html", "-o", "text=/dev/null", cwd=folder)
