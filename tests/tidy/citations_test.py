"""The check of cited codes on trees that break it: a check that can't fail would be worth nothing."""

import unittest
from pathlib import Path

import citations
from check_test import Tree

PAGE = """# Failures
| | what happens | done about it | shown by |
|---|---|---|---|
| W1 | It is lost. | `resolve` (`a.cpp`) | `pg_write`: `it_is_found`, `it_would_be_twice` (switch `retry`) |
| S2 | It is gone. | `resolve` | no test yet |

## Known and not handled yet

- X8, X9: a failover.
"""
INVARIANTS = """# Invariants
| | invariant |
|---|---|
| I1 | One writer. |

| | keeper | attack |
|---|---|---|
| I1 | `resolve` (lib/write/a.cpp) | tests/pg/write_test.cpp: `it_is_found` |
"""
CODE = """// What became of it (W1, S2). Keeps I1.
result<> resolve() { return guard_off("retry") ? again() : success(); }
"""
TESTS = """TEST_F(writes, it_is_found) {  // W1
}
TEST_P(writes, it_would_be_twice) {
}
"""
CMAKE = """foreach(one IN ITEMS read write)
  shardway_test(pg_${one} SOURCES ${one}_test.cpp LINK a LABELS pg)
endforeach()
"""


class Citations(Tree):
    def setUp(self):
        super().setUp()
        self.write("docs/FAILURES.md", PAGE)
        self.write("docs/INVARIANTS.md", INVARIANTS)
        self.write("lib/write/a.cpp", CODE)
        self.write("tests/pg/write_test.cpp", TESTS)
        self.write("tests/pg/CMakeLists.txt", CMAKE)

    def replace(self, path, old, new):
        text = (self.root / path).read_text()
        self.assertIn(old, text)
        self.write(path, text.replace(old, new))

    def assert_one(self, *expected):
        found = self.findings()
        self.assertEqual(len(found), 1, found)
        for part in expected:
            self.assertIn(part, found[0])

    def test_a_tree_where_all_is_defined_and_cited_is_clean(self):
        self.assertEqual(self.findings(), [])

    def test_a_tree_without_pages_and_codes_is_clean(self):
        for path in ("docs/FAILURES.md", "docs/INVARIANTS.md", "lib/write/a.cpp", "tests/pg/write_test.cpp"):
            (self.root / path).unlink()
        self.assertEqual(self.findings(), [])

    def test_a_code_that_nobody_defines_is_found(self):
        for text, code in (
            ("// CP3: waits\n", "CP3"),
            ('ensure(true, "I7: only then");\n', "I7"),
            ("/* as\n K1 says */\n", "K1"),
            ('auto sql = R"(-- M6)";\n', "M6"),
            ("TEST(a, W28_is_told) {}\n", "W28"),
        ):
            with self.subTest(code):
                self.write("lib/write/b.cpp", text)
                self.assert_one("lib/write/b.cpp:", f"{code} is cited", "does not define it")

    def test_python_and_pages_cite_too(self):
        self.write("docs/guide.md", "See P4.\n")
        self.assert_one("docs/guide.md:1", "P4 is cited")
        (self.root / "docs/guide.md").unlink()
        self.write("bindings/test_a.py", "def test_a():  # P4\n    pass\n")
        self.assert_one("bindings/test_a.py:1", "P4 is cited")

    def test_what_only_looks_like_a_code_is_none(self):
        self.write(
            "lib/write/b.cpp",
            "#define A OUTCOME_V2_NAMESPACE\nint X7; // M001, SW009, W100, -S3, 1E5, V2x, T1\n",
        )
        self.write("docs/MANIFEST.md", "M001 and SW001\n")
        self.assertEqual(self.findings(), [])

    def test_a_code_that_nobody_cites_is_found(self):
        self.replace("lib/write/a.cpp", ", S2", "")
        self.assert_one("docs/FAILURES.md:5", "no code or test cites S2")
        self.write("docs/guide.md", "A page that cites S2 is no code.\n")
        self.assert_one("no code or test cites S2")

    def test_an_invariant_that_nobody_cites_is_found(self):
        self.replace("lib/write/a.cpp", " Keeps I1.", "")
        self.assert_one("docs/INVARIANTS.md:", "no code or test cites I1")

    def test_a_code_of_the_last_list_is_not_cited(self):
        self.write("lib/write/b.cpp", "// X9\n")
        self.assert_one("lib/write/b.cpp:1", "X9 is cited", "as not handled")

    def test_a_code_is_handled_or_not(self):
        self.replace("docs/FAILURES.md", "- X8,", "- S2, X8,")
        found = self.findings()
        self.assertTrue(any("S2 is in a table and in the list" in one for one in found), found)

    def test_a_code_is_defined_once(self):
        self.replace("docs/FAILURES.md", "| S2 |", "| S2 | Twice. | `resolve` | no test yet |\n| S2 |")
        self.assert_one("S2 is defined twice")

    def test_a_row_of_another_code_or_with_another_number_of_columns_is_found(self):
        self.write(
            "docs/FAILURES.md", PAGE.replace("| S2 |", "| Y1 | What. | `resolve` | no test yet |\n| S2 |")
        )
        self.assertIn("Y1 is no code of this page", self.findings()[0])
        self.write("docs/FAILURES.md", PAGE.replace("It is gone.", "It is | gone."))
        self.assert_one("S2 has 4 columns behind it instead of 3")

    def test_a_test_that_does_not_exist_is_found(self):
        for named in ("`it_is_lost`", "`it_is_found_`", "`retry_`"):
            with self.subTest(named):
                self.write("docs/FAILURES.md", PAGE.replace("`it_is_found`", named))
                self.assert_one("docs/FAILURES.md:4", f"pg_write has no case {named}")

    def test_a_case_belongs_to_its_program(self):
        self.write("docs/FAILURES.md", PAGE.replace("`pg_write`: `it", "`pg_read`: `it"))
        self.assertIn("pg_read has no case `it_is_found`", self.findings()[0])
        self.write("docs/FAILURES.md", PAGE.replace("`pg_write`", "`pg_wrote`"))
        self.assertIn("there is no test program `pg_wrote`", self.findings()[0])

    def test_a_python_test_is_named_by_its_file(self):
        self.write("bindings/test_a.py", "def test_a():\n    pass\n")
        self.write("docs/FAILURES.md", PAGE.replace("no test yet", "`test_a.py`: `test_a`"))
        self.assertEqual(self.findings(), [])
        self.write("docs/FAILURES.md", PAGE.replace("no test yet", "`test_a.py`: `test_b`"))
        self.assert_one("test_a.py has no case `test_b`")

    def test_a_row_names_a_test_or_says_that_there_is_none(self):
        for instead in ("", "`pg_write`", "`pg_write`: (switch `retry`)"):
            with self.subTest(instead):
                self.write("docs/FAILURES.md", PAGE.replace("no test yet", instead))
                self.assert_one("docs/FAILURES.md:5", "S2 names no test")

    def test_a_place_that_does_not_exist_is_found(self):
        self.write("docs/FAILURES.md", PAGE.replace("`a.cpp`", "`c.cpp`"))
        self.assert_one("W1 names `c.cpp`")
        self.write("docs/FAILURES.md", PAGE.replace("`resolve` |", "`resolver` |"))
        self.assert_one("S2 names `resolver`")
        self.write("docs/FAILURES.md", PAGE)
        self.replace("docs/INVARIANTS.md", "`it_is_found`", "`it_was_found`")
        self.assert_one("I1 names `it_was_found`")

    def test_a_range_of_codes_is_found(self):
        self.write("lib/write/b.cpp", "// S2 to W1\n")
        self.assert_one("lib/write/b.cpp:1", "'S2 to W1'", "name each")


class Programs(unittest.TestCase):
    def test_loops_and_lists_are_read(self):
        text = (
            "shardway_test(unit_a SOURCES a_test.cpp b_test.cpp LINK c)\n"
            "foreach(x IN ITEMS p\n  q)\n"
            "  shardway_test(pg_${x} SOURCES ${x}_test.cpp LABELS pg)\n"
            "endforeach()\n"
            "foreach(x IN ITEMS r)\n  target_link(pg_${x})\nendforeach()\nfunction(shardway_test name)\n"
        )
        self.assertEqual(
            list(citations.tests_declared(text)),
            [("unit_a", ["a_test.cpp", "b_test.cpp"]), ("pg_p", ["p_test.cpp"]), ("pg_q", ["q_test.cpp"])],
        )

    def test_lines_of_citations_are_those_of_the_file(self):
        text = 'int a;\nauto b = R"(\n\n W1)";\n// S2\n'
        spoken = citations.spoken_in(Path("a.cpp"), text)
        cited = citations.CITED.finditer(spoken)
        lines = [(citations.line_of(spoken, found.start()), found[0]) for found in cited]
        self.assertEqual(lines, [(4, "W1"), (5, "S2")])


if __name__ == "__main__":
    unittest.main()
