PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT NOT NULL, q INTEGER CHECK (q > 0));
INSERT INTO t VALUES(1,'a',1);
INSERT INTO t VALUES(4,'e',1);
CREATE TABLE semel_owners (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  epoch INTEGER NOT NULL,          -- raised by each take-over
  owner TEXT NOT NULL,             -- random UUID of the process that writes
  description TEXT NOT NULL,
  since TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  cluster_id TEXT NOT NULL,        -- of the Kafka cluster that the offsets belong to
  ledger_version INTEGER NOT NULL, -- of these tables
  state TEXT NOT NULL,             -- running, stopped, failed
  state_reason TEXT,
  heartbeat_ms INTEGER NOT NULL,   -- seen_at is touched at least so often
  topics TEXT NOT NULL,
  target TEXT NOT NULL,            -- the table that it writes
  PRIMARY KEY (pipeline, output)
) STRICT, WITHOUT ROWID;
INSERT INTO semel_owners VALUES('pipe','out',1,'a-0000-4000-8000-000000000000','test process a','2026-11-26T00:02:47.444Z','2026-11-26T00:02:47.444Z','cluster',1,'running',NULL,3000,'','t');
CREATE TABLE semel_progress (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  topic TEXT NOT NULL,
  "partition" INTEGER NOT NULL,
  until_offset INTEGER NOT NULL,   -- everything below is in the table
  epoch INTEGER NOT NULL,
  owner TEXT NOT NULL,
  batch_time INTEGER NOT NULL,     -- ms since 1970, of the batch that moved it last
  last_offset INTEGER,             -- the last record committed: by it the log is recognised
  last_timestamp INTEGER,
  last_checksum INTEGER,
  moved_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition")
) STRICT, WITHOUT ROWID;
INSERT INTO semel_progress VALUES('pipe','out','clicks',3,7,1,'a-0000-4000-8000-000000000000',1000,6,0,0,'2026-11-26T00:02:47.449Z');
CREATE TABLE semel_commits (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  topic TEXT NOT NULL,
  "partition" INTEGER NOT NULL,
  batch_time INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  from_offset INTEGER NOT NULL,
  until_offset INTEGER NOT NULL,
  kind TEXT NOT NULL,              -- start, commit, lost, set
  rows INTEGER NOT NULL,
  dead_letters INTEGER NOT NULL,
  ignored INTEGER NOT NULL,        -- records left out as configured (tombstones)
  suppressed INTEGER NOT NULL,     -- records that the table kept out by its own will
  note TEXT,
  committed_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition", batch_time, epoch, from_offset)
) STRICT;
INSERT INTO semel_commits VALUES('pipe','out','clicks',3,0,1,0,0,'start',0,0,0,0,NULL,'2026-11-26T00:02:47.448Z');
INSERT INTO semel_commits VALUES('pipe','out','clicks',3,1000,1,0,7,'commit',2,4,0,1,NULL,'2026-11-26T00:02:47.450Z');
CREATE TABLE semel_dead_letters (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  topic TEXT NOT NULL,
  "partition" INTEGER NOT NULL,
  "offset" INTEGER NOT NULL,
  batch_time INTEGER NOT NULL,
  timestamp_ms INTEGER,            -- Kafka's
  key BLOB,
  value BLOB,
  headers TEXT,                    -- JSON: [{"name": ..., "value": ... or "base64": ...}, ...]
  column_name TEXT,
  code TEXT NOT NULL,              -- https://www.sqlite.org/rescode.html; empty: not SQLite's
  reason TEXT NOT NULL,
  failed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
INSERT INTO semel_dead_letters VALUES('pipe','out','clicks',3,1,1000,1706696430500,X'6b',X'7b226964223a20312c20226e223a202262222c202271223a20317d',NULL,'id','1555','UNIQUE constraint failed: t.id','2026-11-26T00:02:47.449Z');
INSERT INTO semel_dead_letters VALUES('pipe','out','clicks',3,2,1000,1706696430500,X'6b',X'7b226964223a20322c202271223a20317d',NULL,'n','1299','NOT NULL constraint failed: t.n','2026-11-26T00:02:47.449Z');
INSERT INTO semel_dead_letters VALUES('pipe','out','clicks',3,3,1000,1706696430500,X'6b',X'7b226964223a20332c20226e223a202263222c202271223a20307d',NULL,NULL,'275','CHECK constraint failed: q > 0','2026-11-26T00:02:47.449Z');
INSERT INTO semel_dead_letters VALUES('pipe','out','clicks',3,4,1000,1706696430500,X'6b',X'7b226964223a2031332c20226e223a202264222c202271223a20317d',NULL,NULL,'1811','not 13','2026-11-26T00:02:47.449Z');
CREATE TRIGGER no13 BEFORE INSERT ON t WHEN new.id = 13 BEGIN SELECT RAISE(ABORT, 'not 13'); END;
CREATE TRIGGER no14 BEFORE INSERT ON t WHEN new.id = 14 BEGIN SELECT RAISE(IGNORE); END;
COMMIT;
