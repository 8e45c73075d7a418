"""The runner on targets that crash, try nothing or pass: a runner that calls everything a success would be worth nothing."""
import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
loader = importlib.machinery.SourceFileLoader("fuzz_run", str(HERE / "run"))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("fuzz_run", loader))
loader.exec_module(run)

STATISTICS = "stat::number_of_executed_units: {}"


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name)

    def program(self, target, body):
        """A program in a target's place; $prefix is where it has to put what it crashed on."""
        file = self.work / f"{target}_fuzz"
        file.write_text('#!/bin/sh\nfor one in "$@"; do case $one in -artifact_prefix=*) prefix=${one#*=};; esac; done\n' + body)
        file.chmod(0o755)
        return file

    def outcome(self, body, target="session_token"):
        return run.run_target(self.program(target, body), target, 1, self.work)

    def test_a_target_that_tried_inputs_passes(self):
        passed, text = self.outcome(f"echo '{STATISTICS.format(1234)}' >&2")
        self.assertTrue(passed)
        self.assertIn("1,234 inputs", text)

    def test_a_crash_fails_with_path_and_bytes(self):
        passed, text = self.outcome("printf 'a\\001' > ${prefix}crash-1; echo \"Test unit written to ${prefix}crash-1\" >&2; exit 77")
        self.assertFalse(passed)
        self.assertIn(f"input {self.work}/crashes/session_token-crash-1", text)
        self.assertIn("bytes 6101", text)

    def test_a_long_input_is_cut(self):
        passed, text = self.outcome("head -c 5000 /dev/zero > ${prefix}crash-1; echo \"Test unit written to ${prefix}crash-1\" >&2; exit 77")
        self.assertFalse(passed)
        self.assertIn("the first 4096 of 5000", text)

    def test_a_target_that_tried_nothing_fails(self):
        self.assertFalse(self.outcome(f"echo '{STATISTICS.format(0)}' >&2")[0])
        self.assertFalse(self.outcome("true")[0])

    def test_one_failure_fails_all_and_none_is_no_success(self):
        self.program("session_token", f"echo '{STATISTICS.format(1)}' >&2")
        self.program("pgoutput", "exit 1")
        self.assertTrue(run.run_all(["session_token"], self.work, 1, self.work))
        self.assertFalse(run.run_all(["session_token", "pgoutput"], self.work, 1, self.work))
        self.assertFalse(run.run_all([], self.work, 1, self.work))


class Seeds(unittest.TestCase):
    def test_each_target_has_a_program_and_inputs_to_begin_with(self):
        self.assertEqual(sorted(run.seeds.SEEDS), sorted(file.name.removesuffix("_fuzz.cpp") for file in HERE.glob("*_fuzz.cpp")))
        with tempfile.TemporaryDirectory() as folder:
            for target in run.seeds.SEEDS:
                self.assertGreater(run.seeds.write_seeds(run.ROOT, target, Path(folder, target)), 0, target)


if __name__ == "__main__":
    unittest.main()
