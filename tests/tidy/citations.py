"""Codes that comments and tests cite, against the pages that define them.

docs/FAILURES.md defines failures (W1, CP3, ...) and docs/INVARIANTS.md invariants (I1, ...); rules.py says
how each looks. Each code that is cited is defined, each one defined is cited by code or test, and the places
and tests that a page names exist.
"""

import re
from pathlib import Path

import rules

CODE = (".hpp", ".cpp", ".ipp")
TEXT = (*CODE, ".py", ".md", ".sql")
# Comments and literals of C++ are for readers; an identifier such as OUTCOME_V2 cites nothing.
SPOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.DOTALL)
CASE = re.compile(r"^\s*(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
PYTHON_CASE = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
SWITCH = re.compile(r'guard_off\("(\w+)"\)')
COMMAND = re.compile(r"\b(foreach|endforeach|shardway_test)\s*\(([^)]*)\)")
SPAN = re.compile(r"`([^`]+)`")
ROW = re.compile(r"^\| *([A-Z]+[0-9]+[a-z]?) *\|(.*)\|\s*$")
NO_TEST = "no test yet"


def cited(kind):
    """A code that stands alone: no letter, digit or hyphen joins it. An underscore may (names of tests)."""
    return re.compile(rf"(?<![A-Za-z0-9-])(?:{kind})(?![A-Za-z0-9])")


CITED = cited(f"{rules.FAILURE_CODE}|{rules.INVARIANT_CODE}")
RANGE = re.compile(rf"{CITED.pattern}(?: to | ?(?:-|\u2013|\.\.) ?){CITED.pattern}")


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def spoken_in(path, text):
    """The text with what cannot cite blanked out; lines stay where they are."""
    if path.suffix not in CODE:
        return text
    out = [char if char == "\n" else " " for char in text]
    for found in (*SPOKEN.finditer(text), *CASE.finditer(text)):
        out[found.start() : found.end()] = text[found.start() : found.end()]
    return "".join(out)


class Tree:
    """What the files say: citations, definitions, tests by program, and the text of all code."""

    def __init__(self, root, files):
        self.texts = {path: (root / path).read_text(errors="replace") for path in files if self.counts(path)}
        self.files = {path.name for path in files}
        self.code = "\n".join(text for path, text in self.texts.items() if path.suffix != ".md")
        self.switches = set(SWITCH.findall(self.code))
        self.programs = self.find_programs()

    @staticmethod
    def counts(path):
        return (path.suffix in TEXT or path.name == "CMakeLists.txt") and path.parts[:2] != ("tests", "tidy")

    def citations(self):
        """(path, line, code) for each citation outside of the pages that define them."""
        for path, text in self.texts.items():
            if path.suffix in TEXT and path.as_posix() not in rules.CODE_PAGES:
                spoken = spoken_in(path, text)
                for found in CITED.finditer(spoken):
                    yield path, line_of(spoken, found.start()), found[0]

    def ranges(self):
        for path, text in self.texts.items():
            if path.suffix in TEXT and path.as_posix() not in rules.CODE_PAGES:
                spoken = spoken_in(path, text)
                for found in RANGE.finditer(spoken):
                    yield path, line_of(spoken, found.start()), found[0]

    def find_programs(self):
        """The cases of each test program: of GoogleTest by CMake's name, of Python by the file's."""
        programs: dict[str, set[str]] = {}
        for path, text in self.texts.items():
            if path.name == "CMakeLists.txt":
                for name, sources in tests_declared(text):
                    texts = [self.texts.get(path.parent / source, "") for source in sources]
                    programs.setdefault(name, set()).update(
                        case for text in texts for _, case in CASE.findall(text)
                    )
            elif path.suffix == ".py" and (names := PYTHON_CASE.findall(text)):
                programs.setdefault(path.name, set()).update(names)
        return programs


def tests_declared(text):
    """(name, sources) of each shardway_test(NAME SOURCES ...), loops written out."""
    loops = []
    for command, arguments in COMMAND.findall(text):
        words = arguments.split()
        if command == "foreach":
            loops.append((words[0], [word for word in words[1:] if word not in ("IN", "ITEMS")]))
        elif command == "endforeach":
            loops.pop()
        elif "SOURCES" in words:
            yield from declared(words, loops)


def declared(words, loops):
    if loops:
        variable, values = loops[-1]
        for value in values:
            yield from declared([word.replace(f"${{{variable}}}", value) for word in words], loops[:-1])
        return
    sources = words[words.index("SOURCES") + 1 :]
    yield words[0], [word for word in sources if word.endswith(CODE)]


class Page:
    """The rows of a page's tables by code, and the codes of its last list, which the code does not handle."""

    def __init__(self, tree, path, kind):
        self.path, self.kind = Path(path), kind
        self.rows, self.not_handled, self.faults = {}, {}, []
        is_listed = False
        for number, line in enumerate(tree.texts.get(self.path, "").splitlines(), 1):
            if line.startswith("## "):
                is_listed = line == rules.NOT_HANDLED
            if is_listed and line.startswith("- "):
                for code in cited(kind).findall(line.split(":")[0]):
                    self.not_handled[code] = number
            if row := ROW.match(line):
                self.take(number, row[1], [cell.strip() for cell in row[2].split(" | ")])

    def take(self, number, code, cells):
        if not re.fullmatch(self.kind, code):
            self.faults.append((number, f"{code} is no code of this page"))
        if (code, len(cells)) in self.rows:
            self.faults.append((number, f"{code} is defined twice"))
        self.rows[code, len(cells)] = number, cells

    def codes(self):
        return {code: number for (code, _), (number, _) in self.rows.items()}


def check_codes(tree, page):
    """Both ways: what is cited is in a table, what is in a table is cited by code or test."""
    codes, used = page.codes(), set()
    for path, line, code in tree.citations():
        if not re.fullmatch(page.kind, code):
            continue
        if path.suffix != ".md":
            used.add(code)
        if code in page.not_handled:
            yield path, line, f"{code} is cited, and {page.path} lists it as not handled"
        elif code not in codes:
            yield path, line, f"{code} is cited, and {page.path} does not define it"
    for number, what in page.faults:
        yield page.path, number, what
    for code, number in codes.items():
        if code in page.not_handled:
            yield page.path, number, f"{code} is in a table and in the list of what is not handled"
        if code not in used:
            yield page.path, number, f"no code or test cites {code}"


def check_places(tree, page, column):
    """Files, functions and classes in that column occur in the tree."""
    for (code, _), (number, cells) in page.rows.items():
        for span in SPAN.findall(cells[column]) if len(cells) > column else ():
            if span not in tree.files and not all(name in tree.code for name in span.split("::")):
                yield page.path, number, f"{code} names `{span}`, which is nowhere in the code"


def check_tests(tree, page, column):
    """`program`: `case`, `case` (switch `name`); `program`: ... Or: no test yet."""
    for (code, _), (number, cells) in page.rows.items():
        if len(cells) != column + 1:
            yield page.path, number, f"{code} has {len(cells)} columns behind it instead of {column + 1}"
            continue
        program, is_named = None, False
        for span in SPAN.findall(cells[column]):
            if span in tree.programs:
                program = span
            elif span in tree.programs.get(program, ()):
                is_named = True
            elif span not in tree.switches and span not in rules.SETTINGS_IN_TESTS:
                is_named = True
                what = f"{program} has no case" if program else "there is no test program"
                yield page.path, number, f"{code}: {what} `{span}`"
        if not is_named and NO_TEST not in cells[column]:
            yield page.path, number, f"{code} names no test and does not say '{NO_TEST}'"


def findings(root, files):
    """(path, line, what) for each citation without a definition, each definition without a citation, and each
    name on the pages that does not exist."""
    tree = Tree(root, files)
    failures = Page(tree, rules.FAILURE_PAGE, rules.FAILURE_CODE)
    yield from check_codes(tree, failures)
    yield from check_places(tree, failures, 1)
    yield from check_tests(tree, failures, 2)
    invariants = Page(tree, rules.INVARIANT_PAGE, rules.INVARIANT_CODE)
    yield from check_codes(tree, invariants)
    yield from check_places(tree, invariants, 0)
    yield from check_places(tree, invariants, 1)
    for path, line, what in tree.ranges():
        yield path, line, f"'{what}' cites two codes and means others: name each"
