"""Names of C++ code: the words that the glossary refuses, and variables that say nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import rules

IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*")
NOTHING = "|".join(rules.NOT_VARIABLES)
# What may stand before a name in an expression. Before a declared name stands a type.
NO_TYPES = r"(?<!\breturn)(?<!\bcase)(?<!\bthrow)(?<!\bnew)(?<!\bdelete)(?<!\belse)(?<!\bgoto)"
DECLARATIONS = (
    # `session& on,` `auto const at = ...` `int from{}` `for (auto of : ...)` `lsn to_;`
    re.compile(rf"[\w>&*]{NO_TYPES}(?:\s+|(?<=[&*]))({NOTHING})_?\s*(?=[,;)={{\[:]|$)", re.MULTILINE),
    # `auto const& [at, row]`
    re.compile(rf"\bauto\b[\s\w&]*\[[^\]]*?\b({NOTHING})\s*[,\]]"),
    # `[from = text]` and `int high, at = 0;`
    re.compile(rf"[\[,]\s*&?({NOTHING})\s*(?:=(?!=)|;)"),
)


def refused_words(root: Path) -> dict[str, str]:
    """Each refused word of the glossary, and what to say instead."""
    page = root / rules.GLOSSARY_PAGE
    refused: dict[str, str] = {}
    header: list[str] = []
    for line in page.read_text().splitlines() if page.exists() else []:
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not header:
            header = cells
        elif "not" in header and len(cells) == len(header):
            column = header.index("not")
            instead = cells[1 if column == 0 else 0].replace("`", "")
            refused |= dict.fromkeys(re.findall(r"`(\w+)`", cells[column]), instead)
    return refused


def refused_identifiers(code: str, refused: dict[str, str]) -> Iterator[tuple[int, str]]:
    for found in IDENTIFIER.finditer(code):
        for word, instead in refused.items():
            if f"_{word}_" in f"_{found[0].lower()}_":
                yield line_of(code, found.start()), f"'{found[0]}': the glossary says {instead}"


def variables_that_say_nothing(code: str) -> Iterator[tuple[int, str]]:
    for pattern in DECLARATIONS:
        for found in pattern.finditer(code):
            yield line_of(code, found.start(1)), f"a variable '{found[1]}': say what it is"


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
