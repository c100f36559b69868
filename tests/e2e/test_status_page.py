"""The sharder's status page in a real browser: headless Chromium, as Debian packages it. What it shows is read from its document;
screenshots are kept in build/test-artifacts.
"""

import functools
import html
import http.server
import json
import re
import threading
import unittest

import browser
import settings
from browser import CHROMIUM, LAPTOP, PHONE, png_size
from limpet_case import eventually
from test_sharder import ShardCase

ARTIFACTS = settings.ROOT / "build" / "test-artifacts"


# Narrower than Chromium's windows can be. It says by how much anything in the status page is wider than its place.
ON_A_PHONE = b"""<!doctype html><p id="wider"></p><iframe src="/" style="width:390px;height:2000px;border:0"></iframe><script>
setInterval(() => {
  const page = document.querySelector("iframe").contentDocument;
  const wider = [page.documentElement, ...page.querySelectorAll("section, .scroll")].map(e => e.scrollWidth - e.clientWidth);
  if (page.querySelector("#slices tr")) document.getElementById("wider").textContent = Math.max(...wider);
}, 100);
</script>"""


class Browser(browser.Browser):
    """Its screenshots are kept among the artifacts."""

    def __init__(self, case):
        super().__init__()
        case.addCleanup(self.close)

    def document(self, url, **options):
        return Document(self.run(url, "--dump-dom", **options))

    def screenshot(self, url, name, **options):
        return super().screenshot(url, ARTIFACTS / f"{name}.png", **options)


class Document:
    def __init__(self, text):
        self.text = text

    def inner(self, identity):
        """The text of an element, without tags."""
        found = re.search(rf'<(\w+)[^>]*\bid="{identity}"[^>]*>(.*?)</\1>', self.text, re.S)
        return html.unescape(re.sub(r"<[^>]+>", " ", found.group(2))).strip() if found else None

    def rows(self, identity):
        found = re.search(rf'<tbody id="{identity}">(.*?)</tbody>', self.text, re.S)
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", found.group(1), re.S)
        return [[" ".join(html.unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)] for row in rows]

    def attribute(self, identity, name):
        tag = re.search(rf'<\w+[^>]*\bid="{identity}"[^>]*>', self.text).group(0)
        return re.search(rf'\b{name}="([^"]*)"', tag).group(1)

    def hidden(self, identity):
        return " hidden" in re.search(rf'<\w+[^>]*\bid="{identity}"[^>]*>', self.text).group(0)


@unittest.skipUnless(CHROMIUM, "no chromium: scripts/install-packages test installs it")
class StatusPageTest(ShardCase):
    def test_a_cluster_with_a_drain_and_a_death(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2", "agg-3"])
        pods.change("agg-1", state="draining")
        after, _ = self.wait_generation(before["generation"])
        pods.kill("agg-3")
        self.assertTrue(eventually(lambda: {pod["name"]: pod["state"] for pod in shard.json()["pods"]}["agg-3"] == "dead", 20, 0.2))
        url, chromium = f"http://127.0.0.1:{shard.port}/", Browser(self)
        page = chromium.document(url)
        self.assertEqual(page.inner("generation"), str(self.generation()))
        self.assertEqual(page.inner("pod-count"), "2 ready of 4")
        self.assertEqual(page.inner("slice-count"), "128")
        self.assertTrue(page.hidden("away"))
        rows = {row[0]: row for row in page.rows("pods")}
        self.assertEqual([rows[f"agg-{i}"][1] for i in range(4)], ["ready", "draining", "ready", "dead"])
        self.assertEqual(rows["agg-1"][3:5], ["0 %", "0"])
        self.assertEqual({row[1] for row in page.rows("moves")}, {"drain", "death"})
        self.assertTrue(any("agg-1 →" in row[2] for row in page.rows("moves")))
        generations = page.rows("generations")
        self.assertEqual(generations[0][0], str(self.generation()))
        self.assertTrue(any("drain agg-1" in row[2] for row in generations), generations)
        self.assertEqual(len(page.rows("slices")), 50)
        self.assertIn("128 slices", page.attribute("strip", "aria-label"))
        # Nothing from elsewhere, and every control has its name.
        self.assertIsNone(re.search(r'(?:src|href)="(?!data:)', page.text))
        self.assertEqual(page.text.count("<input"), len(re.findall(r"<label>[^<]*<input", page.text)))

        pictures = {}
        for name, size in (("laptop", LAPTOP), ("phone", PHONE)):
            for scheme in ("light", "dark"):
                file = chromium.screenshot(url, f"status-page-{name}-{scheme}", size=size, dark=scheme == "dark")
                self.assertEqual(png_size(file), size)
                self.assertGreater(file.stat().st_size, 20000)
                pictures[name, scheme] = file.read_bytes()
        self.assertEqual(len(set(pictures.values())), 4)

    def test_before_anything_is_assigned(self):
        shard = self.shard()
        page = Browser(self).document(f"http://127.0.0.1:{shard.port}/", wait_ms=2000)
        self.assertEqual(page.inner("generation"), "none yet")
        self.assertEqual(page.rows("pods"), [])
        self.assertIn("moves nothing", page.inner("sharder"))


@unittest.skipUnless(CHROMIUM, "no chromium: scripts/install-packages test installs it")
class InventedClusterTest(unittest.TestCase):
    """The page against answers that no small cluster gives."""

    def serve(self, answer):
        """answer(number of the request) -> object, or None: the sharder is away."""
        pages = {"/": (settings.ROOT / "src/service/status_page.html").read_bytes(), "/on-a-phone": ON_A_PHONE}
        numbers = iter(range(1 << 30))

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = pages.get(self.path) or answer(next(numbers))
                if body is None:
                    return self.send_error(503)
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8" if self.path in pages else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/"

    def cluster(self, pods, slices, alarms=()):
        names = [f"agg-{i:04d}" for i in range(pods)]
        pod = {"state": "ready", "alive": True, "reported": True, "report_age_s": 1.0, "incarnation": "ab12", "zone": "a", "host": "h", "generation": 7,
               "generation_lag_s": 0, "load": 0.5, "cpu": 0.5, "capacity": 2, "utilisation": 0.25, "memory": 1 << 28, "memory_limit": 0, "samples_per_s": 10,
               "groups": 5, "slices": slices // pods, "share": 1 / pods}
        step = (1 << 64) // slices
        columns = {"low": [f"{i * step:016x}" for i in range(slices)], "owner": [i * 7919 % pods for i in range(slices)], "standby": [-1] * slices,
                   "load": [(i * 31 % 97) / 97 for i in range(slices)], "samples_per_s": [1] * slices, "groups": [3] * slices, "state_bytes": [1000] * slices}
        return {"cluster": "invented", "generation": 7, "created_s": 1763640000, "cause": ["<b>fill</b>"], "now": 1763640100.5, "load_unit": "cpu",
                "imbalance": {"max_mean": 1.25, "p95_mean": 1.1}, "sharder": {"directory_ok": True, "listening_s": 0}, "alarms": list(alarms), "notes": [],
                "pods": [{"name": name, **pod} for name in names], "owners": names, "moved": [], "generations": [], "slice_count": slices, "slices": columns}

    def test_a_hundred_thousand_slices(self):
        url, chromium = self.serve(lambda number, body=json.dumps(self.cluster(2000, 100_000)).encode(): body), Browser(self)
        page = chromium.document(url)
        self.assertEqual(page.inner("slice-count"), "100000")
        self.assertEqual(len(page.rows("slices")), 50)
        self.assertEqual(len(page.rows("pods")), 200)
        self.assertIn("the first 200 of 2000", page.inner("pod-note"))
        self.assertEqual(page.rows("slices")[0][3], "0.99 cpu")  # the hottest first
        self.assertIn("(<b>fill</b>)", page.inner("created"))  # as text, not as markup
        self.assertGreater(chromium.screenshot(url, "status-page-100000-slices").stat().st_size, 20000)

    def test_fits_a_phone(self):
        cluster = self.cluster(12, 384)
        move = {"low": "0" * 16, "at": cluster["now"] - 5, "cause": "balance", "from": "agg-0001", "to": "agg-0002", "share": 0.002}
        cluster["moved"] = [move]
        cluster["generations"] = [{"generation": 1763640007, "created_s": 1763640000, "cause": ["balance (12 slices)", "standby (80 slices)"], "moves": 12, "share": 0.02}]
        url, chromium = self.serve(lambda number: cluster), Browser(self)
        chromium.screenshot(url + "on-a-phone", "status-page-390", size=PHONE)
        self.assertEqual(chromium.document(url + "on-a-phone").inner("wider"), "0")

    def test_the_sharder_is_away(self):
        cluster = self.cluster(3, 96)
        url = self.serve(lambda number: cluster if number < 2 else None)
        page = Browser(self).document(url, wait_ms=8000)
        self.assertFalse(page.hidden("away"))
        self.assertIn("does not answer", page.inner("away"))
        self.assertIn("The cluster goes on with generation 7", page.inner("away"))
        self.assertEqual(len(page.rows("pods")), 3)  # what was known last

    def test_it_comes_back(self):
        cluster = self.cluster(3, 96)
        url = self.serve(lambda number: None if number < 2 else cluster)
        page = Browser(self).document(url, wait_ms=12000)
        self.assertTrue(page.hidden("away"))
        self.assertEqual(len(page.rows("pods")), 3)

    def test_alarms(self):
        url = self.serve(lambda number: self.cluster(3, 96, [{"name": "frozen", "text": "more pods died at once than can be believed", "since": 1763640000}]))
        page = Browser(self).document(url)
        self.assertIn("frozen:", page.text)
        self.assertIn("more pods died at once", page.text)
        self.assertIn("<title>! Limpet", page.text)
