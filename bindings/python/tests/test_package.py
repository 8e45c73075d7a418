"""The package itself: what importing does, stubs, docstrings."""

import inspect
import os
import subprocess
import sys

from conftest import BUILD, ROOT

import shardway
from shardway import _core


def test_import_is_quiet():
    script = (
        "import sys, logging, shardway\n"
        "assert not logging.getLogger().handlers\n"
        "assert not {'click', 'rich', 'psycopg'} & set(sys.modules), 'imports too much'\n"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        env={**os.environ, "PGHOST": "nowhere.invalid"},
        timeout=30,
    )


def test_stubs_say_what_the_module_is():
    generated = BUILD / "python/stubs/_core.pyi"
    assert generated.exists(), "build the target shardway_python_stubs"
    committed = ROOT / "bindings/python/shardway/_core.pyi"
    assert committed.read_text() == generated.read_text(), f"copy {generated} to {committed}"


def test_package_is_typed_and_documented():
    assert (ROOT / "bindings/python/shardway/py.typed").exists()
    for name in shardway.__all__:
        assert hasattr(shardway, name)
        assert name.isupper() or inspect.getdoc(getattr(shardway, name)), f"{name} has no docstring"


def test_versions_agree():
    header = (ROOT / "include/shardway/version.hpp").read_text()
    project = (ROOT / "bindings/python/pyproject.toml").read_text()
    assert f'#define SHARDWAY_VERSION "{shardway.__version__}"' in header
    assert f'version = "{shardway.__version__}"' in project
    assert _core.SLOT_COUNT == 4096
