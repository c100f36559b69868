"""The configuration files that Limpet ships run under the real Telegraf, and are written in the style of Telegraf's own samples."""

import os
import re
import unittest

import settings
from limpet_case import Limpet, count_rule, eventually, free_port, now_ns
from settings import ROOT
from telegraf_case import AGENT, TelegrafCase

SAMPLES = ["plugin/plugin.conf", "configs/telegraf/processors-execd.conf", "configs/telegraf/inputs-execd.conf", "configs/telegraf/demo.conf"]


class StyleTest(unittest.TestCase):
    def test_every_shipped_file_is_tested(self):
        shipped = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "configs/telegraf").glob("*.conf"))
        self.assertEqual(shipped, sorted(SAMPLES[1:]))

    def test_style(self):
        for sample in SAMPLES:
            for number, line in enumerate((ROOT / sample).read_text().splitlines(), 1):
                with self.subTest(sample=sample, line=number):
                    self.assertEqual(line, line.rstrip())
                    self.assertNotIn("\t", line)
                    # At the margin: tables and prose. Below a table two blanks: `## prose`, `# key = default`, `key = value`.
                    self.assertRegex(line, re.compile(r'^($|# ?.*|\[.*\]|  ##( .*)?|  # \w+ = .*|  \w+ = .*)$'))


class SampleTest(TelegrafCase):
    def installed(self, sample):
        """A copy of the sample with the paths of a test: the rules, the port; `limpet` comes from the PATH."""
        rules = self.directory / "rules"
        rules.mkdir(exist_ok=True)
        (rules / "count.toml").write_text(count_rule(period="1s", more='grace = "1s"'))
        self.port = free_port()
        bin_directory = self.directory / "bin"
        bin_directory.mkdir(exist_ok=True)
        (bin_directory / "limpet").symlink_to(settings.limpet())
        text = (ROOT / sample).read_text()
        self.assertIn("/etc/limpet/rules/", text)
        text = text.replace("/etc/limpet/rules/", f"{rules}/").replace("127.0.0.1:8086\"]", f"127.0.0.1:{self.port}\"]")
        path = self.directory / os.path.basename(sample)
        path.write_text(text)
        return path, {"PATH": f"{bin_directory}:{os.environ['PATH']}"}

    def run_with(self, sample, frame):
        path, env = self.installed(sample)
        directory = self.directory / "telegraf-0"
        directory.mkdir()
        rest = self.directory / "rest.conf"
        rest.write_text(frame.replace("{out}", str(directory / "out.lp")).replace("{socket}", str(directory / "in.sock")))
        return self.telegraf([path, rest], env=env)

    def check_processor(self, sample, frame):
        telegraf = self.run_with(sample, frame)
        self.feed(telegraf, b"m,g=a,pod=x v=1 %d\nm,g=a,pod=y v=1 %d\nother v=1 1\n" % (now_ns(), now_ns()))
        self.wait_output(telegraf, lambda data: b"other" in data)
        self.assertEqual(telegraf.stop(), 0)
        self.assertEqual(telegraf.errors(), [])
        results = telegraf.lines("m")
        self.assertEqual(sum(line.fields["v_count"] for line in results), 2)
        self.assertTrue(all(set(line.tags) <= {"g", "host"} for line in results), results)

    def test_plugin_conf(self):
        self.check_processor("plugin/plugin.conf", AGENT + self.SOCKET_INPUT + self.FILE_OUTPUT)

    def test_processors_execd_conf(self):
        frame = self.SOCKET_INPUT + self.FILE_OUTPUT
        self.check_processor("configs/telegraf/processors-execd.conf", '[agent]\n  flush_interval = "200ms"\n' + frame)

    def test_inputs_execd_conf(self):
        telegraf = self.run_with("configs/telegraf/inputs-execd.conf", '[agent]\n  flush_interval = "200ms"\n' + self.FILE_OUTPUT)
        door = Limpet(self.directory / "door", "")
        door.port = self.port
        door.wait_listening()
        self.assertEqual(door.post(b"m,g=a,host=h v=1 %d\nother v=1 1\n" % now_ns())[0], 204)
        self.wait_output(telegraf, lambda data: b"other" in data)
        self.assertEqual(telegraf.stop(), 0)
        self.assertEqual(telegraf.errors(), [])
        self.assertEqual([(line.tags, line.fields) for line in telegraf.lines("m")], [({"g": "a"}, {"v_count": 1})])

    def test_demo_conf(self):
        telegraf = self.telegraf([ROOT / "configs/telegraf/demo.conf"], env={"LIMPET": settings.limpet()}, cwd=ROOT)
        telegraf.out_path = telegraf.directory / "stdout"
        eventually(lambda: not telegraf.running, 6)
        self.assertEqual(telegraf.stop(), 0, telegraf.log()[-2000:])
        self.assertEqual([line for line in telegraf.errors() if "execd" in line], [], telegraf.log())
        results = [line for line in telegraf.lines() if any(re.search(r"_(mean|max|p\d+|rate|count|sum|last|min)", key) for key in line.fields)]
        self.assertGreater(len(results), 3, f"no results of the host rules in {len(telegraf.lines())} lines")
        self.assertIn("cpu", {line.name.split("_")[0] for line in results})
