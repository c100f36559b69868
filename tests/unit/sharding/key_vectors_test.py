#!/usr/bin/env python3
"""The keys of tests/data/key-vectors.jsonl, worked out again from the words of src/sharding/ASSIGNMENT_FORMAT.md alone: nothing of Limpet's is
used but the file. Any language can be checked in the same way: each line of the file is one JSON object with

    rule    members of a rule as in a rules file (strings, lists, tables); null: the key of the line as such
    line    line protocol
    bytes   what is hashed, in hexadecimal digits
    key     the XXH3-64 of that, 16 hexadecimal digits

XXH3 comes from libxxhash itself (Debian: libxxhash0), by ctypes.

usage: key_vectors_test.py            compare
       key_vectors_test.py --write    write `bytes` and `key` anew
"""

import ctypes
import ctypes.util
import json
import re
import sys
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "data" / "key-vectors.jsonl"

library = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
library.XXH3_64bits.restype = ctypes.c_uint64
library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def parse(line):
    """The measurement and the tags of a line, unescaped."""
    head = re.match(r"(?:\\.|[^ \\])*", line).group()
    name, *tags = re.findall(r"(?:\\.|[^,\\])+", head)

    def unescaped(text):
        return re.sub(r"\\([,= ])", r"\1", text)

    split = [re.match(r"((?:\\.|[^=\\])*)=(.*)", tag, re.S).groups() for tag in tags]
    return re.sub(r"\\([, ])", r"\1", name), {unescaped(tag): unescaped(value) for tag, value in split}


def written(text):
    """As results spell names and values."""
    return re.sub(r"[\x00-\x1f\x7f]", "_", text.rstrip("\\"))


def kept(rule, tags):
    """The tags that stay, as results spell them; the names in the file's rules are no patterns."""
    keep = {}
    for name in sorted(tags, key=str.encode):
        if ("by" in rule and name not in rule["by"]) or name in rule.get("without", []):
            continue
        spelled, value = written(name), written(tags[name])
        if spelled and value and not spelled.startswith("limpet_") and spelled not in rule.get("tags", {}):
            keep.setdefault(spelled, value)
    return keep


def key_bytes(rule, line):
    name, tags = parse(line)
    if rule is not None:
        tags = kept(rule, tags)
        tags = {tag: value for tag, value in tags.items() if tag in rule.get("shard_by", tags)}
        name = written(rule.get("measurement", "{measurement}").replace("{measurement}", name))
        name = rule.get("shard_name", re.sub("^#|^$", "_", name))
    return b"\0".join([name.encode(), *(tag.encode() + b"=" + tags[tag].encode() for tag in sorted(tags, key=str.encode))])


def main():
    vectors = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    wrong, out = 0, []
    for vector in vectors:
        text = key_bytes(vector["rule"], vector["line"])
        found = {"bytes": text.hex(), "key": f"{library.XXH3_64bits(text, len(text)):016x}"}
        if any(vector.get(name) != value for name, value in found.items()) and "--write" not in sys.argv:
            print(f"{vector}\nexpected {found}", file=sys.stderr)
            wrong += 1
        out.append(json.dumps({**vector, **found}, ensure_ascii=False))
    if "--write" in sys.argv:
        VECTORS.write_text("\n".join(out) + "\n")
    print(f"{len(vectors)} keys, {wrong} wrong")
    return 1 if wrong or len(vectors) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
