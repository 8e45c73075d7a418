"""The checks on trees that break the rules: a check that can't fail would be worth nothing."""

import tempfile
import unittest
from pathlib import Path

import check
import headers_alone
import names
import rules

GLOSSARY = """# Glossary

| term | meaning | not |
|---|---|---|
| slot | what moves | `bucket`, partition |
| dual write | two writes | `secondary` |

| not | instead |
|---|---|
| `facts_session` | what it is |
"""


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.write(rules.GLOSSARY_PAGE, GLOSSARY)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def findings(self):
        return list(check.findings_in(self.root))

    def assert_found(self, path, text, expected):
        self.write(path, text)
        found = self.findings()
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])
        self.assertTrue(found[0].startswith(path), found[0])


class KeyText(Tree):
    def test_no_other_file_makes_text_of_a_column(self):
        self.assert_found(
            "lib/write/a.cpp",
            'auto sql = "t." + names::quoted(column->name) + "::text";\n',
            "value_text and key_text_list alone",
        )

    def test_as_a_piece_of_a_list(self):
        self.assert_found(
            "lib/write/a.cpp",
            'text->append(prefix).append(names::quoted(column)).append("::text");\n',
            "value_text and key_text_list alone",
        )

    def test_parameters_are_no_columns(self):
        self.write("lib/write/a.cpp", 'auto sql = names::quoted(column) + " = $1::text[]";\n')
        self.assertEqual(self.findings(), [])


class Rooms(Tree):
    def test_siblings_do_not_include_each_other(self):
        self.assert_found(
            "include/shardway/write/a.hpp",
            '#pragma once\n#include "shardway/read/session_token.hpp"\n',
            "write includes room read",
        )

    def test_dependencies_point_down(self):
        self.assert_found(
            "lib/route/a.cpp", '#include "shardway/catalog/lease.hpp"\n', "route includes room catalog"
        )

    def test_migrate_does_not_include_client(self):
        self.assert_found(
            "lib/migrate/wave/a.cpp",
            '#include "shardway/client/client.hpp"\n',
            "migrate/wave includes room client",
        )

    def test_private_headers_stay_in_their_room(self):
        self.assert_found(
            "lib/client/session/a.cpp", '#include "lib/pg/translate.hpp"\n', "only room pg may include"
        )

    def test_a_promised_header_includes_promised_headers_only(self):
        self.assert_found(
            "include/shardway/catalog/a.hpp",
            '#pragma once\n#include "lib/protocol/schema.hpp"\n',
            "not promised",
        )

    def test_rooms_inside_a_room_have_a_direction(self):
        self.write("lib/migrate/stream/read/a.cpp", '#include "lib/migrate/stream/apply/apply_queue.hpp"\n')
        self.assertEqual(self.findings(), [])
        self.assert_found(
            "lib/migrate/stream/apply/a.cpp",
            '#include "lib/migrate/stream/read/dispatcher.hpp"\n',
            "migrate/stream/apply includes room migrate/stream/read",
        )

    def test_a_room_that_only_holds_rooms_has_no_files(self):
        self.assert_found("lib/migrate/a.cpp", "int a;\n", "'migrate' is not in the table")

    def test_an_unknown_room_is_named(self):
        self.assert_found("lib/helpers/a.cpp", "int a;\n", "'helpers' is not in the table")

    def test_a_decorator_may_observe_but_its_header_may_not(self):
        self.write("lib/store/a.cpp", '#include "shardway/observe/events.hpp"\n')
        self.assertEqual(self.findings(), [])
        self.assert_found(
            "include/shardway/store/a.hpp",
            '#pragma once\n#include "shardway/observe/events.hpp"\n',
            "store includes room observe",
        )

    def test_base_is_for_all(self):
        for room in rules.ROOMS:
            self.write(
                f"lib/{room}/a.cpp",
                '#include "shardway/base/stop_point.hpp"\n#include "shardway/base/test_switch.hpp"\n',
            )
        self.assertEqual(self.findings(), [])

    def test_the_umbrella_leaves_migrate_out(self):
        self.assert_found(
            "include/shardway/shardway.hpp",
            '#pragma once\n#include "shardway/migrate/wave/wave.hpp"\n',
            "umbrella",
        )


class Outsiders(Tree):
    def test_public_headers_keep_libraries_out(self):
        for include in (
            "<pqxx/pqxx>",
            "<pqxx>",
            '"libpq-fe.h"',
            "<absl/time/time.h>",
            "<spdlog/spdlog.h>",
            "<google/protobuf/message.h>",
            "<xxhash.h>",
        ):
            with self.subTest(include):
                self.assert_found(
                    "include/shardway/pg/a.hpp",
                    f"#pragma once\n#include {include}\n",
                    "public header includes",
                )

    def test_the_doors_are_open_for_their_library_only(self):
        self.write("include/shardway/pg/interop.hpp", "#pragma once\n#include <pqxx/connection>\n")
        self.write("include/shardway/route/hash.hpp", "#pragma once\n#include <xxhash.h>\n")
        self.assertEqual(self.findings(), [])
        self.assert_found(
            "include/shardway/pg/interop.hpp",
            "#pragma once\n#include <absl/time/time.h>\n",
            "public header includes",
        )

    def test_bodies_keep_to_their_libraries(self):
        self.assert_found("lib/migrate/wave/a.cpp", "#include <libpq-fe.h>\n", "belongs to pg")


class Words(Tree):
    def test_unfinished_work_is_named(self):
        self.assert_found("docs/a.md", "a line\nTODO: more\n", ":2:")

    def test_names_of_code_use_the_glossary_and_comments_are_free(self):
        self.write("lib/route/a.cpp", '// a cutover in prose\nchar const* text = "bucket";\n')
        self.assertEqual(self.findings(), [])
        self.assert_found("lib/route/a.cpp", "int bucket_count;\n", "says slot")

    def test_a_word_is_found_in_every_part_of_an_identifier_and_not_inside_another_word(self):
        for name in ("bucket", "bucket_", "first_bucket_of", "Bucket", "facts_session", "my_facts_session_"):
            with self.subTest(name):
                self.assert_found("lib/route/a.cpp", f"int {name};\n", f"'{name}'")
        self.write("lib/route/a.cpp", "int buckets_like, partition, facts, session;\n")
        self.assertEqual(self.findings(), [])

    def test_a_glossary_that_refuses_nothing_is_found(self):
        self.assert_found(rules.GLOSSARY_PAGE, "# Glossary\n\n| term | meaning |\n|---|---|\n", "no word")

    def test_the_glossary_of_the_project_refuses_words_in_order(self):
        page = Path(__file__).parents[2] / rules.GLOSSARY_PAGE
        refused = names.refused_words(Path(__file__).parents[2])
        self.assertLessEqual({"bucket", "vbucket", "cutover", "canary", "secondary", "told"}, set(refused))
        rows = [line for line in page.read_text().split("\n## ")[0].splitlines() if line.startswith("| ")][1:]
        terms = [row.split("|")[1].strip().lower().replace("-", " ") for row in rows]
        self.assertEqual(terms, sorted(terms))
        self.assertEqual(len(terms), len(set(terms)))

    def test_a_variable_says_what_it_is(self):
        for declaration in (
            "void f(session& on, int b);",
            "void f(session &on);",
            "auto const at = next();",
            "struct a { int from{}; };",
            "struct a { lsn to_; };",
            "for (auto const& of : rows) use(of);",
            "auto const& [at, row] = pair;",
            "auto f = [in = text] { return 1; };",
            "int high, at = 0;",
            "BOOST_OUTCOME_TRY(auto on, connect(where));",
            "bool f(int a,\n       int of = 3);",
            "std::uint64_t of[6]{};",
        ):
            with self.subTest(declaration):
                self.write("lib/pg/a.cpp", declaration + "\n")
                found = self.findings()
                self.assertTrue(found and "say what it is" in found[0], found)

    def test_a_function_may_have_a_short_name(self):
        self.write(
            "lib/pg/a.cpp",
            "row const& at(int i);\nplan& of(name const&);\nint x = rows.at(1) + of(y);\n"
            "lsn at_epoch, from_source;\n// the place to look at, or on\n"
            'char const* a = "int at;";\nf(g(), {.position = at(1)});\n',
        )
        self.assertEqual(self.findings(), [])

    def test_a_header_has_its_guard(self):
        self.assert_found("include/shardway/base/a.hpp", "int a();\n", "#pragma once")


class Lengths(Tree):
    def function_of(self, lines):
        return "int counted(int a) {\n" + "  ++a;\n" * (lines - 2) + "}\n"

    def test_a_long_function_is_found_and_one_at_the_limit_is_not(self):
        self.write("lib/route/a.cpp", self.function_of(70))
        self.assertEqual(self.findings(), [])
        self.assert_found("lib/route/a.cpp", self.function_of(71), "71 lines")

    def test_sql_in_a_function_is_not_counted(self):
        self.write("lib/route/a.cpp", 'char const* sql() {\n  return R"(' + "\n" * 200 + ')";\n}\n')
        self.assertEqual(self.findings(), [])

    def test_a_long_file_is_found(self):
        self.assert_found("lib/route/a.cpp", "int a;\n" * 451, "451 lines")


class Headers(Tree):
    def test_a_header_that_needs_another_is_found(self):
        self.write(
            "include/shardway/base/whole.hpp", "#pragma once\n#include <string>\nstd::string whole();\n"
        )
        self.write("include/shardway/base/part.hpp", "#pragma once\nstd::string part();\n")
        failures = headers_alone.failures_in(self.root, self.root / "out", ["c++", "-std=c++20"])
        self.assertEqual(len(failures), 1, failures)
        self.assertIn("part.hpp does not compile alone", failures[0])

    def test_an_empty_tree_is_no_success(self):
        self.assertTrue(headers_alone.failures_in(self.root, self.root / "out", ["c++"]))


class Imports(Tree):
    def assert_cycle(self, *modules):
        found = self.findings()
        self.assertEqual(len(found), 1, found)
        self.assertIn("circle", found[0])
        for module in modules:
            self.assertIn(module, found[0])

    def test_modules_of_a_package_that_import_each_other_are_found(self):
        self.write("package/__init__.py", "")
        self.write("package/one.py", "from .two import name\n")
        self.write("package/two.py", "from . import one\n")
        self.assert_cycle("package.one -> package.two", "package.two -> package.one")

    def test_a_late_import_hides_no_circle(self):
        self.write("package/__init__.py", "")
        self.write("package/root.py", "def main():\n    from . import command\n")
        self.write("package/command.py", "from .root import main\n")
        self.assert_cycle("package.root", "package.command")

    def test_an_import_for_types_only_is_one_too(self):
        self.write("one.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import two\n")
        self.write("two.py", "import one\n")
        self.assert_cycle("one", "two")

    def test_a_longer_circle_through_a_subpackage_is_found(self):
        self.write("package/__init__.py", "from .sub.leaf import name\n")
        self.write("package/sub/__init__.py", "")
        self.write("package/sub/leaf.py", "from .. import version\n")
        self.assert_cycle("package", "package.sub.leaf")

    def test_a_module_that_two_import_is_no_circle(self):
        self.write("package/__init__.py", "")
        self.write("package/_core.pyi", "def call() -> int: ...\n")
        self.write("package/errors.py", "from . import _core\n")
        self.write("package/one.py", "from . import _core, errors\n")
        self.write("package/two.py", "from .one import name\nfrom .errors import other\n")
        self.assertEqual(self.findings(), [])

    def test_files_of_the_same_name_in_two_folders_are_two_modules(self):
        self.write("first/check.py", "import rules\n")
        self.write("second/rules.py", "import check\n")
        self.assertEqual(self.findings(), [])


if __name__ == "__main__":
    unittest.main()
