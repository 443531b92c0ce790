"""bench/run's table from raw figures, its peers' descriptions, its account of processes."""

import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench/lib"))

import measure  # noqa: E402
import peers  # noqa: E402
import processes  # noqa: E402
import report  # noqa: E402
import streams  # noqa: E402
import upserts  # noqa: E402


def run(peer, number, rate, cpu=1.0, **more):
    return {
        "peer": peer, "ok": True, "failure": None, "kind": "clean", "round": number, "rows_per_s": rate,
        "cpu_s_per_million": cpu, "peak_bytes": 2**20, "lost": 0, "doubled": 0, "kills": [],
        "load_before": 0.5, **more,
    }


def upsert(peer, number, rate):
    return {**run(peer, number, rate), "way": peer, "server_cpu_s_per_million": 2.0}


def crash(peer, lost=0, doubled=0, restarts=(1.0, 2.0)):
    kills = [{"rows": 10, "restart_to_first_row_s": after} for after in restarts]
    return {**run(peer, None, None), "kind": "crash", "lost": lost, "doubled": doubled, "kills": kills}


def failure(peer, number, text):
    return {"peer": peer, "ok": False, "failure": text, "kind": "clean", "round": number}


def raw(*runs, records=1000):
    names = {one["peer"] for one in runs}
    facts = {"title": "a title", "guarantee": "a promise", "class": "none", "ends": True, "lines": 7,
             "note": "", "versions": ""}
    return {
        "made_at": "2026-01-02T03:04:05+00:00", "load_before": 0.1, "versions": {"kafka": "4.1.0", "semel": "1a2b3c", "java": "17"},
        "machine": {"cores": 2, "processor": "a processor", "memory_gib": 4, "system": "a system"},
        "settings": {"records": records, "partitions": 4, "rounds": 2, "record_bytes": 158.0,
                     "postgres": {"shared_buffers": "128MB"}, "kafka_jvm": "-Xmx1g"},
        "peers": {name: facts for name in names}, "runs": list(runs),
    }


def row(name, *raws):
    return next(row for row in report.aggregate(list(raws)) if row.name == name)


def page(*raws):
    return report.markdown(list(raws), report.aggregate(list(raws)), None)


class Aggregation(unittest.TestCase):
    def test_a_figure_is_the_median_and_the_range_of_its_rounds(self):
        found = row("p", raw(run("p", 1, 100, 3.0), run("p", 2, 400, 1.0), run("p", 3, 200, 2.0)))
        self.assertEqual(found.rate, report.Spread(200, 100, 400))
        self.assertEqual(found.cpu, report.Spread(2.0, 1.0, 3.0))
        self.assertEqual(found.rounds, 3)

    def test_a_ratio_compares_runs_of_the_same_round(self):
        # Rounds 1 and 3 were disturbed: both peers were slow in them.
        runs = [run("bare-loop", 1, 10), run("p", 1, 5), run("bare-loop", 2, 1000), run("p", 2, 500)]
        runs += [run("bare-loop", 3, 100, 2.0), run("p", 3, 50, 3.0)]
        found = row("p", raw(*runs))
        self.assertEqual(found.rate_ratio, 0.5)
        self.assertEqual(found.cpu_ratio, 1.0)
        self.assertEqual(row("bare-loop", raw(*runs)).rate_ratio, 1.0)

    def test_rounds_of_different_raw_files_are_different_rounds(self):
        first, second = raw(run("bare-loop", 1, 100), run("p", 1, 50)), raw(run("bare-loop", 1, 10), run("p", 1, 5))
        found = row("p", first, second)
        self.assertEqual(found.rounds, 2)
        self.assertEqual(found.rate_ratio, 0.5)

    def test_a_peer_of_a_raw_file_without_the_bare_loop_has_no_ratio(self):
        found = row("q", raw(run("bare-loop", 1, 100)), raw(run("q", 1, 50)))
        self.assertIsNone(found.rate_ratio)
        self.assertEqual(found.rate.median, 50)

    def test_without_the_bare_loop_its_single_client_is_the_limit(self):
        self.assertEqual(row("p", raw(run("bare-loop-1", 1, 100), run("p", 1, 80))).rate_ratio, 0.8)

    def test_of_several_bare_loops_the_fastest_of_the_session_is_the_limit(self):
        first = raw(run("bare-loop", 1, 100), run("bare-loop-2", 1, 200), run("p", 1, 100))
        second = raw(run("bare-loop", 1, 400), run("bare-loop-2", 1, 300), run("p", 1, 200))
        self.assertEqual(row("p", first).rate_ratio, 0.5)
        self.assertEqual(row("p", second).rate_ratio, 0.5)
        self.assertEqual(row("p", first, second).rate_ratio, 0.5)

    def test_a_round_that_failed_is_told_and_the_others_count(self):
        found = row("p", raw(run("p", 1, 100), failure("p", 2, "exploded")))
        self.assertEqual(found.rate, report.Spread(100, 100, 100))
        self.assertEqual(found.problems, ["round 2: exploded"])

    def test_a_peer_that_always_fails_is_the_last_row_and_says_why(self):
        text = page(raw(failure("broken", 1, "no such\n  thing"), run("p", 1, 100)))
        self.assertRegex(text, r"\(`p`\).*\n.*\(`broken`\) \| a promise \| failed")
        self.assertIn("- `broken`, round 1: no such thing", text)

    def test_rows_lost_without_a_kill_are_told(self):
        self.assertEqual(
            row("p", raw(run("p", 1, 100, lost=1, doubled=2000))).problems,
            ["round 1, nobody killed it: 1 lost, 2,000 doubled"],
        )

    def test_prepared_transactions_left_behind_are_told(self):
        self.assertIn("4 prepared", row("p", raw(run("p", 1, 100, prepared_left=4))).problems[0])

    def test_figures_of_a_killed_run_are_no_throughput(self):
        found = row("p", raw(run("p", 1, 100), crash("p")))
        self.assertEqual(found.rounds, 1)
        self.assertEqual(found.restarts, report.Spread(1.5, 1.0, 2.0))

    def test_raw_files_of_different_work_are_not_merged(self):
        with self.assertRaisesRegex(report.ReportError, "differ in records: 1000, 2000"):
            report.aggregate([raw(run("p", 1, 1)), raw(run("p", 1, 1), records=2000)])


class Table(unittest.TestCase):
    def test_lost_and_doubled_rows_stand_out(self):
        self.assertEqual(report.crash_text(row("p", raw(crash("p")))), "0 / 0")
        self.assertEqual(report.crash_text(row("p", raw(crash("p", 0, 55000)))), "**0 / 55,000**")
        self.assertEqual(report.crash_text(row("p", raw(run("p", 1, 1)))), "–")

    def test_every_killed_run_is_shown_and_the_same_result_once(self):
        found = row("p", raw(crash("p"), crash("p"), crash("p", 0, 7)))
        self.assertEqual(report.crash_text(found), "**0 / 0; 0 / 7**")

    def test_fewer_kills_than_planned_are_told(self):
        self.assertEqual(report.crash_text(row("p", raw(crash("p", restarts=(1.0,))))), "0 / 0 (1 kill)")

    def test_a_restart_without_a_row_of_its_own_has_no_time(self):
        self.assertIsNone(row("p", raw(crash("p", restarts=(None, None)))).restarts)
        self.assertEqual(row("p", raw(crash("p", restarts=(None, 3.0)))).restarts.median, 3.0)

    def test_the_fastest_comes_first(self):
        rows = report.aggregate([raw(run("slow", 1, 1), run("fast", 1, 9), run("middle", 1, 5))])
        self.assertEqual([row.name for row in rows], ["fast", "middle", "slow"])

    def test_each_line_of_the_table_has_the_same_cells(self):
        text = page(raw(run("p", 1, 123_456), crash("q", 1, 1), failure("r", 1, "x")))
        lines = [line for line in text.splitlines() if line.startswith("| ")]
        self.assertEqual(len(lines), 5)
        self.assertEqual({line.count(" | ") for line in lines}, {len(report.HEADER) - 1})
        self.assertIn("| 123,000 |", text)

    def test_a_machine_with_other_work_is_told(self):
        quiet, busy = raw(run("p", 1, 100)), {**raw(run("p", 1, 100)), "load_before": 1.4}
        self.assertNotIn("Other work", page(quiet))
        self.assertIn("Other work ran", page(quiet, busy))

    def test_the_chart_shows_only_peers_with_a_figure(self):
        rows = report.aggregate([raw(run("p", 1, 100), failure("r", 1, "x"), crash("p", 0, 1))])
        values = report.chart_values(rows)
        self.assertEqual([value["name"] for value in values], ["p"])
        self.assertTrue(values[0]["wrong"])


class Peers(unittest.TestCase):
    def test_every_peer_is_described_and_can_be_started(self):
        names = peers.names()
        self.assertGreaterEqual(len(names), 11)
        for name in names:
            with self.subTest(name):
                peer = peers.load(name)
                self.assertGreater(peer.lines, 3)

    def test_comments_and_empty_lines_are_no_work(self):
        text = "#!/bin/sh\n\n  # why\nrun it\n// no\n/* not\n this\n*/\n-- nor this\n  go;  # but this\n"
        self.assertEqual(peers.count_lines(text), 2)

    def test_a_wrong_description_is_explained(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "peer.toml")
            for text, words in (("", "missing: class"), ("x = ", "peer.toml"), (None, "no peer")):
                if text is None:
                    file.unlink()
                else:
                    file.write_text(text, encoding="utf-8")
                with self.subTest(text), self.assertRaisesRegex(peers.PeerError, words):
                    peers.load(directory + "/")

    def test_every_second_round_runs_the_other_way_round(self):
        orders = [peers.alternating("abc", number) for number in (1, 2, 3)]
        self.assertEqual(orders, [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]])


class Totals:
    """What a topic of totals holds, for streams.judge()."""

    words, expected = 5, {"a": 3, "b": 2}

    def __init__(self, *totals):
        self._totals = totals

    def totals(self, _):
        return iter(self._totals)


class Tree:
    started_at, peak_bytes, code, cpu_s = 100.0, 1, 0, 2.0


class WordCounts(unittest.TestCase):
    def judged(self, *totals, kills=(), trees=1):
        result = {"kills": list(kills)}
        streams.judge(Totals(*totals), [Tree()] * trees, "topic", result)
        return result

    def test_the_last_total_of_each_word_counts(self):
        result = self.judged((101, "a", 1), (102, "b", 2), (104, "a", 3))
        self.assertEqual((result["rows"], result["seconds"], result["rows_per_s"]), (3, 4.0, 1.25))
        self.assertEqual(result["cpu_s_per_million"], 400_000)

    def test_a_total_too_low_is_lost_and_one_too_high_doubled(self):
        with self.assertRaisesRegex(peers.PeerError, "1 words lost, 2 doubled, in totals of 2"):
            self.judged((101, "a", 2), (101, "b", 4))
        with self.assertRaisesRegex(peers.PeerError, "no total"):
            self.judged()

    def test_a_restart_is_counted_to_its_first_total(self):
        result = self.judged((99, "a", 3), (103, "b", 2), kills=[{"at": 99.5}], trees=2)
        self.assertEqual(result["kills"][0]["restart_to_first_row_s"], 3.0)

    def test_lines_are_the_same_each_time_and_their_first_word_the_most_frequent(self):
        made = list(streams.lines(2_000))
        self.assertEqual(made, list(streams.lines(2_000)))
        words = [word for line in made for word in line]
        self.assertEqual(len(words), 20_000)
        self.assertEqual(max(set(words), key=words.count), "word0")

    def test_each_line_of_the_table_has_the_same_cells(self):
        table = streams.markdown(raw(
            run("semel", 1, 100, 2.0, rows=5), run("flink", 1, 50, 8.0, rows=7), failure("spark", 1, "it did not start"),
            {**crash("flink", restarts=(None,)), "rows": 7},
        )).splitlines()
        rows = [line for line in table if line.startswith("|")]
        self.assertEqual({line.count("|") for line in rows}, {10})
        self.assertIn("| 4.0 |", next(line for line in rows if "| 50 |" in line))
        self.assertTrue(any("it did not start" in line for line in rows))

    def test_every_engine_is_described_and_can_be_started(self):
        for name in streams.names():
            with self.subTest(name):
                self.assertGreater(peers.load(name, streams.ENGINES).lines, 3)


class Processes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        processes.become_subreaper()

    def tree(self, script):
        return processes.ProcessTree(["bash", "-c", script], os.environ, os.devnull)

    def wait(self, tree):
        while tree.poll():
            time.sleep(0.01)

    def test_the_processor_time_of_orphans_is_counted(self):
        # The child ends by the time that it has had, however busy the machine is; the shell dies without waiting for it.
        tree = self.tree("cat < <(ulimit -t 1; while :; do :; done); kill -9 $$")
        self.wait(tree)
        tree.kill()
        self.assertEqual(tree.code, -9)
        self.assertGreater(tree.cpu_s, 0.5)

    def test_a_kill_reaches_every_process(self):
        tree = self.tree("sleep 1000 & sleep 1000 | sleep 1000")
        deadline = time.monotonic() + 10
        while len(processes.processes_of(tree.pid)) < 4 and time.monotonic() < deadline:
            self.assertTrue(tree.poll())
        self.assertEqual(len(processes.processes_of(tree.pid)), 4)
        tree.kill()
        self.assertEqual(processes.processes_of(tree.pid), {})
        self.assertEqual(tree.code, -9)

    def test_memory_is_that_of_all_processes(self):
        tree = self.tree("python3 -c 'x = bytearray(50 << 20); import time; time.sleep(1)' & "
                         "python3 -c 'x = bytearray(50 << 20); import time; time.sleep(1)'; wait")
        self.wait(tree)
        tree.kill()
        self.assertGreater(tree.peak_bytes, 100 << 20)
        self.assertLess(tree.peak_bytes, 200 << 20)

    def test_an_exit_code_is_kept(self):
        tree = self.tree("exit 7")
        self.wait(tree)
        tree.kill()
        self.assertEqual(tree.code, 7)

    def test_the_time_until_a_moment_leaves_out_what_came_later(self):
        tree = self.tree("exit 0")
        self.wait(tree)
        tree.samples = [processes.Sample(10.0, 1.0, 0), processes.Sample(11.0, 5.0, 0), processes.Sample(12.0, 6.0, 0)]
        self.assertEqual(tree.cpu_until(10.5), 5.0)
        self.assertEqual(tree.cpu_until(13.0), tree.cpu_s)


class Rows:
    """What a table holds, and what its server has needed, for upserts.judge()."""

    def __init__(self, wrong, commits=(104.0, 109.0)):
        self._wrong, self._commits = wrong, list(commits)

    def commits(self):
        return self._commits

    def wrong(self, _):
        return self._wrong

    def server_cpu_at(self, moment, in_the_end):
        return {109.0: in_the_end}[moment]


class Upserts(unittest.TestCase):
    RIG = measure.Rig(None, "events", 1, {"produced": "18"}, None, None, 1)

    def test_what_is_to_come_is_the_last_record_of_each_key(self):
        # By hand: records 0 to 3, keys 0 to 2: 3 takes the place of 0.
        self.assertEqual(upserts.expected(4, keys=3), (3, 6))
        self.assertEqual(upserts.expected(2, keys=3), (2, 1))

    def test_a_run_is_counted_to_the_commit_of_its_last_row(self):
        result = {}
        upserts.judge(self.RIG, Rows(0), Tree(), (3.0, 12.0), result)
        self.assertEqual((result["seconds"], result["rows_per_s"]), (9.0, 2.0))
        self.assertEqual((result["cpu_s_per_million"], result["server_cpu_s_per_million"]), (2 / 18 * 1e6, 500_000))

    def test_another_row_than_the_last_record_is_a_failure(self):
        for rows, words in ((Rows(1_234), "not their last record: 1,234"), (Rows(0, commits=()), "no row")):
            with self.subTest(words), self.assertRaisesRegex(peers.PeerError, words):
                upserts.judge(self.RIG, rows, Tree(), (0, 0), {})

    def test_the_servers_time_is_that_of_the_first_look_after_the_last_commit(self):
        table = object.__new__(upserts.Table)
        table._server_cpu = [(10.0, 1.0), (11.0, 2.0), (12.0, 3.0)]
        self.assertEqual(table.server_cpu_at(10.5, 9.0), 2.0)
        self.assertEqual(table.server_cpu_at(12.5, 9.0), 9.0)

    def test_ratios_are_taken_round_by_round(self):
        figures = raw(
            upsert("bare-loop", 1, 100), upsert("semel", 1, 80), upsert("q", 1, 20), upsert("bare-loop", 2, 1000), upsert("semel", 2, 900),
            upsert("q", 2, 300), {"way": "r", "peer": "r", "ok": False, "failure": "it did\n not start", "round": None},
        )
        rows = [line for line in upserts.markdown(figures).splitlines() if line.startswith("|")]
        self.assertEqual({line.count("|") for line in rows}, {10})
        of = {name: next(line for line in rows if f"(`{name}`)" in line) for name in ("semel", "q", "r")}
        self.assertIn("| 490 | 0.85 (0.80 – 0.90) | 1.00 (1.00 – 1.00) |", of["semel"])
        self.assertIn("| 160 | 0.25 (0.20 – 0.30) | 3.50 (3.00 – 4.00) |", of["q"])
        self.assertIn("**failed**: it did not start", of["r"])

    def test_every_peer_is_described_and_can_be_started(self):
        self.assertEqual(sorted(upserts.NAMES), sorted(path.parent.name for path in upserts.PEERS.glob("*/peer.toml")))
        for name in upserts.NAMES:
            with self.subTest(name):
                self.assertGreater(peers.load(name, upserts.PEERS).lines, 3)


if __name__ == "__main__":
    unittest.main()
