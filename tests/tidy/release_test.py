"""The release check on trees that break its rules."""

import tempfile
import unittest
from pathlib import Path

import release

ROOT = Path(__file__).resolve().parents[2]
PARTS = "".join(f"### {name}\n\nNone.\n\n" for name in release.HEADINGS)
SOUND = (
    f"# Changelog\n\n## Unreleased\n\n{PARTS}## 1.2.3 (2026-12-31)\n\n{PARTS}## 1.1.0 (2026-11-30)\n\n{PARTS}"
)
PROTO = """\
message Reads {
  bool scatter = 1;
}

message Table {
  enum Kind { SHARDED = 0; REFERENCE = 1; }
  optional uint32 api_version = 1;
  string table = 2;
  Reads reads = 15;
  repeated Lookup lookup = 16;
}

message Migration {
  optional uint32 api_version = 1;
  string catalog = 2;
  repeated Pin pin = 3;
}

message Pin {
  repeated string type = 1;
  repeated string value = 2;
  string shard = 3;
}

message Lookup {
  repeated string column = 1;
}

message Group {
  uint32 first_slot = 1;
}

message Generation {
  repeated Table table = 1;
  repeated Group group = 2;
}
"""


class Release(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write(
            "CMakeLists.txt",
            "cmake_minimum_required(VERSION 3.25)\nproject(shardway VERSION 1.2.3 LANGUAGES CXX)\n",
        )
        for path, around, form in release.PLACES:
            self.append(path, around.format(release.forms_of("1.2.3")[form]) + "\n")
        self.write("CHANGELOG.md", SOUND)
        self.write("lib/client/a.cpp", 'if (meter) meter->count("shardway_reads_total", "primary", 1);\n')
        self.write(
            "docs/PUBLIC_API.md",
            "| metric | kind | label |\n| `shardway_reads_total` | counter | `primary` |\n",
        )
        self.write(
            "lib/migrate/wave/gates.cpp",
            'gates.push_back(verdict_of("stage", green));\nnone_found(*node,\n  "parked", sql);\n',
        )
        self.write("docs/guides/waves_and_rollback.md", "`stage` and `parked`\n")
        self.write("lib/manifest/manifest.proto", PROTO)
        self.write(
            "docs/MANIFEST.md",
            "`api_version` `table` `reads.scatter` `lookup.column`\n"
            "`catalog` `pin.type` `pin.value` `pin.shard`\n",
        )
        self.write(
            "bindings/python/shardway/cli/manifests.py",
            'api_version: 1\ntable: "shop.orders"\nreads { scatter: true }\nlookup { column: "number" }\n'
            'pin { type: "bigint" value: "1" shard: "a" }\n',
        )
        self.write("lib/manifest/diff.cpp", '{"reads.scatter", text},\njoined(lookup->columns)\n')
        self.write("lib/manifest/diff_migration.cpp", 'compare("catalog", pin.shard);\n')
        self.write("docs/formats/generation.md", "`group[].firstSlot`\n")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def append(self, path, text):
        self.write(path, (self.root / path).read_text() + text if (self.root / path).exists() else text)

    def change(self, path, old, new):
        text = (self.root / path).read_text()
        self.assertIn(old, text)
        self.write(path, text.replace(old, new, 1))

    def assert_found(self, *expected):
        found = list(release.findings_in(self.root))
        self.assertEqual(len(found), len(expected), found)
        for finding, part in zip(found, expected, strict=True):
            self.assertIn(part, finding)

    def test_a_sound_tree_has_no_findings(self):
        self.assert_found()

    def test_this_tree_names_all_places(self):
        for path, around, _ in release.PLACES:
            self.assertTrue(release.versions_in(ROOT, path, around), path)


class Versions(Release):
    def test_another_version_is_found_in_each_place(self):
        for path, around, form in release.PLACES:
            with self.subTest(path=path, form=form):
                before = (self.root / path).read_text()
                self.change(path, around.format(release.forms_of("1.2.3")[form]), around.format("9.9.9"))
                self.assert_found("says 9.9.9; CMakeLists.txt says 1.2.3")
                self.write(path, before)

    def test_a_place_that_lost_its_version_is_found(self):
        self.write("README.md", "no number here\n")
        self.assert_found("README.md:1: 'is version 1.2' is not there")

    def test_a_file_that_is_gone_is_found(self):
        (self.root / "docs/guides/linking.md").unlink()
        self.assert_found("docs/guides/linking.md:1")

    def test_no_project_version_is_no_success(self):
        self.write("CMakeLists.txt", "project(other)\n")
        self.assert_found("no project(shardway VERSION")


class Changelog(Release):
    def test_unreleased_stands_on_top(self):
        self.change("CHANGELOG.md", f"## Unreleased\n\n{PARTS}", "")
        self.assert_found('the first section must be "## Unreleased"')

    def test_there_is_one_unreleased(self):
        self.append("CHANGELOG.md", f"## Unreleased\n\n{PARTS}")
        self.assert_found('two sections "Unreleased"')

    def test_each_release_has_its_date(self):
        for title in ("1.2.3", "1.2.3 (soon)", "1.2.3 (2026-13-01)"):
            with self.subTest(title):
                self.write("CHANGELOG.md", SOUND.replace("1.2.3 (2026-12-31)", title))
                self.assert_found(f'CHANGELOG.md:21: "{title}" is no release')

    def test_a_missing_heading_is_found(self):
        self.change("CHANGELOG.md", "### Safety\n\nNone.\n\n## 1.2.3", "## 1.2.3")
        self.assert_found("CHANGELOG.md:3: Unreleased has the headings Breaking, Added, Fixed; it needs")

    def test_headings_keep_their_order(self):
        self.write(
            "CHANGELOG.md",
            SOUND.replace("Added", "Swapped").replace("Fixed", "Added").replace("Swapped", "Fixed"),
        )
        self.assert_found("Unreleased has", "1.2.3 (2026-12-31) has", "1.1.0 (2026-11-30) has")

    def test_nothing_is_written_out(self):
        self.change("CHANGELOG.md", "### Breaking\n\nNone.\n", "### Breaking\n")
        self.assert_found("CHANGELOG.md:5: nothing stands below Breaking of Unreleased")

    def test_newest_first(self):
        self.write("CHANGELOG.md", SOUND.replace("1.1.0 (2026-11-30)", "1.2.3 (2026-12-31)", 1))
        self.assert_found("stands below 1.2.3, which is not newer")
        self.write("CHANGELOG.md", SOUND.replace("1.1.0", "1.2.2").replace("2026-11-30", "2027-01-01"))
        self.assert_found("later date than the release above it")

    def test_no_release_is_newer_than_the_project(self):
        self.write("CHANGELOG.md", SOUND.replace("1.2.3 (", "1.3.0 ("))
        self.assert_found("stands below 1.2.3, which is not newer")

    def test_numbers_are_compared_as_numbers(self):
        self.change("CMakeLists.txt", "1.2.3", "1.10.0")
        self.write("CHANGELOG.md", SOUND.replace("1.2.3", "1.10.0").replace("1.1.0", "1.9.0"))
        self.assertEqual(
            [finding for finding in release.findings_in(self.root) if "CHANGELOG" in finding], []
        )


class Metrics(Release):
    def test_a_metric_without_a_row_is_found(self):
        self.append("lib/client/a.cpp", 'options.meter->observe("shardway_read_seconds", table, 0.1);\n')
        self.assert_found("the metric shardway_read_seconds has no row")

    def test_a_row_without_its_metric_is_found(self):
        self.append("docs/PUBLIC_API.md", "| `shardway_lost_total` | counter | |\n")
        self.assert_found("docs/PUBLIC_API.md:3: no code gives the metric shardway_lost_total")

    def test_no_metric_at_all_is_no_success(self):
        self.write("lib/client/a.cpp", "")
        self.assert_found("no code gives the metric shardway_reads_total", "no metric was found")


class Gates(Release):
    def test_a_gate_that_the_guide_does_not_name_is_found(self):
        self.append("lib/migrate/wave/gates.cpp", 'gates.push_back({.name = "lookups", .green = green});\n')
        self.assert_found("docs/guides/waves_and_rollback.md:1: the gate lookups is not there")

    def test_no_gate_at_all_is_no_success(self):
        self.write("lib/migrate/wave/gates.cpp", "")
        self.assert_found("no gate was found")


class ManifestFields(Release):
    PAGES = ("docs/MANIFEST.md", "bindings/python/shardway/cli/manifests.py", "lib/manifest/diff.cpp")

    def test_a_new_field_is_missed_in_each_place(self):
        self.change(
            "lib/manifest/manifest.proto",
            "  Reads reads = 15;\n",
            "  Reads reads = 15;\n  repeated string note = 17;\n",
        )
        self.assert_found(
            "docs/MANIFEST.md:1: the field note of Table",
            "cli/manifests.py:1: the field note",
            "lib/manifest/diff.cpp:1: the field note",
        )

    def add(self, message, line):
        self.change("lib/manifest/manifest.proto", f"message {message} {{\n", f"message {message} {{\n{line}")

    def test_a_new_field_of_a_message_in_a_list_is_missed_in_each_place(self):
        for message, diff in (("Lookup", "diff"), ("Pin", "diff_migration")):
            before = (self.root / "lib/manifest/manifest.proto").read_text()
            self.add(message, "  bool note = 9;\n")
            with self.subTest(message):
                self.assert_found(
                    f"docs/MANIFEST.md:1: the field note of {message}",
                    f"cli/manifests.py:1: the field note of {message}",
                    f"lib/manifest/{diff}.cpp:1: the field note of {message}",
                )
            self.write("lib/manifest/manifest.proto", before)

    def test_the_field_of_another_message_does_not_stand_for_it(self):
        self.add("Lookup", "  string table = 9;\n")
        self.assert_found(
            "docs/MANIFEST.md:1: the field table of Lookup", "diff.cpp:1: the field table of Lookup"
        )

    def test_a_new_message_is_followed_from_the_field_that_holds_it(self):
        self.add("Reads", "  Budget budget = 9;\n")
        self.append("lib/manifest/manifest.proto", "message Budget {\n  uint32 rows_max = 1;\n}\n")
        self.assert_found(*(f"{page}:1: the field rows_max of Budget" for page in self.PAGES))
        self.append("docs/MANIFEST.md", "`budget.rows_max`\n")
        self.append("bindings/python/shardway/cli/manifests.py", "budget { rows_max: 1 }\n")
        self.append("lib/manifest/diff.cpp", '{"budget.rows_max", text},\n')
        self.assert_found()

    def test_a_message_in_several_fields_needs_no_path(self):
        self.add("Migration", "  Node source = 8;\n  repeated Node shard = 9;\n")
        self.append("lib/manifest/manifest.proto", "message Node {\n  string conninfo = 1;\n}\n")
        self.append("docs/MANIFEST.md", "`conninfo`\n")
        self.append("bindings/python/shardway/cli/manifests.py", 'source { conninfo: "host=a" }\n')
        self.assert_found("diff_migration.cpp:1: the field conninfo of Node")
        self.append("lib/manifest/diff_migration.cpp", 'compare(path + ".conninfo");\n')
        self.assert_found()

    def test_a_field_of_a_generation_is_missed_on_its_page(self):
        self.add("Group", "  uint32 last_slot = 9;\n")
        self.assert_found("docs/formats/generation.md:1: the field last_slot of Group")

    def test_a_message_that_nothing_holds_is_found(self):
        self.append("lib/manifest/manifest.proto", "message Lost {\n  string note = 1;\n}\n")
        self.assert_found("Lost is in no manifest and no generation")

    def test_a_field_that_is_left_out_and_gone_is_found(self):
        self.change("lib/manifest/manifest.proto", "  string catalog = 2;\n", "")
        self.assert_found("release.py leaves out Migration.catalog, which is not there")

    def test_no_field_at_all_is_no_success(self):
        self.write("lib/manifest/manifest.proto", "")
        self.assert_found("no field was found")


if __name__ == "__main__":
    unittest.main()
