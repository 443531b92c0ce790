"""bench/run --work upsert: a topic in which 500,000 keys come again and again, into a table with a row for each: semel with
`write = "upsert"`, the loop in C++ that does no more than it must (COPY into a temporary table, INSERT ... ON CONFLICT in the keys'
order, a ledger row, a transaction for 100,000 records), and a loop in Python as most people write it (executemany, ON CONFLICT).
All end by themselves at the end of the topic; time counts from the start of the process to its exit.
"""

import os
import statistics

import sinks
from peers import PEERS, ROOT, PeerError, run_script, tail
from servers import Psql

WAYS = ("semel", "bare-loop", "python")
PRODUCE = ("--shape", "keyed")
KEYS = 500_000  # of the shape (tools/record_shapes.cpp)
TABLE = (
    "CREATE TABLE events (id bigint PRIMARY KEY, user_id bigint, kind text, amount double precision, ts timestamptz, "
    "note text, ok boolean)"
)
PIPELINE = """name = "events"
state_dir = "{work}/state"
[source.kafka]
brokers = "{brokers}"
topics = ["{topic}"]
[sink.postgres]
dsn = "{dsn}"
table = "events"
write = "upsert"
"""


def expected(records, keys=KEYS):
    """Rows, and the sum of the numbers of each key's last record."""
    rows = min(records, keys)
    return rows, sum(range(records - rows, records))


class Rig:
    """What all runs share."""

    def __init__(self, servers, topic, partitions, records, build, timeout_s):
        self.servers, self.topic, self.partitions, self.records = servers, topic, partitions, records
        self.build, self.timeout_s = build, timeout_s


def command_of(rig, way, work, dsn):
    if way == "semel":
        file = work / "upsert.toml"
        file.write_text(PIPELINE.format(work=work, brokers=rig.servers.brokers, topic=rig.topic, dsn=dsn), encoding="utf-8")
        return [rig.build / "src/cli/semel", "run", file, "--once"]
    if way == "bare-loop":
        return [
            rig.build / "bench/bare/bare-postgres", "--brokers", rig.servers.brokers, "--topic", rig.topic, "--partitions",
            str(rig.partitions), "--dsn", dsn, "--table", "events", "--threads", str(rig.partitions), "--upsert", "id",
        ]
    environment = {**os.environ, "CACHE": str(ROOT / ".cache/bench")}
    run_script(PEERS / "python/fetch", environment)
    return [
        ROOT / ".cache/bench/python/bin/python", ROOT / "bench/upsert/consumer.py", rig.servers.brokers, rig.topic, dsn,
    ]


def run(rig, way):
    """One run into a fresh database. What goes wrong is in it, too."""
    result = {"way": way, "ok": False, "failure": None, "load_before": os.getloadavg()[0]}
    work = rig.servers.work_directory("work")
    log = rig.servers.directory / "peer.log"
    log.write_bytes(b"")
    admin = rig.servers.admin
    admin.rows("DROP DATABASE IF EXISTS upsert")
    admin.rows("CREATE DATABASE upsert")
    dsn = rig.servers.dsn("upsert")
    database = Psql(dsn)
    try:
        database.rows(TABLE)
        admin.rows("CHECKPOINT")
        os.sync()  # what an earlier run has left to be written is not this one's
        before = rig.servers.cpu_s("postgres")
        tree, seconds = sinks.run_to_its_end(rig, command_of(rig, way, work, dsn), os.environ, log)
        result["server_cpu_s_per_million"] = (rig.servers.cpu_s("postgres") - before) / rig.records * 1e6
        judge(rig, database.rows("SELECT count(*), sum(user_id) FROM events")[0])
        result.update(sinks.figures(rig, tree, seconds))
    except PeerError as error:
        result["failure"] = str(error)
        result["log"] = tail(log.read_text(errors="replace"), 40)
    finally:
        database.close()
    return result


def judge(rig, counted):
    rows, total = expected(rig.records)
    if counted != [str(rows), str(total)]:
        raise PeerError(f"{rows} rows and a sum of {total} were to come, and {' and '.join(counted)} came")


def run_all(rig, ways, rounds, keep, say):
    # Python takes minutes, and warms up nothing of its own.
    sinks.run_ways(ways, rounds, lambda way: run(rig, way), keep, say, one_line, lambda way: way != "python")


def one_line(result):
    if not result["ok"]:
        return f"FAILED: {result['failure']}\n{result.get('log', '')}"
    return f"{result['rows_per_s']:,.0f} records/s, {result['cpu_s_per_million']:.2f} CPU s per M records"


def row_of(way, runs, bare):
    failed = [run for run in runs if not run["ok"]]
    if failed:
        return f"| {way} | **failed**: {failed[0]['failure']} | | | | |"
    middle = lambda what: statistics.median(run[what] for run in runs)  # noqa: E731
    ratios = [run["rows_per_s"] / bare[run["round"]]["rows_per_s"] for run in runs if run["round"] in bare]
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} – {max(ratios):.2f})" if ratios else "–"
    return (
        f"| {way} | {middle('rows_per_s'):,.0f} | {ratio} | {middle('cpu_s_per_million'):.2f} "
        f"| {middle('server_cpu_s_per_million'):.2f} | {int(middle('peak_bytes')) >> 20} |"
    )


def markdown(raw):
    settings, box = raw["settings"], raw["machine"]
    bare = {run["round"]: run for run in raw["runs"] if run["way"] == "bare-loop" and run["ok"]}
    lines = [
        f"# {raw['made_at'][:10]}: upsert",
        "",
        f"{settings['records']:,} JSON records of {settings['record_bytes']:.0f} bytes in {settings['partitions']} partitions into a table of "
        f"{min(settings['records'], KEYS):,} rows, its key in each partition's order. {settings['rounds']} rounds after one to warm up, medians, from the start "
        "of the process to its exit; ratios are taken round by round. Afterwards the table had the last record of every key. "
        "[How it is measured](../README.md#upsert).",
        "",
        f"{box['cores']} cores ({box['processor']}), {box['memory_gib']} GiB, {box['system']}. Load average before it began: "
        f"{raw['load_before']:.1f}. semel {raw['versions']['semel']}, Kafka {raw['versions']['kafka']}.",
        "",
        "| | records/s | beside the bare loop | CPU s per M records | PostgreSQL's | peak MiB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    ways = sorted({run["way"] for run in raw["runs"]}, key=WAYS.index)
    lines += [row_of(way, [run for run in raw["runs"] if run["way"] == way], bare) for way in ways]
    return "\n".join(lines) + "\n"
