"""Checks the width of prose in Markdown files."""

import re
from collections.abc import Iterator

WIDTH_MAX = 100
FENCE = re.compile(r"^\s*(?:[-*>]\s+)*(`{3,}|~{3,})")
TABLE_ROW = re.compile(r"^\s*(?:>\s*)?\|")
# A list mark, then a link, an image, an address or a definition of one, and nothing else.
LINK_ALONE = re.compile(
    r"^\s*(?:[-*+>]\s+|\d+\.\s+)*(?:!?\[.*\]\(\S+\)|<?\w+://\S+>?|\[[^\]]+\]:\s+\S+.*)[.,;:]?$"
)


def lines_too_wide(text: str) -> Iterator[tuple[int, int]]:
    """The number and the width of each line of prose that is too wide.

    Code blocks, rows of tables, and links that stand alone on their line may be of any width. So may a single
    word: it cannot be broken.
    """
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
            continue
        if fence or len(line) <= WIDTH_MAX or TABLE_ROW.match(line) or LINK_ALONE.match(line):
            continue
        if len(line.split()) > 1:
            yield number, len(line)
