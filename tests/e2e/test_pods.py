"""Aggregators and a directory in which a test plays the sharder, by files as src/sharding/ASSIGNMENT_FORMAT.md describes them: what becomes of rules,
moves, locks, requests and faults. Whatever has to be waited for is waited for by several pods at once, each in a directory of its own.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

import settings
from assignment_files import ASSIGNMENT_BYTES_MAX, SPACE, Directory, encode_assignment, key_of, write_replacing
from cluster_watch import Watch
from limpet_case import Limpet, LimpetCase, count_rule, eventually, now_ns
from stand_in_pods import Pod, Shard
from stand_in_sharder import StandInSharder

BROKEN_RULES = "[[rule\n"
SHORT_RULES = count_rule(period="1s", more='grace = "1s"')
POLL_S = 0.5  # how often pods look in any case


def assignment(generation, owners, *, pods=(), cutovers=None, states=None, moved=(), incarnations=None, cluster="default"):
    """A body; owners: of slices of equal width. pods: that own nothing."""
    names = sorted({*owners, *pods})
    return {
        "cluster": cluster,
        "generation": generation,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cause": ["test"],
        "pods": [
            {"name": name, "incarnation": (incarnations or {}).get(name, "x"), "address": "", "zone": "", "state": (states or {}).get(name, "ready")}
            for name in names
        ],
        "slices": {
            "low": [i * SPACE // len(owners) for i in range(len(owners))],
            "owner": [names.index(owner) for owner in owners],
            "standby": [-1] * len(owners),
            "since": [generation] * len(owners),
            "cutover": cutovers or [0] * len(owners),
        },
        "handoffs": [],
        "moved": list(moved),
    }


class PodCase(LimpetCase):
    def setUp(self):
        super().setUp()
        self.files = self.cluster("shared")

    def cluster(self, name):
        return Directory(self.directory / name).make()

    def flags(self, files, name, unowned="drop"):
        return ["--assignment.directory", files.path, "--pod", name, *(["--assignment.unowned", unowned] if unowned else [])]

    def pod(self, name, rules=None, files=None, more=(), **options):
        rules = count_rule() if rules is None else rules
        return self.limpet(rules, http=True, args=[*self.flags(files or self.files, name), *more], **options)

    def put(self, body, files=None):
        write_replacing((files or self.files).path / "assignment.json", encode_assignment(body))

    def said(self, pod, name):
        return pod.status()["assignment"][name]

    def wait_generation(self, generation, *pods):
        for pod in pods:
            pod.wait_listening()
        for pod in pods:
            self.assertTrue(eventually(lambda: self.said(pod, "generation") == generation, 10), pod.log[-5:])

    def report(self, name, files=None):
        return (files or self.files).read_reports().get(name)

    def wait_state(self, name, state, files=None, timeout_s=15):
        is_so = lambda: (found := self.report(name, files)) and found["state"] == state
        self.assertTrue(eventually(is_so, timeout_s), self.report(name, files))

    def drain_by_hand(self, name, files=None):
        write_replacing((files or self.files).reports / f"{name}.drain", self.report(name, files)["incarnation"].encode())

    def run_limpet(self, *args):
        return subprocess.run([settings.limpet(), *map(str, args)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


class RulesTest(PodCase):
    def test_broken_at_reload_and_from_the_start(self):
        """After a reload that failed a pod takes part as before; one that never had rules is given nothing, and may be drained."""
        watch = Watch(self.files.path)
        self.addCleanup(watch.stop)
        pods = {name: self.pod(name, SHORT_RULES) for name in ("agg-0", "agg-1", "agg-2")}
        bad = self.pod("bad", BROKEN_RULES)
        for name in pods:
            self.wait_state(name, "ready")
        self.wait_state("bad", "starting")
        sharder = StandInSharder(self.files.path, cutover_s=1)
        self.assertTrue(sharder.step())
        self.wait_generation(self.files.newest()["generation"], *pods.values(), bad)
        self.assertEqual(self.said(bad, "slices_owned"), 0)

        reloaded = pods["agg-0"]
        reloaded.write_rules(BROKEN_RULES)
        reloaded.signal(signal.SIGHUP)
        self.assert_error_says(reloaded, "rules.toml", "error")
        sequence = self.report("agg-0")["sequence"]
        self.assertTrue(eventually(lambda: self.report("agg-0")["sequence"] > sequence, 5))
        self.assertEqual(self.report("agg-0")["state"], "ready")
        self.assertEqual(reloaded.request("GET", "/readyz")[0], 200)

        # It inherits.
        had = self.said(reloaded, "slices_owned")
        sharder.state = lambda name, reports, before: "dead" if name == "agg-1" else reports[name]["state"]
        self.assertTrue(sharder.step())
        self.assertTrue(eventually(lambda: self.said(reloaded, "slices_owned") == had + 2, 5), self.said(reloaded, "slices_owned"))
        self.assertEqual(self.said(bad, "slices_owned"), 0)

        # It drains, and so does the one that has nothing.
        sharder.start()
        self.addCleanup(sharder.stop)
        for name in ("agg-0", "bad"):
            self.drain_by_hand(name)
        for name in ("agg-0", "bad"):
            self.wait_state(name, "drained")
        self.assertEqual(self.said(reloaded, "slices_owned"), 0)
        bad.write_rules(SHORT_RULES)
        bad.signal(signal.SIGHUP)
        (self.files.reports / "bad.drain").unlink()
        self.wait_state("bad", "ready")
        sharder.stop()
        watch.stop()
        self.assertEqual(watch.states("agg-0"), ["ready", "draining", "drained"])
        self.assertIn(watch.states("bad"), (["starting", "draining", "drained", "ready"], ["starting", "draining", "drained", "starting", "ready"]))

    def test_without_unowned(self):
        """Who may own nothing does not take part; a pod of its name, configured right, is not hindered."""
        pods = [self.limpet(count_rule(), http=True, args=self.flags(self.files, "agg-0", unowned)) for unowned in ("", "forward")]
        self.put(assignment(5, ["agg-0"]))
        for pod in pods:
            pod.wait_listening()
            pod.write(b"m,g=1 v=1\nother v=1\n")
            pod.wait_read(2)
        time.sleep(2 * POLL_S)
        self.assertEqual(list(self.files.reports.iterdir()), [])
        right = self.pod("agg-0")
        self.wait_generation(5, right)
        self.assertFalse(self.said(right, "twin"))
        self.assertEqual(self.said(right, "slices_owned"), 1)
        time.sleep(1)
        for pod in pods:
            self.assertEqual(pod.request("GET", "/readyz")[0], 503)
            self.assertEqual(len(pod.errors()), 1, pod.log)
            self.assertIn("unowned", pod.errors()[0])
            self.assertEqual(pod.ledger()["lines"]["unowned"], 2)
            self.assert_clean(pod.stop())
            self.assertEqual(bytes(pod.stdout), b"")

    def test_names_and_addresses(self):
        """A name of 249 characters, which drains, too; one of 250. The address is for other pods: no socket's path."""
        name, socket = "p" * 249, self.directory / "socket"
        pod = self.pod(name, SHORT_RULES, more=["--listen.socket", f"unix:{socket}"])
        self.wait_generation(0, pod)
        alone = self.limpet(count_rule(), args=[*self.flags(self.files, "agg-1"), "--listen.socket", f"unix:{self.directory}/other"])
        too_long = self.limpet(count_rule(), args=self.flags(self.files, name + "p"))
        self.wait_state(name, "ready")
        self.wait_state("agg-1", "ready")
        self.assertEqual(self.report(name)["address"], f"127.0.0.1:{pod.port}")
        self.assertEqual(self.report("agg-1")["address"], "")
        incarnations = {name: self.report(name)["incarnation"]}
        self.put(assignment(5, [name, "agg-1"]))
        self.wait_generation(5, pod)
        self.assertEqual(self.said(pod, "slices_owned"), 1)
        self.put(assignment(6, ["agg-1"], pods=[name], cutovers=[int(time.time())], states={name: "draining"}, incarnations=incarnations))
        done = self.run_limpet("drain", "--assignment.directory", self.files.path, "--pod", name, "--timeout", "20s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_error_says(too_long, "1 to 249 letters")
        self.assertEqual({path.name for path in self.files.reports.glob("*.json")}, {f"{name}.json", "agg-1.json"})
        self.assertTrue(alone.running)


PERIOD_S, EVERY_S, GRACE_S = 2, 1, 2
WINDOW_RULES = f"""
[[rule]]
name = "count"
namepass = ["m"]
by = ["g"]
period = "{PERIOD_S}s"
every = "{EVERY_S}s"
grace = "{GRACE_S}s"
incomplete = "tag"
drop_original = true
  [rule.fields]
  v = ["count"]
"""
GROUPS = 12


class Samples:
    """Each group's samples each tenth of a second, a second old or of this moment, to pods in the background."""

    def __init__(self, pods):
        self.pods, self.times, self.running = pods, [], True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.running:
            now = now_ns()
            for at in (now - 10**9, now):
                data = b"".join(b"m,g=%d v=1 %d\n" % (g, at) for g in range(GROUPS))
                self.times.append(at)
                for pod in self.pods:
                    pod.write(data)
            time.sleep(0.1)

    def stop(self):
        self.running = False
        self.thread.join()

    def count(self, end_ns):
        return sum(end_ns - PERIOD_S * 10**9 <= at < end_ns for at in self.times)


class MovesTest(PodCase):
    """What was the first half of the keys of `a` moves to `b`, said in as few words as the document allows."""

    MOVE = {"low": 0, "high": SPACE // 2}

    def start_pair(self, name):
        files = self.cluster(name)
        pods = {pod: self.pod(pod, WINDOW_RULES, files) for pod in ("a", "b")}
        self.put(assignment(5, ["a", "a"], pods=["b"]), files)
        return files, pods

    def test_no_names_and_no_cutover(self):
        clusters = {name: self.start_pair(name) for name in ("design", "none", "back", "death")}
        pods = [pod for _, pair in clusters.values() for pod in pair.values()]
        self.wait_generation(5, *pods)
        samples = Samples(pods)
        self.addCleanup(samples.stop)
        begun_s = int(time.time()) + 1
        time.sleep(begun_s + PERIOD_S + GRACE_S + 0.4 - time.time())

        moved_s = int(time.time())
        cutover = moved_s + 2
        dead = clusters["death"][1]["a"]
        dead.signal(signal.SIGSTOP)
        for name, moved in (("design", [self.entry(moved_s, "drain")]), ("none", []), ("back", [])):
            self.put(assignment(6, ["b", "a"], cutovers=[cutover, 0], moved=moved), clusters[name][0])
        self.put(assignment(6, ["b", "b"], pods=["a"], cutovers=[moved_s] * 2, states={"a": "dead"},
                            moved=[{**self.entry(moved_s, "death"), "high": SPACE}]), clusters["death"][0])
        self.wait_generation(6, *(pod for pod in pods if pod is not dead))
        adopted_s = time.time()
        self.assertLess(adopted_s, cutover, "this machine is too busy")
        # One comes back before it is gone.
        back, pair = clusters["back"]
        self.put(assignment(7, ["a", "a"], pods=["b"], cutovers=[cutover + 1, 0], moved=[self.entry(moved_s, "balance")]), back)
        self.wait_generation(7, *pair.values())
        time.sleep(max(0.0, moved_s + 2.4 - time.time()))
        dead.signal(signal.SIGCONT)
        ended_s = cutover + PERIOD_S + 1
        time.sleep(max(0.0, ended_s - time.time()))
        samples.stop()
        time.sleep(PERIOD_S + GRACE_S)
        for pod in pods:
            self.assert_clean(pod.stop())
        ends = self.windows(begun_s, ended_s)
        for name, b_until in (("design", ended_s), ("none", ended_s), ("back", cutover + 1)):
            with self.subTest(name):
                self.judge_move(clusters[name][1], samples, ends, lambda begin: cutover <= begin < b_until)
        self.judge_death(clusters["death"][1], samples, begun_s, moved_s, adopted_s, ended_s)

    def entry(self, at, cause):
        return {**self.MOVE, "at": at, "cause": cause, "cutover": at, "from": "", "to": ""}

    @staticmethod
    def windows(begun_s, ended_s):
        """Ends, in seconds, of those that lie in between."""
        return range(begun_s + PERIOD_S, ended_s + 1)

    def results(self, pods, ends):
        """{(pod, group, end): (count, marked)}; none twice."""
        found = {}
        for name, pod in pods.items():
            for line in pod.results("m"):
                end = line.time_ns // 10**9
                if end in ends:
                    where = (name, line.tags["g"], end)
                    self.assertNotIn(where, found)
                    found[where] = (line.fields["v_count"], "limpet_incomplete" in line.tags)
        return found

    def judge_move(self, pods, samples, ends, is_of_b):
        right = {}
        for g in map(str, range(GROUPS)):
            moves = key_of("m", {"g": g}) < SPACE // 2
            for end in ends:
                right["b" if moves and is_of_b(end - PERIOD_S) else "a", g, end] = (samples.count(end * 10**9), False)
        self.assertTrue({"a", "b"} == {name for name, _, _ in right})
        self.assertEqual(self.results(pods, ends), right)

    def judge_death(self, pods, samples, begun_s, cutover, adopted_s, ended_s):
        ends = self.windows(begun_s, ended_s)
        found = self.results(pods, ends)
        for g in map(str, range(GROUPS)):
            for end in ends:
                whole = (samples.count(end * 10**9), False)
                if end + GRACE_S <= cutover:
                    self.assertEqual(found.pop(("a", g, end), None), whole, (g, end))
                    continue
                if end <= cutover:  # over, and in its grace: nobody has it
                    continue
                count, marked = found.pop(("b", g, end), (0, True))
                if end - PERIOD_S >= adopted_s:
                    self.assertEqual((count, marked), whole, (g, end))
                elif end > adopted_s + 0.2:
                    self.assertTrue(marked and 0 < count < whole[0] or count == whole[0] and end - PERIOD_S >= cutover, (g, end, count, whole))
                else:  # over as the heir heard of it
                    self.assertTrue(marked and count < whole[0], (g, end, count, whole))
        self.assertEqual(found, {}, "the dead one woke and emitted, or the heir did for it")


def remove(directory):
    """With all that is in it, though pods write there."""
    while directory.exists():
        shutil.rmtree(directory, ignore_errors=True)


class LockTest(PodCase):
    def lock(self, files):
        return files.reports / "a.lock"

    def owners(self, *pods):
        """Of the pods, which own something and are no twins; both must agree."""
        found = []
        for pod in pods:
            status = pod.status()["assignment"]
            if status["twin"] != (status["slices_owned"] == 0):
                return None
            found += [pod] if status["slices_owned"] else []
        return found

    def wait_one(self, *pods):
        """Until exactly one owns, and stays the one for a few polls: until then either may notice first what happened to the lock."""
        begin = since = time.monotonic()
        last = None
        while last is None or len(last) != 1 or time.monotonic() - since < 3 * POLL_S:
            self.assertLess(time.monotonic() - begin, 15, [last, *(pod.log[-3:] for pod in pods)])
            time.sleep(0.05)
            found = self.owners(*pods)
            if found != last:
                last, since = found, time.monotonic()
        return last[0]

    def is_held(self, path):
        try:
            with open(path) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def test_taken_anew(self):
        """Its file, the folder and the directory go, and nobody else comes."""
        pod = self.pod("a")
        self.put(assignment(5, ["a"]))
        self.wait_generation(5, pod)
        self.lock(self.files).unlink()
        self.assertTrue(eventually(lambda: self.is_held(self.lock(self.files)), 5))
        remove(self.files.reports)
        self.assertTrue(eventually(lambda: self.is_held(self.lock(self.files)) and self.report("a"), 5))
        self.assertEqual(self.owners(pod), [pod])
        remove(self.files.path)
        time.sleep(2 * POLL_S)
        self.assertEqual(self.owners(pod), [pod])
        self.files.make()
        self.put(assignment(6, ["a", "a"]))
        self.wait_generation(6, pod)
        self.assertTrue(eventually(lambda: self.is_held(self.lock(self.files)) and self.report("a"), 5))
        self.assertEqual(self.owners(pod), [pod])
        # Somebody was quicker, and goes again.
        other = self.files.reports / ".tmp-lock"
        with open(other, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.rename(other, self.lock(self.files))
            self.assertTrue(eventually(lambda: self.owners(pod) == [] and self.said(pod, "twin"), 5))
            self.assert_error_says(pod, "another process works as pod")
        self.assertTrue(eventually(lambda: self.owners(pod) == [pod], 5))
        self.assertEqual(self.said(pod, "generation"), 6)

    def test_of_two_processes_one_owns(self):
        pod = self.pod("a")
        self.put(assignment(5, ["a"]))
        self.wait_generation(5, pod)
        twin = self.pod("a")
        twin.wait_listening()
        self.assertIs(self.wait_one(pod, twin), pod)
        self.lock(self.files).unlink()
        self.wait_one(pod, twin)
        self.files.path.rename(self.directory / "away")
        self.files.make()
        self.put(assignment(6, ["a"]))
        one = self.wait_one(pod, twin)
        self.assertEqual(self.said(one, "generation"), 6)
        self.assertEqual(self.report("a")["state"], "ready")
        other = twin if one is pod else pod
        self.assert_clean(one.stop())
        self.assertTrue(eventually(lambda: self.owners(other) == [other], 10))


class UnreadableTest(PodCase):
    def test_is_read_when_its_mode_is_mended(self):
        path = self.files.path / "assignment.json"
        self.put(assignment(5, ["a"]))
        path.chmod(0)
        pod = Limpet(self.directory / "limpet-a", count_rule(), http=True, args=self.flags(self.files, "a"))
        if os.geteuid() == 0:
            self.without_rights(pod)
        self.started.append(pod)
        pod.start()
        pod.wait_listening()
        time.sleep(3 * POLL_S)
        self.assertEqual((self.said(pod, "generation"), self.said(pod, "rejected")), (0, 1))
        self.assertEqual([text for text in pod.errors() if "Permission denied" in text], [f"{path}: Permission denied"])
        before = path.stat().st_mtime_ns
        path.chmod(0o644)
        self.wait_generation(5, pod)
        self.assertEqual(path.stat().st_mtime_ns, before)

    def without_rights(self, pod):
        """As nobody, whom a mode stops."""
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        try:
            if subprocess.run([*nobody, settings.limpet(), "--version"], capture_output=True, check=False).returncode != 0:
                self.skipTest("nobody cannot run the executable")
        except FileNotFoundError:
            self.skipTest("there is no setpriv")
        for path in (self.directory, *(path for path in self.directory.rglob("*") if path.is_dir())):
            path.chmod(0o777)
        pod.argv[:0] = nobody


class Fault:
    """One kind of fault of the files, and how it is put there while generation n is in force."""

    def truncated(self, path, n):
        write_replacing(path, encode_assignment(assignment(n + 1, ["a"]))[:-20])

    def garbled(self, path, n):
        write_replacing(path, encode_assignment(assignment(n + 1, ["a"])).replace(b'"test"', b'"tset"'))

    def empty(self, path, n):
        write_replacing(path, b"")

    def foreign(self, path, n):
        write_replacing(path, encode_assignment(assignment(n + 1, ["b"], pods=["a"], cluster="theirs")))

    def older(self, path, n):
        write_replacing(path, encode_assignment(assignment(n - 1, ["b"], pods=["a"])))

    def contradictory(self, path, n):
        write_replacing(path, encode_assignment(assignment(n, ["b"], pods=["a"])))

    def oversized(self, path, n):
        temporary = path.parent / ".tmp-big"
        temporary.touch()
        os.truncate(temporary, ASSIGNMENT_BYTES_MAX + 1)
        os.replace(temporary, path)

    def vanished(self, path, n):
        path.unlink()

    def a_link(self, path, n):
        link = path.parent / ".tmp-link"
        link.symlink_to("elsewhere")
        os.replace(link, path)

    def without_its_directory(self, path, n):
        path.parent.rename(path.parent.with_suffix(".away"))


FAULTS = [name for name in vars(Fault) if not name.startswith("_")]


class FaultsTest(PodCase):
    def test_each_is_told_when_it_begins(self):
        """Logged once and counted once, again when it comes back after a good file; what was in force stays."""
        files = {name: self.cluster(name) for name in FAULTS}
        pods = {name: self.pod("a", files=files[name]) for name in FAULTS}
        self.all_adopt(5, files, pods)
        for times, generation in enumerate((5, 7), 1):
            for name in FAULTS:
                getattr(Fault(), name)(files[name].path / "assignment.json", generation)
            time.sleep(3 * POLL_S)
            for name, pod in pods.items():
                with self.subTest(name, times=times):
                    self.judge_fault(pod, generation, times)
            for name in FAULTS:
                if not files[name].path.exists():
                    files[name].path.with_suffix(".away").rename(files[name].path)
            self.all_adopt(generation + 2, files, pods)
        metrics = {name: pod.request("GET", "/metrics")[2].decode() for name, pod in pods.items()}
        self.assertEqual([name for name in FAULTS if "\nlimpet_assignments_rejected_total 2\n" not in metrics[name]], [])

    def judge_fault(self, pod, generation, times):
        self.assertEqual(self.said(pod, "rejected"), times, pod.log[-5:])
        self.assertEqual((self.said(pod, "generation"), self.said(pod, "slices_owned")), (generation, 1))
        said = [text for text in pod.errors() if "stays in force" in text]
        self.assertEqual(len(said), times, said)
        self.assertTrue(said[-1].endswith(f": generation {generation} stays in force"), said)
        self.assertEqual(pod.request("GET", "/readyz")[0], 200)

    def all_adopt(self, generation, files, pods):
        for name in FAULTS:
            self.put(assignment(generation, ["a"]), files[name])
        self.wait_generation(generation, *pods.values())


class HeldTest(PodCase):
    def post(self, pod, into):
        begin = time.monotonic()
        status, headers, body = pod.post(b"m,g=1 v=1\n", path="/write", query={"db": "d"})
        into.update(status=status, headers=headers, body=body, seconds=time.monotonic() - begin)

    def test_a_request_waits_for_an_assignment(self):
        """Refused after 3 s, and then nothing of it was applied; answered at once when an assignment comes."""
        files = {name: self.cluster(name) for name in ("never", "soon")}
        pods = {name: self.pod("a", files=files[name]) for name in files}
        answers = {name: {} for name in pods}
        for pod in pods.values():
            pod.wait_listening()
        posts = [threading.Thread(target=self.post, args=(pods[name], answers[name]), daemon=True) for name in pods]
        for post in posts:
            post.start()
        pods["never"].write(b"m,g=2 v=1\n" * 20_000)  # stdin is read meanwhile
        time.sleep(1.5)
        self.put(assignment(5, ["a"]), files["soon"])
        for post in posts:
            post.join(20)
        refused, taken = answers["never"], answers["soon"]
        self.assertEqual(taken["status"], 204, taken)
        self.assertTrue(1 < taken["seconds"] < 3, taken)
        self.assertEqual(pods["soon"].ledger()["lines"]["original_dropped"], 1)
        self.assertEqual(refused["status"], 503, refused)
        self.assertIn("Retry-After", refused["headers"])
        self.assertIn(b"nothing was applied", refused["body"])
        self.assertTrue(2.5 < refused["seconds"] < 5, refused)

        # What waited on stdin counts, what was refused does not.
        self.put(assignment(5, ["a"]), files["never"])
        self.wait_generation(5, pods["never"])
        pods["never"].wait_read(20_000)
        again = {}
        self.post(pods["never"], again)
        self.assertEqual(again["status"], 204)
        pods["never"].wait_read(20_001)
        self.assertEqual(pods["never"].ledger()["rules"]["count"]["aggregated"], 20_001)


class DrainCase(PodCase):
    def drain(self, name, *args):
        begin = time.monotonic()
        done = self.run_limpet("drain", "--assignment.directory", self.files.path, "--pod", name, *args)
        return done.returncode, done.stderr, time.monotonic() - begin


class DrainTest(DrainCase):
    def test_of_who_is_dead_or_unknown(self):
        pods = {name: self.pod(name) for name in ("agg-0", "agg-1")}
        for name in pods:
            self.wait_state(name, "ready")
        incarnations = {name: self.report(name)["incarnation"] for name in pods}
        self.put(assignment(5, ["agg-0", "agg-1"], incarnations=incarnations))
        self.wait_generation(5, *pods.values())
        pods["agg-0"].judge = False
        pods["agg-0"].signal(signal.SIGKILL)
        pods["agg-0"].wait(5)
        dead = {"states": {"agg-0": "dead"}, "incarnations": incarnations}
        self.put(assignment(6, ["agg-0", "agg-1"], **dead))
        code, said, seconds = self.drain("agg-0")
        self.assertEqual((code, said), (1, "limpet drain: agg-0 does not run, and its slices move when the sharder finds it dead\n"))
        self.assertLess(seconds, 2)
        self.assertFalse((self.files.reports / "agg-0.drain").exists())
        self.put(assignment(7, ["agg-1"], pods=["agg-0"], cutovers=[int(time.time())], **dead))
        code, said, seconds = self.drain("agg-0")
        self.assertEqual(code, 0, said)
        self.assertLess(seconds, 2)
        code, said, seconds = self.drain("agg-9")
        self.assertEqual(code, 1)
        self.assertRegex(said, r'knows a pod "agg-9" \(did you mean "agg-[01]"\?\)')
        self.assertLess(seconds, 2)
        self.assertFalse((self.files.reports / "agg-9.drain").exists())


class FilesCase(PodCase):
    """Files, and nobody behind them."""

    def write_report(self, name, files=None, cpu=0.01):
        pod = Pod((files or self.files).path, name)
        pod.cpu_of = lambda low: cpu
        pod.write()
        pod.release()
        return pod.report


class DrainByFilesTest(FilesCase):
    def start_drain(self, name, timeout, files):
        argv = [settings.limpet(), "drain", "--assignment.directory", str(files.path), "--pod", name, "--timeout", timeout]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_of_whose_report_is_bad(self):
        self.put(assignment(5, ["agg-1"], pods=["agg-0"]))
        self.write_report("agg-1")
        file = self.files.reports / "agg-0.json"
        for why, make in (
            ("is missing", lambda: file.write_bytes(b"{}\n")),
            ("Too many levels of symbolic links", lambda: file.symlink_to("agg-1.json")),
            ('is the report of "agg-1"', lambda: shutil.copy(file.with_name("agg-1.json"), file)),
            ("is no plain file", file.mkdir),
        ):
            make()
            done = self.run_limpet("drain", "--assignment.directory", self.files.path, "--pod", "agg-0", "--timeout", "5s")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, f"^limpet drain: {file}: .*{why}")
            self.assertFalse(file.with_suffix(".drain").exists())
            file.rmdir() if file.is_dir() else file.unlink()
        done = self.run_limpet("drain", "--assignment.directory", self.files.path, "--pod", "agg-0")
        self.assertEqual(done.returncode, 0, done.stderr)  # it does not run, and owns nothing

    def test_of_whom_no_assignment_tells(self):
        self.files.path.joinpath("assignment.json").write_bytes(b"x")
        done = self.run_limpet("drain", "--assignment.directory", self.files.path, "--pod", "agg-0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("assignment.json: ", done.stderr)

    def test_success_is_what_it_knows(self):
        """What becomes of the files while it waits, each in a directory of its own."""

        def unlink_report(files):
            (files.reports / "agg-0.json").unlink()

        def made_anew(files):
            files.path.rename(files.path.with_suffix(".old"))
            files.make()

        def bad_assignment(files):
            write_replacing(files.path / "assignment.json", b"x")
            unlink_report(files)

        def bad_report(files):
            write_replacing(files.reports / "agg-0.json", b"x")
            self.put(assignment(6, ["agg-1"]), files)

        def linked_report(files):
            unlink_report(files)
            (files.reports / "agg-0.json").symlink_to("agg-1.json")
            self.put(assignment(6, ["agg-1"]), files)

        def gone(files):
            unlink_report(files)
            self.put(assignment(6, ["agg-1"]), files)

        def healed(files):
            bad_assignment(files)
            time.sleep(1)
            self.put(assignment(6, ["agg-1"]), files)

        expected = {
            made_anew: (1, "gave up after .* s: the assignment is gone\\.$"),
            bad_assignment: (1, "gave up after .* s: .*/assignment.json: .* The request stays in force"),
            bad_report: (1, "gave up after .* s: .*/reports/agg-0.json: "),
            linked_report: (1, "gave up after .* s: .*/reports/agg-0.json: "),
            gone: (0, "agg-0 owns nothing more"),
            healed: (0, "agg-0 owns nothing more"),
        }
        running = {}
        for change in expected:
            files = self.cluster(change.__name__)
            self.put(assignment(5, ["agg-0", "agg-1"]), files)
            for name in ("agg-0", "agg-1"):
                self.write_report(name, files)
            running[change] = self.start_drain("agg-0", "5s", files), files
        for change, (_, files) in running.items():
            self.assertTrue(eventually((files.reports / "agg-0.drain").exists, 5), change)
            change(files)
        for change, (process, _) in running.items():
            said = process.communicate(timeout=30)[1]
            code, words = expected[change]
            self.assertEqual(process.returncode, code, (change, said))
            self.assertRegex(said.strip(), words, change)
            self.assertIn("agg-0 owns 1 slice, 50.00 % of the keys", said)


class StatusByFilesTest(FilesCase):
    def status(self, *args):
        return self.run_limpet("status", "--assignment.directory", self.files.path, *args)

    def test_dead_is_whom_the_assignment_calls_so(self):
        incarnations = {}
        self.put(assignment(5, ["agg-0", "agg-1"]))
        for name, cpu in (("agg-0", 0.9), ("agg-1", 0.1)):
            incarnations[name] = self.write_report(name, cpu=cpu)["incarnation"]
        for life, state, imbalance in ((incarnations["agg-0"], "dead", 1), ("another", "ready", 1.8)):
            self.put(assignment(6, ["agg-0", "agg-1"], states={"agg-0": "dead"}, incarnations={**incarnations, "agg-0": life}))
            self.assertRegex(self.status().stdout, rf"(?m)^agg-0 +{state} ")
            said = json.loads(self.status("--json").stdout)
            self.assertEqual([pod["state"] for pod in said["pods"]], [state, "ready"])
            self.assertAlmostEqual(said["imbalance"]["max_mean"], imbalance, 6)

    def test_no_assignment_and_none_that_is_valid(self):
        self.write_report("agg-0")
        done = self.status()
        self.assertEqual((done.returncode, done.stdout.splitlines()[0], done.stderr), (0, "no assignment yet", ""))
        for name in ("assignment.json", "assignments/7.json"):
            (self.files.path / name).write_bytes(b"x")
            done = self.status()
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"{self.files.path / name}: ", done.stderr)
            self.assertIn(f"limpet status: {self.files.path}: no assignment in it is valid\n", done.stderr)
        self.put(assignment(5, ["agg-0"]))
        self.assertIn("1 of 1 pods ready, 1 slice\n", self.status().stdout)


class NeverNamedTest(DrainCase):
    def test_drains_after_half_a_minute(self):
        pod = self.pod("agg-0")
        self.wait_state("agg-0", "ready")
        code, said, seconds = self.drain("agg-0", "--timeout", "50s")
        self.assertEqual(code, 0, said)
        self.assertTrue(29 < seconds < 40, seconds)
        self.assertEqual(self.report("agg-0")["state"], "drained")
        self.assertTrue(pod.running)


class EndOfSpaceTest(PodCase):
    def test_has_17_digits(self):
        """In `limpet status --json` and at the sharder alike."""
        now = int(time.time())
        body = assignment(5, ["a", "b"], moved=[{"low": SPACE // 2, "high": SPACE, "at": now, "cause": "drain", "cutover": now, "from": "a", "to": "b"}])
        body["handoffs"] = [{"low": SPACE // 2, "high": SPACE, "from": {"name": "a", "incarnation": "x"}, "generation": 5}]
        body["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        self.put(body)
        shard = Shard(self.files.path, log=self.directory / "shard.log")
        self.addCleanup(shard.stop)
        shard.wait_up()
        self.assertTrue(eventually(lambda: shard.json()["generation"] == 5, 5))
        self.assertIn("(1 slice moved, 50", shard.log())
        done = self.run_limpet("status", "--assignment.directory", self.files.path, "--json")
        for cluster in (shard.json(), json.loads(done.stdout)):
            for each in (cluster["moved"], cluster["handoffs"]):
                self.assertEqual([(move["low"], move["high"]) for move in each], [("8" + "0" * 15, "1" + "0" * 16)])

    def test_check_says_where(self):
        """FILE:LINE:1, of an assignment's header or body, of a report."""
        good = encode_assignment(assignment(5, ["a"]))
        files = {"header": good.replace(b'"version":1', b'"version":9'), "body": good[:-30] + b"\n", "report": b'{"format":"limpet-report","version":1}\n'}
        for line, (name, data) in zip((1, 2, 1), files.items()):
            path = self.directory / f"{name}.json"
            path.write_bytes(data)
            done = self.run_limpet("check", path)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, rf"^{path}:{line}:1: error: (?!line )")


if __name__ == "__main__":
    unittest.main()
