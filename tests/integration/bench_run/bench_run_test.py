"""bench/run as it is used: real servers, semel, and peers that do what they should not."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RECORDS = 20_000

# Every id once or, with a second statement, twice; none of the values is the topic's.
ROWS = "INSERT INTO $TABLE (id, user_id, amount) SELECT i, 0, 0 FROM generate_series(0, $RECORDS - 1) AS i"
STARTS = {
    "fails": "echo 'nothing works' >&2; exit 3",
    "doubles": f'exec psql -qX -c "{ROWS}" -c "{ROWS}"',
    "damages": f'exec psql -qX -c "{ROWS}"',
    "forgets": f'exec psql -qX -c "{ROWS} OFFSET 5"',
    "lasts": f'psql -qX -c "{ROWS}" -c "{ROWS}"; sleep 1000',
}


def what_is_missing():
    if shutil.which("java") is None:
        return "no Java"
    version = (ROOT / "scripts/lib/kafka-version").read_text(encoding="utf-8").strip()
    jars = Path(os.environ.get("SEMEL_KAFKA_JARS", ROOT / f".cache/kafka-{version}/jars"))
    return "" if jars.is_dir() else f"no Kafka jars in {jars} (scripts/fetch-kafka brings them)"


def make_peer(directory, name, ends=True):
    peer = Path(directory, name)
    peer.mkdir()
    (peer / "peer.toml").write_text(
        f'title = "{name}"\nguarantee = "none"\nclass = "none"\nends = {str(ends).lower()}\n'
        'user_files = ["start"]\n', encoding="utf-8",
    )
    (peer / "start").write_text(f"#!/usr/bin/env bash\n{STARTS[name]}\n", encoding="utf-8")
    (peer / "start").chmod(0o755)
    return str(peer)


class BenchRun(unittest.TestCase):
    def setUp(self):
        if missing := what_is_missing():
            if os.environ.get("CI") == "true":
                self.fail(f"{missing}, and CI=true allows no skipped test")
            self.skipTest(missing)
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        # Servers of another user go in and out of the one.
        self.tmp, self.out = Path(self.directory, "tmp"), Path(self.directory, "out")
        for directory in (Path(self.directory), self.tmp):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o777)

    def start(self, *arguments):
        return subprocess.Popen(
            [ROOT / "bench/run", *arguments, "--records", str(RECORDS), "--rounds", "1", "--partitions", "2",
             "--build", os.environ["SEMEL_BUILD"], "--out", self.out, "--name", "small", "--no-chart"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(self.tmp)}, start_new_session=True,
            # Whoever runs the tests in the background may have it ignored, which would be inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def left(self):
        """What is still there of a run: files, and processes that have its directory in their command."""
        found = [entry.name for entry in self.tmp.iterdir()]
        pgrep = subprocess.run(["pgrep", "-af", str(self.tmp)], capture_output=True, text=True, check=False)
        return found + pgrep.stdout.splitlines()

    def left_after(self, seconds):
        deadline = time.monotonic() + seconds
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.2)
        return self.left()

    def test_semel_is_measured_and_peers_that_fail_lose_or_double_are_seen(self):
        names = [make_peer(self.directory, name, ends=name != "lasts") for name in STARTS]
        process = self.start("semel", *names, "--crash")
        output, errors = process.communicate(timeout=500)
        self.assertEqual(process.returncode, 0, errors)
        runs = json.loads((self.out / "small.json").read_text(encoding="utf-8"))["runs"]
        clean = {run["peer"]: run for run in runs if run["kind"] == "clean"}
        crash = {run["peer"]: run for run in runs if run["kind"] == "crash"}

        semel = clean["semel"]
        self.assertEqual((semel["lost"], semel["doubled"], semel["rows"]), (0, 0, RECORDS), errors)
        self.assertGreater(semel["rows_per_s"], 0)
        self.assertGreater(semel["cpu_s_per_million"], 0)
        self.assertGreater(semel["peak_bytes"], 1 << 20)
        self.assertEqual((crash["semel"]["lost"], crash["semel"]["doubled"]), (0, 0))

        self.assertIn("ended by itself with 3", clean["fails"]["failure"])
        self.assertIn("nothing works", clean["fails"]["log"])
        self.assertEqual((clean["doubles"]["lost"], clean["doubles"]["doubled"]), (0, RECORDS))
        self.assertEqual((clean["forgets"]["lost"], clean["forgets"]["doubled"]), (5, 0))
        self.assertIn("wrong values: sum_user_id, sum_amount, checksum", clean["damages"]["failure"])
        # It never ends: it was found to have done all, and was ended.
        self.assertEqual((clean["lasts"]["lost"], clean["lasts"]["doubled"]), (0, RECORDS))
        self.assertLess(clean["lasts"]["seconds"], 60)

        table = (self.out / "small.md").read_text(encoding="utf-8")
        self.assertEqual(table, output.rstrip("\n") + "\n")
        self.assertRegex(table, r"semel \(`semel`\).*\| 0 / 0")
        self.assertIn("`fails`, round 1: ended by itself with 3", table)
        self.assertEqual(self.left(), [])

        # The same table, from the raw file alone.
        again = subprocess.run(
            [ROOT / "bench/run", "--report", self.out / "small.json", "--out", self.out, "--name", "again",
             "--no-chart"], capture_output=True, text=True, check=True,
        )
        self.assertEqual(again.stdout, output)

    def test_a_word_count_is_measured_and_one_that_miscounts_is_seen(self):
        peer = Path(make_peer(self.directory, "fails"))
        (peer / "start").write_text(
            '#!/usr/bin/env bash\nexec kcat -P -q -b "$BROKERS" -t "$TARGET" -K: <<<"word0:1"\n', encoding="utf-8"
        )
        process = self.start("--work", "streams", "semel", str(peer), "--records", "2000", "--crash")
        output, errors = process.communicate(timeout=500)
        self.assertEqual(process.returncode, 1, errors)
        runs = json.loads((self.out / "small.json").read_text(encoding="utf-8"))["runs"]
        clean, crash = (next(run for run in runs if run["peer"] == "semel" and run["kind"] == kind) for kind in ("clean", "crash"))
        self.assertEqual((clean["ok"], clean["lost"], clean["doubled"]), (True, 0, 0), errors)
        self.assertGreater(clean["rows_per_s"], 0)
        self.assertEqual((crash["ok"], crash["lost"], crash["doubled"]), (True, 0, 0), errors)
        wrong = next(run for run in runs if run["peer"] == "fails")
        self.assertRegex(wrong["failure"], "words lost, 0 doubled")
        self.assertEqual((self.out / "small.md").read_text(encoding="utf-8"), output.rstrip("\n") + "\n")
        self.assertEqual(self.left(), [])

    def test_receivers_are_measured_beside_a_topic(self):
        process = self.start("--work", "receivers")
        output, errors = process.communicate(timeout=500)
        self.assertEqual(process.returncode, 0, output + errors)
        runs = json.loads((self.out / "small.json").read_text(encoding="utf-8"))["runs"]
        self.assertEqual({run["way"] for run in runs if run["ok"]}, {"topic", "tcp", "http"})
        self.assertEqual(self.left(), [])

    def test_upserts_are_measured_and_one_that_leaves_another_row_is_seen(self):
        semel = ROOT / "bench/upsert/semel/start"
        lasts, damages = Path(make_peer(self.directory, "lasts", ends=False)), Path(make_peer(self.directory, "damages"))
        (lasts / "start").write_text(f'#!/usr/bin/env bash\n"{semel}"\nsleep 1000\n', encoding="utf-8")
        (damages / "start").write_text(
            f'#!/usr/bin/env bash\n"{semel}"\npsql -qX -c "UPDATE $TABLE SET ts = ts + interval \'1 ms\' WHERE id = 7"\n', encoding="utf-8"
        )
        process = self.start("--work", "upsert", "semel", "bare-loop", str(lasts), str(damages))
        output, errors = process.communicate(timeout=500)
        self.assertEqual(process.returncode, 1, output + errors)
        runs = json.loads((self.out / "small.json").read_text(encoding="utf-8"))["runs"]
        self.assertEqual({run["way"] for run in runs if run["ok"]}, {"semel", "bare-loop", "lasts"}, output + errors)
        # It never ends: it was found to have done all, and was ended.
        self.assertLess(next(run for run in runs if run["way"] == "lasts")["seconds"], 60)
        self.assertIn("not their last record: 1", next(run for run in runs if run["way"] == "damages")["failure"])
        self.assertEqual(self.left(), [])

    def test_interrupted_or_killed_it_leaves_nothing_behind(self):
        lasting = make_peer(self.directory, "lasts", ends=False)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
            with self.subTest(number.name):
                process = self.start(lasting)
                for line in process.stderr:
                    if line.startswith("warming up"):
                        break
                deadline = time.monotonic() + 120
                while time.monotonic() < deadline and not self.peer_runs():
                    time.sleep(0.05)
                self.assertTrue(self.peer_runs())
                process.send_signal(number)
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, code)
                self.assertEqual(self.left_after(0 if code > 0 else 30), [])
                self.assertFalse(self.peer_runs())

    def peer_runs(self):
        """Whether the peer is at work; its start is below the directory, but not below tmp."""
        start = Path(self.directory, "lasts", "start")
        return subprocess.run(["pgrep", "-f", str(start)], capture_output=True, check=False).returncode == 0

    def test_what_cannot_be_run_is_said_before_anything_is_started(self):
        for arguments, words in (
            (["nobody"], "no peer nobody"),
            (["semel", "--build", self.directory], "scripts/quickstart builds a release"),
        ):
            with self.subTest(arguments):
                done = subprocess.run(
                    [ROOT / "bench/run", "--build", os.environ["SEMEL_BUILD"], *arguments, "--out", self.out],
                    capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                )
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)
                self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
