"""The rules that the tidy test holds, each a function of the tree that returns what offends it, as lines for people."""

import os
import re
import subprocess
from functools import cached_property
from pathlib import Path

import source_text

LINES_OF_A_FUNCTION = 70
LINES_OF_A_FILE = 500
LETTERS_OF_A_SUBJECT = 72
ROOMS_PAGE = "docs/architecture.md"

# What is written by others, is history, or is data.
NOT_OURS = ("LICENSE", "bench/results/", "tests/fuzz/corpus/")
# What nobody meets but who has a configuration file.
FOR_FILES_ONLY = ("connectors/postgres/encode", "connectors/rocksdb/database.cpp")
SOURCES = (".cpp", ".hpp", ".py", ".java", ".pml", "meson.build")


class Tree:
    """The files of a source tree by their paths from its root; what a build or an editor leaves is not among them."""

    def __init__(self, root):
        self.root = Path(root)
        self._texts = {}

    @cached_property
    def files(self):
        found = []
        for top in self.root.iterdir():
            if top.name.startswith(("build", ".")) and top.name not in (".ci", ".github", ".editorconfig"):
                continue
            paths = [top] if top.is_file() else top.rglob("*")
            found += [str(path.relative_to(self.root)) for path in paths if path.is_file()]
        return sorted(path for path in found if not path.startswith(NOT_OURS) and "__pycache__" not in path)

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def ending(self, *ends):
        return [path for path in self.files if path.endswith(ends)]

    @property
    def cpp(self):
        return self.ending(".cpp", ".hpp")

    @property
    def sources(self):
        scripts = [p for p in self.files if "." not in p.split("/")[-1] and self.text(p).startswith("#!")]
        return self.ending(*SOURCES) + scripts

    def exists(self, path):
        return (self.root / path).exists()

    def table(self, title, columns):
        """The rows of the table of that title in the page of the rooms; in a cell, what stands between backticks."""
        page = self.text(ROOMS_PAGE)
        section = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", page, re.M | re.S)
        rows = re.findall(r"^\|(.*)\|$", section[1], re.M) if section else []
        cells = [[re.findall(r"`([^`]*)`", cell) for cell in re.split(r"(?<!\\)\|", row)] for row in rows[2:]]
        if not cells or any(len(row) != columns for row in cells):
            raise ValueError(f"{ROOMS_PAGE}: a table of {columns} columns is wanted under the title '{title}'")
        return cells


def within(path, places):
    """Whether the path is one of the places, or in one of them."""
    return any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)


# -- rooms ----------------------------------------------------------------------------------------


def rooms_of(tree):
    """{room: rooms that it may include}"""
    return {row[0][0]: row[2] for row in tree.table("The rooms", 3)}


def room_of(path, rooms):
    return max((room for room in rooms if within(path, [room])), key=len, default=None)


def included_file(tree, path, name):
    """Which file of ours an #include means; None where it is none of ours."""
    beside = path.rpartition("/")[0] + "/"
    for place in (beside, "include/", "src/", "connectors/", "", "tests/", "tools/", "bench/instructions/"):
        if tree.exists(place + name) and (tree.root / (place + name)).is_file():
            return place + name
    return None


def arrows(tree):
    """A room includes only what the table of the rooms lets it, and there the arrows go round nowhere."""
    rooms = rooms_of(tree)
    wrong = []
    for path in tree.cpp:
        room = room_of(path, rooms)
        if room is None:
            wrong.append(f"{path} is in none of the rooms of {ROOMS_PAGE}")
            continue
        for line, quoted, name in source_text.includes(tree.text(path)):
            target = included_file(tree, path, name)
            if target is None:
                if quoted:
                    wrong.append(f"{path}:{line} includes {name}, which is not there")
                continue
            other = room_of(target, rooms)
            if other not in (room, None) and other not in rooms[room] and "*" not in rooms[room]:
                wrong.append(f"{path}:{line} includes {name}, but {room} may not include {other} ({ROOMS_PAGE})")
    return wrong + [f"{ROOMS_PAGE}: the arrows go round: {' -> '.join(ring)}" for ring in rings(rooms)]


def rings(arrows_of):
    """Each way from a room back to itself, once."""
    found, done = [], set()

    def walk(room, way):
        if room in way:
            found.append(way[way.index(room):] + [room])
        elif room not in done:
            for other in arrows_of.get(room, []):
                walk(other, way + [room])
            done.add(room)

    for room in arrows_of:
        walk(room, [])
    return found


def doors(tree):
    """From outside, only a room's door is included."""
    wrong = []
    for (room,), headers, friends in tree.table("Doors", 3):
        for path in tree.cpp:
            if within(path, [room, *friends]):
                continue
            for line, _, name in source_text.includes(tree.text(path)):
                target = included_file(tree, path, name)
                if target and within(target, [room]) and target.removeprefix(room + "/") not in headers:
                    wrong.append(f"{path}:{line} includes {name}: the door of {room} is {', '.join(headers)}")
    return wrong


def one_place(tree):
    """What stands in some places only stands nowhere else, and does stand there."""
    wrong = []
    for (pattern,), places in [row[1:] for row in tree.table("Only there", 3)]:
        pattern = re.compile(pattern.replace(r"\|", "|"))
        seen = set()
        for path in tree.cpp:
            code = source_text.without_comments(tree.text(path))
            for found in pattern.finditer(code):
                seen.update(place for place in places if within(path, [place]))
                if not within(path, places):
                    line = code.count("\n", 0, found.start()) + 1
                    wrong.append(f"{path}:{line} has {found.group().strip()}: only {', '.join(places)} may ({ROOMS_PAGE})")
        wrong += [
            f"{ROOMS_PAGE}: {place} has nothing of {pattern.pattern} any more" for place in places if place not in seen
        ]
    return wrong


def claims(tree):
    """Who claims to be the only one says so in the page of the rooms, where it is looked after."""
    claim = re.compile(r"\bthe only (place|file|room|thread|one)s?\b|\bnowhere else\b", re.I)
    wrong = []
    for path, line, words in commented(tree):
        if claim.search(words) and (path == "meson.build" or path.startswith(("src/", "include/", "connectors/"))):
            wrong.append(f"{path}:{line} says '{claim.search(words)[0]}': say it in {ROOMS_PAGE}, under 'Only there'")
    return wrong


def stored_names(tree):
    """Where a stored name is spelled it says so, and the page has a row for it."""
    said = {
        path
        for path in tree.cpp
        for _, words in source_text.comments(tree.text(path))
        if re.search(r"\bstored: do not change\b", words, re.I)
    }
    told = {file for row in tree.table("Stored names", 2) for file in row[1]}
    return [f"{path} does not say 'stored: do not change', though {ROOMS_PAGE} names it" for path in sorted(told - said)] + [
        f"{path} says 'stored: do not change', and {ROOMS_PAGE} does not name it" for path in sorted(said - told)
    ]


def bare_settings(tree):
    """Where a program with transactions of its own gets the messages too, what a setting is called is asked for (SettingNames): a
    literal is the path of a setting and nothing else, or holds none."""
    consumer = next(includes for (room,), _, includes in tree.table("The rooms", 3) if room == "src/consumer")
    rooms = set(consumer) | {"src/consumer", "src/store"}
    rooms |= {room_of(path, rooms_of(tree)) for path in tree.ending(".cpp") if "LedgerFactory ledger(" in tree.text(path)}
    wrong = []
    for path in tree.cpp:
        if not within(path, rooms) or within(path, FOR_FILES_ONLY):
            continue
        for line, words in source_text.texts(tree.text(path)):
            found = re.search(r"\b(sink|source)(\.[a-z_]+)+", words)
            if found and not re.fullmatch(r"\[?(sink|source)(\.[a-z_]+)+\]?", words):
                wrong.append(f"{path}:{line} spells {found[0]}: programs have no such setting, ask SettingNames for its name")
    return wrong


# -- tests ----------------------------------------------------------------------------------------

THREADS = re.compile(r"\bstd::(j?thread|async)\b")


def unlabelled_threads(tree):
    """Where tests of the layers unit and contract start threads, ThreadSanitizer runs them in each gate: by their label."""
    folders = {
        path.rpartition("/")[0] for path in tree.cpp
        if path.startswith(("tests/unit/", "tests/contract/")) and THREADS.search(tree.text(path))}
    return [f"{folder}/meson.build: a test here starts threads, and none has the suite 'threads'"
            for folder in sorted(folders) if "'threads'" not in tree.text(f"{folder}/meson.build")]


# -- sizes ----------------------------------------------------------------------------------------


def long_files(tree, excused):
    """No source file has more lines than one may; `excused` are {path: lines} of the ones that still do."""
    wrong = []
    for path in tree.sources:
        lines = tree.text(path).count("\n")
        wrong += judge(path, lines, LINES_OF_A_FILE, excused)
    return wrong + [f"excused, but not there: {path}" for path in excused if path not in tree.sources]


def long_functions(tree, excused):
    """No function has more lines than one may. One list of values (two statements at most) is not counted."""
    wrong, seen = [], set()
    for path in tree.cpp:
        for function in source_text.functions(tree.text(path)):
            name = f"{path} {function.name}"
            seen.add(name)
            if function.statements > 2 or name in excused:
                wrong += judge(name, function.lines, LINES_OF_A_FUNCTION, excused)
    return wrong + [f"excused, but not there: {name}" for name in excused if name not in seen]


def judge(name, lines, most, excused):
    allowed = excused.get(name, most)
    if lines > allowed:
        return [f"{name} has {lines} lines, {allowed} are allowed"]
    if name in excused and lines <= most:
        return [f"{name} has {lines} lines and needs no excuse any more: take it out of exceptions.toml"]
    return []


# -- words ----------------------------------------------------------------------------------------


def commented(tree):
    """(path, line, words) of what people are told: comments, and pages line by line."""
    for path in tree.cpp:
        for line, words in source_text.comments(tree.text(path)):
            yield path, line, words
    for path in tree.ending(".md"):
        for number, words in enumerate(tree.text(path).split("\n"), 1):
            yield path, number, words
    for path in [p for p in tree.sources if not p.endswith((".cpp", ".hpp"))]:
        for number, words in enumerate(tree.text(path).split("\n"), 1):
            said = re.search(r"(?:^|\s)// (.*)" if path.endswith((".java", ".pml")) else r"(?:^|\s)# (.*)", words)
            if said and not words.startswith("#!"):
                yield path, number, said[1]


UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}  // namespace\n", re.S | re.M)
OWN_TYPE = re.compile(r"^(?:struct|class|union|enum(?: class)?) (\w+)[^;{]*\{", re.M)
OWN_VALUE = re.compile(r"^(?:inline |static )*(?:constexpr|const|thread_local)\b[^;={(]*?\b(\w+)(?:\[[^\]]*\])*(?: =|\{|\(|;)", re.M)
OWN_FUNCTION = re.compile(r"^[\w:]+[^;{}=()]*?\b(\w+)\(([^{};]*)\)(?: const| noexcept)* \{", re.M)
TARGET = re.compile(r"(?:static_library|shared_library|executable)\(\s*'([\w-]+)'(.*?)\n(?=\S)", re.S)


def own_names(text):
    """What a file's unnamed namespaces declare: a name, or a function with the types that it takes."""
    found = set()
    for inside in UNNAMED.findall(text):
        inside = source_text.without_comments(inside)
        found.update(OWN_TYPE.findall(inside))
        for name, taken in OWN_FUNCTION.findall(inside):
            types = [re.sub(r"\s*\w+$", "", one.split("=")[0].strip()) for one in taken.split(",")]
            found.add(f"{name}({', '.join(types)})")
        found.update(name for name in OWN_VALUE.findall(inside) if f"{name}(" not in " ".join(found))
    return found


def rooms(tree):
    """The targets of meson, each with the paths of its files."""
    for page in tree.ending("meson.build"):
        folder = Path(page).parent
        for target, sources in TARGET.findall(tree.text(page) + "\n\n."):
            paths = [str(Path(os.path.normpath(folder / source)))
                     for source in re.findall(r"'([\w/.-]+\.cpp)'", sources)]
            yield target, [path for path in paths if tree.exists(path)]


def clashes(tree):
    """The gate compiles the files of a target together: there an unnamed namespace is one, and so is
    what files take into a namespace by using-declarations."""
    found = []
    for target, paths in rooms(tree):
        where, taken = {}, {}
        for path in paths:
            for name in own_names(tree.text(path)):
                where.setdefault(name, []).append(path)
            for space, name in re.findall(r"^using ((?:\w+::)+)(\w+);", tree.text(path), re.M):
                taken.setdefault(name, {}).setdefault(space, path)
        found += [f"{target}: {' and '.join(paths)} both have {name} in their unnamed namespaces"
                  for name, paths in sorted(where.items()) if len(paths) > 1]
        found += [f"{target}: {' and '.join(spaces.values())} take {name} from {' and from '.join(spaces)}"
                  for name, spaces in sorted(taken.items()) if len(spaces) > 1]
    return found


def todos(tree):
    """Nothing is put off in a comment."""
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    return [f"{path}:{line} puts something off" for path, line, words in commented(tree) if mark.search(words)]


def cited_lines(tree):
    """No comment or page cites a line of a file: it would be another one tomorrow."""
    cited = re.compile(r"\b[\w/.-]+\.(cpp|hpp|py|md|build|pml):\d+")
    return [
        f"{path}:{line} cites {cited.search(words)[0]}: name what stands there"
        for path, line, words in commented(tree)
        if cited.search(words)
    ]


def sections(tree):
    """What is cited of the protocol is a rule of docs/protocol.md."""
    page = tree.text("docs/protocol.md") if tree.exists("docs/protocol.md") else ""
    there = set(re.findall(r"^(?:## |\*\*)(\d+(?:\.\d+)?)\.? ", page, re.M))
    cited = re.compile(r"protocol(?:\.md\))?,? (?:section|rule)s? ((?:\d+(?:\.\d+)?(?:, | to | and )?)+)")
    wrong = []
    for path, line, words in commented(tree):
        for found in cited.finditer(words):
            missing = [number for number in re.findall(r"\d+(?:\.\d+)?", found[1]) if number not in there]
            wrong += [f"{path}:{line} cites the protocol's {number}, which is not there" for number in missing]
    return wrong


def titles_of_cases(tree):
    for path in [p for p in tree.cpp if p.startswith("tests/")]:
        yield from (function.name for function in source_text.functions(tree.text(path)))


def evidence(tree):
    """What holds a rule of the protocol is there: tests by their titles, mutants of the model, rules of the simulated sink."""
    titles = set(titles_of_cases(tree))
    models = "".join(tree.text(path) for path in tree.ending(".pml"))
    sink = tree.text("tests/simulation/sink.hpp")
    page = re.sub(r"\s+", " ", tree.text("docs/protocol.md").replace("\n\n", "\0")).split("\0")
    wrong = []
    for paragraph in page:
        rule, _, held = paragraph.partition("*Held by:*")
        rule = re.match(r" ?\*\*(\d+\.\d+) ", rule)
        if not rule:
            continue
        named = re.findall(r'"([^"]+)"|`(M_[A-Z_]+)`|`([a-z]+(?:_[a-z]+)+)`|`(tests/\S+)`', held)
        wrong += [f"docs/protocol.md {rule[1]}: nothing is said to hold it"] if not named else []
        for title, mutant, bug, file in named:
            there = title in titles if title else f"{mutant}" in models if mutant else f"bool {bug} " in sink if bug else tree.exists(file)
            if not there:
                wrong.append(f"docs/protocol.md {rule[1]}: there is no {title or mutant or bug or file}")
    return wrong


ROOT = r"(?:src|include|connectors|docs|tests|bench|scripts|tools|packaging)"
PATH = re.compile(rf"(?<![\w./-])({ROOT}/[\w./*{{}},<>-]*[\w*}}/>])")


def expanded(path):
    """src/{a,b}.hpp as src/a.hpp and src/b.hpp"""
    found = re.search(r"\{([^{}]*)\}", path)
    if not found:
        return [path]
    return [one for part in found[1].split(",") for one in expanded(path[: found.start()] + part + path[found.end():])]


def is_there(tree, path):
    if "*" in path:
        return any(tree.root.glob(path))
    if re.search(r"/(NAME|DATE|T)\b", path):  # whichever: bench/results/DATE-machine.md
        return True
    # A pair of files is called by the name that they have in common, a decision by its number.
    return tree.exists(path) or any(tree.exists(path + end) for end in (".cpp", ".hpp")) or (
        bool(re.search(r"/\d{4}$", path)) and any(tree.root.glob(path + "-*"))
    )


def missing_paths(tree):
    """Every path that a page or a comment names is there, and every link of a page leads somewhere."""
    wrong = []
    for path, line, words in commented(tree):
        if path == "CHANGELOG.md":
            continue
        for named in PATH.findall(words):
            if "<" in named or "//" in named:
                continue
            wrong += [
                f"{path}:{line} names {one}, which is not there" for one in expanded(named) if not is_there(tree, one)
            ]
        if path.endswith(".md"):
            wrong += dead_links(tree, path, line, words)
    return wrong


def dead_links(tree, path, line, words):
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", words):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (tree.root / path).parent / file if file else tree.root / path
        if not target.exists():
            wrong.append(f"{path}:{line} links to {link}, which is not there")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            wrong.append(f"{path}:{line} links to {link}, and there is no such title")
    return wrong


def anchors(text):
    """As GitHub makes them of titles."""
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


# -- commits --------------------------------------------------------------------------------------


def bad_message(subject, body):
    """What is wrong with a commit's message; nothing where it is as CONTRIBUTING.md wants it."""
    if len(subject) > LETTERS_OF_A_SUBJECT:
        return f"its subject has {len(subject)} letters, {LETTERS_OF_A_SUBJECT} are allowed"
    if not re.match(r'\S.*: \S|(Merge|Revert) ', subject):
        return "its subject does not begin with an area: 'area: what changed'"
    if not body.strip():
        return "it has no body that says why"
    return None


def commits_since(root, start, day):
    """(hash, subject, body) of the commits after `start`; in a shallow clone, where that is not there, of those that are later
    than `day`. None where there is no git, or this is no clone."""
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    log = [*git, "log", "--no-merges", "--format=%h%x1f%s%x1f%b%x1e"]
    try:
        known = subprocess.run([*git, "merge-base", "--is-ancestor", start, "HEAD"], capture_output=True).returncode == 0
        chosen = [f"{start}..HEAD"] if known else [f"--since={day}"]
        listed = subprocess.run([*log, *chosen, "--"], capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        return None
    if listed.returncode != 0:
        return None
    return [tuple(entry.strip("\n").split("\x1f")) for entry in listed.stdout.split("\x1e") if entry.strip()]


def commits(root, start, day):
    """Every commit since the start has a short subject with an area, and a body."""
    return [
        f"commit {name} ('{subject}'): {bad_message(subject, body)}"
        for name, subject, body in commits_since(root, start, day) or []
        if bad_message(subject, body)
    ]
