#!/usr/bin/env python3
"""Checks a source tree against rules.py.

Usage: check.py [ROOT]. It prints one finding on a line. The exit code is 1 if there is one.
"""

import re
import sys
from pathlib import Path

import citations
import doctor_findings
import import_cycles
import names
import rules
from tree import files_of

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.DOTALL)
RAW_TEXT = re.compile(r'R"(\w*)\(.*?\)\1"', re.DOTALL)
CODE = (".hpp", ".cpp", ".ipp")
TEXT = (*CODE, ".py", ".md", ".txt", ".cmake", ".json", ".toml", ".yml", ".proto", ".sql", ".sh", "")


def includes_of(text):
    """Each include as written, without its marks; a closing ">" stays, to tell <pqxx> from <pqxx_x>."""
    return [
        (text.count("\n", 0, found.start()) + 1, found[2] + (">" if found[1] == "<" else ""))
        for found in INCLUDE.finditer(text)
    ]


def room_in(folders):
    """The innermost room among the folders; without one, the outermost folder, which no table knows."""
    for depth in range(len(folders), 0, -1):
        if "/".join(folders[:depth]) in rules.ROOMS:
            return "/".join(folders[:depth])
    return folders[0]


def room_of(path):
    """None: outside the rooms. Empty: the top of include/shardway."""
    folders = path.parts[:-1]
    if folders[:2] == ("include", "shardway"):
        return room_in(folders[2:]) if folders[2:] else ""
    return room_in(folders[1:]) if folders[:1] == ("lib",) and folders[1:] else None


def room_named_by(include):
    folders = include.split("/")[:-1]
    return room_in(folders[1:]) if folders[:1] in (["shardway"], ["lib"]) and folders[1:] else None


def check_rooms(path, text):
    room = room_of(path)
    if not room or room not in rules.ROOMS:
        if room and path.suffix in CODE:
            yield 1, f"room '{room}' is not in the table of rooms"
        return
    allowed = (
        {room} | rules.ROOMS[room] | (rules.BODY_ROOMS.get(room, set()) if path.parts[0] == "lib" else set())
    )
    for line, include in includes_of(text):
        target = room_named_by(include)
        if target and target not in allowed:
            yield line, f"room {room} includes room {target} ({include})"
        if path.parts[0] == "include" and include.startswith("lib/"):
            yield line, f"a promised header includes {include}, which is not promised"
        if re.fullmatch(rules.OWN_HEADERS, include) and target != room:
            yield line, f"room {room} includes {include}, which only room {target} may include"


def check_umbrella(path, text):
    if path != Path("include/shardway", rules.UMBRELLA):
        return
    for line, include in includes_of(text):
        if include.startswith(rules.NOT_IN_UMBRELLA):
            yield line, f"the umbrella header includes {include}"


def check_outsiders(path, text):
    room = room_of(path)
    for line, include in includes_of(text):
        if path.parts[0] == "include" and re.match(rules.OUTSIDERS, include):
            door = rules.DOORS.get(path.as_posix())
            if not (door and re.match(door, include)):
                yield line, f"a public header includes {include}"
        for pattern, rooms in rules.BODY_OUTSIDERS.items():
            if (
                path.parts[0] == "lib"
                and room
                and re.match(pattern, include)
                and room.split("/")[0] not in rooms
            ):
                owners = ", ".join(sorted(rooms)) or "one public header"
                yield line, f"room {room} includes {include}, which belongs to {owners}"


def check_words(path, text):
    if path.parts[:2] == ("tests", "tidy"):
        return
    for found in re.finditer(rules.BANNED_TEXT, text):
        yield text.count("\n", 0, found.start()) + 1, f"'{found[0]}' must not be here"


def check_key_text(path, text):
    if path.parts[0] != "lib" or path.suffix not in CODE or path.as_posix() == rules.KEY_TEXT_FILE:
        return
    for found in re.finditer(rules.KEY_TEXT, text):
        line = text.count("\n", 0, found.start()) + 1
        yield line, "text of a column is made by value_text and key_text_list alone"


def check_names(root, files):
    """Words that the glossary refuses, and names that say nothing."""
    refused = names.refused_words(root)
    if not refused:
        yield f"{rules.GLOSSARY_PAGE}:1: it refuses no word: the names of the code cannot be checked"
    for path in files:
        if path.suffix not in CODE or path.parts[0] not in ("include", "lib"):
            continue
        code = COMMENT.sub(
            lambda found: " " + "\n" * found[0].count("\n"), (root / path).read_text(errors="replace")
        )
        found = [*names.refused_identifiers(code, refused), *names.variables_that_say_nothing(code)]
        for line, what in sorted(found):
            yield f"{path}:{line}: {what}"


def check_guard(path, text):
    if path.parts[0] == "include" and path.suffix == ".hpp" and "#pragma once" not in text:
        yield 1, "a header without #pragma once"


def check_length(path, text):
    if path.suffix not in CODE:
        return
    lines = text.splitlines()
    if len(lines) > rules.FILE_LINES_MAX:
        yield len(lines), f"{len(lines)} lines; at most {rules.FILE_LINES_MAX} in a file"
    # SQL in a raw literal is data: it counts as one line.
    lines = RAW_TEXT.sub('""', text).splitlines()
    for indent in ("", "  "):
        yield from long_functions(lines, indent)


def long_functions(lines, indent):
    opened = re.compile(indent + r"[A-Za-z_\[~].*\)[^;]*\{$")
    not_a_function = re.compile(
        r"\s*(namespace|class|struct|enum|union|extern|inline namespace|[\w:]+ = |constexpr \w+ \w+\[)"
    )
    begin = None
    for number, line in enumerate(lines, 1):
        if opened.match(line) and not not_a_function.match(line):
            begin = number
        elif line.startswith(indent + "}") and begin:
            if number - begin + 1 > rules.FUNCTION_LINES_MAX:
                yield begin, f"a function of {number - begin + 1} lines; at most {rules.FUNCTION_LINES_MAX}"
            begin = None


CHECKS = (
    check_rooms,
    check_umbrella,
    check_outsiders,
    check_words,
    check_key_text,
    check_guard,
    check_length,
)


def cycle_of_imports(root, files):
    cycle = import_cycles.cycle_in(root, files)
    if cycle:
        yield f"Python: modules import each other in a circle: {' -> '.join(cycle)}"


def findings_in(root):
    root = Path(root)
    files = files_of(root)
    yield from cycle_of_imports(root, files)
    yield from check_names(root, files)
    for path, line, what in (*citations.findings(root, files), *doctor_findings.findings(root, files)):
        yield f"{path}:{line}: {what}"
    for path in files:
        if path.suffix not in TEXT:
            continue
        text = (root / path).read_text(errors="replace")
        for check in CHECKS:
            for line, what in check(path, text):
                yield f"{path}:{line}: {what}"


def main():
    findings = list(findings_in(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]))
    print("\n".join(findings) or "tidy")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
