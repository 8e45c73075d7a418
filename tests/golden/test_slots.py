"""slots.json is what an independent implementation gives, and every type is covered."""

import collections
import json
import pathlib

import make_slots

FILE = pathlib.Path(__file__).with_name("slots.json")


def test_the_file_is_what_the_generator_gives():
    assert json.loads(FILE.read_text()) == make_slots.make()


def test_every_type_has_at_least_forty_vectors():
    count: collections.Counter[str] = collections.Counter()
    for vector in json.loads(FILE.read_text()):
        count["composite" if len(vector["columns"]) > 1 else vector["columns"][0]["type"]] += 1
    assert set(count) == {"smallint", "integer", "bigint", "text", "uuid", "bytea", "composite"}
    assert min(count.values()) >= 40, count


def test_integers_of_every_width_meet():
    slots = collections.defaultdict(set)
    for vector in json.loads(FILE.read_text()):
        if len(vector["columns"]) == 1 and vector["columns"][0]["type"] in make_slots.WIDTHS:
            slots[vector["columns"][0]["text"]].add(vector["slot"])
    assert all(len(found) == 1 for found in slots.values())
