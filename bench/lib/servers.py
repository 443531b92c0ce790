"""PostgreSQL and Kafka for one run of bench/run, and what asks them. Gone when it ends, however it ends."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import processes
from peers import ROOT, tail

# PostgreSQL as it comes, durability above all; shared_buffers is its default again (the tests have less).
# Prepared transactions are for Flink's two-phase commit. Commit timestamps tell when a row became visible
# without anybody having to watch.
POSTGRES_SETTINGS = {
    "shared_buffers": "128MB",
    "max_prepared_transactions": "32",
    "track_commit_timestamp": "on",
}
# As kafka-server-start runs it.
KAFKA_JVM = "-Xms1g -Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35"
START_TIMEOUT_S = 120


class ServerError(Exception):
    """A server did not start, or refused what was asked of it."""


class Janitor:
    """Ends what was started and removes what was made, even when this process is killed."""

    def __init__(self):
        self._process = subprocess.Popen(
            [ROOT / "scripts/lib/janitor"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )

    def tell(self, *words):
        self._process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self._process.stdin.flush()

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Psql:
    """One psql, asked again and again: a question costs the server what it must and no new process."""

    END = "--end-of-answer--"

    def __init__(self, dsn):
        self._process = subprocess.Popen(
            ["psql", "-qXAt", "-F", "\t", "-d", dsn], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        )

    def rows(self, sql):
        """The answer's rows, each a list of texts. Raises ServerError with PostgreSQL's words."""
        self._process.stdin.write(f"{sql};\n\\echo {self.END}\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            line = line.rstrip("\n")
            if line == self.END:
                break
            lines.append(line)
        else:
            raise ServerError(f"psql ended: {tail(chr(10).join(lines))}")
        problems = [line for line in lines if re.match(r"(ERROR|FATAL|PANIC):", line)]
        if problems:
            raise ServerError(f"{problems[0]} ({sql})")
        return [line.split("\t") for line in lines if not re.match(r"(NOTICE|WARNING):", line)]

    def value(self, sql):
        return self.rows(sql)[0][0]

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def fetch_kafka():
    """The directory of its jars. Raises ServerError where it cannot be had."""
    done = subprocess.run([ROOT / "scripts/fetch-kafka"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerError(f"Kafka cannot be fetched: {done.stderr.strip()}")
    return done.stdout.strip()


class Servers:
    """Use as a context: both answer inside it."""

    def __init__(self, jars):
        self._jars = jars
        self._started = []

    def __enter__(self):
        self.janitor = Janitor()
        try:
            self.directory = Path(tempfile.mkdtemp(prefix="semel-bench-"))
            self.janitor.tell("remove", self.directory)
            self.directory.chmod(0o711)  # the database's directory is inside, and it may be another user's
            self._start_postgres()
            self._start_kafka()
            self.admin = Psql(self.dsn("postgres"))
            self._wait_for("kafka", self._kafka_answers)
        except BaseException:
            self.janitor.close()
            raise
        return self

    def __exit__(self, *_):
        self.admin.close()
        self.janitor.close()

    def _start(self, name, command, environment, signal_name):
        log = self.directory / f"{name}.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )
        self.janitor.tell("watch", process.pid, signal_name)
        self._started.append((name, process, log))

    def _start_postgres(self):
        self.postgres_port = free_port()
        directory = self.directory / "postgres"
        directory.mkdir()
        settings = "".join(f"{name} = {value}\n" for name, value in POSTGRES_SETTINGS.items())
        (directory / "extra.conf").write_text(settings, encoding="utf-8")
        self._start(
            "postgres",
            [ROOT / "scripts/lib/throwaway-postgres", directory, str(self.postgres_port)],
            os.environ, "INT",
        )
        self._wait_for("postgres", self._postgres_answers)

    def _start_kafka(self):
        port = free_port()
        self.brokers = f"127.0.0.1:{port}"
        self._start(
            "kafka",
            [ROOT / "scripts/lib/throwaway-kafka", self.directory / "kafka", str(port), str(free_port()),
             self._jars],
            {**os.environ, "KAFKA_JVM": KAFKA_JVM}, "TERM",
        )

    def _wait_for(self, name, answers):
        deadline = time.monotonic() + START_TIMEOUT_S
        _, process, log = next(entry for entry in self._started if entry[0] == name)
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{name} did not start:\n{tail(log.read_text(errors='replace'))}")
            time.sleep(0.1)

    def _postgres_answers(self):
        return subprocess.run(
            ["psql", "-qXAt", "-d", self.dsn("postgres"), "-c", "SELECT 1"], check=False,
            capture_output=True, stdin=subprocess.DEVNULL,
        ).returncode == 0

    def _kafka_answers(self):
        host, port = self.brokers.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return True
        except OSError:
            return False

    def cpu_s(self, name):
        """CPU seconds that "kafka" or "postgres" has needed so far."""
        pid = next(process.pid for started, process, _ in self._started if started == name)
        return sum(stat.cpu_s for stat in processes.family_of(pid).values())

    def dsn(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.postgres_port}/{database}"

    @contextlib.contextmanager
    def running(self, command, environment, log):
        """The command's ProcessTree; all of it is over afterwards, also when this process is killed."""
        tree = processes.ProcessTree(command, environment, log)
        self.janitor.tell("watch", -tree.pid, "KILL")
        try:
            yield tree
        finally:
            tree.kill()
            self.janitor.tell("forget", -tree.pid)

    def work_directory(self, name):
        """A new, private directory below the one that is removed at the end."""
        directory = self.directory / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return directory

    def produce(self, demo, topic, partitions, records, more=()):
        """Fills the topic; returns what it then holds, as semel-demo says it. `more`: its options."""
        done = subprocess.run(
            [demo, "produce", "--brokers", self.brokers, "--topic", topic, "--partitions",
             str(partitions), "--events", str(records), *more],
            check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True,
        )
        if done.returncode != 0:
            raise ServerError(f"semel-demo produce failed:\n{tail(done.stderr)}")
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
