#!/usr/bin/env python3
"""CPU time per line of Telegraf and its child, on the same lines in one run: reading alone, with Telegraf's own basicstats, with Limpet on
processors.execd, and Limpet's own listener under inputs.execd.

usage: telegraf_cpu.py [--limpet PATH] [--telegraf PATH] [--lines N]
"""
import argparse
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

RULES = """[[rule]]
name = "r"
namepass = ["http_request_duration"]
without = ["pod_id"]
period = "10s"
drop_original = true
[rule.fields]
"*" = ["count", "sum", "min", "max"]
"""
AGENT = """[agent]
  interval = "1h"
  flush_interval = "1s"
  metric_batch_size = 10000
  metric_buffer_limit = 2000000
  omit_hostname = true
  quiet = true
  skip_processors_after_aggregators = true
[[outputs.discard]]
"""
FILE = '[[inputs.file]]\n  files = ["{lines}"]\n  data_format = "influx"\n'
STATS = '[[aggregators.basicstats]]\n  period = "10s"\n  grace = "1h"\n  drop_original = true\n  stats = ["count", "sum", "min", "max"]\n'
EXECD = '[[processors.execd]]\n  command = ["{limpet}", "aggregate", "--rules", "{rules}"]\n'
LISTENER = '[[inputs.execd]]\n  command = ["{limpet}", "aggregate", "--rules", "{rules}", "--listen.http", "127.0.0.1:{port}"]\n  signal = "none"\n'


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def post(url, body):
    for _ in range(200):
        try:
            return urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30).status
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nobody answers at {url}")


def run(a, folder, name, config, lines, port=None):
    (folder / "telegraf.conf").write_text(AGENT + config)
    before = cpu_s()
    command = [a.telegraf, "--config", str(folder / "telegraf.conf")]
    if port is None:
        subprocess.run(command + ["--once"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    else:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for i in range(0, len(lines), 5000):
            post(f"http://127.0.0.1:{port}/api/v2/write", b"".join(lines[i:i + 5000]))
        process.send_signal(signal.SIGINT)
        process.wait()
    used = cpu_s() - before
    print(f"{name:44} {used:8.2f} s  {used / len(lines) * 1e6:8.2f} us a line", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--limpet", default="build/release/limpet")
    p.add_argument("--telegraf", default="build/tools/telegraf")
    p.add_argument("--lines", type=int, default=400_000)
    a = p.parse_args()
    if not os.path.exists(a.telegraf):
        print("telegraf_cpu: no Telegraf; scripts/get-telegraf installs it")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        now = time.time_ns()
        lines = [
            b"http_request_duration,cluster=prod-us-east-1,method=GET,namespace=ns-%d,pod_id=svc%d-7d9f8b6c5d-%05x,service=svc%d,status=200 "
            b"seconds=0.%06d,bytes=%di %d\n" % (i % 7, i % 50, i * 7919 % 10000, i % 50, i % 1000000, i % 100000, now + i) for i in range(a.lines)
        ]
        (folder / "lines.lp").write_bytes(b"".join(lines))
        (folder / "rules.toml").write_text(RULES)
        words = {"lines": folder / "lines.lp", "rules": folder / "rules.toml", "limpet": pathlib.Path(a.limpet).resolve(), "port": 18186}
        print(f"{len(lines)} lines of {len(lines[0])} bytes; CPU time of Telegraf and its child, start included")
        run(a, folder, "Telegraf, reading and parsing alone", FILE.format(**words), lines)
        run(a, folder, "Telegraf with one aggregators.basicstats", FILE.format(**words) + STATS, lines)
        run(a, folder, "Telegraf with Limpet on processors.execd", (FILE + EXECD).format(**words), lines)
        run(a, folder, "Limpet's listener under inputs.execd", LISTENER.format(**words), lines, words["port"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
