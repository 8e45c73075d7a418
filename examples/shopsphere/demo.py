#!/usr/bin/env python3
"""Moves a live PostgreSQL 13 to four shards and back while its clients read and write, and checks everything.

It runs real servers in a temporary folder, a load as a service team would write it, and each step through the
`shardway` command. The exit code is 0 only if every check holds and each check looked at something.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import checker
import faults
import report
from live import StageView
from processes import load_program
from rich.console import Console
from scenario import FINALIZED_GROUP, Options, Scenario, StatusPoller
from servers import Fleet


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="examples/demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 500,000 rows (default)")
    parser.add_argument(
        "--rate", type=float, default=200.0, help="operations a second offered by the clients (default 200)"
    )
    parser.add_argument("--seed", type=int, default=1, help="repeats the rows and the clients' choices")
    parser.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="how long the clients work in each stage, as a share of the usual (default 1)",
    )
    parser.add_argument(
        "--source",
        type=int,
        default=13,
        choices=(13, 15, 18),
        metavar="VERSION",
        help="PostgreSQL of the source (default 13)",
    )
    parser.add_argument(
        "--shards",
        type=int,
        default=15,
        choices=(15, 18),
        metavar="VERSION",
        help="PostgreSQL of the shards (default 15)",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--html",
        type=Path,
        default=Path(os.environ.get("SHARDWAY_BUILD", ".")) / "shopsphere-report.html",
        metavar="FILE",
        help="where the HTML report goes",
    )
    parser.add_argument(
        "--prove-checker",
        action="store_true",
        help="afterwards put five faults into the databases; each must be found by its name",
    )
    parser.add_argument("--keep", action="store_true", help="leave the servers up and say how to connect")
    return parser.parse_args()


def judge_run(scenario: Scenario, fleet: Fleet, settle: float = 15) -> tuple[list[dict], dict[str, Any]]:
    nodes = checker.Nodes(
        fleet.source.database(), [shard.database() for shard in fleet.shards], finalized=[FINALIZED_GROUP]
    )
    return checker.read_history(scenario.history), checker.run(nodes, scenario.history, settle)


def prove_checker(scenario: Scenario, fleet: Fleet, console: Console) -> bool:
    """Injects each fault into the demo's own databases and asks the checker again."""
    lines = checker.read_history(scenario.history)
    shards = [shard.database() for shard in fleet.shards]
    found_all = True
    for name, fault in faults.FAULTS.items():
        with fault(shards, lines):
            checks = judge_run(scenario, fleet, settle=0)[1]["checks"]
        found = checks.get(name, {}).get("result") == "fail"
        console.print(
            f"injected fault {name}: {'found' if found else 'NOT found'} by the checker", highlight=False
        )
        found_all = found_all and found
    return found_all


def explain(fleet: Fleet, scenario: Scenario, console: Console) -> None:
    console.print("The servers stay up until this program ends (Ctrl-C). Connect with:", highlight=False)
    for name, server in fleet.servers.items():
        console.print(f"  {name:16} psql '{server.database()}'", highlight=False)
    console.print(
        f"  commands and logs: {scenario.folder}; export SHARDWAY_MIGRATION={scenario.manifests}",
        highlight=False,
    )
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


def play(chosen: argparse.Namespace, fleet: Fleet, console: Console) -> int:
    options = Options(chosen.scale, chosen.rate, chosen.seed, chosen.keep, chosen.pace)
    with StageView(console) as view:
        scenario = Scenario(options, fleet, load_program(), view)
        poller = StatusPoller(scenario)
        try:
            poller.start()
            scenario.run()
            with scenario.phase("check"):
                lines, verdict = judge_run(scenario, fleet)
        except Exception as error:
            tell_why(error, scenario, console)
            raise SystemExit(1) from error
        finally:
            poller.ended.set()
            if chosen.prove_checker or not chosen.keep or sys.exc_info()[0] is not None:
                scenario.close()
    built = report.build(options, scenario.facts, scenario.phases, lines, verdict)
    report.print_table(built, console)
    report.write_html(built, chosen.html)
    if chosen.report:
        report.write_json(built, chosen.report)
    console.print(f"report: {chosen.html.resolve()}", highlight=False, soft_wrap=True)
    proved = prove_checker(scenario, fleet, console) if chosen.prove_checker else True
    if chosen.keep:
        explain(fleet, scenario, console)
        scenario.close()
    return 0 if built["holds"] and proved else 1


def tell_why(error: Exception, scenario: Scenario, console: Console) -> None:
    """The folder goes away, so what it knows of the failure is shown now."""
    phase = scenario.phases[-1].name if scenario.phases else "start"
    console.print(
        f"[bold red]the demo stopped[/] in phase {phase}: ",
        end="",
    )
    console.print(str(error), markup=False, highlight=False, soft_wrap=True)
    for name in ("controller.log", "load.log"):
        file = scenario.folder / name
        if file.exists() and file.stat().st_size:
            console.print(
                f"end of {name}:\n" + "\n".join(file.read_text(errors="replace").splitlines()[-15:]),
                markup=False,
                highlight=False,
            )


def main() -> int:
    chosen = arguments()
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    began = time.monotonic()
    try:
        with Fleet(chosen.source, chosen.shards) as fleet:
            code = play(chosen, fleet, console)
    except KeyboardInterrupt:
        console.print("stopped; servers and folder are gone")
        return 130
    console.print(f"{time.monotonic() - began:.0f} s in all")
    return code


if __name__ == "__main__":
    sys.exit(main())
