"""Each linter on small trees that it must and must not report: a check that can't fail is worth nothing."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import changed_files
import lint
import linters
import markdown_width
from lint_cache import Cache
from linters import LINTERS, Tree
from toolbox import Toolbox
from tree import files_of

ROOT = lint.ROOT
TYPO = "teh"  # codespell:ignore
LINTER_OF = {linter.name: linter for linter in LINTERS}


class Scratch(unittest.TestCase):
    """A tree in a temporary folder, with the requirements and settings of the project."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        for name in (
            ".clang-format",
            ".clang-tidy",
            ".ruff.toml",
            ".mypy.ini",
            "cmake/python-requirements.txt",
        ):
            self.write(name, (ROOT / name).read_text())

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def tree(self, programs=None, **more):
        files = [file for file in files_of(self.root) if file.parts[0] != "build"]
        tools = Toolbox(self.root, programs or lint.default_programs())
        return Tree(self.root, files, tools, Cache(self.root / "build/lint/clean.json"), **more)

    def outcome(self, name, *, is_fixing=False, **more):
        tree = self.tree(**more)
        outcome = lint.run_linter(LINTER_OF[name], tree, is_fixing=is_fixing)
        tree.cache.save()
        return outcome

    def assert_clean(self, name, **more):
        outcome = self.outcome(name, **more)
        self.assertEqual((outcome.findings, outcome.problem), ([], ""))
        self.assertGreater(outcome.files, 0, "it looked at nothing")

    def assert_found(self, name, path, text, **more):
        outcome = self.outcome(name, **more)
        self.assertEqual(outcome.problem, "")
        self.assertTrue(outcome.findings, f"{name} found nothing")
        for finding in outcome.findings:
            self.assertEqual(finding.path.as_posix(), path, finding)
        self.assertIn(text, " ".join(finding.text for finding in outcome.findings))

    def git(self, *arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self, message="a change"):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


class Formatters(Scratch):
    def test_clang_format_finds_and_fixes(self):
        self.write("lib/good.cpp", "int good() { return 1; }\n")
        self.assert_clean("clang-format")
        self.write("lib/bad.cpp", "int  bad( ){return 1 ;}\nint   worse;\n")
        self.assert_found("clang-format", "lib/bad.cpp", "not formatted")
        self.assertEqual(self.outcome("clang-format", is_fixing=True).findings, [])
        self.assertEqual((self.root / "lib/bad.cpp").read_text(), "int bad() { return 1; }\nint worse;\n")

    def test_ruff_format_finds_and_fixes(self):
        self.write("bench/good.py", "value = 1\n")
        self.assert_clean("ruff-format")
        self.write("bench/bad.py", "value=1\n")
        self.assert_found("ruff-format", "bench/bad.py", "not formatted")
        self.assertEqual(self.outcome("ruff-format", is_fixing=True).findings, [])
        self.assertEqual((self.root / "bench/bad.py").read_text(), "value = 1\n")


class Linters(Scratch):
    def test_ruff(self):
        self.write("bench/good.py", "import os\n\nprint(os.sep)\n")
        self.assert_clean("ruff")
        self.write("bench/bad.py", "import os\n")
        self.assert_found("ruff", "bench/bad.py", "F401")

    def test_ruff_has_its_width(self):
        self.write("bench/bad.py", f"# {'word ' * 21}word.\n")
        self.assert_found("ruff", "bench/bad.py", "E501")

    def test_mypy(self):
        self.write("bench/good.py", "value: int = 1\n")
        self.assert_clean("mypy")
        self.write("bench/bad.py", 'value: int = "one"\n')
        self.assert_found("mypy", "bench/bad.py", "Incompatible types")

    def test_a_python_file_that_mypy_would_not_see_is_found(self):
        self.write("somewhere/new.py", "value: int = 1\n")
        self.assert_found("mypy", "somewhere/new.py", "MYPY_RUNS")

    def test_shellcheck_knows_scripts_by_their_first_line(self):
        self.write("tests/good", '#!/usr/bin/env bash\necho "$1"\n')
        self.write("tests/text", "rm $1\n")
        self.write("tests/program", "#!/usr/bin/env python3\nprint()\n")
        self.assert_clean("shellcheck")
        self.assertEqual([job.files for job in linters.shell_jobs(self.tree())], [[Path("tests/good")]])
        self.write("tests/bad", "#!/bin/sh\nrm $1\n")
        self.assert_found("shellcheck", "tests/bad", "SC2086")

    def test_codespell_and_its_list(self):
        self.write("docs/good.md", "the text\n")
        self.assert_clean("codespell")
        self.write("docs/bad.md", f"{TYPO} text\n")
        self.assert_found("codespell", "docs/bad.md", "==> the")
        self.write("tests/tidy/words.txt", f"{TYPO}\n")
        self.assert_clean("codespell")

    def test_markdown(self):
        self.write("docs/good.md", "word " * 20 + "\n")
        self.assert_clean("markdown")
        self.write("docs/bad.md", f"first\n{'word ' * 21}\n")
        self.assert_found("markdown", "docs/bad.md", "105 columns")


class Widths(unittest.TestCase):
    def wide(self, text):
        return [line for line, _ in markdown_width.lines_too_wide(text)]

    def test_what_may_be_wide(self):
        word = "w" * 120
        for line in (
            f"| {word} | a cell |",
            f"[text of a link]({word})",
            f"- [text of a link]({word}).",
            f"https://example.org/{word}",
            f"[name]: https://example.org/{word}",
            f"# {'w' * 90}",
            word,
        ):
            with self.subTest(line):
                self.assertEqual(self.wide(line), [])

    def test_what_may_not(self):
        link = f"[text](https://example.org/{'w' * 90})"
        for line in (
            "word " * 21,
            f"- {'word ' * 21}",
            f"# {'word ' * 21}",
            f"see {link} for more",
            f"> {'word ' * 21}",
        ):
            with self.subTest(line):
                self.assertEqual(self.wide(f"\n{line}\n"), [2])

    def test_code_blocks_end_where_they_end(self):
        wide = "word " * 21
        self.assertEqual(self.wide(f"```sh\n{wide}\n```\n{wide}\n"), [4])
        self.assertEqual(self.wide(f"- ~~~~\n  {wide}\n  ```\n  {wide}\n  ~~~~\n{wide}\n"), [6])


class TidyTree(Scratch):
    """clang-tidy on a repository with one commit on main and changes after it."""

    def setUp(self):
        super().setUp()
        self.write(".gitignore", "build/\n")
        self.write("lib/old.cpp", "int* old() { return 0; }\n")
        self.write("lib/user.cpp", '#include "lib/user.hpp"\nint use() { return 1; }\n')
        self.write("lib/user.hpp", "#pragma once\n")
        self.git("init", "-q", "-b", "main")
        self.commit()
        self.git("checkout", "-q", "-b", "work")
        files = ("lib/old.cpp", "lib/user.cpp", "lib/new.cpp")
        commands = [
            {"directory": str(self.root), "file": file, "command": f"c++ -std=c++20 -I. -c {file}"}
            for file in files
        ]
        self.write("build/dev/compile_commands.json", json.dumps(commands))

    def chosen(self):
        return [file.as_posix() for job in linters.tidy_jobs(self.tree()) for file in job.files]


class Tidy(TidyTree):
    """The files that changed."""

    def test_only_changed_files_are_checked(self):
        self.write("lib/new.cpp", "int fresh() { return 1; }\n")
        self.assert_clean("clang-tidy")
        self.assertEqual(self.chosen(), ["lib/new.cpp"])
        self.write("lib/new.cpp", "int* fresh() { return 0; }\n")
        self.assert_found("clang-tidy", "lib/new.cpp", "modernize-use-nullptr")

    def test_commits_count_as_the_working_tree_does(self):
        self.write("lib/old.cpp", "int* older() { return 0; }\n")
        self.commit()
        self.assertEqual(self.chosen(), ["lib/old.cpp"])
        self.assert_found("clang-tidy", "lib/old.cpp", "modernize-use-nullptr")

    def test_layout_and_comments_are_no_change(self):
        self.write("lib/old.cpp", "// A comment.\nint* old() {\n  return 0; /* none */\n}\n")
        self.assertEqual(self.chosen(), [])

    def test_space_in_a_text_is_a_change(self):
        one, two = 'char const* url = "a//b  c";', 'char const* url = "a//b c";'
        self.assertNotEqual(changed_files.code_of(one), changed_files.code_of(two))
        self.assertEqual(changed_files.code_of(one), changed_files.code_of(one + "  // why"))

    def test_a_changed_header_is_checked_and_makes_its_includers_new(self):
        before = {file: job.key for job in linters.tidy_jobs(self.tree()) for file in job.files}
        self.write("lib/user.hpp", "#pragma once\ninline int* none() { return 0; }\n")
        self.write("lib/user.cpp", '#include "lib/user.hpp"\nint use() { return 2; }\n')
        first = {job.files[0].as_posix(): job.key for job in linters.tidy_jobs(self.tree())}
        self.write("lib/user.hpp", "#pragma once\ninline int* nothing() { return 0; }\n")
        second = {job.files[0].as_posix(): job.key for job in linters.tidy_jobs(self.tree())}
        self.assertEqual(before, {})
        self.assertEqual(sorted(first), ["lib/user.cpp", "lib/user.hpp"])
        self.assertNotEqual(first["lib/user.cpp"], second["lib/user.cpp"])
        self.assert_found("clang-tidy", "lib/user.hpp", "modernize-use-nullptr")

    def test_on_main_the_commit_before_is_the_base(self):
        self.git("checkout", "-q", "main")
        self.write("lib/new.cpp", "int fresh() { return 1; }\n")
        self.commit()
        self.assertEqual(self.chosen(), ["lib/new.cpp"])

    def test_a_file_that_the_build_does_not_compile_is_left_out_by_name(self):
        self.write("lib/other.cpp", "int* other() { return 0; }\n")
        tree = self.tree()
        self.assertEqual(list(linters.tidy_jobs(tree)), [])
        self.assertEqual(tree.notes[0], "clang-tidy left lib/other.cpp out: build/dev does not build it")

    def test_a_base_that_is_no_commit_is_an_error(self):
        self.write("lib/new.cpp", "int fresh() { return 1; }\n")
        self.assertIn("nowhere is no commit", self.outcome("clang-tidy", base="nowhere").problem)

    def test_without_a_build_it_says_what_to_do(self):
        self.write("lib/new.cpp", "int fresh() { return 1; }\n")
        (self.root / "build/dev/compile_commands.json").unlink()
        problem = self.outcome("clang-tidy").problem
        self.assertIn("build/dev/compile_commands.json is missing", problem)
        self.assertIn("cmake --preset dev", problem)


class TidySample(TidyTree):
    """The sample of files that did not change."""

    def chosen_at(self, turn, size):
        with mock.patch.object(changed_files, "commits_of", return_value=turn):
            tree = self.tree(sample=size)
            return [job.files[0].as_posix() for job in linters.tidy_jobs(tree)], tree.notes[-1]

    def test_a_fault_in_a_file_that_did_not_change_is_found(self):
        self.assertEqual(self.outcome("clang-tidy").files, 0)
        self.assert_found("clang-tidy", "lib/old.cpp", "modernize-use-nullptr", sample=6)

    def test_successive_commits_walk_through_the_whole_tree(self):
        files = [Path(f"lib/{number}.cpp") for number in range(7)]
        for size in (1, 3, 6, 7, 20):
            turns = -(-len(files) // size)
            seen = [linters.sample_of(files, size, turn) for turn in range(40, 40 + turns)]
            with self.subTest(size):
                self.assertEqual({file for sample in seen for file in sample}, set(files))
                self.assertEqual(sum(len(sample) for sample in seen), len(files))
                self.assertLessEqual(max(len(sample) for sample in seen), size)
        self.assertEqual(linters.sample_of([], 6, 40), [])
        self.assertEqual(linters.sample_of(files, 0, 40), [])

    def test_the_number_of_commits_chooses(self):
        self.assertEqual(self.chosen_at(2, 1)[0], ["lib/old.cpp"])
        self.assertEqual(self.chosen_at(3, 1)[0], ["lib/user.cpp"])
        for count in (1, 2, 3):
            self.assertEqual(changed_files.commits_of(self.root), count)
            self.git("commit", "-q", "--allow-empty", "-m", "nothing")

    def test_the_output_says_how_many_of_which(self):
        self.assertEqual(
            self.chosen_at(2, 6)[1], "clang-tidy: 0 changed files, 2 others as the sample of 2 built"
        )
        self.write("lib/new.cpp", "int fresh() { return 1; }\n")
        files, note = self.chosen_at(2, 6)
        self.assertEqual(files, ["lib/new.cpp", "lib/old.cpp", "lib/user.cpp"])
        self.assertEqual(note, "clang-tidy: 1 changed files, 2 others as the sample of 3 built")

    def test_what_the_build_does_not_compile_is_in_no_sample(self):
        self.git("checkout", "-q", "main")
        self.write("lib/other.cpp", "int* other() { return 0; }\n")
        self.commit()
        self.git("commit", "-q", "--allow-empty", "-m", "nothing")
        self.assertEqual(self.chosen_at(2, 6)[0], ["lib/old.cpp", "lib/user.cpp"])

    def test_without_a_build_it_is_not_clean(self):
        (self.root / "build/dev/compile_commands.json").unlink()
        self.assertIn("cmake --preset dev", self.outcome("clang-tidy", sample=6).problem)

    def test_a_build_of_another_tree_is_not_clean(self):
        self.write("build/dev/compile_commands.json", "[]")
        self.assertIn("compiles no file of this tree", self.outcome("clang-tidy", sample=6).problem)

    def test_without_a_commit_it_is_not_clean(self):
        shutil.rmtree(self.root / ".git")
        self.git("init", "-q", "-b", "main")
        self.assertIn("no commit", self.outcome("clang-tidy", sample=6).problem)


class Tools(Scratch):
    def fake(self, version):
        """An environment with a program `ruff` of this version that finds nothing."""
        programs = self.root / "build/venv/bin"
        self.write("build/venv/bin/ruff", "#!/bin/sh\nexit 0\n")
        (programs / "ruff").chmod(0o755)
        (self.root / f"build/venv/lib/python3.11/site-packages/ruff-{version}.dist-info").mkdir(parents=True)
        return programs

    def test_a_missing_tool_is_a_failure_that_says_what_to_do(self):
        self.write("bench/good.py", "value = 1\n")
        problem = self.outcome("ruff", programs=self.root / "nowhere").problem
        self.assertIn("ruff is missing", problem)
        self.assertIn("cmake/bootstrap", problem)

    def test_another_version_than_the_pinned_one_is_a_failure(self):
        self.write("bench/good.py", "value = 1\n")
        problem = self.outcome("ruff", programs=self.fake("0.0.1")).problem
        self.assertIn("ruff is 0.0.1", problem)
        self.assertIn("cmake/bootstrap", problem)

    def test_a_tool_without_a_pin_is_a_failure(self):
        self.write("cmake/python-requirements.txt", "mypy==1.0\n")
        self.write("bench/good.py", "value = 1\n")
        self.assertIn("no pinned version", self.outcome("ruff").problem)

    def test_a_tool_that_fails_without_a_finding_is_one(self):
        pinned = dict(
            line.split("==")
            for line in (ROOT / "cmake/python-requirements.txt").read_text().split()
            if "==" in line
        )
        programs = self.fake(pinned["ruff"])
        self.write("build/venv/bin/ruff", "#!/bin/sh\necho broken; exit 3\n")
        self.write("bench/good.py", "value = 1\n")
        self.assert_found("ruff", "ruff", "ended with 3 and said: broken", programs=programs)

    def test_every_tool_is_pinned_and_installed(self):
        tools = Toolbox(ROOT, lint.default_programs())
        for linter in LINTERS:
            if linter.tool:
                self.assertTrue(tools.version_of(linter.tool))


class Caching(Scratch):
    def test_what_was_clean_is_not_checked_again_until_it_changes(self):
        self.write("bench/one.py", "value = 1\n")
        self.write("bench/two.py", "value = 2\n")
        self.assertEqual(self.outcome("ruff").checked, 2)
        self.assertEqual(self.outcome("ruff").checked, 0)
        self.write("bench/two.py", "import os\n")
        outcome = self.outcome("ruff")
        self.assertEqual((outcome.checked, len(outcome.findings)), (1, 1))

    def test_a_finding_is_not_remembered_as_clean(self):
        self.write("bench/bad.py", "import os\n")
        for _ in range(2):
            self.assert_found("ruff", "bench/bad.py", "F401")

    def test_other_settings_check_everything_again(self):
        self.write("bench/one.py", "import os\n\nprint(os.path.sep)\n")
        self.assert_clean("ruff")
        self.write(".ruff.toml", '[lint]\nselect = ["T201"]\n')
        self.assert_found("ruff", "bench/one.py", "T201")

    def test_a_broken_cache_is_an_empty_one(self):
        self.write("bench/one.py", "value = 1\n")
        self.write("build/lint/clean.json", "{")
        self.assertEqual(self.outcome("ruff").checked, 1)


class Command(Scratch):
    def run_lint(self, *arguments):
        program = [sys.executable, ROOT / "tests/tidy/lint.py", self.root, *arguments]
        environment = {**os.environ, "SHARDWAY_LINT_PROGRAMS": str(lint.default_programs())}
        return subprocess.run(program, capture_output=True, text=True, check=False, env=environment)

    def test_exit_codes_and_output(self):
        self.write("docs/a.md", f"{TYPO}\n")
        done = self.run_lint("--only", "codespell")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("docs/a.md:1: ", done.stdout)
        self.assertIn("codespell: 1 findings", done.stdout)
        self.write("docs/a.md", "the\n")
        self.assertEqual(self.run_lint("--only", "codespell", "--only", "markdown").returncode, 0)
        self.assertEqual(self.run_lint("--only", "ruff", "--programs", "/nowhere").returncode, 2)
        self.assertEqual(self.run_lint("--only", "nothing").returncode, 2)

    def test_linters_can_be_left_out_and_are_named(self):
        names = [name for name in LINTER_OF if name != "markdown"]
        done = self.run_lint(*(word for name in names for word in ("--without", name)))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertEqual(done.stdout.splitlines()[-1], f"left out: {', '.join(names)}")


if __name__ == "__main__":
    unittest.main()
