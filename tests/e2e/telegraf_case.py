"""What the tests with the real Telegraf share: writing its configuration, starting, feeding and stopping it.

Skipped, with a message that says what to do, where there is no Telegraf of the right version.
"""

import json
import os
import signal
import socket
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import settings
from lineproto import parse_all
from limpet_case import LimpetCase, eventually, imbalance

AGENT = """
[agent]
  interval = "1s"
  flush_interval = "200ms"
  omit_hostname = true
  skip_processors_after_aggregators = true
  metric_buffer_limit = 100000
  metric_batch_size = 1000
"""


def toml_strings(values):
    return json.dumps([str(value) for value in values])


class Telegraf:
    """One process. config: text, or paths of files. Its output files are below `directory`."""

    def __init__(self, directory, config, *, args=(), env=None, cwd=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / "telegraf.log"
        self.out_path = self.directory / "out.lp"
        self.args, self.env, self.cwd = list(args), env, cwd
        if isinstance(config, str):
            path = self.directory / "telegraf.conf"
            path.write_text(config)
            config = [path]
        self.config = config
        self.process = None

    def start(self):
        argv = [settings.telegraf()[0], *self.args]
        for path in self.config:
            argv += ["--config", str(path)]
        with open(self.log_path, "ab") as log, open(self.directory / "stdout", "ab") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log, cwd=self.cwd, env=dict(os.environ, **(self.env or {}))
            )
        settings.STARTED.append(self.process)
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout_s=30):
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s):
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"Telegraf did not end within {timeout_s} s:\n{self.log()[-3000:]}") from None

    @property
    def running(self):
        return self.process and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def errors(self):
        return [line for line in self.log().splitlines() if " E! " in line or "overflow" in line]

    def output(self):
        return self.out_path.read_bytes() if self.out_path.exists() else b""

    def lines(self, name=None):
        data = self.output()
        return [line for line in parse_all(data[: data.rfind(b"\n") + 1]) if name is None or line.name == name]

    def children(self):
        """Process ids of the children, in order of start."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        tasks = Path(f"/proc/{self.process.pid}/task")
        found = []
        for task in tasks.iterdir() if tasks.exists() else [path.parent]:
            found += [int(pid) for pid in (task / "children").read_text().split()]
        return sorted(found)


class Sink:
    """An HTTP server that takes InfluxDB writes, taking its time over each, and counts the lines."""

    def __init__(self, delay_s):
        sink = self
        self.lines, self.batches, self.sample, self._lock = 0, 0, b"", Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.body()
                time.sleep(delay_s)
                with sink._lock:
                    sink.lines += body.count(b"\n")
                    sink.batches += 1
                    sink.sample = body[:1000]
                self.send_response(204)
                self.end_headers()

            def body(self):
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers["Content-Length"]))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class TelegrafCase(LimpetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import unittest

        path, why = settings.telegraf()
        if not path:
            raise unittest.SkipTest(why)

    def setUp(self):
        super().setUp()
        self.telegrafs = []
        self.addCleanup(self._stop_all)

    def telegraf(self, config, **options):
        """Starts one; `{out}` and `{socket}` in the text become its output file and its input socket."""
        directory = self.directory / f"telegraf-{len(self.telegrafs)}"
        if isinstance(config, str):
            config = config.replace("{out}", str(directory / "out.lp")).replace("{socket}", str(directory / "in.sock"))
        child = Telegraf(directory, config, **options)
        self.telegrafs.append(child)
        return child.start()

    def _stop_all(self):
        for child in self.telegrafs:
            if child.running:
                child.process.kill()
                child.process.wait()

    # Pieces of configuration.

    def rules(self, text):
        path = self.directory / "rules.toml"
        path.write_text(text)
        return path

    def limpet_argv(self, rules, *args):
        self.stats_path = self.directory / "stats.json"
        return [settings.limpet(), "aggregate", "--rules", rules, "--stats_file", self.stats_path, *args]

    def processor(self, rules, *args, more=""):
        argv = toml_strings(self.limpet_argv(rules, *args))
        return f'[[processors.execd]]\n  command = {argv}\n  restart_delay = "500ms"\n  influx_uint_support = true\n{more}\n'

    def execd_input(self, rules, *args):
        argv = toml_strings(self.limpet_argv(rules, *args))
        return f'[[inputs.execd]]\n  command = {argv}\n  signal = "none"\n  restart_delay = "500ms"\n  data_format = "influx"\n'

    SOCKET_INPUT = '[[inputs.socket_listener]]\n  service_address = "unix://{socket}"\n  data_format = "influx"\n'
    FILE_OUTPUT = '[[outputs.file]]\n  files = ["{out}"]\n  data_format = "influx"\n  influx_uint_support = true\n'

    # Deeds.

    def connect(self, telegraf, timeout_s=20):
        """A connection to its input socket, once it listens."""
        path = str(telegraf.directory / "in.sock")

        def attempt():
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(path)
                return s
            except OSError:
                s.close()
                self.assertTrue(telegraf.running, f"Telegraf has ended:\n{telegraf.log()[-3000:]}")

        s = eventually(attempt, timeout_s)
        self.assertTrue(s, f"Telegraf does not listen:\n{telegraf.log()[-3000:]}")
        self.addCleanup(s.close)
        return s

    def feed(self, telegraf, data):
        with self.connect(telegraf) as s:
            s.sendall(data)

    def wait_output(self, telegraf, condition, timeout_s=20):
        self.assertTrue(eventually(lambda: condition(telegraf.output()), timeout_s),
                        f"not in the output after {timeout_s} s: {telegraf.output()[-500:]!r}\n{telegraf.log()[-2000:]}")

    def assert_stops(self, telegraf):
        self.assertEqual(telegraf.stop(), 0, telegraf.log()[-3000:])
        self.assertEqual(telegraf.errors(), [])
        self.assertEqual(imbalance(json.loads(self.stats_path.read_text())), [])
