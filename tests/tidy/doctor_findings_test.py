"""The check of the doctor's ids on trees that break it."""

import unittest
from pathlib import Path

import doctor_findings
from check_test import Tree

CODE = """
void check(context const& checked) {
  checked.fail("wal_level", level, "...");
  auto const found = ask(checked, "clock", {"SELECT 1"});
  use(object_rule{"rule", true});
  std::map<int, int> ids{{"pg_type", "type_missing"}};
}
"""
PAGE = """# Tables
| object | finding | way out |
|---|---|---|
| servers | `wal_level`, `clock` | `not_an_id` |
| rules | `rule` | |
| types | `type_missing` | |
"""


class DoctorFindings(Tree):
    def found(self, code=CODE, page=PAGE):
        self.write("lib/migrate/preflight/checks.cpp", code)
        self.write(doctor_findings.PAGE, page)
        files = [Path("lib/migrate/preflight/checks.cpp")]
        return [what for _, _, what in doctor_findings.findings(self.root, files)]

    def test_the_same_ids_pass(self):
        self.assertEqual(self.found(), [])

    def test_an_id_of_the_code_that_the_page_lacks(self):
        page = PAGE.replace("`clock`", "").replace("`type_missing`", "").replace("`rule`", "")
        self.assertEqual(
            self.found(page=page),
            [f"finding {name} is not in docs/TABLES.md" for name in ("clock", "rule", "type_missing")],
        )

    def test_an_id_of_the_page_that_the_code_lacks(self):
        page = PAGE.replace("`rule`", "`rule`, `rules`")
        self.assertEqual(self.found(page=page), ["no check of the doctor reports rules"])


if __name__ == "__main__":
    unittest.main()
