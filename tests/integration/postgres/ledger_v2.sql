-- The ledger as semel efbb6ed made it (version 2), with what one pipeline left in it.
CREATE TABLE IF NOT EXISTS "semel_owners" (
  pipeline text NOT NULL,
  output text NOT NULL,
  epoch bigint NOT NULL,            -- raised by each take-over
  owner text NOT NULL,              -- random UUID of the process that writes
  description text NOT NULL,
  application_name text NOT NULL,   -- of its sessions; empty: it stopped in good order
  since timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  cluster_id text NOT NULL,         -- of the Kafka cluster that the offsets belong to
  PRIMARY KEY (pipeline, output)
);
CREATE TABLE IF NOT EXISTS "semel_progress" (
  pipeline text NOT NULL,
  output text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  until_offset bigint NOT NULL,     -- everything below is in the table
  epoch bigint NOT NULL,
  owner text NOT NULL,
  batch_time bigint NOT NULL,       -- ms since 1970, of the batch that moved it last
  last_offset bigint,               -- the last record committed: by it the log is recognised
  last_timestamp bigint,
  last_checksum bigint,
  moved_at timestamptz NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition")
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS "semel_commits" (
  pipeline text NOT NULL,
  output text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  batch_time bigint NOT NULL,
  epoch bigint NOT NULL,
  from_offset bigint NOT NULL,
  until_offset bigint NOT NULL,     -- NULL is what makes the server refuse a commit
  kind text NOT NULL,               -- start, commit, lost, set
  rows bigint NOT NULL,
  dead_letters bigint NOT NULL,
  note text,
  committed_at timestamptz NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition", batch_time, epoch, from_offset)
);
CREATE TABLE IF NOT EXISTS "semel_dead_letters" (
  pipeline text NOT NULL,
  output text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  "offset" bigint NOT NULL,
  batch_time bigint NOT NULL,
  timestamp_ms bigint,              -- Kafka's
  key bytea,
  value bytea,
  headers bytea,                    -- JSON: [{"name": ..., "value": ... or "base64": ...}, ...]
  column_name text,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNLOGGED TABLE IF NOT EXISTS "semel_begun" (
  never text UNIQUE CHECK (never IS NULL),
  advance text NOT NULL REFERENCES "semel_begun" (never) DEFERRABLE INITIALLY DEFERRED  -- why it fails
);
CREATE TABLE IF NOT EXISTS "semel_state" (
  pipeline text NOT NULL,
  output text NOT NULL,
  key bytea NOT NULL,               -- a stage's name, a zero byte, and its key; beyond 1000 bytes cut, and sha256; empty: the version of the rows
  key_rest bytea,                   -- of a key that was cut, what is behind 1000 bytes
  value bytea,                      -- NULL: the key is gone; kept for caches that are behind
  batch_time bigint NOT NULL,       -- ms since 1970, of the batch that wrote it
  PRIMARY KEY (pipeline, output, key)
) WITH (fillfactor = 80);
CREATE TABLE IF NOT EXISTS "semel_state_versions" (
  pipeline text NOT NULL,
  output text NOT NULL,
  batch_time bigint NOT NULL,
  name bigint NOT NULL,             -- random, given once
  committed_at timestamptz NOT NULL,
  PRIMARY KEY (pipeline, output, batch_time)
);
ALTER TABLE "semel_owners"
  ADD COLUMN IF NOT EXISTS ledger_version integer NOT NULL DEFAULT 2,  -- of these tables: its default
  ADD COLUMN IF NOT EXISTS state text,          -- running, stopped, failed; NULL: a semel of before
  ADD COLUMN IF NOT EXISTS state_reason text,   -- why it failed
  ADD COLUMN IF NOT EXISTS heartbeat_ms bigint, -- seen_at is touched at least so often
  ADD COLUMN IF NOT EXISTS topics text,         -- what it reads
  ADD COLUMN IF NOT EXISTS target text,         -- the table that it writes
  ADD COLUMN IF NOT EXISTS target_oid bigint,
  ADD COLUMN IF NOT EXISTS mapping text;        -- how records become rows
ALTER TABLE "semel_commits"
  ADD COLUMN IF NOT EXISTS ignored bigint,      -- records left out as configured (tombstones)
  ADD COLUMN IF NOT EXISTS suppressed bigint;   -- records that a trigger kept out
ALTER TABLE "semel_owners" ALTER COLUMN ledger_version SET DEFAULT 2;
INSERT INTO semel_owners VALUES ('pipe', 'out', 7, '5f1a7c52-3b1e-4e58-9a3e-2d7f6c1b0a99',
  'semel on db1, pid 4711', '', '2026-01-31 12:00:00+00', '2026-01-31 12:30:00+00', 'cluster', 2, 'stopped', NULL, 3000);
INSERT INTO semel_progress VALUES ('pipe', 'out', 'clicks', 0, 20, 7, '5f1a7c52-3b1e-4e58-9a3e-2d7f6c1b0a99', 3000,
  19, 1700000000019, 305419896, '2026-01-31 12:29:00+00');
INSERT INTO semel_commits VALUES
  ('pipe', 'out', 'clicks', 0, 0, 7, 0, 0, 'start', 0, 0, NULL, '2026-01-31 12:00:01+00', NULL, NULL),
  ('pipe', 'out', 'clicks', 0, 2000, 7, 0, 10, 'commit', 10, 0, NULL, '2026-01-31 12:28:00+00', 0, 0),
  ('pipe', 'out', 'clicks', 0, 3000, 7, 10, 20, 'commit', 9, 1, NULL, '2026-01-31 12:29:00+00', 0, 0);
INSERT INTO semel_dead_letters VALUES ('pipe', 'out', 'clicks', 0, 12, 3000, 1700000000012, NULL, '\x7b', NULL, 'id',
  '22P02', 'not a number', '2026-01-31 12:29:00+00');
