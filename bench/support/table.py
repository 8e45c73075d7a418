"""Prints the rows of all programs as one table and, with --json FILE, writes them as one list."""

import argparse
import json
from pathlib import Path


def short(value):
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cells(row):
    added = (row["target"] or "").startswith("added")
    ratio = ""
    if row["ratio"] is not None:
        low, high = row["interval"]
        ratio = f"{'+' if added else ''}{short(row['ratio'])} [{short(low)}, {short(high)}]"
    verdict = "" if row["met"] is None else "met" if row["met"] else "missed"
    against = f"{row['baseline']}: {short(row['baseline_value'])}" if row["baseline"] else ""
    return [row["name"], f"{short(row['value'])} {row['unit']}", against, ratio, row["target"] or "", verdict]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--json", type=Path)
    options.add_argument("files", type=Path, nargs="*")
    asked = options.parse_args()
    rows = [json.loads(line) for file in asked.files for line in file.read_text().splitlines()]
    table = [["what", "value", "baseline", "ratio or difference [95 %]", "target", ""]] + [
        cells(row) for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(6)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
