"""The files of a cluster's directory as src/sharding/ASSIGNMENT_FORMAT.md describes them, written from that document alone: a strict reader that
refuses whatever the document does not allow, a writer of the canonical form, keys, and the directory itself. Nothing of Limpet's is used.

XXH3 comes from libxxhash (Debian: libxxhash0) by ctypes.
"""

import ctypes
import ctypes.util
import json
import os
import re
import secrets
import stat
import time
from datetime import datetime
from pathlib import Path

SPACE = 1 << 64
GENERATION_MAX = (1 << 53) - 1
UNIX_S_MAX = 253402300799  # the end of the year 9999
HEADER_BYTES_MAX = 4096
ASSIGNMENT_BYTES_MAX = 64 << 20
REPORT_BYTES_MAX = 16 << 20
DEPTH_MAX = 16
KEPT_GENERATIONS = 8
NUMBER_MAX = 1e15

_library = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
_library.XXH3_64bits.restype = ctypes.c_uint64
_library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


class Broken(ValueError):
    """A file that readers have to refuse, and why."""


def xxh3(data):
    return _library.XXH3_64bits(bytes(data), len(data))


def key_of(name, tags):
    """The key of a shard name (or a measurement) with its tags, all unescaped."""
    return xxh3(b"\0".join([name.encode(), *(tag.encode() + b"=" + tags[tag].encode() for tag in sorted(tags, key=str.encode))]))


def key_text(key):
    return f"{key:016x}"


# Reading JSON without forgiving anything.


class Object(list):
    """Members as they stand in the file: pairs, duplicates included."""


class Real(float):
    """A number that was written with a point or an exponent."""


def _refuse(what):
    raise Broken(f"{what} is no JSON")


def parse(data):
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=Object, parse_float=Real, parse_constant=_refuse)
    except RecursionError:
        raise Broken("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise Broken(f"not UTF-8: {error}") from None
    except json.JSONDecodeError as error:
        raise Broken(f"no JSON: {error}") from None
    _bounds(value, 1)
    return value


def _bounds(value, depth):
    """Holds for all of the file, for members that nobody knows as well."""
    if isinstance(value, Real) and abs(value) == float("inf") or type(value) is int and not -(1 << 63) <= value < 1 << 64:
        raise Broken("a number beyond all ranges")
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise Broken("half a surrogate") from None
    elif isinstance(value, list):
        if depth > DEPTH_MAX:
            raise Broken("nested too deeply")
        for each in value:
            for part in each if isinstance(value, Object) else (each,):
                _bounds(part, depth + 1)


# What a value has to be. Each returns it as a plain value.


def text(value):
    if not isinstance(value, str):
        raise Broken(f"{value!r} is no text")
    return value


def matching(pattern, what):
    def read(value):
        if not re.fullmatch(pattern, text(value), re.ASCII):
            raise Broken(f"{value!r} is no {what}")
        return value

    return read


pod_name = matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,248}", "name of a pod")
digits_16 = matching(r"[0-9a-f]{16}", "16 lower-case hexadecimal digits")


def key(value):
    return int(digits_16(value), 16)


def end_key(value):
    return SPACE if value == "10000000000000000" else key(value)


def word(*words):
    def read(value):
        if text(value) not in words:
            raise Broken(f"{value!r} is none of {words}")
        return value

    return read


def whole(low, high):
    def read(value):
        if type(value) is not int or not low <= value <= high:
            raise Broken(f"{value!r} is no whole number from {low} to {high}")
        return value

    return read


def number(low, high=NUMBER_MAX):
    def read(value):
        if type(value) not in (int, Real) or not low <= value <= high:
            raise Broken(f"{value!r} is no number from {low} to {high}")
        return _plain(value)

    return read


def _plain(value):
    """2.0 and 2 are one number, and one spelling."""
    return int(value) if float(value).is_integer() and abs(value) < 1e16 else float(value)


def array(read_one):
    def read(value):
        if not isinstance(value, list) or isinstance(value, Object):
            raise Broken(f"{value!r} is no array")
        return [read_one(each) for each in value]

    return read


def record(**members):
    """members: name -> reader, or (reader, default) of an optional one."""

    def read(value):
        if not isinstance(value, Object):
            raise Broken(f"{value!r} is no object")
        found = {}
        for name, each in value:
            if name not in members:
                continue
            if name in found:
                raise Broken(f"{name!r} stands there twice")
            reader = members[name]
            try:
                found[name] = (reader[0] if isinstance(reader, tuple) else reader)(each)
            except Broken as error:
                raise Broken(f"{name}: {error}") from None
        for name, reader in members.items():
            if name not in found:
                if not isinstance(reader, tuple):
                    raise Broken(f"{name!r} is missing")
                found[name] = reader[1]
        return {name: found[name] for name in members}

    return read


def created(value):
    matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "time")(value)
    try:
        if datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").year >= 1970:
            return value
    except ValueError:
        pass
    raise Broken(f"{value!r} is no time")


unix_s = whole(0, UNIX_S_MAX)
generation = whole(1, GENERATION_MAX)

_handoff = record(low=key, high=end_key, **{"from": record(name=pod_name, incarnation=text)}, generation=generation)
_move = record(
    low=key,
    high=end_key,
    at=unix_s,
    cause=word("death", "drain", "fill", "balance", "merge"),
    cutover=(unix_s, None),
    **{"from": (text, ""), "to": (text, "")},
)
_header = record(format=word("limpet-assignment"), version=whole(1, 1), generation=generation, bytes=whole(1, ASSIGNMENT_BYTES_MAX), xxh3=digits_16)
_body = record(
    cluster=text,
    generation=generation,
    created=created,
    cause=(array(text), []),
    pods=array(
        record(
            name=pod_name,
            incarnation=text,
            address=(text, ""),
            zone=(text, ""),
            state=word("starting", "ready", "draining", "drained", "dead"),
            host=(text, ""),
            revision=(text, ""),
            weight=(number(0, 1e9), 1),
            since=(unix_s, 0),
        )
    ),
    slices=record(
        low=array(key),
        owner=array(whole(0, (1 << 32) - 1)),
        standby=array(whole(-1, (1 << 32) - 1)),
        since=array(whole(0, GENERATION_MAX)),
        cutover=array(unix_s),
    ),
    handoffs=(array(_handoff), []),
    moved=(array(_move), []),
)
_report = record(
    format=word("limpet-report"),
    version=whole(1, 1),
    name=pod_name,
    incarnation=text,
    sequence=whole(0, SPACE - 1),
    address=(text, ""),
    zone=(text, ""),
    host=(text, ""),
    revision=(text, ""),
    weight=(number(1e-6, 1e6), 1),
    rules=(text, ""),
    started=(unix_s, 0),
    capacity=(number(1e-6, 1e6), 1),
    cpu=(number(0), 0),
    memory=(whole(0, SPACE - 1), 0),
    memory_limit=(whole(0, SPACE - 1), 0),
    state=word("starting", "ready", "draining", "drained"),
    generation=(whole(0, GENERATION_MAX), 0),
    slices=(
        array(record(low=key, samples_per_s=(number(0), 0), cpu=(number(0), 0), state_bytes=(whole(0, SPACE - 1), 0), groups=(whole(0, SPACE - 1), 0))),
        [],
    ),
    hot_keys=(array(record(key=key, samples_per_s=(number(0), 0), cpu=(number(0), 0))), []),
    handoffs=(array(_handoff), []),
)


# Whole files.


def decode_assignment(data):
    """The body, or Broken."""
    if len(data) > ASSIGNMENT_BYTES_MAX:
        raise Broken("too long")
    head, newline, rest = data.partition(b"\n")
    if not newline or len(head) > HEADER_BYTES_MAX:
        raise Broken("no header")
    header = _header(parse(head))
    if rest[header["bytes"] :] != b"\n":
        raise Broken("the second line is not as long as the header says")
    body = rest[:-1]
    if key_text(xxh3(body)) != header["xxh3"]:
        raise Broken("another checksum")
    found = _body(parse(body))
    if found["generation"] != header["generation"]:
        raise Broken("header and body differ in generation")
    _judge(found)
    for move in found["moved"]:
        move["cutover"] = move["at"] if move["cutover"] is None else move["cutover"]
    return found


def _judge(body):
    """What no member can break by itself."""
    names = [pod["name"] for pod in body["pods"]]
    if len(names) != len(set(names)):
        raise Broken("a pod stands there twice")
    columns = body["slices"]
    if len({len(column) for column in columns.values()}) != 1 or not columns["low"]:
        raise Broken("columns of different lengths")
    low = columns["low"]
    if low[0] != 0 or any(a >= b for a, b in zip(low, low[1:])):
        raise Broken("slices out of order")
    if any(owner >= len(names) for owner in columns["owner"] + columns["standby"]):
        raise Broken("no such pod")
    if any(owner == standby for owner, standby in zip(columns["owner"], columns["standby"])):
        raise Broken("a standby of itself")
    if any(since > body["generation"] for since in columns["since"]):
        raise Broken("a move of the future")
    _judge_ranges(body["handoffs"] + body["moved"])


def _judge_ranges(ranges):
    if any(each["low"] >= each["high"] for each in ranges):
        raise Broken("a range that ends before it begins")


def decode_report(data, name=None):
    """The report, or Broken. name: as the file's name says."""
    if len(data) > REPORT_BYTES_MAX:
        raise Broken("too long")
    if not data.endswith(b"\n"):
        raise Broken("not whole")
    found = _report(parse(data))
    lows = [each["low"] for each in found["slices"]]
    if len(lows) != len(set(lows)):
        raise Broken("a slice stands there twice")
    _judge_ranges(found["handoffs"])
    if name is not None and found["name"] != name:
        raise Broken(f"of {found['name']}, in the file of {name}")
    return found


# Writing the canonical form: no white space, the order of the tables, each number and text in one spelling.


def canonical(value):
    return _spelt(value).encode("utf-8")


def _spelt(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"{_spelt(name)}:{_spelt(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelt, value)) + "]"
    if isinstance(value, str):
        return '"' + re.sub(r'["\\\x00-\x1f]', lambda c: "\\" + c[0] if c[0] in '"\\' else f"\\u{ord(c[0]):04x}", value) + '"'
    return json.dumps(_plain(value) if isinstance(value, float) else value)


def _range(each):
    return {**each, "low": key_text(each["low"]), "high": f"{each['high']:016x}"}


def _without(members, **unwritten):
    """Optional members that say nothing are left out."""
    return {name: value for name, value in members.items() if not (name in unwritten and value == unwritten[name])}


def encode_assignment(body):
    """The file of a body as decode_assignment returns it."""
    written = {
        **body,
        "pods": [
            _without(pod, host="", revision="", weight=1, since=0)
            for pod in sorted(body["pods"], key=lambda pod: pod["name"])
        ],
        "slices": {**body["slices"], "low": [key_text(low) for low in body["slices"]["low"]]},
        "handoffs": [_range(each) for each in body["handoffs"]],
        "moved": [_without(_range(each), **{"from": "", "to": ""}) for each in body["moved"]],
    }
    text = canonical(written)
    return with_header(text, body["generation"])


def with_header(body, generation, **other):
    """The file of a body that may be anything."""
    header = {"format": "limpet-assignment", "version": 1, "generation": generation, "bytes": len(body), "xxh3": key_text(xxh3(body)), **other}
    return canonical(header) + b"\n" + body + b"\n"


def encode_report(report):
    return canonical(
        {
            **report,
            "slices": [{**each, "low": key_text(each["low"])} for each in report["slices"]],
            "hot_keys": [{**each, "key": key_text(each["key"])} for each in report["hot_keys"]],
            "handoffs": [_range(each) for each in report["handoffs"]],
        }
    ) + b"\n"


# What an assignment says.


def ranges(body):
    """(low, high, owner's name, cutover) of each slice."""
    columns = body["slices"]
    names = [pod["name"] for pod in body["pods"]]
    highs = [*columns["low"][1:], SPACE]
    return [(low, high, names[owner], cutover) for low, high, owner, cutover in zip(columns["low"], highs, columns["owner"], columns["cutover"])]


def owner_of(body, key):
    return next(owner for low, high, owner, _ in ranges(body) if low <= key < high)


# The directory.


def read_plain_file(path, bytes_max):
    """The bytes of a file, of which links and whatever else is no plain file are refused."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Broken("no plain file")
        return file.read(bytes_max + 1)


def write_replacing(path, data):
    """A temporary file in the same directory, renamed over `path`."""
    temporary = path.parent / f".tmp-{secrets.token_hex(8)}"
    temporary.write_bytes(data)
    os.replace(temporary, path)


class Directory:
    def __init__(self, path):
        self.path = Path(path)
        self.assignments = self.path / "assignments"
        self.reports = self.path / "reports"
        self.seen = {}  # path -> (inode, size, time of modification, body or None)
        self.refused = {}  # path -> why

    def make(self):
        self.assignments.mkdir(parents=True, exist_ok=True)
        self.reports.mkdir(exist_ok=True)
        return self

    def numbers(self):
        """Of all files in assignments/ whose names are right, valid or not."""
        try:
            return sorted(int(name[:-5]) for name in os.listdir(self.assignments) if re.fullmatch(r"[1-9][0-9]{0,15}\.json", name, re.ASCII))
        except FileNotFoundError:
            return []

    def newest(self):
        """The highest valid assignment; None: there is none."""
        while True:
            numbers = self.numbers()
            candidates = [(self.path / "assignment.json", None), *((self.assignments / f"{n}.json", n) for n in numbers)]
            found = [self._read(path, n) for path, n in candidates]
            if "gone" not in found[1:]:
                return max((body for body in found if body and body != "gone"), key=lambda body: body["generation"], default=None)

    def _read(self, path, number):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return "gone"
        mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self.seen.get(path, (None, None))[0] == mark:
            return self.seen[path][1]
        body = None
        try:
            body = decode_assignment(read_plain_file(path, ASSIGNMENT_BYTES_MAX))
            if number is not None and number != body["generation"]:
                raise Broken("another generation than its name says")
            self.refused.pop(path, None)
        except FileNotFoundError:
            return "gone"
        except (OSError, Broken) as error:
            body, self.refused[path] = None, str(error)
        self.seen[path] = (mark, body)
        return body

    def read_reports(self):
        """{name: report} of those that are valid."""
        found = {}
        for path in self.reports.glob("*.json"):
            try:
                found[path.stem] = decode_report(read_plain_file(path, REPORT_BYTES_MAX), path.stem)
            except (OSError, Broken) as error:
                self.refused[path] = str(error)
        return found

    # As a sharder.

    def publish(self, body, planned, before_link=lambda: None, before_rename=lambda: None):
        """True: it won. planned: when, in time.monotonic(). The callbacks are for tests, which let others go first."""
        n = body["generation"]
        if self._above(n - 1):
            return False
        temporary = self._temporary(self.assignments, encode_assignment(body))
        before_link()
        try:
            if time.monotonic() - planned > 5:
                return False
            won = self._link(temporary, self.assignments / f"{n}.json")
        finally:
            temporary.unlink()
        if not won:
            return False
        self._sync(self.assignments)
        before_rename()
        if self._above(n):
            (self.assignments / f"{n}.json").unlink()
            return False
        self._renew_head(n)
        for old in self.numbers()[:-KEPT_GENERATIONS]:
            (self.assignments / f"{old}.json").unlink(missing_ok=True)
        return True

    def _above(self, n):
        return [number for number in self.numbers() if number > n]

    @staticmethod
    def _link(temporary, to):
        try:
            os.link(temporary, to)
        except FileExistsError:
            return False
        except OSError:
            pass
        return os.stat(temporary).st_nlink == 2

    def _renew_head(self, n):
        while n is not None:
            try:
                temporary = self._temporary(self.path, (self.assignments / f"{n}.json").read_bytes())
            except FileNotFoundError:  # others have gone on by more than are kept
                n = max(self._above(n), default=None)
                continue
            os.replace(temporary, self.path / "assignment.json")
            self._sync(self.path)
            n = max(self._above(n), default=None)

    @staticmethod
    def _temporary(directory, data):
        path = directory / f".tmp-{secrets.token_hex(8)}"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return path

    @staticmethod
    def _sync(directory):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
