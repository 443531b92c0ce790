"""bench/run --work streams: how often each word came, over all time, by semel and by other stream engines, from one
topic of lines into a topic of totals.

An engine is a directory in bench/streams: a peer.toml, a `start`, perhaps a `fetch`, as in bench/peers. It writes a record for a word
whenever it has shown another total: the word as key, the total as text. Afterwards the last total of each word, as a reader
of committed records sees it, must be what this program counted itself. Rows/s are words a second, from the start of the
process to the last total, as the broker has noted its time.
"""

import collections
import itertools
import os
import random
import statistics
import subprocess
import time

import peers
from measure import POLL_S, QUIET_S, STALLED_S
from peers import ROOT, PeerError, tail

ENGINES = ROOT / "bench" / "streams"
TOPIC = "lines"
WORDS_PER_LINE = 10
VOCABULARY = 100_000


def names():
    return sorted(path.parent.name for path in ENGINES.glob("*/peer.toml"))


def lines(number, seed=20261126):
    """Few words often, many seldom, as in a language: the n-th is there as often as 1/n."""
    dice = random.Random(seed)
    vocabulary = [f"word{i}" for i in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / (i + 1) for i in range(VOCABULARY)))
    for _ in range(number):
        yield dice.choices(vocabulary, cum_weights=weights, k=WORDS_PER_LINE)


class Rig:
    """What all runs share: servers, the filled topic, and what the totals must be in the end."""

    def __init__(self, servers, partitions, records, build, cache, timeout_s):
        self.servers, self.partitions, self.build, self.cache, self.timeout_s = servers, partitions, build, cache, timeout_s
        self.expected = collections.Counter()
        file = servers.directory / "lines.txt"
        with open(file, "w", encoding="ascii") as out:
            for words in lines(records):
                self.expected.update(words)
                out.write(" ".join(words) + "\n")
        self.words = records * WORDS_PER_LINE
        self.make_topic(TOPIC)
        self.kafka_tool(["-P", "-t", TOPIC, "-X", "compression.codec=lz4", "-X", "enable.idempotence=true", "-l", str(file)])
        self.bytes = file.stat().st_size
        file.unlink()

    def kafka_tool(self, arguments):
        """A topic that is new has no leaders yet, and a busy broker answers late."""
        deadline = time.monotonic() + 30
        while True:
            done = subprocess.run(
                ["kcat", "-q", "-b", self.servers.brokers, *arguments], check=False, capture_output=True, text=True,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode == 0:
                return done.stdout
            if time.monotonic() > deadline or "-P" in arguments:  # what is produced again is there twice
                raise PeerError(f"kcat {' '.join(arguments[:3])} failed:\n{tail(done.stderr)}")
            time.sleep(0.2)

    def make_topic(self, topic):
        """The broker's own time in each record, so that nobody has to watch."""
        subprocess.run(
            [self.build / "bench/bare/bare-kafka", "--create", "yes", "--brokers", self.servers.brokers, "--partitions",
             str(self.partitions), "--target", topic, "--timestamps", "LogAppendTime"],
            check=True, capture_output=True, stdin=subprocess.DEVNULL,
        )
        self.ends(topic)

    def ends(self, topic):
        """Of all partitions together: grows with each record."""
        asked = [f"{topic}:{partition}:-1" for partition in range(self.partitions)]
        answer = self.kafka_tool(["-Q", *itertools.chain.from_iterable(("-t", each) for each in asked)])
        return sum(int(line.rsplit(" ", 1)[1]) for line in answer.splitlines() if line)

    def totals(self, topic):
        """What readers of committed records see: (time in seconds, word, total), partition by partition."""
        answer = self.kafka_tool(
            ["-C", "-e", "-t", topic, "-X", "isolation.level=read_committed", "-f", "%T\\t%k\\t%s\\n"]
        )
        for line in answer.splitlines():
            moment, word, total = line.split("\t")
            yield int(moment) / 1000, word, int(total)

    def environment(self, name, work, target):
        return {
            **os.environ,
            "BROKERS": self.servers.brokers,
            "TOPIC": TOPIC,
            "TARGET": target,
            "PARTITIONS": str(self.partitions),
            "RUN": name,
            "WORK": str(work),
            "CACHE": str(self.cache),
            "BUILD": str(self.build),
        }


def run(rig, engine, name, kills=()):
    """One run into a topic of its own; killed so many seconds after each start. What goes wrong is in it, too."""
    result = {"peer": engine.name, "ok": False, "failure": None, "load_before": os.getloadavg()[0], "kills": []}
    log = rig.servers.directory / "peer.log"
    log.write_bytes(b"")
    target = f"totals-{name}"
    try:
        rig.make_topic(target)
        environment = rig.environment(name, rig.servers.work_directory("work"), target)
        os.sync()  # what an earlier run has left to be written is not this one's
        judge(rig, run_to_the_end(rig, engine, environment, target, log, list(kills), result), target, result)
        result["ok"] = True
    except PeerError as error:
        result["failure"] = str(error)
        result["log"] = tail(log.read_text(errors="replace"), 40)
    return result


def run_to_the_end(rig, engine, environment, target, log, kills, result):
    trees = []
    deadline = time.monotonic() + rig.timeout_s
    while True:
        with rig.servers.running([engine.directory / "start"], environment, log) as tree:
            trees.append(tree)
            began = grown_at = looked_at = time.monotonic()
            end = rig.ends(target)
            while tree.poll():
                now = time.monotonic()
                if now > deadline:
                    raise PeerError(f"ran out of its {rig.timeout_s} s")
                if kills and now - began > kills[0]:
                    break
                if not kills and not engine.ends and now - looked_at > QUIET_S:
                    looked_at = now
                    if (grown := rig.ends(target)) != end:
                        end, grown_at = grown, now
                    elif now - grown_at > STALLED_S or (end and now - grown_at > 2 * QUIET_S and complete(rig, target)):
                        break
                time.sleep(POLL_S)
            exited = tree.code
        if exited is not None and (exited != 0 or not engine.ends):
            raise PeerError(f"ended by itself with {exited}")
        if exited is not None or not kills:
            return trees
        kills.pop(0)
        result["kills"].append({"at": tree.killed_at})


def last_totals(rig, target):
    """Of each word, and when each total was stored."""
    last, moments = {}, []
    for moment, word, total in rig.totals(target):
        last[word] = total
        moments.append(moment)
    return last, moments


def complete(rig, target):
    return sum(last_totals(rig, target)[0].values()) >= rig.words


def judge(rig, trees, target, result):
    last, moments = last_totals(rig, target)
    if not moments:
        raise PeerError("no total became visible")
    result["rows"] = len(moments)
    wrong = [word for word, total in rig.expected.items() if last.get(word) != total]
    result["lost"] = sum(max(0, rig.expected[word] - last.get(word, 0)) for word in wrong)
    result["doubled"] = sum(max(0, last.get(word, 0) - rig.expected[word]) for word in wrong)
    result["peak_bytes"] = max(tree.peak_bytes for tree in trees)
    if len(trees) == 1:
        tree = trees[0]
        result["seconds"] = max(moments) - tree.started_at
        result["rows_per_s"] = rig.words / result["seconds"]
        cpu = tree.cpu_s if tree.code == 0 else tree.cpu_until(max(moments))
        result["cpu_s_per_million"] = cpu / rig.words * 1e6
    ends = [kill["at"] for kill in result["kills"][1:]] + [float("inf")]
    for kill, tree, end in zip(result["kills"], trees[1:], ends):
        later = [at for at in moments if tree.started_at < at < end]
        kill["restart_to_first_row_s"] = min(later) - tree.started_at if later else None
    if wrong:
        raise PeerError(f"{result['lost']:,} words lost, {result['doubled']:,} doubled, in totals of {len(wrong):,} words")


def run_all(rig, engines, rounds, crash, keep, say):
    seconds = {}
    for number in range(rounds + 1):
        for engine in peers.alternating(engines, number):
            result = run(rig, engine, f"{engine.name}-{number}")
            if result["ok"]:
                seconds[engine.name] = result["seconds"]
                if number == 0:
                    continue  # the first of each is to warm up
            keep({**result, "round": number, "kind": "clean"})
            say(f"round {number}: {one_line(result)}")
    for engine in engines if crash else []:
        # Each in the middle of its own time.
        result = run(rig, engine, f"{engine.name}-crash", [seconds.get(engine.name, 20) / 2])
        keep({**result, "round": None, "kind": "crash"})
        say(f"crash: {one_line(result)}")


def one_line(result):
    if not result["ok"]:
        return f"{result['peer']} FAILED: {result['failure']}\n{result.get('log', '')}"
    if result["kills"]:
        restarts = ", ".join(f"{kill['restart_to_first_row_s']}" for kill in result["kills"])
        return f"{result['peer']}: nothing lost or doubled; restart to first total: {restarts} s"
    return (f"{result['peer']}: {result['rows_per_s']:,.0f} words/s, {result['cpu_s_per_million']:.2f} CPU s per M words, "
            f"{result['rows']:,} totals, peak {result['peak_bytes'] >> 20} MiB")


def row_of(engine, runs, reference):
    """A line of the table; CPU beside semel's is taken round by round."""
    clean = [run for run in runs if run["ok"] and run["kind"] == "clean"]
    problems = [run["failure"] for run in runs if not run["ok"]]
    crashed = [run for run in runs if run["ok"] and run["kind"] == "crash"]
    restarts = [kill["restart_to_first_row_s"] for run in crashed for kill in run["kills"]]
    told = ", ".join("all was done" if at is None else f"{at:.1f}" for at in restarts) or "–"
    cells = [engine["title"], engine["guarantee"]]
    if clean:
        ratios = [run["cpu_s_per_million"] / reference[run["round"]] for run in clean if run["round"] in reference]
        middle = lambda what: statistics.median(run[what] for run in clean)  # noqa: E731
        cells += [
            f"{middle('rows_per_s'):,.0f}", f"{middle('cpu_s_per_million'):.2f}",
            f"{statistics.median(ratios):.1f}" if ratios else "–", f"{int(middle('peak_bytes')) >> 20}", f"{int(middle('rows')):,}", told,
        ]
    else:
        cells += ["–"] * 5 + [told]
    return "| " + " | ".join(cells + ["; ".join(problems) or "0 lost, 0 doubled"]) + " |"


def markdown(raw):
    settings, box = raw["settings"], raw["machine"]
    reference = {
        run["round"]: run["cpu_s_per_million"]
        for run in raw["runs"] if run["peer"] == "semel" and run["ok"] and run["kind"] == "clean"
    }
    lines_ = [
        f"# {raw['made_at'][:10]}: a word count beside other stream engines",
        "",
        f"{settings['records']:,} lines of {WORDS_PER_LINE} words, {VOCABULARY:,} different ones, the n-th as often as 1/n; {settings['partitions']} partitions, lz4, "
        f"{settings['record_bytes']:.0f} bytes a line. {settings['rounds']} rounds after one to warm up, medians; from the start of the process to the last total. "
        "After each run the last total of each word was compared with a count by hand. [How it is measured](../README.md#streams).",
        "",
        f"{box['cores']} cores ({box['processor']}), {box['memory_gib']} GiB, {box['system']}. Load average before it began: "
        f"{raw['load_before']:.1f}. semel {raw['versions']['semel']}, Kafka {raw['versions']['kafka']}, Java {raw['versions']['java']}; "
        + "; ".join(facts["versions"] for facts in raw["peers"].values() if facts["versions"]) + ".",
        "",
        "| engine | guarantee | words/s | CPU s per M words | × semel's CPU | peak MiB | totals written | restart to first total, s | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, facts in raw["peers"].items():
        lines_.append(row_of(facts, [run for run in raw["runs"] if run["peer"] == name], reference))
    lines_ += [""] + [f"- {facts['title']}: {facts['note']}; {facts['lines']} lines to write." for facts in raw["peers"].values()]
    return "\n".join(lines_) + "\n"
