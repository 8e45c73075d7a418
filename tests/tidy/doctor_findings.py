"""Ids of the doctor's findings, against the page that says what becomes of each kind of object."""

import re

PAGE = "docs/TABLES.md"
FOLDER = ("lib", "migrate", "preflight")
# plan_steps.cpp has ids of steps, not of findings.
NO_FINDINGS = ("plan_steps.cpp", "roles.cpp")
# `checked.fail("id", ...)`, `ask(checked, "id", ...)`, `object_rule{"id", ...}`, `{"pg_type", "id"}`.
IN_CODE = re.compile(
    r'\b(?:pass|warn|fail|add)\(\s*"([a-z][a-z_]*)"'
    r'|\b(?:ask|check_free)\(\s*\w+,\s*"([a-z][a-z_]*)"'
    r'|\bobject_rule\{\s*"([a-z][a-z_]*)"'
    r'|\{"pg_\w+",\s*"([a-z][a-z_]*)"\}'
)
IN_PAGE = re.compile(r"`([a-z][a-z_]*)`")


def ids_in_code(root, files):
    """Each id and the first place that has it."""
    places: dict[str, tuple] = {}
    for path in sorted(files):
        if path.parts[:3] != FOLDER or path.suffix != ".cpp" or path.name in NO_FINDINGS:
            continue
        text = (root / path).read_text(errors="replace")
        for found in IN_CODE.finditer(text):
            places.setdefault(
                next(filter(None, found.groups())), (path, text.count("\n", 0, found.start()) + 1)
            )
    return places


def ids_in_page(text):
    """Each id of a column called "finding", and its line."""
    column = None
    places: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            column = None
        elif "finding" in cells:
            column = cells.index("finding")
        elif column is not None and column < len(cells):
            for found in IN_PAGE.finditer(cells[column]):
                places.setdefault(found[1], number)
    return places


def findings(root, files):
    """(path, line, what) for each id that stands in one of the two only."""
    code = ids_in_code(root, files)
    page = root / PAGE
    if not page.is_file():
        if code:
            yield PAGE, 1, "the page is missing"
        return
    listed = ids_in_page(page.read_text())
    for name in sorted(set(code) - set(listed)):
        path, line = code[name]
        yield path, line, f"finding {name} is not in {PAGE}"
    for name in sorted(set(listed) - set(code)):
        yield PAGE, listed[name], f"no check of the doctor reports {name}"
