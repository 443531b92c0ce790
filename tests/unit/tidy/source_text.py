"""What the tidy test has to know of a text of C++: comments, includes, functions. No compiler: the tree is laid out by clang-format,
and what this cannot tell apart does not stand in it."""

import re
from dataclasses import dataclass

COMMENT = r"//[^\n]*|/\*.*?\*/"
LITERAL = r'R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|(?<![0-9a-fA-F])\'(?:[^\'\\\n]|\\.)+\''
COMMENT_OR_LITERAL = re.compile(rf"{COMMENT}|{LITERAL}", re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", re.M)


def lines_only(match):
    return "\n" * match.group().count("\n")


def is_comment(text):
    return text.startswith(("//", "/*"))


def without_comments(text):
    """Literals stay, and so do the numbers of the lines."""
    return COMMENT_OR_LITERAL.sub(lambda m: lines_only(m) if is_comment(m.group()) else m.group(), text)


def comments(text):
    """(number of its first line, its words) for each run of comments that stand below one another: a sentence may go on in the next
    line."""
    runs = []
    for found in COMMENT_OR_LITERAL.finditer(text):
        if not is_comment(found.group()):
            continue
        line = text.count("\n", 0, found.start()) + 1
        words = re.sub(r"^[ \t]*(//[/!<]*|/?\*+)|\*+/$", "", found.group(), flags=re.M).strip()
        if runs and line == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], line, runs[-1][2] + " " + words)
        else:
            runs.append((line, line + found.group().count("\n"), words))
    return [(first, words) for first, _, words in runs]


def texts(text):
    """(number of its first line, its words) for each literal; adjacent ones are one."""
    found = []
    end = None
    for literal in re.finditer(LITERAL, without_comments(text), re.S):
        if not literal.group().startswith('"'):
            continue
        between = literal.string[end : literal.start()] if found else "x"
        line = literal.string.count("\n", 0, literal.start()) + 1
        words = literal.group()[1:-1]
        if between.strip():
            found.append((line, words))
        else:
            found[-1] = (found[-1][0], found[-1][1] + words)
        end = literal.end()
    return found


def includes(text):
    """(number of the line, whether in quotes, path)"""
    return [(text.count("\n", 0, m.start(1)) + 1, m[1] == '"', m[2]) for m in INCLUDE.finditer(text)]


@dataclass
class Function:
    name: str
    line: int
    lines: int  # from its first line to its last brace
    statements: int


def is_function(head):
    """Whether what stands before a brace, outside of any function, begins one."""
    if re.match(r"(template\s*<.*>\s*)?(class|struct|union|enum|namespace)\b", head) and not head.endswith((")", "const")):
        return False
    return "(" in head and "=" not in head.split("(")[0].replace("operator=", "")


def name_of(head):
    before = head.split("(")[0].split()
    return before[-1].lstrip("*&") if before else head


def title_of_case(lines):
    return "\n".join(lines[:3]).partition('"')[2].partition('"')[0]


def functions(text):
    """The functions of a text, members and test cases among them; a lambda is a part of the one around it."""
    code = DIRECTIVE.sub(lines_only, COMMENT_OR_LITERAL.sub(lines_only, text))
    found, stack = [], []
    line, statements, after = 1, 0, 0
    for mark in re.finditer(r"[{};]", code):
        piece = code[after : mark.start()]
        head = piece.lstrip()
        first = line + piece.count("\n", 0, len(piece) - len(head))
        line += piece.count("\n")
        after = mark.end()
        if mark[0] == ";":
            statements += 1
        elif mark[0] == "{":
            flat = " ".join(head.split())
            begins = not any(inside for inside, *_ in stack) and is_function(flat)
            statements = 0 if begins else statements
            stack.append((begins, flat, first))
        elif stack:
            begins, flat, first = stack.pop()
            if begins:
                name = name_of(flat)
                if name in ("TEST_CASE", "SCENARIO"):
                    name = title_of_case(text.split("\n")[first - 1 :]) or name
                found.append(Function(name, first, line - first + 1, statements))
    return found
