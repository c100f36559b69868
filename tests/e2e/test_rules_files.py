"""Rules that are good, changed, broken, missing: starting never fails, a reload never makes things worse, two copies do not quarrel."""

import os
import signal
import subprocess
import time
from pathlib import Path

from limpet_case import Limpet, LimpetCase, count_rule, eventually, free_port, now_ns
from settings import limpet as limpet_path

BROKEN = {
    "not TOML": "[[rule]\nname = ",
    "unknown key": count_rule(more='perod = "1m"'),
    "unknown function": count_rule(fields='v = ["cuont"]'),
    "every does not divide period": count_rule(more='every = "7m"'),
    "shard_by outside the kept tags": count_rule(more='shard_by = ["other"]'),
    "a name twice": count_rule() * 2,
}


class BrokenAtStartTest(LimpetCase):
    def passes_everything(self, rules):
        limpet = self.limpet(rules)
        line = b"m,g=a v=1 %d\n" % now_ns()
        limpet.write(line)
        self.assert_clean(limpet.stop())
        self.assertEqual(bytes(limpet.stdout), line)
        return limpet

    def test_broken_file_gives_an_error_and_passes_everything(self):
        for what, text in BROKEN.items():
            with self.subTest(what):
                limpet = self.passes_everything(text)
                self.assertTrue(any("rules.toml:" in error for error in limpet.errors()), limpet.log)

    def test_one_broken_file_of_two_passes_everything(self):
        limpet = self.passes_everything({"a.toml": count_rule(), "b.toml": BROKEN["not TOML"]})
        self.assertTrue(any("b.toml:" in error for error in limpet.errors()), limpet.log)

    def test_no_file_matches(self):
        limpet = self.passes_everything({})
        self.assertTrue(any("rules" in text for _, text in limpet.log), limpet.log)

    def test_files_that_cannot_be_read(self):
        directory = self.directory / "limpet-0" / "rules"
        (directory / "directory.toml").mkdir(parents=True)
        self.assertTrue(self.passes_everything({}).errors())

    def test_broken_file_that_is_mended_while_running(self):
        limpet = self.limpet(BROKEN["not TOML"])
        limpet.write(b"m,g=a v=1 1\n")
        self.assertTrue(eventually(limpet.errors, 5))
        limpet.write_rules(count_rule(period="1s", more='grace = "1s"'))
        limpet.signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while b"v_count" not in limpet.stdout and time.monotonic() < deadline:
            time.sleep(0.05)
            limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assert_clean(limpet.stop())
        self.assertIn(b"v_count", bytes(limpet.stdout))


class ReloadTest(LimpetCase):
    SECONDS = 'grace = "1s"'

    def feed(self, limpet, seconds):
        """A line every 20 ms; returns how many."""
        deadline, count = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            limpet.write(b"m,g=a v=2 %d\n" % now_ns())
            count += 1
            time.sleep(0.02)
        return count

    def change(self, limpet, rules, signalled):
        limpet.write_rules(rules)
        if signalled:
            limpet.signal(signal.SIGHUP)

    def check_good(self, signalled):
        limpet = self.limpet(count_rule(period="1s", more=self.SECONDS, fields='v = ["count"]'))
        sent = self.feed(limpet, 1.5)
        self.change(limpet, count_rule(period="1s", more=self.SECONDS, fields='v = ["count", "sum"]'), signalled)
        sent += self.feed(limpet, 4.5)
        self.assert_clean(limpet.stop())
        results = limpet.results("m")
        self.assertEqual(sum(line.fields["v_count"] for line in results), sent, "no sample lost or doubled by the change")
        changed = ["v_sum" in line.fields for line in results]
        self.assertEqual(changed, sorted(changed), "first the old definition, then the new")
        self.assertTrue(changed[-1] and not changed[0], results)
        self.assertEqual(len({line.time_ns for line in results}), len(results), "no window under both definitions")
        for line in results:
            if "v_sum" in line.fields:
                self.assertEqual(line.fields["v_sum"], 2 * line.fields["v_count"], "no window is part old, part new")
        self.assertTrue(any("count" in text for level, text in limpet.log if level == "info"), f"the plan is not logged: {limpet.log}")

    def test_good_file_on_sighup(self):
        self.check_good(signalled=True)

    def test_good_file_that_is_noticed(self):
        self.check_good(signalled=False)

    def test_unchanged_file_keeps_the_state(self):
        limpet = self.limpet(count_rule(fields='v = ["count", "total"]'))
        sent = 0
        for _ in range(5):
            sent += self.feed(limpet, 0.2)
            limpet.signal(signal.SIGHUP)
        sent += self.feed(limpet, 0.2)
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields["v_count"] for line in limpet.results("m")], [sent])

    def test_broken_file_keeps_the_old_rules(self):
        for signalled in (True, False):
            with self.subTest(signalled=signalled):
                limpet = self.limpet(count_rule())
                sent = self.feed(limpet, 0.3)
                self.change(limpet, BROKEN["unknown function"], signalled)
                self.assert_error_says(limpet, "rules.toml:", "cuont")
                sent += self.feed(limpet, 0.3)
                self.assert_clean(limpet.stop())
                self.assertEqual([line.fields for line in limpet.results("m")], [{"v_count": sent}])
                self.assertEqual(sum("cuont" in error for error in limpet.errors()), 1, "once, not at each look")

    def test_file_that_vanishes_and_comes_back(self):
        limpet = self.limpet(count_rule())
        sent = self.feed(limpet, 0.3)
        path = limpet.rules_directory / "rules.toml"
        path.rename(limpet.directory / "aside")
        sent += self.feed(limpet, 0.1)
        (limpet.directory / "aside").rename(path)
        sent += self.feed(limpet, 1.2)
        self.assert_clean(limpet.stop())
        self.assertEqual(sum(line.fields["v_count"] for line in limpet.results("m")), sent)

    def test_directory_that_is_swapped_by_a_link(self):
        # As a ConfigMap does it: rules/ is a link to a directory that is replaced as a whole.
        versions = [self.directory / "limpet-0" / version for version in ("v1", "v2")]
        for path, function in zip(versions, ("count", "sum"), strict=True):
            path.mkdir(parents=True)
            (path / "rules.toml").write_text(count_rule(period="1s", more=self.SECONDS, fields=f'v = ["{function}"]'))
        link = self.directory / "limpet-0" / "linked"
        link.symlink_to(versions[0])
        limpet = self.limpet({}, args=["--rules", f"{link}/*.toml"])
        self.feed(limpet, 1.2)
        other = self.directory / "limpet-0" / "new-link"
        other.symlink_to(versions[1])
        os.replace(other, link)
        self.feed(limpet, 5)
        self.assert_clean(limpet.stop())
        self.assertIn("v_sum", limpet.results("m")[-1].fields)

    def test_hundred_sighups_while_lines_flow(self):
        limpet = self.limpet(count_rule(), http=True)
        limpet.wait_listening()  # before its handlers are set a signal would end any process
        for _ in range(100):
            limpet.write(b"m,g=a v=1 %d\n" % now_ns())
            limpet.signal(signal.SIGHUP)
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results("m")], [{"v_count": 100}])


class TwoCopiesTest(LimpetCase):
    def test_each_works_on_its_own_lines(self):
        port, rules = free_port(), count_rule()
        args = ["--listen.http", f"127.0.0.1:{port}"]
        copies = [self.limpet(rules, args=args) for _ in range(2)]
        for number, copy in enumerate(copies):
            copy.write_all(b"m,g=a v=1 %d\n" % now_ns() for _ in range(10 + number))
        for number, copy in enumerate(copies):
            self.assert_clean(copy.stop())
            self.assertEqual([line.fields for line in copy.results()], [{"v_count": 10 + number}])
            self.assertEqual(copy.errors(), [], "the copy that finds the port taken is quiet")


class ConfigFileTest(LimpetCase):
    def run_with(self, config, flags=(), **options):
        directory = self.directory / "limpet-0"
        (directory / "rules").mkdir(parents=True)
        (directory / "rules" / "a.toml").write_text(count_rule())
        (directory / "limpet.toml").write_text(config)
        child = Limpet(directory, {}, **options)
        child.argv = [limpet_path(), "aggregate", "--config", str(directory / "limpet.toml"), *flags]
        self.started.append(child)
        return child.start()

    def test_keys_of_the_file(self):
        stats, socket = self.directory / "limpet-0" / "stats.json", self.directory / "in.sock"
        limpet = self.run_with(
            f'rules = ["rules/*.toml"]\nemit_rate = 1000\non_stop = "flush"\nstats_file = "{stats}"\n[listen]\nsocket = "unix:{socket}"\n'
        )
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assertTrue(eventually(socket.exists))
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 1}])

    def test_flags_win(self):
        stats, other = self.directory / "limpet-0" / "stats.json", self.directory / "other.json"
        limpet = self.run_with(f'rules = ["rules/*.toml"]\nstats_file = "{other}"\n', ["--stats_file", stats])
        self.assert_clean(limpet.stop())
        self.assertTrue(stats.exists() and not other.exists())

    def test_broken_file_does_not_stop_the_lines(self):
        for config in ("rules = [", 'ruels = ["x"]', "emit_rate = \"fast\"", 'on_stop = "explode"'):
            with self.subTest(config=config):
                self.setUp()
                limpet = self.run_with(config)
                limpet.judge = False  # there may be no stats file
                limpet.write(b"other v=1 1\n")
                self.assert_clean(limpet.stop())
                self.assertEqual(bytes(limpet.stdout), b"other v=1 1\n")
                self.assertTrue(any("limpet.toml:" in error for error in limpet.errors()), limpet.log)

    def test_file_that_is_missing(self):
        limpet = self.run_with("")
        limpet.stop()
        limpet.judge = False
        (self.directory / "limpet-0" / "limpet.toml").unlink()
        limpet.restart()
        limpet.write(b"other v=1 1\n")
        self.assert_clean(limpet.stop())
        self.assertEqual(bytes(limpet.stdout), b"other v=1 1\n")
        self.assertTrue(limpet.errors())


class ServiceTest(LimpetCase):
    """Without lines on stdin: /dev/null, or stdin = "none"."""

    def service(self, stdin, args=()):
        port = free_port()
        argv = [limpet_path(), "aggregate", "--rules", str(self.rules()), "--listen.http", f"127.0.0.1:{port}", *args]
        process = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        probe = Limpet(self.directory / "probe", "")
        probe.port = port
        probe.wait_listening()
        return process, probe

    def end(self, process):
        if process.poll() is None:
            process.kill()
            process.communicate()

    def rules(self):
        path = Path(self.directory) / "service.toml"
        path.write_text(count_rule())
        return path

    def check(self, stdin, stop, args=()):
        process, probe = self.service(stdin, args)
        self.assertEqual(probe.post(b"m,g=a v=1 %d\n" % now_ns())[0], 204)
        time.sleep(0.3)
        self.assertIsNone(process.poll(), "a service does not end of itself")
        begin = time.monotonic()
        stop(process)
        output, _ = process.communicate(timeout=10)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"m,g=a v_count=1i ", output)

    def test_dev_null_and_sigterm(self):
        self.check(subprocess.DEVNULL, lambda process: process.send_signal(signal.SIGTERM))

    def test_dev_null_and_sigint(self):
        self.check(subprocess.DEVNULL, lambda process: process.send_signal(signal.SIGINT))

    def test_stdin_none_and_sigterm(self):
        self.check(subprocess.PIPE, lambda process: process.send_signal(signal.SIGTERM), ["--stdin", "none"])

    def test_stdin_none_and_eof_of_a_pipe(self):
        def close(process):
            process.stdin.close()
            process.stdin = None

        self.check(subprocess.PIPE, close, ["--stdin", "none"])


