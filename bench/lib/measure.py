"""One run of one peer: from a fresh database to a checked table.

Nothing watches the rows of a run that is measured: the server notes when each transaction was committed
(track_commit_timestamp), and afterwards the rows say when they became visible. While a peer works it is
only asked how large the table's file is, a stat() for the server, to know when to look. A peer that never
ends is looked at, by counting, only when that size has stopped to grow; by then it has nothing to do.
"""

import os
import time

from drain import EVENT_COLUMNS
from peers import PeerError, run_script, tail
from servers import Psql

TABLE = "events"
KILL_AT = (0.40, 0.75)  # of the rows
# A table that does not grow for this long is all that will come. A member of Kafka's consumer groups that
# was killed keeps its partitions for 45 s.
STALLED_S = 100
QUIET_S = 1.0
POLL_S = 0.02
POLL_TO_KILL_S = 0.003


class Rig:
    """What all runs share: servers, the filled topic, and what the table must hold in the end."""

    def __init__(self, servers, topic, partitions, produced, build, cache, timeout_s):
        self.servers = servers
        self.topic = topic
        self.partitions = partitions
        self.produced = produced
        self.records = int(produced["produced"])
        self.build = build
        self.cache = cache
        self.timeout_s = timeout_s
        self.bytes_per_row = None  # of the table's file; the warm-up run tells
        self.checksum = None  # over all columns; the warm-up run's

    def environment(self, peer, run, work):
        # A user's PGOPTIONS and the like would make it another server.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {
            **inherited,
            "BROKERS": self.servers.brokers,
            "TOPIC": self.topic,
            "PARTITIONS": str(self.partitions),
            "RECORDS": str(self.records),
            "DSN": self.servers.dsn("bench"),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.servers.postgres_port),
            "PGUSER": "postgres",
            "PGDATABASE": "bench",
            "TABLE": TABLE,
            "RUN": run,
            "WORK": str(work),
            "CACHE": str(self.cache),
            "BUILD": str(self.build),
        }


class Database:
    """The run's own: whatever a peer keeps beside its table is gone with it."""

    def __init__(self, rig):
        self._admin = rig.servers.admin
        self._drop()
        self._admin.rows("CREATE DATABASE bench")
        self._psql = Psql(rig.servers.dsn("bench"))
        self._psql.rows(f"CREATE TABLE {TABLE} ({EVENT_COLUMNS})")

    def _drop(self):
        self._admin.rows("DROP DATABASE IF EXISTS bench WITH (FORCE)")

    def keep_dead_rows(self):
        """So that the file's growth tells how far a peer is that was killed before."""
        self._psql.rows(f"ALTER TABLE {TABLE} SET (autovacuum_enabled = off)")

    def checkpoint(self):
        self._admin.rows("CHECKPOINT")

    def size(self):
        """Bytes of the table's file, rows that are not committed among them."""
        return int(self._psql.value(f"SELECT pg_relation_size('{TABLE}')"))

    def rows(self):
        return int(self._psql.value(f"SELECT count(*) FROM {TABLE}"))

    def distinct(self):
        return int(self._psql.value(f"SELECT count(DISTINCT id) FROM {TABLE}"))

    def progress(self):
        """What changes as long as a peer has something to do; 0 before its first row."""
        return self.size()

    def complete(self, records):
        return self.rows() >= records and self.distinct() == records

    def commits(self):
        """When rows became visible, seconds since the epoch, in order."""
        answer = self._psql.rows(
            "SELECT extract(epoch FROM pg_xact_commit_timestamp(transaction)) FROM "
            f"(SELECT xmin AS transaction FROM {TABLE} GROUP BY xmin) AS t ORDER BY 1"
        )
        return [float(row[0]) for row in answer]

    def contents(self):
        values = self._psql.rows(
            "SELECT count(*), count(DISTINCT id), sum(id), sum(user_id), sum(amount::numeric(12, 2)), "
            "sum(hashtextextended(concat_ws('|', id, user_id, kind, amount, ts, note, ok), 0)::numeric) "
            f"FROM {TABLE}"
        )[0]
        names = ("rows", "distinct", "sum_id", "sum_user_id", "sum_amount", "checksum")
        return dict(zip(names, values))

    def close(self):
        """Drops it. Returns how many prepared transactions were left behind, holding locks."""
        prepared = self._psql.rows("SELECT gid FROM pg_prepared_xacts WHERE database = 'bench'")
        for (gid,) in prepared:
            self._psql.rows(f"ROLLBACK PREPARED '{gid}'")
        self._psql.close()
        self._drop()
        return len(prepared)


class Settling:
    """Whether a peer that never ends has done all, or will do no more."""

    def __init__(self, rig, database):
        self._rig = rig
        self._database = database
        self._progress = None
        self._grown_at = self._looked_at = time.monotonic()

    def over(self):
        now = time.monotonic()
        progress = self._database.progress()
        if progress != self._progress:
            self._progress, self._grown_at = progress, now
            return False
        quiet = now - self._grown_at
        if progress == 0 or quiet < QUIET_S or now - self._looked_at < QUIET_S:
            return quiet > STALLED_S
        self._looked_at = now
        return self._database.complete(self._rig.records) or quiet > STALLED_S


def run_peer(rig, peer, name, kills=()):
    """What came of it, a failure among it: only the servers' own failures are raised."""
    result = {"peer": peer.name, "ok": False, "failure": None, "load_before": os.getloadavg()[0]}
    work = rig.servers.work_directory("work")
    log = rig.servers.directory / "peer.log"
    log.write_bytes(b"")
    environment = rig.environment(peer, name, work)
    database = Database(rig)
    try:
        if (peer.directory / "prepare").exists():
            run_script(peer.directory / "prepare", environment)
        if kills:
            database.keep_dead_rows()
        database.checkpoint()
        trees = run_to_the_end(rig, peer, database, environment, log, kills, result)
        judge(rig, database, trees, result)
    except PeerError as error:
        result["failure"] = str(error)
    finally:
        left = database.close()
        result["prepared_left"] = left
    if result["failure"]:
        result["log"] = tail(log.read_text(errors="replace"), 40)
    result["ok"] = result["failure"] is None
    return result


def run_to_the_end(rig, peer, database, environment, log, kills, result):
    """Starts the peer, kills and restarts it where that is wanted; all its processes are over afterwards."""
    trees, marks = [], list(kills)
    done_rows = done_size = 0
    result["kills"] = []
    deadline = time.monotonic() + rig.timeout_s
    while True:
        with rig.servers.running([peer.directory / "start"], environment, log) as tree:
            trees.append(tree)
            settling = Settling(rig, database)
            next_look = 0.0
            while tree.poll():
                if time.monotonic() > deadline:
                    raise PeerError(f"ran out of its {rig.timeout_s} s with {database.rows()} rows")
                if marks:
                    grown = (database.size() - done_size) / rig.bytes_per_row
                    if done_rows + grown >= marks[0] * rig.records:
                        break
                    time.sleep(POLL_TO_KILL_S)
                    continue
                if not peer.ends and time.monotonic() >= next_look:
                    if settling.over():
                        break
                    next_look = time.monotonic() + 0.2
                time.sleep(POLL_S)
            exited = tree.code
        if exited is not None and (exited != 0 or not peer.ends):
            raise PeerError(f"ended by itself with {exited}, {database.rows()} rows in the table")
        if exited is not None or not marks:
            return trees
        marks.pop(0)
        # What it had sent already is committed or refused by the time that this is answered.
        done_rows, done_size = database.rows(), database.size()
        result["kills"].append({"at": tree.killed_at, "rows": done_rows})


def judge(rig, database, trees, result):
    commits = database.commits()
    contents = database.contents()
    rows, distinct = int(contents["rows"]), int(contents["distinct"])
    result["rows"], result["lost"], result["doubled"] = rows, rig.records - distinct, rows - distinct
    result["table_bytes"] = database.size()
    result["peak_bytes"] = max(tree.peak_bytes for tree in trees)
    first = trees[0]
    if rows == 0:
        raise PeerError("no row became visible")
    if not result["kills"]:
        result["seconds"] = commits[-1] - first.started_at
        result["rows_per_s"] = rig.records / result["seconds"]
        cpu = first.cpu_s if first.code == 0 else first.cpu_until(commits[-1])
        result["cpu_s_per_million"] = cpu / rig.records * 1e6
    ends = [kill["at"] for kill in result["kills"][1:]] + [float("inf")]
    for kill, tree, end in zip(result["kills"], trees[1:], ends):
        # A peer that was killed again before its first row has none.
        later = [at for at in commits if tree.started_at < at < end]
        kill["restart_to_first_row_s"] = later[0] - tree.started_at if later else None
    if not result["lost"] and not result["doubled"]:
        if rig.checksum is None:
            rig.checksum = contents["checksum"]
        sums = ("sum_id", "sum_user_id", "sum_amount")
        wrong = [name for name in sums if contents[name] != rig.produced[name]]
        if contents["checksum"] != rig.checksum:
            wrong.append("checksum over all columns")
        if wrong:
            raise PeerError(f"every id once, but wrong values: {', '.join(wrong)}")
