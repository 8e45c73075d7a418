"""Tables as the command prints them."""

from __future__ import annotations

from rich.table import Table


def table_of(*names: str) -> Table:
    """Return an empty table with these columns. A name that ends with "#" is a column of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name.rstrip("#"), justify="right" if name.endswith("#") else "left")
    return table
