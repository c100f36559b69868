"""Pods that follow src/sharding/ASSIGNMENT_FORMAT.md and nothing else: they read the assignment and write reports, without aggregating
anything. And `limpet shard` as a process, with what it says of the cluster.
"""

import fcntl
import http.client
import json
import os
import subprocess
import threading
import time
import uuid
from pathlib import Path

import settings
from assignment_files import Directory, encode_report, key_text, ranges, read_plain_file, write_replacing
from limpet_case import eventually, free_port

REPORT_S = 2.0
LOOK_S = 0.5


class Pod:
    """One pod; write() is what it does every 2 s, look() what it does in between."""

    def __init__(self, path, name, state="ready", **terms):
        self.directory = Directory(path)
        self.name = name
        self.running = True
        self.drains = False  # hands off when asked to
        self.finishing_s = 0  # how long its windows go on behind a cutover: length and grace
        self.cpu_of = lambda low: 0.01  # CPU of a slice
        self.adopted = None
        self.finished_at = 0.0  # Unix seconds: all windows of what it has lost have ended
        self.lock_fd = None
        self.report = {"format": "limpet-report", "version": 1, "name": name, "incarnation": "", "sequence": 0, "address": f"{name}:8087", "zone": "a",
                       "host": name, "revision": "1", "weight": 1, "rules": "r1", "started": int(time.time()), "capacity": 2, "cpu": 0,
                       "memory": 50 << 20, "memory_limit": 1 << 30, "state": state, "generation": 0, "slices": [], "hot_keys": [], "handoffs": [],
                       **terms}
        self.incarnate()

    def incarnate(self):
        self.report["incarnation"] = uuid.uuid4().hex[:16]
        self.report["sequence"] = 0

    def has_lock(self):
        """Takes the lock of its name, or has it already. A lock on a file without a link is none."""
        if self.lock_fd is not None and os.fstat(self.lock_fd).st_nlink == 0:
            self.release()
        if self.lock_fd is None:
            fd = os.open(self.directory.reports / f"{self.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.lock_fd = fd
            except BlockingIOError:
                os.close(fd)
            return self.lock_fd is not None and os.fstat(fd).st_nlink > 0
        return True

    def release(self):
        if self.lock_fd is not None:
            os.close(self.lock_fd)
            self.lock_fd = None

    def owned(self):
        """(low, high) of its slices."""
        return [(low, high) for low, high, owner, _ in ranges(self.adopted) if owner == self.name] if self.adopted else []

    def adopt(self):
        found = self.directory.newest()
        if not found or found["generation"] <= self.report["generation"]:
            return
        before, self.adopted = self.owned(), found
        lost = [cutover for low, high, owner, cutover in ranges(found) if owner != self.name and any(a < high and low < b for a, b in before)]
        self.finished_at = max([self.finished_at, *(cutover + self.finishing_s for cutover in lost)])
        self.report["generation"] = found["generation"]

    def look(self):
        """Reads the assignment and the request to drain. True: its state changed."""
        self.adopt()
        before = self.report["state"]
        if self.drains and (before == "draining" or self.asked_to_drain()):
            done = not self.owned() and time.time() >= self.finished_at and (before == "drained" or self.known_to_drain())
            self.report["state"] = "drained" if done else "draining"
        return self.report["state"] != before

    def known_to_drain(self):
        """Before the sharder knows it, it may give it something this moment."""
        told = next((pod for pod in self.adopted["pods"] if pod["name"] == self.name), None) if self.adopted else None
        return told and told["incarnation"] == self.report["incarnation"] and told["state"] in ("draining", "drained")

    def asked_to_drain(self):
        try:
            asked = read_plain_file(self.directory.reports / f"{self.name}.drain", 1024)
        except OSError:
            return False
        return asked.decode().rstrip("\r\n") in (self.report["incarnation"], "*")

    def write(self):
        """One report; a directory that is away is no error of the pod's."""
        try:
            if not self.has_lock():
                return
            self.look()
            self.report["sequence"] += 1
            self.report["slices"] = [self.load_of(low) for low, _ in self.owned()]
            self.report["cpu"] = sum(each["cpu"] for each in self.report["slices"])
            write_replacing(self.directory.reports / f"{self.name}.json", encode_report(self.report))
        except OSError:
            pass

    def load_of(self, low):
        cpu = self.cpu_of(key_text(low))
        return {"low": low, "samples_per_s": 500000 * cpu, "cpu": cpu, "state_bytes": 40000, "groups": 120}


class Pods:
    """Writes the reports of all running pods every 2 s, each at its own moment."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.pods = {}
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def add(self, *names, **terms):
        for name in names:
            with self.lock:
                self.pods[name] = Pod(self.directory, name, **terms)
                self.pods[name].due = self.pods[name].look_due = time.monotonic() + 0.13 * len(self.pods) % REPORT_S

    def __getitem__(self, name):
        return self.pods[name]

    def change(self, name, **terms):
        """Written at once. Returns when, in monotonic seconds."""
        with self.lock:
            self.pods[name].report.update(terms)
            self.pods[name].write()
            return time.monotonic()

    def kill(self, name):
        with self.lock:
            self.pods[name].running = False
            self.pods[name].release()

    def restart(self, name):
        """A new life under the same name, which knows nothing of the one before."""
        with self.lock:
            pod = self.pods[name]
            pod.release()
            pod.incarnate()
            pod.adopted, pod.finished_at = None, 0.0
            pod.report.update(state="ready", generation=0)
            pod.running = True
            pod.due = 0

    def run(self):
        while not self.stopping.wait(0.05):
            with self.lock:
                for pod in self.pods.values():
                    if pod.running:
                        self.work(pod, time.monotonic())

    @staticmethod
    def work(pod, now):
        if now >= pod.look_due:
            pod.look_due = now + LOOK_S
            if pod.look():
                pod.due = now
        if now >= pod.due:
            pod.due = now + REPORT_S
            pod.write()

    def stop(self):
        self.stopping.set()
        self.thread.join()
        for pod in self.pods.values():
            pod.release()


def read_assignment(path):
    """The newest valid one, as readers take it, keys as text; None without."""
    found = Directory(path).newest()
    return found and {**found, "slices": {**found["slices"], "low": [key_text(low) for low in found["slices"]["low"]]}}


def owners(assignment):
    """{low: name of the owner}"""
    names = [pod["name"] for pod in assignment["pods"]]
    return {low: names[owner] for low, owner in zip(assignment["slices"]["low"], assignment["slices"]["owner"])}


def owned_by(assignment, name):
    return [low for low, owner in owners(assignment).items() if owner == name] if assignment else []


class Shard:
    """`limpet shard` as a process."""

    def __init__(self, directory, *args, log):
        self.port = free_port()
        self.log_path = Path(log)
        self.log_file = open(log, "wb")
        argv = [settings.limpet(), "shard", "--assignment.directory", str(directory), "--listen.http", f"127.0.0.1:{self.port}", *args]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=self.log_file)
        settings.STARTED.append(self.process)

    def get(self, path="/api/cluster", timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, path="/api/cluster"):
        return json.loads(self.get(path)[1])

    def counts(self):
        return self.json("/api/status")["counts"]

    def wait_up(self):
        def up():
            try:
                return self.get("/healthz", timeout=1)[0] == 200
            except OSError:
                return False

        assert eventually(up, 20), self.log()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """SIGTERM. Returns the exit code, or None if it had to be killed."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        finally:
            self.log_file.close()
