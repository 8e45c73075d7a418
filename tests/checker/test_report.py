"""The demo's own figures and report, and that it leaves nothing behind when it is interrupted."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures
import pytest
import report
import servers
from figures import Phase
from processes import ForeignWriter
from rich.console import Console
from scenario import Facts, Options

FIELDS = {
    "acknowledged_writes",
    "lost",
    "duplicated",
    "duplicates_detected",
    "duplicates_reconciled",
    "read_your_writes_violations",
    "foreign_writes_seen",
    "foreign_writes_refused",
    "stall_ms",
    "added_write_latency_ms",
    "rows_verified",
    "copy_rows_per_s",
    "phase_seconds",
    "checks",
}


def write(phase, latency_ms, **more):
    return {
        "op": 1,
        "outcome": "ok",
        "phase": phase,
        "group": "sales",
        "slot": 5,
        "epoch": 1,
        "node": "source",
        "latency_us": latency_ms * 1000,
        "stall_us": 0,
        "invoke": 0,
        "end": 1000,
        **more,
    }


PHASES = [
    Phase("observe", "observing", seconds=8),
    Phase("both", "dual_writing", seconds=8),
    Phase(
        "wave",
        "sharded",
        seconds=2,
        wave={
            "group": "sales",
            "percent": 1,
            "to": "",
            "epoch_after": 2,
            "ranges": [{"shard": "shard0", "slots": [0, 40]}],
        },
    ),
]
LINES = [
    write("observe", 2),
    write("both", 3),
    write("wave", 9, stall_us=7000, epoch=2, node="shard0"),
    {"op": 0, "outcome": "ok", "from_replica": True},
]


def verdict(**totals):
    return {
        "totals": totals,
        "replica_reads": 1,
        "reads": 1,
        "acknowledged_writes": 3,
        "in_doubt_writes": 0,
        "failed_writes": 0,
        "failed_reads": 0,
        "checks": {"lost": {"result": "pass", "evidence": 3, "wrong": 0, "digests": [], "detail": ""}},
    }


@pytest.fixture
def facts():
    return Facts(
        durability={"source": {"fsync": "on"}},
        verified={"shop.orders": {"verdict": "equal", "rows": 7}},
        chunks_open_at_kill=2,
        killed_at=["here", "there"],
        controller_resumed=2,
        foreign_seen=3,
        foreign_after_guard=["SW003"] * 8,
        copy_rows=100,
        copy_seconds=2,
    )


def test_the_json_has_exactly_the_promised_fields(facts):
    built = report.build(Options(), facts, PHASES, LINES, verdict(duplicates=5, healed=1))
    assert built["document"].keys() == FIELDS
    assert built["document"]["stall_ms"] == {"wave": {"p50": 7.0, "p99": 7.0, "max": 7.0}}
    assert built["document"]["added_write_latency_ms"]["dual_writing"] == {"p50": 1.0, "p99": 1.0}
    assert built["document"]["copy_rows_per_s"] == 50
    assert built["holds"]


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("duplicates_detected", lambda facts, totals, lines: totals.update(duplicates=0)),
        ("healed_dual_writes", lambda facts, totals, lines: totals.update(healed=0)),
        ("foreign_writes_seen", lambda facts, totals, lines: setattr(facts, "foreign_seen", 0)),
        ("foreign_writes_refused", lambda facts, totals, lines: facts.foreign_after_guard.append("ok")),
        ("foreign_writes_refused", lambda facts, totals, lines: facts.foreign_after_guard.clear()),
        (
            "foreign_writes_refused",
            lambda facts, totals, lines: setattr(facts, "foreign_after_guard", ["08006"] * 8),
        ),
        (
            "replica_reads",
            lambda facts, totals, lines: lines.extend(
                [{"op": 0, "outcome": "ok", "from_replica": False}] * 9
            ),
        ),
        ("writes_inside_each_wave", lambda facts, totals, lines: lines.pop(2)),
        ("chunks_open_at_the_kill", lambda facts, totals, lines: setattr(facts, "chunks_open_at_kill", 0)),
        (
            "controller_killed_and_resumed",
            lambda facts, totals, lines: setattr(facts, "controller_resumed", 1),
        ),
        (
            "certificates",
            lambda facts, totals, lines: facts.verified.update(
                {"shop.payments": {"verdict": "different", "rows": 1}}
            ),
        ),
        ("durability", lambda facts, totals, lines: facts.durability.update({"shard0": {"fsync": "off"}})),
    ],
)
def test_what_was_not_met_fails_by_name(facts, name, spoil):
    totals, lines = {"duplicates": 5, "healed": 1}, list(LINES)
    spoil(facts, totals, lines)
    built = report.build(Options(), facts, PHASES, lines, verdict(**totals))
    assert {check for check, result in built["document"]["checks"].items() if result == "fail"} == {name}
    assert not built["holds"]


def test_only_tries_that_began_under_the_guard_count(tmp_path):
    writer = object.__new__(ForeignWriter)  # its log only
    writer.log = tmp_path / "foreign.log"
    writer.log.write_text("99.9 ok\n100.4 SW003\n100.6 SW003\n101.2 ok\n")
    assert writer.answers_begun_after(100.5) == ["SW003", "ok"]


def test_the_html_report_needs_nothing_else(facts, tmp_path):
    file = tmp_path / "report.html"
    report.write_html(report.build(Options(), facts, PHASES, LINES, verdict(duplicates=5, healed=1)), file)
    text = file.read_text()
    assert "<svg" in text and "shop.orders" in text
    assert not any(word in text for word in ("http:", "https:", "<script", "<link", "@import", "src="))


def test_the_steps_of_a_wave_are_shown(facts):
    facts.wave_reports = {"wave": {"steps_ms": {"publish": 30, "fence": 1.25}}, "wave, controller killed": {}}
    console = Console(record=True, width=200, file=io.StringIO())
    report.print_table(
        report.build(Options(), facts, PHASES, LINES, verdict(duplicates=5, healed=1)), console
    )
    shown = [line for line in console.export_text().splitlines() if "steps, " in line]
    assert len(shown) == 1 and ": fence / publish" in shown[0] and "1.2 / 30.0 ms" in shown[0]


def test_percentiles_of_few_and_none():
    assert figures.spread([]) == {"p50": 0.0, "p99": 0.0, "max": 0.0}
    assert figures.spread([3.0]) == {"p50": 3.0, "p99": 3.0, "max": 3.0}


def alive(parent: int) -> list[int]:
    listing = ["ps", "-o", "pid=", "--ppid", str(parent)]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


def lives(process: int) -> bool:
    """Whether it runs; one that has ended and waits for its parent's look does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def open_folder():
    """A temporary folder that the servers' user can walk to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_an_interrupt_leaves_no_process_and_no_folder(open_folder):
    environment = {**os.environ, "TMPDIR": str(open_folder), "TERM": "dumb"}
    demo = subprocess.Popen(
        [sys.executable, str(Path(servers.__file__).parent / "demo.py")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    children: list[int] = []
    while len(children) < 3 and time.monotonic() < deadline and demo.poll() is None:
        time.sleep(0.1)
        children = alive(demo.pid)
    assert len(children) >= 3, demo.communicate()[0] if demo.poll() is not None else "no servers"
    demo.send_signal(signal.SIGINT)
    output = demo.communicate(timeout=60)[0]
    assert demo.returncode == 130, output
    assert list(open_folder.iterdir()) == []
    # A program that the interrupt met on its way to exec ends with its parent, by a signal of the kernel.
    deadline = time.monotonic() + 60
    while (left := [child for child in children if lives(child)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
