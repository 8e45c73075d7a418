"""Figures of a run from the logs of the clients: latency and stall by phase, and what each stage added."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

STAGES = ("observing", "copying", "replicating", "dual_writing", "sharded", "finalized")


def percentile(sorted_values: list[float], share: float) -> float:
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(percentile(ordered, 0.5), 3),
        "p99": round(percentile(ordered, 0.99), 3),
        "max": round(ordered[-1] if ordered else 0.0, 3),
    }


@dataclass
class Phase:
    """One step of the script. A phase's name is what the load labels its operations with."""

    name: str
    stage: str  # of the group that is furthest back, in which these writes are counted; empty: not compared
    began: float = 0.0
    seconds: float = 0.0
    wave: dict[str, Any] = field(default_factory=dict)  # group, percent, ranges of a wave


def acknowledged(lines: list[dict]) -> list[dict]:
    return [line for line in lines if line["op"] and line["outcome"] == "ok"]


def latency_by_phase(lines: list[dict], phases: list[Phase]) -> list[dict[str, Any]]:
    found = defaultdict(list)
    for line in acknowledged(lines):
        found[line["phase"]].append(line["latency_us"] / 1000)
    return [
        {
            "phase": phase.name,
            "stage": phase.stage,
            "writes": len(found[phase.name]),
            **spread(found[phase.name]),
        }
        for phase in phases
        if found[phase.name]
    ]


def added_latency(lines: list[dict], phases: list[Phase]) -> dict[str, dict[str, float]]:
    """p50 and p99 of each stage less those of the first. Waits for a fence count; the mix is the same."""
    stage_of = {phase.name: phase.stage for phase in phases}
    found = defaultdict(list)
    for line in acknowledged(lines):
        if stage_of.get(line["phase"]):
            found[stage_of[line["phase"]]].append(line["latency_us"] / 1000)
    base = spread(found[STAGES[0]])
    return {
        stage: {name: round(spread(found[stage])[name] - base[name], 3) for name in ("p50", "p99")}
        for stage in STAGES[1:]
        if found[stage]
    }


def stall_of_wave(lines: list[dict], phase: Phase) -> dict[str, Any]:
    """Of the writes that met a closed fence. None stalled: zeros, with a count of 0 beside them."""
    stalled = [
        line["stall_us"] / 1000
        for line in acknowledged(lines)
        if line["phase"] == phase.name and line["group"] == phase.wave["group"] and line["stall_us"] > 0
    ]
    return {**spread(stalled), "writes": len(stalled)}


def writes_inside(lines: list[dict], phase: Phase) -> int:
    """Acknowledged writes that the new authority took for the slots that this wave moved."""
    ranges = [(one["slots"][0], one["slots"][1], one["shard"]) for one in phase.wave["ranges"]]
    return sum(
        1
        for line in acknowledged(lines)
        if line["group"] == phase.wave["group"]
        and line["epoch"] >= phase.wave["epoch_after"]
        and any(
            first <= line["slot"] <= last and line["node"] == (phase.wave["to"] or shard)
            for first, last, shard in ranges
        )
    )


def replica_share(lines: list[dict]) -> float:
    reads = [line for line in lines if not line["op"] and line["outcome"] == "ok"]
    return sum(line["from_replica"] for line in reads) / len(reads) if reads else 0.0


def stall_series(lines: list[dict]) -> list[tuple[float, float]]:
    """(seconds since the beginning, stall in ms) of each stalled write."""
    writes = acknowledged(lines)
    began = min((line["invoke"] for line in writes), default=0)
    return [((line["end"] - began) / 1e6, line["stall_us"] / 1000) for line in writes if line["stall_us"] > 0]


def latency_series(lines: list[dict]) -> list[tuple[float, float, float]]:
    """For each second: (second, p50, p99) of write latency in ms."""
    writes = acknowledged(lines)
    began = min((line["invoke"] for line in writes), default=0)
    seconds = defaultdict(list)
    for line in writes:
        seconds[(line["end"] - began) // 1_000_000].append(line["latency_us"] / 1000)
    return [
        (float(second), percentile(sorted(values), 0.5), percentile(sorted(values), 0.99))
        for second, values in sorted(seconds.items())
    ]
