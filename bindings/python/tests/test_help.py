"""Every command has help, and docs/COMMAND.md has every command and option."""

import re

import click
import pytest
from conftest import ROOT, shardway

from shardway.cli.root import root

PAGE = (ROOT / "docs/COMMAND.md").read_text()


def leaves(group, path=()):
    for name, one in sorted(group.commands.items()):
        if isinstance(one, click.Group):
            yield from leaves(one, (*path, name))
        else:
            yield " ".join((*path, name)), one


COMMANDS = dict(leaves(root))
CHANGES = {
    "lookup build",
    "lookup repair",
    "manifest apply",
    "manifest fmt",
    "migrate advance",
    "migrate finalize",
    "migrate guard",
    "migrate pause",
    "migrate resume",
    "migrate start",
    "migrate verify",
    "reconcile",
    "uninstall",
    "wave rollback",
    "wave run",
}
DANGEROUS = {"migrate finalize", "uninstall", "wave rollback", "wave run"}


def options_of(one):
    return {
        option
        for parameter in one.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    }


def test_the_commands_there_are():
    assert set(COMMANDS) == CHANGES | {
        "doctor",
        "lookup check",
        "plan",
        "manifest diff",
        "manifest lint",
        "manifest schema",
        "migrate status",
        "observe",
        "rehearse",
        "route explain",
        "wave plan",
        "wave status",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_common_options(name):
    one = COMMANDS[name]
    assert one.help and one.help.split("\n")[0].endswith(".")
    assert {"--json", "--quiet"} <= options_of(one)
    assert ("--dry-run" in options_of(one)) == (name in CHANGES)
    assert ({"--yes", "--expect-state"} <= options_of(one)) == (name in DANGEROUS)
    done = shardway(*name.split(), "--help")
    assert done.code == 0 and done.out.startswith(f"Usage: shardway {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_page_has_the_command_and_its_options(name):
    section = re.search(rf"^### `shardway {name}[^`]*`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/COMMAND.md has no section for {name}"
    common = {
        "--json",
        "--quiet",
        "--migration",
        "--user",
        "--dry-run",
        "--yes",
        "--expect-state",
        "--timeout",
        "--approved-by",
        "--group",
    }
    for option in options_of(COMMANDS[name]):
        assert f"`{option}" in (PAGE if option in common else section.group(1)), (
            f"{name}: {option} is not explained"
        )


def test_version():
    assert shardway("--version").out.startswith("shardway, version 0.1.0")
