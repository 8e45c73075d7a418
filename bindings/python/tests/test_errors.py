"""Codes, exception classes and their page."""

import re

import pytest
from conftest import ROOT

import shardway
from shardway import _core, errors
from shardway.cli import exit_codes

CODES = [row[0] for row in _core.error_codes()]


def codes_of_the_header():
    text = (ROOT / "include/shardway/base/error.hpp").read_text()
    body = re.search(r"enum class error_code[^{]*\{(.*?)\n\};", text, re.DOTALL)
    assert body
    return re.findall(r"^  (\w+)(?: = 1)?,", body.group(1), re.MULTILINE)


def test_module_knows_every_code_of_the_header():
    assert codes_of_the_header() == CODES
    assert len(CODES) > 30


@pytest.mark.parametrize("code", CODES)
def test_page_explains_the_code(code):
    rows = re.findall(
        rf"^\| `{code}` \| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs/ERRORS.md").read_text(), re.MULTILINE
    )
    assert len(rows) == 1, f"docs/ERRORS.md has {len(rows)} rows for {code}"
    meaning, what_to_do, _ = rows[0]
    assert len(meaning) > 20 and len(what_to_do) > 10


def test_page_explains_nothing_that_does_not_exist():
    named = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/ERRORS.md").read_text(), re.MULTILINE)
    assert set(named) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_page_names_class_and_exit_code(code):
    text = re.search(
        rf"^\| `{code}` \| .+ \| (\w+), (\d+) \|$", (ROOT / "docs/ERRORS.md").read_text(), re.MULTILINE
    )
    error = errors.from_code(code, "text")
    assert text and text.group(1) == type(error).__name__
    assert int(text.group(2)) == exit_codes.of(error)


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_a_class(code):
    error = errors.from_code(code, "what", "hint", "shard1", "40001", "detail")
    assert isinstance(error, shardway.ShardwayError)
    assert (error.code, error.hint, error.node, error.shard, error.sqlstate, error.server_detail) == (
        code,
        "hint",
        "shard1",
        "shard1",
        "40001",
        "detail",
    )
    assert str(error) == f"{code}: what (shard1); hint"
    assert type(error) is not shardway.ShardwayError or code in ("internal", "corrupt_data")


def test_answers_come_from_the_library():
    assert errors.from_code("fence_closed", "").retryable
    assert not errors.from_code("in_doubt", "").retryable
    assert errors.from_code("connection_lost", "").needs_reconnect
    assert errors.from_code("stream_broken", "").needs_operator


def test_an_error_of_the_library_arrives_as_its_class():
    with pytest.raises(shardway.ShardUnavailable) as caught:
        _core.Catalog.open("host=127.0.0.1 port=1 dbname=shop user=nobody", timeout_ms=500)
    assert caught.value.code == "node_unreachable"
    assert caught.value.node == "source" and caught.value.shard == ""
