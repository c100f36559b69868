"""A small, slow, strict reader of the line protocol that Limpet and Telegraf write, for judging results."""

import math
import re
from dataclasses import dataclass

# Splitting on bytes where no quote is in sight is the common case, and must be quick for a million results.
_FIELD = re.compile(rb'((?:[^\\,= ]|\\.)+)=("(?:[^"\\]|\\.)*"|[^", ]+)(,|$)', re.DOTALL)
_FLOAT = re.compile(rb"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_BOOLS = {b"t": True, b"T": True, b"true": True, b"True": True, b"f": False, b"F": False, b"false": False, b"False": False}


class LineError(ValueError):
    pass


@dataclass
class Line:
    name: str
    tags: dict
    fields: dict  # int, float, bool, str
    types: dict  # "int", "uint", "float", "bool", "string" of each field
    time_ns: int

    @property
    def series(self):
        return (self.name, *sorted(self.tags.items()))


def split_records(data):
    """The records of `data`, which must end with a newline; a quoted string may hold newlines."""
    if b'"' not in data:
        return [line for line in bytes(data).split(b"\n") if line]
    records, pending = [], b""
    for line in bytes(data).split(b"\n"):
        pending = pending + b"\n" + line if pending else line
        if re.sub(rb"\\.", b"", pending, flags=re.DOTALL).count(b'"') % 2 == 0:
            if pending:
                records.append(pending)
            pending = b""
    if pending:
        raise LineError(f"a string is not closed: {pending[:200]!r}")
    return records


def _unescape(text, specials):
    out, i = bytearray(), 0
    while i < len(text):
        if text[i : i + 1] == b"\\" and text[i + 1 : i + 2] and text[i + 1 : i + 2] in specials:
            i += 1
        out.append(text[i])
        i += 1
    return out.decode("utf-8", "surrogateescape")


def _split(text, separator, count=-1):
    """Splits at separators that no backslash precedes."""
    parts = re.split(rb"(?<!\\)" + re.escape(separator), text, maxsplit=max(count, 0))
    return parts


def _value(text):
    if text[:1] == b'"':
        return "string", re.sub(rb'\\(["\\])', rb"\1", text[1:-1]).decode("utf-8", "surrogateescape")
    if text in _BOOLS:
        return "bool", _BOOLS[text]
    if re.fullmatch(rb"-?(0|[1-9]\d*)i", text):
        return "int", int(text[:-1])
    if re.fullmatch(rb"(0|[1-9]\d*)u", text):
        return "uint", int(text[:-1])
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return "float", float(text)
    raise LineError(f"not a value: {text!r}")


def _fields(text, line):
    fields, types, at = {}, {}, 0
    while at < len(text):
        match = _FIELD.match(text, at)
        if not match:
            raise LineError(f"not a field at byte {at} of {text[:200]!r} in {line[:200]!r}")
        key = _unescape(match[1], (b",", b"=", b" "))
        types[key], fields[key] = _value(match[2])
        at = match.end()
        if not match[3]:
            return fields, types
    raise LineError(f"no field: {line[:200]!r}")


def parse_line(line, sorted_tags=False):
    """One record; sorted_tags: an error where they are not in order, as results must be."""
    head = re.match(rb"(?:[^\\ ]|\\.)+", line)
    body = line[head.end() + 1 :] if head else b""
    tail = re.fullmatch(rb'(.*) (-?\d+)', body, re.DOTALL)
    if not head or not tail:
        raise LineError(f"no measurement, fields or timestamp: {line[:200]!r}")
    fields, types = _fields(tail[1], line)
    name, *pairs = _split(head[0], b",")
    tags, keys = {}, []
    for pair in pairs:
        key, *value = _split(pair, b"=")
        if len(value) != 1 or not key or not value[0]:
            raise LineError(f"not a tag: {pair!r} in {line[:200]!r}")
        keys.append(key)
        tags[_unescape(key, (b",", b"=", b" "))] = _unescape(value[0], (b",", b"=", b" "))
    if sorted_tags and keys != sorted(keys):
        raise LineError(f"tags out of order: {line[:200]!r}")
    return Line(_unescape(name, (b",", b" ")), tags, fields, types, int(tail[2]))


def parse_all(data, **options):
    return [parse_line(record, **options) for record in split_records(data)]
