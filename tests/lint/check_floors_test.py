#!/usr/bin/env python3
"""Plants one violation of each kind in a small copy of the project's structure and sees that scripts/check-floors reports it."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check-floors"

CLEAN = {
    "CMakeLists.txt": "set(LIMPET_FLOORS base window engine cluster io)\n",
    "plugin/README.md": "x",
    "plugin/main.cpp": '#include "io/file.h"\n#include "plugin/command.h"\n',
    "src/README.md": "x",
    "src/base/README.md": "x",
    "src/base/time.h": "#pragma once\n#include <cstdint>\n",
    "src/window/README.md": "x",
    "src/window/pane.h": '#pragma once\n#include "base/time.h"\n',
    "src/engine/README.md": "x",
    "src/engine/engine.cpp": '#include <vector>\n\n#include "window/pane.h"\n',
    "src/io/README.md": "x",
    "src/io/file.h": "#include <fcntl.h>\n\n#include <thread>\n",
    "tests/CMakeLists.txt": "foreach(floor)\nfile(GLOB s unit/${floor}/*_test.cpp)\nfile(GLOB f fuzz/fuzz_*.cpp)\nadd_subdirectory(bench)\n",
    "tests/bench/CMakeLists.txt": "file(GLOB s bench_*.cpp)\nadd_executable(tool tool.cpp)\n",
    "tests/bench/bench_pane.cpp": "",
    "tests/bench/tool.cpp": "",
    "tests/unit/window/pane_test.cpp": "",
    "tests/fuzz/fuzz_pane.cpp": "",
    "tests/fuzz/corpus/pane/one": "1",
    "tests/golden/run.py": 'for path in glob("*.golden"): run(path)\n',
    "tests/golden/mean.golden": "",
    "tests/e2e/run": "exec python3 eof_test.py\n",
    "tests/e2e/eof_test.py": "",
}


def check(changes):
    """Exit code and output of the check over CLEAN with `changes` laid over it; None takes a file away."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**CLEAN, **changes}.items():
            if text is not None:
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        done = subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


class CheckFloors(unittest.TestCase):
    def bites(self, changes, *words):
        code, output = check(changes)
        self.assertEqual(code, 1, output)
        self.assertEqual(len(output.splitlines()), 1, output)
        for word in words:
            self.assertIn(word, output)

    def test_a_clean_tree_passes(self):
        self.assertEqual(check({}), (0, ""))

    def test_an_include_that_goes_up(self):
        self.bites({"src/base/time.h": '#include "window/pane.h"\n'}, "src/base/time.h", "floor above")

    def test_an_include_that_goes_up_in_angle_brackets(self):
        self.bites({"src/base/time.h": "#  include <window/pane.h>\n"}, "floor above")

    def test_an_include_of_the_plugin(self):
        self.bites({"src/io/file.h": '#include "plugin/command.h"\n'}, "plugin/command.h")

    def test_an_include_without_its_folder(self):
        self.bites({"src/window/pane.h": '#include "time.h"\n'}, "with its folder")

    def test_a_folder_that_is_no_floor(self):
        self.bites({"src/misc/README.md": "x", "src/misc/a.cpp": ""}, "LIMPET_FLOORS")

    def test_a_clock_in_the_engine(self):
        self.bites({"src/engine/engine.cpp": "#include <chrono>\n"}, "pure", "chrono")

    def test_a_thread_in_the_cluster(self):
        self.bites({"src/cluster/README.md": "x", "src/cluster/a.h": "#include <thread>\n"}, "pure", "thread")

    def test_a_socket_in_the_engine(self):
        self.bites({"src/engine/engine.cpp": "#include <sys/socket.h>\n"}, "pure", "sys/socket.h")

    def test_a_file_that_the_engine_sees_through_a_lower_floor(self):
        self.bites({"src/base/time.h": "#include <fstream>\n"}, "fstream", "through src/base/time.h")

    def test_a_unit_test_in_no_floor(self):
        self.bites({"tests/unit/stray_test.cpp": ""}, "stray_test.cpp", "never run")

    def test_a_unit_test_with_another_ending(self):
        self.bites({"tests/unit/window/pane.cpp": ""}, "pane.cpp", "never run")

    def test_a_fuzzer_in_a_folder_below(self):
        self.bites({"tests/fuzz/more/fuzz_line.cpp": ""}, "fuzz_line.cpp", "never run")

    def test_a_fuzzer_without_seeds(self):
        self.bites({"tests/fuzz/corpus/pane/one": None}, "fuzz_pane.cpp", "seeds")

    def test_a_benchmark_that_nothing_builds(self):
        self.bites({"tests/bench/other.cpp": ""}, "other.cpp", "never run")

    def test_a_folder_that_is_not_added(self):
        self.bites({"tests/sim/CMakeLists.txt": "add_executable(sim sim.cpp)\n", "tests/sim/sim.cpp": ""}, "tests/sim", "add")

    def test_a_golden_scenario_with_another_ending(self):
        self.bites({"tests/golden/max.txt": ""}, "max.txt", "never run")

    def test_an_end_to_end_test_that_is_not_run(self):
        self.bites({"tests/e2e/sigterm_test.py": ""}, "sigterm_test.py", "never run")

    def test_a_test_named_only_in_a_comment(self):
        self.bites({"tests/e2e/run": "# eof_test.py\n"}, "eof_test.py", "never run")

    def test_a_floor_without_readme(self):
        self.bites({"src/window/README.md": None}, "src/window", "README.md")


if __name__ == "__main__":
    unittest.main()
