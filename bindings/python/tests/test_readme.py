"""The README's program compiles, and the commands it names exist."""

import re
import subprocess

from conftest import ROOT
from test_help import COMMANDS, options_of

README = (ROOT / "README.md").read_text()


def test_the_service_compiles(tmp_path):
    (program,) = re.findall(r"^```cpp\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    source = tmp_path / "service.cpp"
    source.write_text(program)
    done = subprocess.run(
        ["g++", "-std=c++20", "-Wall", "-fsyntax-only", f"-I{ROOT / 'include'}", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    body = program.split("int main()")[1]
    assert sum(bool(line.strip()) for line in body.splitlines()) <= 20


def commands_in(text):
    """(command, options) of each line of a shell block that calls shardway."""
    for line in re.findall(r"^shardway (.+?)(?:  +#.*)?$", text, re.MULTILINE):
        words = line.split()
        count = 2 if words[0] in {"manifest", "migrate", "wave", "route"} else 1
        yield " ".join(words[:count]), {word for word in words if word.startswith("--")}


def test_commands_in_the_pages_exist():
    found = [*commands_in(README), *commands_in((ROOT / "docs/COMMAND.md").read_text())]
    assert len(found) > 15
    for name, options in found:
        assert name in COMMANDS, name
        assert options <= options_of(COMMANDS[name]), f"{name}: {options}"
