"""bench/run --work sinks: semel into each kind of sink, beside the loop that does the least for the same store.

A store is a directory in bench/sinks: `pipeline.toml` for semel, `bare` (the loop), `prepare`, which makes what both
need in $WORK, and `count`, which prints what is stored: rows, distinct ids, the sum of user_id (bench/lib/count-rows). Where there
is a `semel`, it runs semel's command, which it is given. Both end by themselves at the end of the topic; time counts from the start
of the process to its exit, so that what a loop has only in memory counts.
"""

import os
import statistics
import time

from peers import ROOT, PeerError, run_script, tail

STORES = ROOT / "bench" / "sinks"
PRODUCE = ()


def names():
    return sorted(path.parent.name for path in STORES.glob("*/pipeline.toml"))


def known(chosen):
    """The stores that are meant; all where none is named. Raises PeerError."""
    for name in chosen:
        if name not in names():
            raise PeerError(f"no store {name}: bench/sinks has {', '.join(names())}")
    return list(chosen) or names()


def command_of(who, store, environment):
    if who == "bare":
        return [STORES / store / "bare"]
    build, work = environment["BUILD"], environment["WORK"]
    command = [f"{build}/src/cli/semel", "run", STORES / store / "pipeline.toml", "--once", "--set", f"state_dir={work}/state"]
    wrapper = STORES / store / "semel"
    return [wrapper, *command] if wrapper.exists() else command


def run_to_its_end(rig, command, environment, log):
    """Its ProcessTree, and the seconds from its start to its exit, which has to be a good one."""
    with rig.servers.running(command, environment, log) as tree:
        began = time.monotonic()
        while tree.poll():
            if time.monotonic() - began > rig.timeout_s:
                raise PeerError(f"ran out of its {rig.timeout_s} s")
            time.sleep(0.005)
        seconds = time.monotonic() - began
    if tree.code != 0:
        raise PeerError(f"ended with {tree.code}")
    return tree, seconds


def figures(rig, tree, seconds):
    """Of a run in which nothing was wrong."""
    return {
        "ok": True, "seconds": seconds, "rows_per_s": rig.records / seconds, "peak_bytes": tree.peak_bytes,
        "cpu_s_per_million": tree.cpu_s / rig.records * 1e6,
    }


def run(rig, store, who, name):
    """One run into a fresh store. What goes wrong is in it, too."""
    result = {"store": store, "who": who, "ok": False, "failure": None, "load_before": os.getloadavg()[0]}
    environment = rig.environment(store, name)
    log = rig.servers.directory / "peer.log"
    log.write_bytes(b"")
    try:
        run_script(STORES / store / "prepare", environment)
        os.sync()  # what an earlier run has left to be written is not this one's
        tree, seconds = run_to_its_end(rig, command_of(who, store, environment), environment, log)
        judge(rig, run_script(STORES / store / "count", environment), result)
        result.update(figures(rig, tree, seconds))
    except PeerError as error:
        result["failure"] = str(error)
        result["log"] = tail(log.read_text(errors="replace"), 40)
    return result


def judge(rig, counted, result):
    rows, distinct, user_ids = counted.split()
    result["lost"], result["doubled"] = rig.records - int(distinct), int(rows) - int(distinct)
    if result["lost"] or result["doubled"]:
        raise PeerError(f"{result['lost']} lost, {result['doubled']} doubled")
    if user_ids != rig.produced["sum_user_id"]:
        raise PeerError("every id once, but other values")


class Rig:
    """What all runs share."""

    def __init__(self, servers, topic, partitions, produced, build, timeout_s):
        self.servers = servers
        self.topic = topic
        self.partitions = partitions
        self.produced = produced
        self.records = int(produced["produced"])
        self.build = build
        self.timeout_s = timeout_s

    def environment(self, store, run_name):
        return {
            **os.environ,
            "BROKERS": self.servers.brokers,
            "TOPIC": self.topic,
            "PARTITIONS": str(self.partitions),
            "WORK": str(self.servers.work_directory("work")),
            "BUILD": str(self.build),
            "STORE": store,
            "RUN": run_name,
        }


def run_all(rig, stores, rounds, keep, say):
    for store in stores:
        for number in range(rounds + 1):
            for who in ("semel", "bare") if number % 2 else ("bare", "semel"):
                result = run(rig, store, who, f"{store}-{who}-{number}")
                if number == 0 and result["ok"]:
                    continue  # the first of each is to warm up
                keep({**result, "round": number})
                say(f"{store} {who} {number}: {one_line(result)}")


def run_ways(ways, rounds, run, keep, say, one_line, warms_up=lambda way: True):
    """Each way in each round, every second round the other way round; the first of each is to warm up."""
    for number in range(rounds + 1):
        for way in ways if number % 2 else reversed(ways):
            if number == 0 and not warms_up(way):
                continue
            result = run(way)
            if number == 0 and result["ok"]:
                continue
            keep({**result, "round": number})
            say(f"{way} {number}: {one_line(result)}")


def one_line(result):
    if not result["ok"]:
        return f"FAILED: {result['failure']}\n{result['log']}"
    return (f"{result['rows_per_s']:,.0f} rows/s, {result['cpu_s_per_million']:.2f} CPU s per M rows, "
            f"peak {result['peak_bytes'] >> 20} MiB")


def middle(runs, what):
    return statistics.median(run[what] for run in runs)


def row_of(store, runs):
    """Of one store's runs: a line of the table. Ratios are taken round by round."""
    failed = [run for run in runs if not run["ok"]]
    if failed:
        return f"| {store} | **failed**: {failed[0]['who']}: {failed[0]['failure']} | | | | | | |"
    semel, bare = ([run for run in runs if run["who"] == who] for who in ("semel", "bare"))
    other = {run["round"]: run for run in bare}
    ratios = [run["rows_per_s"] / other[run["round"]]["rows_per_s"] for run in semel]
    span = f"{min(ratios):.2f} – {max(ratios):.2f}"
    return (
        f"| {store} | {middle(semel, 'rows_per_s'):,.0f} | {middle(bare, 'rows_per_s'):,.0f} "
        f"| **{statistics.median(ratios):.2f}** ({span}) "
        f"| {middle(semel, 'cpu_s_per_million'):.2f} | {middle(bare, 'cpu_s_per_million'):.2f} "
        f"| {int(middle(semel, 'peak_bytes')) >> 20} | {int(middle(bare, 'peak_bytes')) >> 20} |"
    )


def markdown(raw):
    settings, box = raw["settings"], raw["machine"]
    lines = [
        f"# {raw['made_at'][:10]}: each sink beside the loop that does the least",
        "",
        f"{settings['records']:,} JSON records of {settings['record_bytes']:.0f} bytes, {settings['partitions']} partitions, lz4; "
        f"{settings['rounds']} rounds after one to warm up, medians, from the start of the process to its exit; ratios are taken "
        "round by round. Nothing was lost or doubled, by another tool's count after each run. "
        "[How it is measured](../README.md).",
        "",
        f"{box['cores']} cores ({box['processor']}), {box['memory_gib']} GiB, {box['system']}. Load average before it began: "
        f"{raw['load_before']:.1f}. semel {raw['versions']['semel']}, Kafka {raw['versions']['kafka']}, librdkafka "
        f"{raw['versions']['librdkafka']}.",
        "",
        "| sink | semel, rows/s | the loop, rows/s | ratio | semel, CPU s per M rows | the loop | semel, peak MiB | the loop |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    stores = list(dict.fromkeys(run["store"] for run in raw["runs"]))
    lines += [row_of(store, [run for run in raw["runs"] if run["store"] == store]) for store in stores]
    return "\n".join(lines) + "\n"
