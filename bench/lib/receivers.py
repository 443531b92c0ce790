"""bench/run --work receivers: the same records from a topic, and from a sender over TCP or HTTP through a log on this machine
that is synced before each is acknowledged; into files, by one program. Time counts from the start of the process to its
exit, when all is committed; the sender is not counted in its processor time.
"""

import http.client
import os
import socket
import statistics
import subprocess
import threading
import time

import sinks
from peers import ROOT, PeerError, run_script, tail
from servers import free_port

WAYS = ("topic", "tcp", "http")
PRODUCE = ()
LINES_PER_POST = 1000
STORED = ROOT / "bench/sinks/file/count"  # rows, distinct ids, the sum of user_id
CONFIG = """name = "receive"
state_dir = "{work}/state"
{kafka}[sink.file]
output = "out"
directory = "{work}/files"
"""


def send_tcp(port, lines):
    """All lines as fast as they are taken; an answer "ok" for each is waited for."""
    with connected(port) as peer:
        data = b"".join(lines)
        sending = threading.Thread(target=peer.sendall, args=(data,))
        sending.start()
        left = len(b"ok\n") * len(lines)
        while left > 0:
            got = len(peer.recv(1 << 16))
            if got == 0:
                raise PeerError("the connection was closed before all was acknowledged")
            left -= got
        sending.join()


def send_http(port, lines):
    connected(port).close()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for start in range(0, len(lines), LINES_PER_POST):
        connection.request("POST", "/", b"".join(lines[start:start + LINES_PER_POST]))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise PeerError(f"a post was answered by {answer.status}")
    connection.close()


def connected(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > deadline:
                raise PeerError("nobody listens") from None
            time.sleep(0.01)


class Rig:
    """What all runs share."""

    def __init__(self, servers, topic, produced, build, timeout_s):
        self.servers, self.topic, self.produced, self.build, self.timeout_s = servers, topic, produced, build, timeout_s
        self.records = int(produced["produced"])
        dump = subprocess.run(
            ["kcat", "-C", "-e", "-q", "-b", servers.brokers, "-t", topic], check=True, capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        self.lines = dump.stdout.splitlines(keepends=True)


def run(rig, way):
    """One run into a fresh directory. What goes wrong is in it, too."""
    result = {"way": way, "ok": False, "failure": None, "load_before": os.getloadavg()[0], "acknowledged_s": None}
    work = rig.servers.work_directory("work")
    (work / "files").mkdir()
    kafka = f'[source.kafka]\nbrokers = "{rig.servers.brokers}"\n' if way == "topic" else ""
    (work / "receive.toml").write_text(CONFIG.format(work=work, kafka=kafka), encoding="utf-8")
    log = rig.servers.directory / "peer.log"
    log.write_bytes(b"")
    port = free_port()
    where = rig.topic if way == "topic" else f"127.0.0.1:{port}"
    os.sync()  # what an earlier run has left to be written is not this one's
    command = [rig.build / "bench/bench-receive", work / "receive.toml", way, where, str(rig.records)]
    sending = threading.Thread(target=send, args=(way, port, rig.lines, time.monotonic(), result))
    sending.start()
    try:
        tree, seconds = sinks.run_to_its_end(rig, command, os.environ, log)
        sending.join()
        sinks.judge(rig, run_script(STORED, {**os.environ, "WORK": str(work)}), result)
        result.update(sinks.figures(rig, tree, seconds))
    except PeerError as error:
        result["failure"] = str(error)
        result["log"] = tail(log.read_text(errors="replace"), 40)
    return result


def send(way, port, lines, began, result):
    if way == "topic":
        return
    try:
        (send_tcp if way == "tcp" else send_http)(port, lines)
        result["acknowledged_s"] = time.monotonic() - began
    except (OSError, PeerError, http.client.HTTPException) as error:
        result["failure"] = f"the sender: {error}"


def run_all(rig, ways, rounds, keep, say):
    sinks.run_ways(ways, rounds, lambda way: run(rig, way), keep, say, one_line)


def one_line(result):
    if not result["ok"]:
        return f"FAILED: {result['failure']}\n{result.get('log', '')}"
    return f"{result['rows_per_s']:,.0f} rows/s, {result['cpu_s_per_million']:.2f} CPU s per M rows"


def row_of(way, runs, topic):
    """A line of the table. Ratios are taken round by round."""
    failed = [run for run in runs if not run["ok"]]
    if failed:
        return f"| {way} | **failed**: {failed[0]['failure']} | | | | | |"
    middle = lambda what: statistics.median(run[what] for run in runs)  # noqa: E731
    ratios = [run["rows_per_s"] / topic[run["round"]]["rows_per_s"] for run in runs if run["round"] in topic]
    cpu = [run["cpu_s_per_million"] / topic[run["round"]]["cpu_s_per_million"] for run in runs if run["round"] in topic]
    acknowledged = [run["acknowledged_s"] for run in runs if run["acknowledged_s"]]
    told = f"{statistics.median(acknowledged):.2f} of {middle('seconds'):.2f}" if acknowledged else "–"
    rate_ratio, cpu_ratio = (f"{statistics.median(each):.2f}" if each else "–" for each in (ratios, cpu))
    return (
        f"| {way} | {middle('rows_per_s'):,.0f} | {rate_ratio} | {middle('cpu_s_per_million'):.2f} | {cpu_ratio} "
        f"| {int(middle('peak_bytes')) >> 20} | {told} |"
    )


def markdown(raw):
    settings, box = raw["settings"], raw["machine"]
    topic = {run["round"]: run for run in raw["runs"] if run["way"] == "topic" and run["ok"]}
    lines = [
        f"# {raw['made_at'][:10]}: receivers beside the direct stream",
        "",
        f"{settings['records']:,} JSON records of {settings['record_bytes']:.0f} bytes, as they are, into files (one stream, one output): from a topic of "
        f"{settings['partitions']} partitions, from one sender over TCP (an answer for each line), and from one over HTTP ({LINES_PER_POST} lines a post, one after the other). "
        f"{settings['rounds']} rounds after one to warm up, medians, from the start of the process to its exit; ratios are taken round by round. "
        "Every id was there once, by another tool's count. [How it is measured](../README.md#receivers).",
        "",
        f"{box['cores']} cores ({box['processor']}), {box['memory_gib']} GiB, {box['system']}. Load average before it began: "
        f"{raw['load_before']:.1f}. semel {raw['versions']['semel']}, Kafka {raw['versions']['kafka']}.",
        "",
        "| from | rows/s | beside the topic | CPU s per M rows | beside the topic | peak MiB | acknowledged after, s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    ways = list(dict.fromkeys(run["way"] for run in raw["runs"]))
    ways.sort(key=WAYS.index)
    lines += [row_of(way, [run for run in raw["runs"] if run["way"] == way], topic) for way in ways]
    return "\n".join(lines) + "\n"
