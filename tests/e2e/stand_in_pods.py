"""Pods that follow src/sharding/ASSIGNMENT_FORMAT.md and nothing else: they read the assignment and write reports, without aggregating
anything. And `limpet shard` as a process, with what it says of the cluster.
"""

import http.client
import json
import os
import subprocess
import threading
import time
import uuid
from pathlib import Path

import settings
from limpet_case import eventually, free_port

REPORT_S = 2.0


class Pod:
    def __init__(self, directory, name, state="ready", **terms):
        self.directory = Path(directory)
        self.name = name
        self.running = True
        self.drains = False  # hands off when asked to
        self.cpu_of = lambda low: 0.01  # CPU of a slice
        self.report = {"format": "limpet-report", "version": 1, "name": name, "sequence": 0, "address": f"{name}:8087", "zone": "a",
                       "host": name, "revision": "1", "weight": 1, "rules": "r1", "started": int(time.time()), "capacity": 2.0,
                       "memory": 50 << 20, "memory_limit": 1 << 30, "state": state, "generation": 0, "handoffs": [], "hot_keys": [], **terms}
        self.incarnate()

    def incarnate(self):
        self.report["incarnation"] = uuid.uuid4().hex[:16]
        self.report["sequence"] = 0

    def owned(self):
        found = read_assignment(self.directory)
        if not found:
            return []
        self.report["generation"] = max(self.report["generation"], found["generation"])
        index = next((i for i, pod in enumerate(found["pods"]) if pod["name"] == self.name), None)
        return [low for low, owner in zip(found["slices"]["low"], found["slices"]["owner"]) if owner == index]

    def write(self):
        """One report; a directory that is away is no error of the pod's."""
        try:
            owned = self.owned()
            self.look_for_drain(owned)
            self.report["sequence"] += 1
            self.report["slices"] = [
                {"low": low, "samples_per_s": 5000 * self.cpu_of(low) * 100, "cpu": self.cpu_of(low), "state_bytes": 40000, "groups": 120} for low in owned
            ]
            self.report["cpu"] = sum(each["cpu"] for each in self.report["slices"])
            temporary = self.directory / "reports" / f".tmp-{self.name}"
            temporary.write_text(json.dumps(self.report) + "\n")
            os.replace(temporary, self.directory / "reports" / f"{self.name}.json")
        except OSError:
            pass

    def look_for_drain(self, owned):
        if not self.drains:
            return
        asked = self.directory / "reports" / f"{self.name}.drain"
        if asked.exists() and asked.read_text().strip() in (self.report["incarnation"], "*"):
            self.report["state"] = "draining" if owned else "drained"


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
                self.pods[name].due = time.monotonic() + 0.13 * len(self.pods) % REPORT_S

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

    def restart(self, name):
        with self.lock:
            pod = self.pods[name]
            pod.incarnate()
            pod.report["state"] = "ready"
            pod.running = True
            pod.due = 0

    def run(self):
        while not self.stopping.wait(0.05):
            with self.lock:
                for pod in self.pods.values():
                    if pod.running and time.monotonic() >= pod.due:
                        pod.due = time.monotonic() + REPORT_S
                        pod.write()

    def stop(self):
        self.stopping.set()
        self.thread.join()


def read_assignment(directory):
    """The newest valid one, as readers take it; None without."""
    files = [Path(directory) / "assignment.json", *Path(directory).glob("assignments/*.json")]
    best = None
    for file in files:
        try:
            header, body = file.read_bytes().split(b"\n")[:2]
            if json.loads(header)["bytes"] == len(body) and (found := json.loads(body))["generation"] > (best or {"generation": 0})["generation"]:
                best = found
        except (OSError, ValueError, KeyError):
            pass
    return best


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
