"""One run of semel, or of what it is compared with, into a fresh database: for bench/shapes and bench/scale."""

import os
import time

import processes
import servers as server_processes
from peers import tail

EVENT_COLUMNS = (
    "id bigint, user_id bigint, kind text, amount double precision, ts timestamptz, note text, ok boolean"
)
TABLE = "rows"


class Run:
    """A process and its database, `TABLE` in it, which end with the `with` block."""

    def __init__(self, servers, columns):
        self.servers = servers
        admin = servers.admin
        admin.rows("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        admin.rows("CREATE DATABASE bench")
        self.dsn = servers.dsn("bench")
        self.database = server_processes.Psql(self.dsn)
        self.database.rows(f"CREATE TABLE {TABLE} ({columns})")
        admin.rows("CHECKPOINT")
        self.work = servers.work_directory("work")
        self.tree = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.tree is not None:
            self.tree.kill()
            self.servers.janitor.tell("forget", -self.tree.pid)
        self.database.close()

    def pipeline_file(self, name, topics, top="", sink=""):
        """`top` and `sink`: more lines for the file and for its [sink.postgres]."""
        file = self.work / "pipeline.toml"
        names = ", ".join(f'"{topic}"' for topic in topics)
        file.write_text(
            f'name = "{name}"\nstate_dir = "{self.work}/state"\n{top}\n'
            f'[source.kafka]\nbrokers = "{self.servers.brokers}"\ntopics = [{names}]\n'
            f'[sink.postgres]\ndsn = "{self.dsn}"\ntable = "{TABLE}"\n{sink}\n',
            encoding="utf-8",
        )
        return file

    def start(self, command):
        self.tree = processes.ProcessTree(command, os.environ, self.work / "log")
        self.servers.janitor.tell("watch", -self.tree.pid, "KILL")
        return self.tree

    def last_words(self):
        return tail((self.work / "log").read_text(errors="replace"))

    def finish(self, command):
        """Runs `command` to its end; the seconds it took. Its tree knows the rest."""
        tree = self.start(command)
        began = time.monotonic()
        while tree.poll():
            time.sleep(0.01)
        seconds = time.monotonic() - began
        if tree.code != 0:
            raise SystemExit(f"{command[0]} failed:\n{self.last_words()}")
        return seconds
