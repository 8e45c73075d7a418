"""The results of the demo: as checks, as JSON, as a table and as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import figures
import jinja2
from figures import Phase
from rich.console import Console
from rich.table import Table
from scenario import Facts, Options

HERE = Path(__file__).resolve().parent
WAVE_STEPS = ("fence", "marker", "drain", "commit", "open", "publish")  # in the order in which they happen
STALL_TARGETS_MS = {"p50": 10.0, "p99": 50.0, "max": 250.0}
ADDED_LATENCY_TARGET_MS = 5.0
REPLICA_SHARE_MIN = 0.2


def check(name: str, evidence: int, wrong: int = 0, detail: str = "") -> tuple[str, dict[str, Any]]:
    result = "pass" if evidence > 0 and wrong == 0 else "fail"
    return name, {"result": result, "evidence": evidence, "wrong": wrong, "digests": [], "detail": detail}


def script_checks(
    facts: Facts, phases: list[Phase], lines: list[dict], verdict: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """What the script must have met, or the run proves nothing. The checker adds its own checks."""
    totals = verdict["totals"]
    waves = [phase for phase in phases if phase.wave and not phase.wave.get("undone")]
    inside = {phase.name: figures.writes_inside(lines, phase) for phase in waves}
    untouched = [name for name, count in inside.items() if count == 0]
    unequal = [name for name, one in facts.verified.items() if one["verdict"] != "equal"]
    share = figures.replica_share(lines)
    weak = [
        f"{node}.{name}"
        for node, settings in facts.durability.items()
        for name, value in settings.items()
        if value != "on"
    ]
    return dict(
        [
            check("duplicates_detected", totals.get("duplicates", 0)),
            check("healed_dual_writes", totals.get("healed", 0)),
            check("foreign_writes_seen", facts.foreign_seen),
            check(
                "foreign_writes_refused",
                len(facts.foreign_after_guard),
                facts.foreign_let_through + (facts.foreign_refused == 0),
                f"{facts.foreign_refused} refused, {facts.foreign_let_through} got through under the guard",
            ),
            check(
                "replica_reads",
                verdict["replica_reads"],
                int(share < REPLICA_SHARE_MIN),
                f"{share:.0%} of the reads",
            ),
            check(
                "writes_inside_each_wave",
                sum(inside.values()),
                len(untouched),
                "no write in: " + ", ".join(untouched) if untouched else "",
            ),
            check("chunks_open_at_the_kill", facts.chunks_open_at_kill),
            check(
                "controller_killed_and_resumed",
                len(facts.killed_at),
                int(facts.controller_resumed != len(facts.killed_at)),
                ", ".join(facts.killed_at),
            ),
            check("certificates", len(facts.verified), len(unequal), ", ".join(unequal)),
            check("durability", len(facts.durability), len(weak), ", ".join(weak)),
        ]
    )


def build(
    options: Options, facts: Facts, phases: list[Phase], lines: list[dict], verdict: dict[str, Any]
) -> dict[str, Any]:
    """Everything the report shows. `document` is the JSON that `--report` writes."""
    checks = {**verdict["checks"], **script_checks(facts, phases, lines, verdict)}
    wrong = {name: checks.get(name, {}).get("wrong", 0) for name in checks}
    lost = wrong.get("lost", 0)
    duplicated = (
        wrong.get("duplicated", 0) + wrong.get("on_two_shards", 0) + wrong.get("doubled_increment", 0)
    )
    detected = verdict["totals"].get("duplicates", 0)
    waves = [phase for phase in phases if phase.wave]
    stalls = {phase.name: figures.stall_of_wave(lines, phase) for phase in waves}
    document = {
        "acknowledged_writes": verdict["acknowledged_writes"],
        "lost": lost,
        "duplicated": duplicated,
        "duplicates_detected": detected,
        "duplicates_reconciled": max(0, detected - duplicated - wrong.get("sides_differ", 0)),
        "read_your_writes_violations": wrong.get("read_your_writes", 0),
        "foreign_writes_seen": facts.foreign_seen,
        "foreign_writes_refused": facts.foreign_refused,
        "stall_ms": {name: {key: one[key] for key in ("p50", "p99", "max")} for name, one in stalls.items()},
        "added_write_latency_ms": figures.added_latency(lines, phases),
        "rows_verified": {name: one["rows"] for name, one in sorted(facts.verified.items())},
        "copy_rows_per_s": round(facts.copy_rows / facts.copy_seconds) if facts.copy_seconds else 0,
        "phase_seconds": {phase.name: round(phase.seconds, 2) for phase in phases},
        "checks": {name: one["result"] for name, one in checks.items()},
    }
    return {
        "document": document,
        "checks": checks,
        "stalls": stalls,
        "latency": figures.latency_by_phase(lines, phases),
        "options": options,
        "facts": facts,
        "verdict": verdict,
        "phases": phases,
        "latency_series": figures.latency_series(lines),
        "stall_series": figures.stall_series(lines),
        "holds": all(one["result"] == "pass" for one in checks.values()),
        "late": late_figures(document, stalls),
    }


def steps_of_waves(facts: Facts) -> dict[str, dict[str, float]]:
    """What the controller measured; a wave that another controller ended has no times."""
    measured = {wave: one["steps_ms"] for wave, one in facts.wave_reports.items() if one.get("steps_ms")}
    return {
        wave: {step: steps[step] for step in WAVE_STEPS if step in steps} for wave, steps in measured.items()
    }


def late_figures(document: dict[str, Any], stalls: dict[str, Any]) -> list[str]:
    """Times that missed their target: shown, never a reason to fail."""
    late = [
        f"stall of {wave}: {key} {one[key]:.1f} ms, target {limit:.0f} ms"
        for wave, one in stalls.items()
        for key, limit in STALL_TARGETS_MS.items()
        if one[key] > limit
    ]
    late += [
        f"added write latency while {stage}: p99 {one['p99']:.1f} ms, target {ADDED_LATENCY_TARGET_MS:.0f} ms"
        for stage, one in document["added_write_latency_ms"].items()
        if one["p99"] > ADDED_LATENCY_TARGET_MS
    ]
    return late


def write_json(built: dict[str, Any], file: Path) -> None:
    file.write_text(json.dumps(built["document"], indent=2) + "\n")


def polyline(points: list[tuple[float, float]], width: float, height: float, right: float, top: float) -> str:
    return " ".join(f"{width * x / right:.1f},{height - height * min(y, top) / top:.1f}" for x, y in points)


def write_html(built: dict[str, Any], file: Path) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    series, stalls = built["latency_series"], built["stall_series"]
    right = max([second for second, _, _ in series] + [at for at, _ in stalls] + [1.0])
    top = max([p99 for _, _, p99 in series] + [1.0])
    chart = {
        "right": right,
        "top": top,
        "stall_top": max([stall for _, stall in stalls] + [1.0]),
        "p50": polyline([(second, p50) for second, p50, _ in series], 900, 200, right, top),
        "p99": polyline([(second, p99) for second, _, p99 in series], 900, 200, right, top),
    }
    file.write_text(environment.get_template("report.html.j2").render(**built, chart=chart))


def print_table(built: dict[str, Any], console: Console) -> None:
    document = built["document"]
    table = Table(title="ShopSphere: the migration in figures", title_justify="left")
    table.add_column("what")
    table.add_column("found", justify="right")
    for name in (
        "acknowledged_writes",
        "lost",
        "duplicated",
        "duplicates_detected",
        "duplicates_reconciled",
        "read_your_writes_violations",
        "foreign_writes_seen",
        "foreign_writes_refused",
        "copy_rows_per_s",
    ):
        table.add_row(name.replace("_", " "), f"{document[name]:,}")
    verdict = built["verdict"]
    table.add_row(
        "failed calls: writes / reads", f"{verdict['failed_writes']:,} / {verdict['failed_reads']:,}"
    )
    for wave, one in built["stalls"].items():
        table.add_row(
            f"write stall, {wave}: p50 / p99 / max (target 10 / 50 / 250 ms)",
            f"{one['p50']:.1f} / {one['p99']:.1f} / {one['max']:.1f} ms in {one['writes']} writes",
        )
    for wave, steps in steps_of_waves(built["facts"]).items():
        table.add_row(
            f"steps, {wave}: {' / '.join(steps)}",
            " / ".join(f"{took:.1f}" for took in steps.values()) + " ms",
        )
    for stage, one in document["added_write_latency_ms"].items():
        table.add_row(
            f"added write latency, {stage}: p50 / p99 (target p99 5 ms)",
            f"{one['p50']:+.2f} / {one['p99']:+.2f} ms",
        )
    for name, rows in document["rows_verified"].items():
        table.add_row(f"rows verified, {name}", f"{rows:,} {built['facts'].verified[name]['verdict']}")
    for name, seconds in document["phase_seconds"].items():
        table.add_row(f"time, {name}", f"{seconds:.1f} s")
    settings = {
        f"{name}={value}" for one in built["facts"].durability.values() for name, value in one.items()
    }
    table.add_row("every server", ", ".join(sorted(settings)))
    console.print(table)
    _print_checks(built, console)


def _print_checks(built: dict[str, Any], console: Console) -> None:
    table = Table(title="Checks: each holds only if it looked at something", title_justify="left")
    for column in ("check", "result", "evidence", "wrong", "detail"):
        table.add_column(column, justify="right" if column in ("evidence", "wrong") else "left")
    for name, one in built["checks"].items():
        colour = "green" if one["result"] == "pass" else "bold red"
        digests = " ".join(one["digests"][:3])
        table.add_row(
            name,
            f"[{colour}]{one['result']}[/]",
            f"{one['evidence']:,}",
            f"{one['wrong']:,}",
            " ".join(filter(None, (one["detail"], digests))),
        )
    console.print(table)
    for line in built["late"]:
        console.print(f"late: {line}", highlight=False)
