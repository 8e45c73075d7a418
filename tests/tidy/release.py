#!/usr/bin/env python3
"""Checks what a release promises.

One version in all places, a changelog in its shape; metrics, gates, and the fields of manifests and
generations on their pages.

Usage: release.py [ROOT].

The version is the one in CMakeLists.txt. Prints one finding a line; the exit code is 1 if there is one.
"""

import re
import sys
from datetime import date
from pathlib import Path
from typing import NamedTuple

PROJECT = ("CMakeLists.txt", "project(shardway VERSION {}")
# Where the version stands too, once or more: the text around it, and how much of it.
PLACES = (
    ("include/shardway/version.hpp", '#define SHARDWAY_VERSION "{}"', "whole"),
    ("include/shardway/version.hpp", "#define SHARDWAY_VERSION_MAJOR {}", "major"),
    ("include/shardway/version.hpp", "#define SHARDWAY_VERSION_MINOR {}", "minor"),
    ("include/shardway/version.hpp", "#define SHARDWAY_VERSION_PATCH {}", "patch"),
    ("bindings/python/pyproject.toml", 'version = "{}"', "whole"),
    ("bindings/python/shardway/__init__.py", '__version__ = "{}"', "whole"),
    ("bindings/python/tests/test_help.py", "shardway, version {}", "whole"),
    ("cmake/packaging/conan/conanfile.py", 'version = "{}"', "whole"),
    ("cmake/packaging/vcpkg/ports/shardway/vcpkg.json", '"version": "{}"', "whole"),
    ("README.md", "is version {}", "series"),
    ("docs/guides/linking.md", "find_package(shardway {}", "series"),
    ("tests/consumer/core/CMakeLists.txt", "find_package(shardway {}", "series"),
)
CHANGELOG = "CHANGELOG.md"
UNRELEASED = "Unreleased"
RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+) \((\d{4}-\d{2}-\d{2})\)")
HEADINGS = ["Breaking", "Added", "Fixed", "Safety"]
PUBLIC_API = "docs/PUBLIC_API.md"
METRIC_IN_CODE = re.compile(r'->(?:count|gauge|observe)\("(\w+)"')
METRIC_IN_TABLE = re.compile(r"^\| `(shardway_\w+)` \|", re.MULTILINE)
GATES_PAGE = "docs/guides/waves_and_rollback.md"
GATE_IN_CODE = re.compile(r'(?:verdict_of\(\s*|stream_gate\(\s*|none_found\([^,"]+,\s*|\{\.name = )"(\w+)"')
PROTO = "lib/manifest/manifest.proto"
PROTO_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
PROTO_FIELD = re.compile(r"^  (optional |repeated )?([\w.]+) (\w+) = \d+;", re.MULTILINE)


class Field(NamedTuple):
    message: str
    name: str
    kind: str
    is_repeated: bool


class FieldPlace(NamedTuple):
    """Where the fields of some messages must stand."""

    page: str
    #: These messages, with those in their fields and so on, without `below`.
    tops: tuple[str, ...]
    #: Around the field's name; `whole`: around that of a field of a message which is there in lists only.
    form: str
    whole: str | None = None
    below: tuple[str, ...] = ()
    #: "Message.field"; the reasons stand above FIELD_PLACES.
    left_out: frozenset[str] = frozenset()


# `catalog` has one value in this version. A table is found by `table`, and `api_version` is always 1.
# Of a pin, `diff` compares the slot, which `slot_of` computes from the types and the values.
TABLE, MIGRATION, GENERATION = "Table", "Migration", "Generation"
MEMBER = r"\b{holder}(?:\.|->){name}s?\b"
FIELD_PLACES = (
    FieldPlace("docs/MANIFEST.md", (TABLE, MIGRATION), r"`{path}`"),
    FieldPlace(
        "bindings/python/shardway/cli/manifests.py",
        (TABLE, MIGRATION),
        r"\b{name}:",
        left_out=frozenset({"Migration.catalog"}),
    ),
    FieldPlace(
        "lib/manifest/diff.cpp",
        (TABLE,),
        r'"{path}"',
        whole=MEMBER,
        left_out=frozenset({"Table.api_version", "Table.table"}),
    ),
    FieldPlace(
        "lib/manifest/diff_migration.cpp",
        (MIGRATION,),
        r'"\.?{path}"',
        whole=MEMBER,
        left_out=frozenset({"Migration.api_version", "Pin.type", "Pin.value"}),
    ),
    FieldPlace(
        "docs/formats/generation.md", (GENERATION,), r"`(?:\w+\[\]\.)*{json}`", below=(TABLE, MIGRATION)
    ),
)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def forms_of(version):
    major, minor, patch = version.split(".")
    return {"whole": version, "series": f"{major}.{minor}", "major": major, "minor": minor, "patch": patch}


def versions_in(root, path, around):
    """(version, line) of each place in the file."""
    text = (root / path).read_text() if (root / path).is_file() else ""
    before, behind = (re.escape(part) for part in around.split("{}"))
    return [
        (found[1], line_of(text, found.start()))
        for found in re.finditer(rf"(?<![\w.-]){before}(\w+(?:\.\w+)*){behind}", text)
    ]


def project_version(root):
    found = versions_in(root, *PROJECT)
    return found[0][0] if found and re.fullmatch(r"\d+\.\d+\.\d+", found[0][0]) else None


def check_places(root, version):
    forms = forms_of(version)
    for path, around, form in PLACES:
        places = versions_in(root, path, around)
        if not places:
            yield f"{path}:1: '{around.format(forms[form])}' is not there; release.py says that it must be"
        for found, line in places:
            if found != forms[form]:
                yield f"{path}:{line}: says {found}; CMakeLists.txt says {version}"


def sections_of(text, mark):
    """(title, line, text below it) of each heading with exactly that mark, in order."""
    headings = list(re.finditer(rf"^{mark} (.*)$", text, re.MULTILINE))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return [
        (heading[1].strip(), line_of(text, heading.start()), text[heading.end() : end])
        for heading, end in zip(headings, ends, strict=True)
    ]


def check_parts(title, line, body):
    """The four headings of one release."""
    parts = sections_of(body, "###")
    if [name for name, _, _ in parts] != HEADINGS:
        names = ", ".join(name for name, _, _ in parts) or "none"
        yield f"{CHANGELOG}:{line}: {title} has the headings {names}; it needs {', '.join(HEADINGS)}"
    for name, below, content in parts:
        if not content.strip():
            yield f'{CHANGELOG}:{line + below - 1}: nothing stands below {name} of {title}; write "None."'


def release_of(title):
    """(version, date), or nothing if the title is not that of a release."""
    found = RELEASE.fullmatch(title)
    try:
        return (
            (tuple(int(number) for number in found.groups()[:3]), date.fromisoformat(found[4]))
            if found
            else None
        )
    except ValueError:  # no such day
        return None


def check_releases(sections, version):
    """Newest first, each with its date, and none newer than the project."""
    above = tuple(int(number) for number in version.split(".")), date.max
    is_first = True
    for title, line, _ in sections:
        release = release_of(title)
        if release is None:
            yield f'{CHANGELOG}:{line}: "{title}" is no release; write "1.2.3 (2026-12-31)"'
            continue
        if release[0] > above[0] or (release[0] == above[0] and not is_first):
            newest = ".".join(map(str, above[0]))
            yield f"{CHANGELOG}:{line}: {title} stands below {newest}, which is not newer"
        if release[1] > above[1]:
            yield f"{CHANGELOG}:{line}: {title} has a later date than the release above it"
        above, is_first = release, False


def check_changelog(root, version):
    path = root / CHANGELOG
    sections = sections_of(path.read_text(), "##") if path.is_file() else []
    if not sections or sections[0][0] != UNRELEASED:
        yield f'{CHANGELOG}:1: the first section must be "## {UNRELEASED}"'
    for title, line, body in sections:
        yield from check_parts(title, line, body)
    yield from check_releases([section for section in sections if section[0] != UNRELEASED], version)
    if sum(title == UNRELEASED for title, _, _ in sections) > 1:
        yield f'{CHANGELOG}:1: there are two sections "{UNRELEASED}"'


def check_metrics(root):
    """The table of metrics names those of the code, and no others."""
    given = {
        name
        for file in sorted((root / "lib").rglob("*.cpp"))
        for name in METRIC_IN_CODE.findall(file.read_text())
    }
    page = (root / PUBLIC_API).read_text() if (root / PUBLIC_API).is_file() else ""
    named = set(METRIC_IN_TABLE.findall(page))
    for name in sorted(given - named):
        yield f"{PUBLIC_API}:1: the metric {name} has no row"
    for name in sorted(named - given):
        yield f"{PUBLIC_API}:{line_of(page, page.index(f'`{name}`'))}: no code gives the metric {name}"
    if not given:
        yield "lib:1: no metric was found"


def check_gates(root):
    """The guide names every gate of a wave."""
    page = (root / GATES_PAGE).read_text() if (root / GATES_PAGE).is_file() else ""
    gates = {
        name
        for file in sorted((root / "lib/migrate").rglob("*.cpp"))
        for name in GATE_IN_CODE.findall(file.read_text())
    }
    for name in sorted(gates):
        if f"`{name}`" not in page:
            yield f"{GATES_PAGE}:1: the gate {name} is not there"
    if not gates:
        yield "lib/migrate:1: no gate was found"


def proto_fields(root):
    text = (root / PROTO).read_text() if (root / PROTO).is_file() else ""
    return [
        Field(message, name, kind, label.startswith("repeated"))
        for message, body in PROTO_MESSAGE.findall(text)
        for label, kind, name in PROTO_FIELD.findall(body)
    ]


def messages_below(fields, tops):
    """The messages themselves, those in their fields, and so on."""
    messages = {field.message for field in fields}
    found, waiting = set(), list(tops)
    while waiting:
        message = waiting.pop()
        if message in messages and message not in found:
            found.add(message)
            waiting += [field.kind for field in fields if field.message == message]
    return found


def form_of(place, field, fields):
    """The expression that finds the field, by the name of the field that holds its message."""
    holders = [one for one in fields if one.kind == field.message]
    holder = "|".join(sorted({one.name for one in holders}))
    if place.whole and holders and all(one.is_repeated for one in holders):
        return place.whole.format(holder=f"(?:{holder})", name=field.name)
    json = re.sub("_(.)", lambda found: found[1].upper(), field.name)
    if holders and field.message not in place.tops:
        # A message in several fields, as `Node`, may have its fields without their names.
        optional = "?" if len(holders) > 1 else ""
        path, json = rf"(?:(?:{holder})\.){optional}{field.name}", rf"(?:{holder})(?:\[\])?\.{json}"
    else:
        path = field.name
    return place.form.format(name=field.name, path=path, json=json)


def missing_in(place, text, fields):
    """The fields with a value of their own that must stand in the text and don't."""
    messages = messages_below(fields, place.tops) - messages_below(fields, place.below)
    everywhere = {field.message for field in fields}
    for field in fields:
        is_ours = field.message in messages and field.kind not in everywhere
        is_wanted = is_ours and f"{field.message}.{field.name}" not in place.left_out
        if is_wanted and not re.search(form_of(place, field, fields), text):
            yield field


def check_manifest_fields(root):
    """No field of a manifest or of a generation is missing where it must stand; no message is left out."""
    fields = proto_fields(root)
    if not fields:
        yield f"{PROTO}:1: no field was found"
    for place in FIELD_PLACES:
        text = (root / place.page).read_text() if (root / place.page).is_file() else ""
        for field in missing_in(place, text, fields):
            yield f"{place.page}:1: the field {field.name} of {field.message} ({PROTO}) is not there"
    tops = [top for place in FIELD_PLACES for top in place.tops]
    for message in sorted({field.message for field in fields} - messages_below(fields, tops)):
        yield f"{PROTO}:1: {message} is in no manifest and no generation"
    known = {f"{field.message}.{field.name}" for field in fields}
    for name in sorted({name for place in FIELD_PLACES for name in place.left_out} - known if fields else ()):
        yield f"{PROTO}:1: release.py leaves out {name}, which is not there"


def findings_in(root):
    root = Path(root)
    version = project_version(root)
    if version is None:
        yield "CMakeLists.txt:1: no project(shardway VERSION x.y.z) was found"
        return
    yield from check_places(root, version)
    yield from check_changelog(root, version)
    yield from check_metrics(root)
    yield from check_gates(root)
    yield from check_manifest_fields(root)


def main():
    findings = list(findings_in(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]))
    print(
        "\n".join(findings)
        or "one version, a changelog in its shape, metrics, gates and fields on their pages"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
