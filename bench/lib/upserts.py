"""bench/run --work upsert: a topic in which 500,000 keys come again and again, into a table with a row for each key, as its last record has it.

A peer is a directory in bench/upsert, made as those of bench/peers are: semel with `write = "upsert"`, the loop in C++ that does
no more than it must, a loop in Python as most people write it, and what others offer for the work. Time counts from the start of
the process to the last row's commit, by the server's clock, also of those that end by themselves. Afterwards every row is compared
with its key's last record, which this file knows how to write.
"""

import itertools
import os
import statistics
import time

import measure
import sinks
from peers import ROOT, PeerError, tail

PEERS = ROOT / "bench" / "upsert"
NAMES = ("semel", "bare-loop", "python", "kafka-connect", "flink")
# One run of the others takes minutes, and warms up nothing but its own.
WARM_UP = ("semel", "bare-loop")
PRODUCE = ("--shape", "keyed")
KEYS = 500_000  # of the shape (tools/record_shapes.cpp)
# The rows of the records FIRST to LAST, as PostgreSQL writes them: the shape once more, by other means.
RECORDS = """
SELECT n % {keys} AS id, n AS user_id, 'click' AS kind, n % 10000 + 0.25 AS amount,
  make_timestamptz(2026, (n % 12)::int + 1, (n % 28)::int + 1, (n % 24)::int, (n / 7 % 60)::int, n / 11 % 60 + n % 1000 / 1000.0::float8, 'UTC') AS ts,
  'state of a thing' AS note, n % 2 = 0 AS ok
FROM generate_series({first}::bigint, {last}::bigint) AS n"""
WRONG = """
SELECT count(*) FROM ({records}) AS came FULL JOIN {table} AS row USING (id)
WHERE (came.user_id, came.kind, came.amount, came.ts, came.note, came.ok)
  IS DISTINCT FROM (row.user_id, row.kind, row.amount, row.ts, row.note, row.ok)"""


def expected(records, keys=KEYS):
    """Rows, and the sum of the numbers of each key's last record."""
    rows = min(records, keys)
    return rows, sum(range(records - rows, records))


class Table(measure.Database):
    """One with a key, whose file does not tell how far a peer is: rows take each other's places."""

    def __init__(self, rig):
        super().__init__(rig)
        self._servers = rig.servers
        self._psql.rows(f"ALTER TABLE {measure.TABLE} ADD PRIMARY KEY (id)")
        self._server_cpu = []  # (seconds since the epoch, what the server has needed by then)

    def progress(self):
        """Rows written since the table was made, as the server's statistics tell it about every second."""
        now = time.time()
        if not self._server_cpu or now - self._server_cpu[-1][0] >= 1:
            self._server_cpu.append((now, self._servers.cpu_s("postgres")))
        written = self._psql.value(f"SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = '{measure.TABLE}'")
        return int(written)

    def complete(self, records):
        return tuple(map(int, self.last())) == expected(records)

    def last(self):
        return self._psql.rows(f"SELECT count(*), coalesce(sum(user_id), 0) FROM {measure.TABLE}")[0]

    def wrong(self, records, keys=KEYS):
        """How many keys have another row than their last record, or no row, or are none."""
        rows, _ = expected(records, keys)
        came = RECORDS.format(keys=keys, first=records - rows, last=records - 1)
        return int(self._psql.value(WRONG.format(records=came, table=measure.TABLE)))

    def server_cpu_at(self, moment, in_the_end):
        """At the first look after this moment; `in_the_end`, where nobody has looked: the peer has ended by itself."""
        return next((cpu for at, cpu in self._server_cpu if at >= moment), in_the_end)


def run(rig, peer, name):
    """One run into a fresh database. What goes wrong is in it, too."""
    result = {"way": peer.name, "ok": False, "failure": None, "load_before": os.getloadavg()[0]}
    work = rig.servers.work_directory("work")
    log = rig.servers.directory / "peer.log"
    log.write_bytes(b"")
    table = Table(rig)
    try:
        table.checkpoint()
        os.sync()  # what an earlier run has left to be written is not this one's
        before = rig.servers.cpu_s("postgres")
        tree = measure.run_to_the_end(rig, peer, table, rig.environment(peer, name, work), log, (), result)[0]
        judge(rig, table, tree, (before, rig.servers.cpu_s("postgres")), result)
        result["ok"] = True
    except PeerError as error:
        result["failure"] = str(error)
        result["log"] = tail(log.read_text(errors="replace"), 40)
    finally:
        table.close()
    return result


def judge(rig, table, tree, server_cpu, result):
    commits = table.commits()
    if not commits:
        raise PeerError("no row became visible")
    before, after = server_cpu
    if wrong := table.wrong(rig.records):
        raise PeerError(f"keys whose row is not their last record: {wrong:,}")
    result["seconds"] = commits[-1] - tree.started_at
    result["rows_per_s"] = rig.records / result["seconds"]
    cpu = tree.cpu_s if tree.code == 0 else tree.cpu_until(commits[-1])
    result["cpu_s_per_million"] = cpu / rig.records * 1e6
    result["server_cpu_s_per_million"] = (table.server_cpu_at(commits[-1], after) - before) / rig.records * 1e6
    result["peak_bytes"] = tree.peak_bytes


def run_all(rig, able, rounds, keep, say):
    by_name, runs = {peer.name: peer for peer in able}, itertools.count()
    sinks.run_ways(
        list(by_name), rounds, lambda name: run(rig, by_name[name], f"{name}-{next(runs)}"), keep, say, one_line,
        lambda name: name in WARM_UP,
    )


def one_line(result):
    if not result["ok"]:
        return f"FAILED: {result['failure']}\n{result.get('log', '')}"
    return f"{result['rows_per_s']:,.0f} records/s, {result['cpu_s_per_million']:.2f} CPU s per M records"


def span(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} – {max(ratios):.2f})" if ratios else "–"


def row_of(name, facts, runs, rates):
    """A line of the table; `rates`: by peer and round. Ratios are taken round by round."""
    cells = [f"{facts['title']} (`{name}`)", facts["guarantee"]]
    failed = [run["failure"] for run in runs if not run["ok"]]
    if failed:
        cells += [f"**failed**: {' '.join(failed[0].split())}"] + [""] * 5
    else:
        middle = lambda what: statistics.median(run[what] for run in runs)  # noqa: E731
        bare, semel, own = rates.get("bare-loop", {}), rates.get("semel", {}), rates[name]
        cells += [
            f"{middle('rows_per_s'):,.0f}", span([own[number] / bare[number] for number in own if number in bare]),
            span([semel[number] / own[number] for number in own if number in semel]),
            f"{middle('cpu_s_per_million'):.2f}", f"{middle('server_cpu_s_per_million'):.2f}", str(int(middle("peak_bytes")) >> 20),
        ]
    return "| " + " | ".join(cells + [str(facts["lines"])]) + " |"


def markdown(raw):
    settings, box = raw["settings"], raw["machine"]
    rates = {name: {run["round"]: run["rows_per_s"] for run in raw["runs"] if run["way"] == name and run["ok"]} for name in raw["peers"]}
    lines = [
        f"# {raw['made_at'][:10]}: upsert",
        "",
        f"{settings['records']:,} JSON records of {settings['record_bytes']:.0f} bytes in {settings['partitions']} partitions into a table of "
        f"{min(settings['records'], KEYS):,} rows, its key in each partition's order. {settings['rounds']} rounds, medians, from the start "
        "of the process to the last row's commit; ratios are taken round by round. After each run every row was compared with its key's last record. "
        "[How it is measured](../README.md#upsert).",
        "",
        f"{box['cores']} cores ({box['processor']}), {box['memory_gib']} GiB, {box['system']}. Load average before it began: "
        f"{raw['load_before']:.1f}. semel {raw['versions']['semel']}, Kafka {raw['versions']['kafka']}, Java {raw['versions']['java']}; "
        + "; ".join(facts["versions"] for facts in raw["peers"].values() if facts["versions"]) + ".",
        "",
        "| peer | guarantee | records/s | beside the bare loop | semel beside it | CPU s per M records | PostgreSQL's | peak MiB | lines |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [row_of(name, facts, [run for run in raw["runs"] if run["way"] == name], rates) for name, facts in raw["peers"].items()]
    lines += [""] + [f"- `{name}`: {facts['note']}." for name, facts in raw["peers"].items()]
    return "\n".join(lines) + "\n"
