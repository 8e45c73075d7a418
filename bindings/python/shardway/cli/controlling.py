"""``migrate start``: the controller."""

from __future__ import annotations

import signal

import click

from .command import command
from .context import Context
from .io import Answer, Change


@command("start", is_change=True)
@click.option(
    "--lease-wait",
    type=float,
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the lease of another controller to end.",
)
@click.option(
    "--client-programs", default="", metavar="DIR", help="Folder of pg_dump and psql. Default: search PATH."
)
def start(context: Context, lease_wait: float, client_programs: str) -> Change:
    """Run the controller in the foreground until SIGINT or SIGTERM.

    Start it again after a stop or a crash: it resumes all work.
    """
    migration = context.migration
    again = f"shardway migrate start --migration {context.folder}"

    def run() -> Answer:
        signal.signal(signal.SIGTERM, _interrupt)
        context.io.note(f"starting the controller of {migration.name}")
        try:
            migration.run_controller(
                lambda: context.io.note("the controller acts; stop it with Ctrl-C"),
                lease_wait,
                client_programs,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"the controller stopped in order; resume with: {again}") from None
        return Answer({"stopped": True}, None, [again])

    steps = [
        "take the lease, so that no other controller acts",
        "raise the lease token on every node",
        "finish or undo the waves of a crashed controller",
        "resume streams, copies and mirrors",
        "serve requests until it is stopped",
    ]
    state = {"nodes": [node["name"] for node in migration.nodes]}
    return Change("starting the controller", steps, state, run)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
