"""The runner on targets that crash, try nothing or pass: it must not call everything a success."""

import tempfile
import unittest
from pathlib import Path

import runner
import seeds

HERE = Path(__file__).resolve().parent
STATISTICS = "stat::number_of_executed_units: {}"


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name)

    def program(self, target, body):
        """A program in a target's place; $prefix is where it has to put what it crashed on."""
        file = self.work / f"{target}_fuzz"
        file.write_text(
            '#!/bin/sh\nfor one in "$@"; do case $one in -artifact_prefix=*) prefix=${one#*=};; esac; done\n'
            + body
        )
        file.chmod(0o755)
        return file

    def outcome(self, body, target="session_token"):
        return runner.run_target(self.program(target, body), target, 1, self.work)

    def test_a_target_that_tried_inputs_passes(self):
        passed, text = self.outcome(f"echo '{STATISTICS.format(1234)}' >&2")
        assert passed
        assert "1,234 inputs" in text

    def test_a_crash_fails_with_path_and_bytes(self):
        passed, text = self.outcome(
            "printf 'a\\001' > ${prefix}crash-1; echo \"Test unit written to ${prefix}crash-1\" >&2; exit 77"
        )
        assert not passed
        assert f"input {self.work}/crashes/session_token-crash-1" in text
        assert "bytes 6101" in text

    def test_a_long_input_is_cut(self):
        passed, text = self.outcome(
            'head -c 5000 /dev/zero > ${prefix}a; echo "Test unit written to ${prefix}a" >&2; exit 77'
        )
        assert not passed
        assert "the first 4096 of 5000" in text

    def test_a_target_that_tried_nothing_fails(self):
        assert not self.outcome(f"echo '{STATISTICS.format(0)}' >&2")[0]
        assert not self.outcome("true")[0]

    def test_one_failure_fails_all_and_none_is_no_success(self):
        self.program("session_token", f"echo '{STATISTICS.format(1)}' >&2")
        self.program("pgoutput", "exit 1")
        assert runner.run_all(["session_token"], self.work, 1, self.work)
        assert not runner.run_all(["session_token", "pgoutput"], self.work, 1, self.work)
        assert not runner.run_all([], self.work, 1, self.work)


class Seeds(unittest.TestCase):
    def test_each_target_has_a_program_and_inputs_to_begin_with(self):
        programs = [file.name.removesuffix("_fuzz.cpp") for file in HERE.glob("*_fuzz.cpp")]
        assert sorted(seeds.SEEDS) == sorted(programs)
        with tempfile.TemporaryDirectory() as folder:
            for target in seeds.SEEDS:
                assert seeds.write_seeds(runner.ROOT, target, Path(folder, target)) > 0, target


if __name__ == "__main__":
    unittest.main()
