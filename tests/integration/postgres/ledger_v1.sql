-- The ledger as semel f8f9a28 made it, before versions were counted, with what one pipeline left in it.
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
  headers bytea,                    -- JSON: [{"name": …, "value": … or "base64": …}, …]
  column_name text,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO semel_owners VALUES ('pipe', 'out', 7, '5f1a7c52-3b1e-4e58-9a3e-2d7f6c1b0a99',
  'semel on db1, pid 4711 (stopped)', '', '2026-01-31 12:00:00+00', '2026-01-31 12:30:00+00', 'cluster');
INSERT INTO semel_progress VALUES ('pipe', 'out', 'clicks', 0, 20, 7, '5f1a7c52-3b1e-4e58-9a3e-2d7f6c1b0a99', 3000,
  19, 1700000000019, 305419896, '2026-01-31 12:29:00+00');
INSERT INTO semel_commits VALUES
  ('pipe', 'out', 'clicks', 0, 0, 7, 0, 0, 'start', 0, 0, NULL, '2026-01-31 12:00:01+00'),
  ('pipe', 'out', 'clicks', 0, 2000, 7, 0, 10, 'commit', 10, 0, NULL, '2026-01-31 12:28:00+00'),
  ('pipe', 'out', 'clicks', 0, 3000, 7, 10, 20, 'commit', 9, 1, NULL, '2026-01-31 12:29:00+00');
INSERT INTO semel_dead_letters VALUES ('pipe', 'out', 'clicks', 0, 12, 3000, 1700000000012, NULL, '\x7b', NULL, 'id',
  '22P02', 'not a number', '2026-01-31 12:29:00+00');
