"""The tree is as it is told: rooms, doors, sizes, words, commits. The rules are in rules.py; what still breaks one in
exceptions.toml. Each rule is also shown what it forbids."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import rules  # noqa: E402
import source_text  # noqa: E402

TREE = rules.Tree(HERE.parents[2])
EXCUSED = tomllib.loads((HERE / "exceptions.toml").read_text(encoding="utf-8"))


class TheTree(unittest.TestCase):
    def hold(self, offences):
        if offences:
            self.fail("\n" + "\n".join(offences))

    def test_a_room_includes_only_what_its_row_lets_it(self):
        self.hold(rules.arrows(TREE))

    def test_a_room_is_entered_by_its_door(self):
        self.hold(rules.doors(TREE))

    def test_what_stands_in_some_places_only_stands_nowhere_else(self):
        self.hold(rules.one_place(TREE))

    def test_who_claims_to_be_the_only_one_is_looked_after(self):
        self.hold(rules.claims(TREE))

    def test_a_stored_name_is_marked_where_it_is_spelled(self):
        self.hold(rules.stored_names(TREE))

    def test_what_a_setting_is_called_is_asked_for_where_it_depends(self):
        self.hold(rules.bare_settings(TREE))

    def test_a_test_that_starts_threads_says_so(self):
        self.hold(rules.unlabelled_threads(TREE))

    def test_files_that_are_compiled_together_have_names_of_their_own(self):
        self.hold(rules.clashes(TREE))

    def test_no_function_has_more_than_70_lines(self):
        self.hold(rules.long_functions(TREE, EXCUSED["functions"]))

    def test_no_source_file_has_more_than_500_lines(self):
        self.hold(rules.long_files(TREE, EXCUSED["files"]))

    def test_nothing_is_put_off_in_a_comment(self):
        self.hold(rules.todos(TREE))

    def test_nobody_cites_a_line_of_a_file(self):
        self.hold(rules.cited_lines(TREE))

    def test_every_path_that_is_named_is_there(self):
        self.hold(rules.missing_paths(TREE))

    def test_a_rule_of_the_protocol_that_is_cited_is_there_and_held(self):
        self.hold(rules.sections(TREE) + rules.evidence(TREE))

    def test_a_commit_has_a_short_subject_with_an_area_and_a_body(self):
        self.hold(rules.commits(TREE.root, EXCUSED["commits"]["after"], EXCUSED["commits"]["day"]))


PAGE = """# Architecture

### The rooms

| room | what it is | may include |
| --- | --- | --- |
| `src/core` | decisions | |
| `src/engine` | threads | `src/core` |
| `connectors/postgres` | a sink | `src/core` |
| `tests` | | `*` |

### Only there

| what | found by | stands only in |
| --- | --- | --- |
| threads | `std::(thread\\|async)` | `src/engine` |

### Doors

| room | its door | who may look inside |
| --- | --- | --- |
| `connectors/postgres` | `postgres.hpp` | `tests` |

### Stored names

| what | spelled in |
| --- | --- |
| a key | `src/core/step.hpp` |
"""
CLEAN = {
    "docs/architecture.md": PAGE,
    "src/core/step.hpp": "int step();  // Stored: do not\n              // change.\n",
    "src/engine/run.cpp": '#include "core/step.hpp"\nstd::thread one;\n',
    "connectors/postgres/postgres.hpp": "int door();\n",
    "connectors/postgres/rows/inner.hpp": "int inner();\n",
    "tests/a_test.cpp": '#include "postgres/rows/inner.hpp"\n',
}


class WhatIsForbidden(unittest.TestCase):
    """A made-up tree that is clean, and then is not."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="semel-tidy-")
        self.addCleanup(self.folder.cleanup)
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        file = Path(self.folder.name, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def tree(self, **files):
        for path, text in files.items():
            self.write(path, text)
        return rules.Tree(self.folder.name)

    def test_a_clean_tree_offends_nothing(self):
        for rule in (rules.arrows, rules.doors, rules.one_place, rules.claims, rules.stored_names, rules.todos, rules.cited_lines,
                     rules.missing_paths):
            self.assertEqual(rule(self.tree()), [], rule.__name__)

    def test_two_files_of_a_target_with_one_name_in_unnamed_namespaces(self):
        def found(one, other):
            return rules.clashes(self.tree(**{
                "src/core/meson.build": "core = static_library('core',\n  'a.cpp',\n  'b.cpp',\n  dependencies: [])\n",
                "src/core/a.cpp": f"namespace {{\n\n{one}\n\n}}  // namespace\n",
                "src/core/b.cpp": f"namespace {{\n\n{other}\n\n}}  // namespace\n"}))

        self.assertEqual(len(found("struct Name {\n};", "struct Name {\n  int x;\n};")), 1)
        self.assertEqual(len(found("constexpr int most = 1;", "constexpr std::size_t most = 2;")), 1)
        self.assertEqual(len(found("int f(int a) {\n}", "int f(int b) {\n}")), 1)
        self.assertEqual(found("int f(int a) {\n}", "int f(long a) {\n}"), [])
        self.assertEqual(found("struct Name {\n};", "struct Other {\n};"), [])
        self.assertEqual(len(found("using record::Part;", "using config::Part;")), 1)
        self.assertEqual(found("using record::Part;", "using record::Part;"), [])

    def test_an_arrow_against_the_table(self):
        found = rules.arrows(self.tree(**{"src/core/back.cpp": '#include "engine/run.cpp"\n'}))
        self.assertEqual(len(found), 1)
        self.assertIn("src/core may not include src/engine", found[0])

    def test_a_file_in_no_room_and_an_include_of_nothing(self):
        found = rules.arrows(self.tree(**{"src/cellar/x.cpp": "", "src/core/y.cpp": '#include "core/gone.hpp"\n'}))
        self.assertEqual(["none of the rooms" in one or "not there" in one for one in found], [True, True])

    def test_arrows_that_go_round(self):
        page = PAGE.replace("| decisions | |", "| decisions | `src/engine` |")
        found = rules.arrows(self.tree(**{"docs/architecture.md": page}))
        self.assertEqual(len(found), 1)
        self.assertIn("src/core -> src/engine -> src/core", found[0])

    def test_a_way_past_the_door(self):
        found = rules.doors(self.tree(**{
            "src/engine/peep.cpp": '#include "postgres/postgres.hpp"\n#include "postgres/rows/inner.hpp"\n'}))
        self.assertEqual(len(found), 1)
        self.assertIn("src/engine/peep.cpp:2", found[0])

    def test_a_thing_in_another_place_and_a_row_that_is_stale(self):
        found = rules.one_place(self.tree(**{
            "src/core/t.cpp": "std::thread two;  // not std::async\n", "src/engine/run.cpp": "int none;\n"}))
        self.assertEqual(len(found), 2)
        self.assertIn("src/core/t.cpp:1 has std::thread", found[0])
        self.assertIn("src/engine has nothing of", found[1])

    def test_a_claim(self):
        self.assertEqual(len(rules.claims(self.tree(**{
            "src/core/c.hpp": "// Knows it: the only\n// place that does.\n"}))), 1)

    def test_a_stored_name_without_its_mark_or_row(self):
        tree = self.tree(**{"src/core/step.hpp": "", "src/core/k.cpp": "int k;  // stored: do not change\n"})
        self.assertEqual(len(rules.stored_names(tree)), 2)

    def test_a_setting_of_a_file_in_a_message_for_programs(self):
        page = PAGE.replace("| `tests` |", "| `src/consumer` | by hand | `src/core` |\n| `tests` |")
        tree = self.tree(**{
            "docs/architecture.md": page,
            "src/core/good.cpp": '// as sink.a.b says\nf(names("sink.a.b"), "[source.kafka]");\n',
            "src/core/bad.cpp": 'f("correct "\n  "source.kafka.topics");\nf("set sink.a.b, too");\n',
            "connectors/postgres/own.cpp": 'LedgerFactory ledger() { f("the sink.a.b"); }\n',
            "src/engine/far.cpp": 'f("the sink.a.b");\n'})
        self.assertEqual([one.split(":")[0] for one in rules.bare_settings(tree)],
                         ["connectors/postgres/own.cpp", "src/core/bad.cpp", "src/core/bad.cpp"])

    def test_a_test_that_starts_threads_and_does_not_say_so(self):
        tree = self.tree(**{
            "tests/unit/a/a_test.cpp": "std::jthread one;\n", "tests/unit/a/meson.build": "suite: 'unit'\n",
            "tests/unit/b/b_test.cpp": "std::async(f);\n", "tests/unit/b/meson.build": "suite: ['unit', 'threads']\n"})
        self.assertEqual([one.split(":")[0] for one in rules.unlabelled_threads(tree)], ["tests/unit/a/meson.build"])

    def test_a_table_that_is_gone(self):
        with self.assertRaises(ValueError):
            rules.doors(self.tree(**{"docs/architecture.md": PAGE.partition("### Doors")[0]}))

    def long(self, lines, head="int f(int a) {"):
        return "namespace n {\n" + head + "\n" + "  a += 1;\n" * (lines - 2) + "}\n}\n"

    def test_a_function_of_71_lines_but_not_of_70(self):
        tree = self.tree(**{"src/core/f.cpp": self.long(71), "src/core/g.cpp": self.long(70)})
        self.assertEqual(rules.long_functions(tree, {}), ["src/core/f.cpp f has 71 lines, 70 are allowed"])
        self.assertEqual(rules.long_functions(tree, {"src/core/f.cpp f": 71}), [])
        self.assertEqual(len(rules.long_functions(tree, {"src/core/f.cpp f": 71, "src/core/g.cpp f": 71})), 1)
        self.assertEqual(len(rules.long_functions(tree, {"src/core/f.cpp f": 71, "src/core/f.cpp h": 99})), 1)

    def test_a_list_of_values_is_no_long_function(self):
        text = "V all() {\n  return {\n" + "    1,\n" * 100 + "  };\n}\n"
        self.assertEqual(rules.long_functions(self.tree(**{"src/core/v.cpp": text}), {}), [])

    def test_a_file_of_501_lines(self):
        tree = self.tree(**{"src/core/l.cpp": "\n" * 501, "src/core/m.cpp": "\n" * 500})
        self.assertEqual(rules.long_files(tree, {}), ["src/core/l.cpp has 501 lines, 500 are allowed"])
        self.assertEqual(rules.long_files(tree, {"src/core/l.cpp": 501}), [])
        self.assertEqual(len(rules.long_files(tree, {"src/core/l.cpp": 501, "src/core/m.cpp": 501})), 1)

    def test_what_is_put_off(self):
        tree = self.tree(**{"src/core/t.cpp": "// TO" "DO: later\n", "docs/d.md": "FIX" "ME\n", "src/core/u.cpp": 'f("XX" "XXXX");'})
        self.assertEqual(len(rules.todos(tree)), 2)

    def test_a_line_of_a_file_that_is_cited(self):
        tree = self.tree(**{"src/core/t.cpp": '// as engine/run.cpp:2 does\nf("a.cpp:1");\n'})
        self.assertEqual(len(rules.cited_lines(tree)), 1)

    def test_a_rule_that_is_not_there_or_not_held(self):
        tree = self.tree(**{
            "docs/protocol.md": '## 1. One\n\n**1.1 A.** B.\n*Held by:* "a long\ntitle", `M_THERE`; `a_bug`.\n\n**1.2 A.**\n',
            "tests/a_test.cpp": 'TEST_CASE("a long title") {\n}\n', "tests/model/m.pml": "#ifdef M_THERE\n",
            "tests/simulation/sink.hpp": "bool a_bug = false;\n",
            "src/core/a.cpp": "// as it must (protocol, sections 1.1 and 1.3), see protocol,\n// section 2\n"})
        self.assertEqual([one.split("cites the ")[1] for one in rules.sections(tree)],
                         ["protocol's 1.3, which is not there", "protocol's 2, which is not there"])
        self.assertEqual(rules.evidence(tree), ["docs/protocol.md 1.2: nothing is said to hold it"])
        tree = self.tree(**{"docs/protocol.md": '**1.1 A.**\n*Held by:* "a long story", `M_NONE`; `no_bug`, `tests/none`.\n'})
        self.assertEqual(len(rules.evidence(tree)), 4)

    def test_a_path_or_link_that_leads_nowhere(self):
        tree = self.tree(**{
            "docs/d.md": "`src/core/step.hpp`, `src/core/{step,gone}.hpp`, `src/*/run.cpp` and\n"
                         "[a](architecture.md#the-rooms), [b](architecture.md#no), [c](no.md)\n",
            "src/core/t.cpp": "// see src/core/step and tests/none\n"})
        self.assertEqual(len(rules.missing_paths(tree)), 4)


class Text(unittest.TestCase):
    def functions(self, text):
        return [(f.name, f.line, f.lines) for f in source_text.functions(text)]

    def test_functions_are_told_from_classes_values_and_lambdas(self):
        text = """namespace a {
class C : public D<int (*)(int)> {
  C() : x_{1} {}
  int f() const {
    const auto g = [](int a) {
      return a;
    };
    return g(1);
  }
  int x_{3};
};
constexpr auto codes = make(std::array{
    1, 2});
template <class T>
T Outer::h(const T& one,
           int two) noexcept {
  if (two) { return one; }
  return '{' == R"(})"[0] ? one : "}";  // }
}
}  // namespace a
TEST_CASE("a fact (with a brace {)") {
}
"""
        self.assertEqual(self.functions(text), [
            ("C", 3, 1), ("f", 4, 6), ("Outer::h", 14, 6), ("a fact (with a brace {)", 21, 2)])

    def test_a_sentence_goes_on_in_the_next_comment_line(self):
        self.assertEqual(source_text.comments('int a;  // one\n// two\n\n"// none"; /* three */\n'),
                         [(1, "one two"), (4, "three")])


class Commits(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="semel-tidy-")
        self.addCleanup(self.folder.cleanup)

    def git(self, *arguments, at="there"):
        where = Path(self.folder.name, at)
        where.mkdir(exist_ok=True)
        person = {f"GIT_{who}_{what}": "a@b.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return subprocess.run(["git", "-C", where, *arguments], check=True, capture_output=True, text=True,
                              env={**os.environ, **person, **alone}).stdout.strip()

    def commit(self, *message):
        self.git("commit", "--allow-empty", *[part for one in message for part in ("-m", one)])
        return self.git("rev-parse", "HEAD")

    def test_messages(self):
        self.assertIsNone(rules.bad_message("core: a", "why"))
        self.assertIsNone(rules.bad_message("core: " + "a" * 66, "why"))
        for subject, body in (("core: " + "a" * 67, "why"), ("core: a", " \n"), ("a change", "why")):
            self.assertIsNotNone(rules.bad_message(subject, body), subject)

    def test_only_what_came_after_the_start_is_looked_at(self):
        if not shutil.which("git"):
            return  # where another release is tried there is none, and no commit is looked at
        self.git("init", "-q")
        self.commit("no area, no body")
        start = self.commit("neither has this")
        self.assertEqual(rules.commits(Path(self.folder.name, "there"), start, ""), [])
        self.commit("core: one", "Because.")
        self.commit("core: no body")
        found = rules.commits(Path(self.folder.name, "there"), start, "")
        self.assertEqual(len(found), 1)
        self.assertIn("core: no body", found[0])
        # A shallow clone has only the last: the day says which count.
        self.git("clone", "-q", "--depth", "1", "file://" + str(Path(self.folder.name, "there").resolve()), "copy", at=".")
        self.assertEqual(len(rules.commits(Path(self.folder.name, "copy"), start, "2000-01-01")), 1)
        self.assertEqual(rules.commits(Path(self.folder.name, "copy"), start, "2037-01-01"), [])

    def test_without_a_repository_nothing_is_said(self):
        self.assertEqual(rules.commits(self.folder.name, "HEAD", "2000-01-01"), [])


if __name__ == "__main__":
    unittest.main()
