"""The official Python client of InfluxDB against the listener. Skipped where pip cannot install it."""

import json
import subprocess
import sys
import unittest

from limpet_case import LimpetCase, count_rule, now_ns
from settings import ROOT

ENVIRONMENT = ROOT / "build/tools/influxdb-client"
PYTHON = ENVIRONMENT / "bin/python"
VERSION = "1.48.0"

# Runs in the client's own environment; says what it saw as JSON.
SCRIPT = r"""
import json, sys
from influxdb_client import InfluxDBClient, Point, WritePrecision, WriteOptions
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

url, now = sys.argv[1], int(sys.argv[2])
seen = {}
with InfluxDBClient(url=url, token="t", org="o", enable_gzip=len(sys.argv) > 3) as client:
    seen["ping"] = client.ping()
    seen["health"] = client.health().status
    write = client.write_api(write_options=SYNCHRONOUS)
    for precision, unit in (("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)):
        point = Point("m").tag("g", precision).field("v", 1.5).time(now // unit, precision)
        write.write(bucket="b", record=point, write_precision=precision)
    write.write(bucket="b", record=Point("m").tag("g", "no time").field("v", 1))
    write.write(bucket="b", record=[{"measurement": "m", "tags": {"g": "dict"}, "fields": {"v": i}, "time": now + i} for i in range(1000)])
    try:
        write.write(bucket="b", record=["m,g=partial v=1 %d" % now, "bad line", "m,g=partial v=1 %d" % now])
        seen["partial"] = "accepted"
    except ApiException as error:
        seen["partial"] = [error.status, json.loads(error.body)]
    with client.write_api(write_options=WriteOptions(batch_size=500, flush_interval=100)) as batching:
        for i in range(5000):
            batching.write(bucket="b", record="m,g=batched v=1 %d" % (now + i))
print(json.dumps(seen))
"""


def install():
    """None, or why the client is not there."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", "import influxdb_client"], capture_output=True, check=False).returncode == 0:
        return None
    ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
    for argv in ([sys.executable, "-m", "venv", ENVIRONMENT], [PYTHON, "-m", "pip", "install", "-q", f"influxdb-client=={VERSION}"]):
        done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            return f"influxdb-client cannot be installed: {last[0]}"
    return None


class InfluxdbClientTest(LimpetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if why := install():
            raise unittest.SkipTest(why)

    def check(self, *options):
        limpet = self.limpet(count_rule(), http=True)
        limpet.wait_listening()
        argv = [str(PYTHON), "-c", SCRIPT, f"http://127.0.0.1:{limpet.port}", str(now_ns()), *options]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((seen["ping"], seen["health"]), (True, "pass"))
        status, body = seen["partial"]
        self.assertEqual((status, body["code"]), (400, "invalid"))
        self.assertIn("partial write: unable to parse line 2: ", body["message"])
        self.assert_clean(limpet.stop())
        counts = {line.tags["g"]: line.fields["v_count"] for line in limpet.results("m")}
        self.assertEqual(counts, {"ns": 1, "us": 1, "ms": 1, "s": 1, "no time": 1, "dict": 1000, "partial": 2, "batched": 5000})

    def test_plain(self):
        self.check()

    def test_gzip(self):
        self.check("gzip")
