"""Assignments and reports that keep the rules of src/sharding/ASSIGNMENT_FORMAT.md in an unusual way, and others that break one each. They are the
document's own examples, edited.
"""

import json
import re
from pathlib import Path

from assignment_files import ASSIGNMENT_BYTES_MAX, HEADER_BYTES_MAX, REPORT_BYTES_MAX, canonical, key_text, with_header, xxh3

DOCUMENT = Path(__file__).parents[2] / "src" / "sharding" / "ASSIGNMENT_FORMAT.md"
ASSIGNMENT, REPORT = (text.encode() for text in re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.S))
GENERATION = 1763640012
HEADER, BODY = ASSIGNMENT.split(b"\n")[:2]


def replaced(text, *edits):
    for old, new in edits:
        old, new = old.encode(), new if isinstance(new, bytes) else new.encode()
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text


def nested(depth):
    """An array in which so many levels of the file's depth are used, the outermost object included."""
    return "[" * (depth - 1) + "]" * (depth - 1)


def reversed_members(text):
    """The members of all objects in opposite order."""

    def turned(value):
        if isinstance(value, dict):
            return {name: turned(each) for name, each in reversed(value.items())}
        return [turned(each) for each in value] if isinstance(value, list) else value

    return canonical(turned(json.loads(text)))


def columns(low, owner="0", standby="-1", since="1763640000", cutover="1763630010"):
    """Edits that give the example one slice of these values."""
    return lambda body: re.sub(
        rb'"slices":\{.*?\},"handoffs"',
        f'"slices":{{"low":[{low}],"owner":[{owner}],"standby":[{standby}],"since":[{since}],"cutover":[{cutover}]}},"handoffs"'.encode(),
        body,
    )


ZERO = '"0000000000000000"'
HANDOFF = '{"low":"0000000000000000","high":"4000000000000000","from":{"name":"agg-1","incarnation":"9b1c55d0"},"generation":1763640000}'
MOVE = '{"low":"c000000000000000","high":"10000000000000000","at":1763640000,"cause":"balance"}'

# Of an assignment's body: (what, edits). The header is right.
GOOD_BODIES = [
    ("as it is", []),
    ("white space", [('{"cluster"', ' \t{ \r"cluster"'), (',"generation":1', ' , "generation" : 1'), ('[0,0,1]', '[ 0,0 , 1]')]),
    ("white space behind", [('}]}', '}] }  \r')]),
    ("line ends within", lambda body: b"\n" + body.replace(b",", b"\r\n,\n") + b"\n"),
    ("reversed members", reversed_members),
    ("unknown members", [('{"cluster"', '{"x":[1.5e3,null,true,{"y":"z"}],"cluster"'), ('{"name"', '{"colour":"red","name"'), ('{"low":[', '{"high":[],"low":[')]),
    ("unknown members twice", [('{"cluster"', '{"x":1,"x":2,"cluster"')]),
    ("unknown numbers", [('{"cluster"', '{"x":18446744073709551615,"y":-9223372036854775808,"z":[-1e300,1e-400],"cluster"')]),
    ("depth 16", [('{"cluster"', f'{{"x":{nested(16)},"cluster"')]),
    ("escapes", [('"default"', '"d\\u0065fault \\u00e4\\n\\ud83d\\ude00\\/"')]),
    ("a member's name with escapes", [('"cluster"', '"clu\\u0073ter"')]),
    ("all of UTF-8", [('"default"', '"ü€😀\x7f"')]),
    ("NUL in a text", [('"default"', '"a\\u0000b"')]),
    ("empty texts", [('"default"', '""'), ('"77aa03c1"', '""'), ('"10.0.3.4:8087"', '""')]),
    ("without cause", [('"cause":["drain agg-1"],', "")]),
    ("without handoffs", [('"handoffs":[],', "")]),
    ("without moved", lambda body: re.sub(rb',"moved":.*', b"}", body)),
    ("without what is optional of a pod", [(',"address":"10.0.3.4:8087","zone":"a"', ""), (',"since":1763630000', "")]),
    ("weight 0", [('"weight":0.5', '"weight":0')]),
    ("weight 1e9", [('"weight":0.5', '"weight":1e9')]),
    ("weight -0.0", [('"weight":0.5', '"weight":-0.0')]),
    ("pods not sorted", [('"agg-0","incarnation"', '"agg-2","incarnation"'), ('"to":"agg-0"', '"to":"agg-2"')]),
    ("a name of 249", [('"agg-0","incarnation"', f'"{"a" * 249}","incarnation"')]),
    ("a name of all kinds", [('"agg-0","incarnation"', '"0aZ_.-","incarnation"')]),
    ("one slice", columns(ZERO)),
    ("owner is last", columns(ZERO, "1", "0")),
    ("the last key", columns(ZERO + ',"ffffffffffffffff"', "0,1", "-1,-1", "1,1", "0,0")),
    ("since of now", columns(ZERO, since=str(GENERATION))),
    ("since 1", columns(ZERO, since="1")),
    ("since 0", columns(ZERO, since="0")),
    ("cutover 0", columns(ZERO, cutover="0")),
    ("cutover at the end of 9999", columns(ZERO, cutover="253402300799")),
    ("a handoff", [('"handoffs":[]', f'"handoffs":[{HANDOFF}]')]),
    ("a move to the end, of nobody", [('"moved":[', f'"moved":[{MOVE},')]),
    ("a move of nobody we know", [('"from":"agg-1"', '"from":"a/b"')]),
    ("a move of the empty name", [('"from":"agg-1"', '"from":""')]),
    ("moves while the clock was set back", [('"moved":[', f'"moved":[{MOVE.replace("1763640000", "1763640001")},')]),
    ("a move of pods that are gone", [('"from":"agg-1","to":"agg-0"', '"from":"x","to":"y"')]),
    ("the last second of 9999", [("2025-11-20T12:00:00Z", "9999-12-31T23:59:59Z")]),
    ("a leap day", [("2025-11-20T12:00:00Z", "2024-02-29T00:00:00Z")]),
]

BAD_BODIES = [
    ("nothing", lambda body: b""),
    ("an array", lambda body: b"[" + body + b"]"),
    ("text behind", lambda body: body + b"x"),
    ("two bodies", lambda body: body + body),
    ("a BOM", lambda body: b"\xef\xbb\xbf" + body),
    ("an unknown number beyond 64 bits", [('{"cluster"', '{"x":123456789012345678901234567890,"cluster"')]),
    ("an unknown number below 64 bits", [('{"cluster"', '{"x":-9223372036854775809,"cluster"')]),
    ("an unknown number beyond doubles", [('{"cluster"', '{"x":1e309,"cluster"')]),
    ("a trailing comma", [("[0,0,1]", "[0,0,1,]")]),
    ("a comment", [("[0,0,1]", "[0,0,1/**/]")]),
    ("single quotes", [('"default"', "'default'")]),
    ("another generation", [('"generation":1763640012', '"generation":1763640013')]),
    ("generation 0", [('"generation":1763640012', '"generation":0')]),
    ("generation with a point", [('"generation":1763640012', '"generation":1763640012.0')]),
    ("generation with an exponent", [('"generation":1763640012', '"generation":1763640012e0')]),
    ("generation as text", [('"generation":1763640012', '"generation":"1763640012"')]),
    ("generation with a sign", [('"generation":1763640012', '"generation":+1763640012')]),
    ("generation with a zero in front", [('"generation":1763640012', '"generation":01763640012')]),
    ("cluster is missing", [('"cluster":"default",', "")]),
    ("cluster is null", [('"default"', "null")]),
    ("cluster is no UTF-8", [('"default"', b'"\xff"')]),
    ("half a surrogate", [('"default"', '"\\ud800"')]),
    ("UTF-8 of a surrogate", [('"default"', b'"\xed\xa0\x80"')]),
    ("overlong UTF-8", [('"default"', b'"\xc0\x80"')]),
    ("an unknown member that is no UTF-8", [('{"cluster"', b'{"x":"\xff","cluster"')]),
    ("a raw tab in a text", [('"default"', '"a\tb"')]),
    ("an unknown escape", [('"default"', '"\\x"')]),
    ("cluster twice", [('{"cluster"', '{"cluster":"default","cluster"')]),
    ("cluster twice, once with escapes", [('{"cluster"', '{"clu\\u0073ter":"default","cluster"')]),
    ("slices twice", [('"handoffs"', '"slices":{"low":["0000000000000000"],"owner":[0],"standby":[-1],"since":[1],"cutover":[1]},"handoffs"')]),
    ("owner twice", [('"owner":', '"owner":[0,0,1],"owner":')]),
    ("state of a pod twice", [('"state":"ready"', '"state":"ready","state":"ready"')]),
    ("depth 17", [('{"cluster"', f'{{"x":{nested(17)},"cluster"')]),
    ("depth 100 000", [('{"cluster"', f'{{"x":{nested(100000)},"cluster"')]),
    ("created is missing", [('"created":"2025-11-20T12:00:00Z",', "")]),
    ("created with an offset", [("12:00:00Z", "12:00:00+00:00")]),
    ("created with a fraction", [("12:00:00Z", "12:00:00.5Z")]),
    ("created in month 13", [("2025-11-20", "2025-13-20")]),
    ("created on February 30", [("2025-11-20", "2025-02-30")]),
    ("created at 24 h", [("12:00:00Z", "24:00:00Z")]),
    ("created at second 60", [("12:00:00Z", "23:59:60Z")]),
    ("created before 1970", [("2025-11-20", "1969-12-31")]),
    ("cause is text", [('["drain agg-1"]', '"drain agg-1"')]),
    ("cause is null", [('["drain agg-1"]', "null")]),
    ("pods are missing", lambda body: re.sub(rb'"pods":\[.*?\],', b"", body)),
    ("no pods", lambda body: re.sub(rb'"pods":\[.*?\],"slices"', b'"pods":[],"slices"', body)),
    ("a pod twice", [('"agg-0","incarnation"', '"agg-1","incarnation"')]),
    ("a pod without a name", [('"name":"agg-0",', "")]),
    ("a pod without an incarnation", [('"incarnation":"77aa03c1",', "")]),
    ("a pod without a state", [('"state":"ready",', "")]),
    ("a pod of no known state", [('"ready"', '"asleep"')]),
    ("a name of 250", [('"agg-0","incarnation"', f'"{"a" * 250}","incarnation"')]),
    ("an empty name", [('"agg-0","incarnation"', '"","incarnation"')]),
    ("a name that is a path", [('"agg-0","incarnation"', '"a/b","incarnation"')]),
    ("a name with a dot in front", [('"agg-0","incarnation"', '".agg","incarnation"')]),
    ("a name with an umlaut", [('"agg-0","incarnation"', '"äh","incarnation"')]),
    ("a name with a newline", [('"agg-0","incarnation"', '"agg\\n","incarnation"')]),
    ("weight below 0", [('"weight":0.5', '"weight":-0.5')]),
    ("weight above 1e9", [('"weight":0.5', '"weight":1000000001')]),
    ("weight as text", [('"weight":0.5', '"weight":"1"')]),
    ("weight NaN", [('"weight":0.5', '"weight":NaN')]),
    ("weight beyond doubles", [('"weight":0.5', '"weight":1e999')]),
    ("weight .5", [('"weight":0.5', '"weight":.5')]),
    ("weight 1.", [('"weight":0.5', '"weight":1.')]),
    ("zone is a number", [('"zone":"a"', '"zone":1')]),
    ("since of a pod below 0", [('"since":1763630000', '"since":-1')]),
    ("since of a pod with a point", [('"since":1763630000', '"since":1763630000.0')]),
    ("slices are missing", lambda body: re.sub(rb'"slices":\{.*?\},', b"", body)),
    ("no slices", columns("", "", "", "", "")),
    ("a column is missing", [('"cutover":[1763630010,1763640010,1763630010]', '"cutovers":[]')]),
    ("a column is shorter", [("[0,0,1]", "[0,0]")]),
    ("a column is longer", [("[0,0,1]", "[0,0,1,1]")]),
    ("the first low is not 0", columns('"0000000000000001"')),
    ("low falls", [('"4000000000000000","c', '"c000000000000000","4')]),
    ("low twice", [('"4000000000000000","c', '"c000000000000000","c')]),
    ("low of 15 digits", [('"0000000000000000"', '"000000000000000"')]),
    ("low of 17 digits", [('"c000000000000000"', '"10000000000000000"')]),
    ("low in upper case", [('"c000000000000000"', '"C000000000000000"')]),
    ("low with 0x", [('"c000000000000000"', '"0xc0000000000000"')]),
    ("low as a number", columns("0")),
    ("an owner who is not there", [("[0,0,1]", "[0,0,2]")]),
    ("owner -1", [("[0,0,1]", "[0,0,-1]")]),
    ("owner by name", [("[0,0,1]", '[0,0,"agg-1"]')]),
    ("owner with a point", [("[0,0,1]", "[0,0,1.0]")]),
    ("a standby who is not there", [("[1,-1,-1]", "[2,-1,-1]")]),
    ("standby -2", [("[1,-1,-1]", "[-2,-1,-1]")]),
    ("a standby of itself", [("[1,-1,-1]", "[0,-1,-1]")]),
    ("since above the file's", columns(ZERO, since="9007199254740991")),
    ("since below 0", columns(ZERO, since="-1")),
    ("cutover below 0", columns(ZERO, cutover="-1")),
    ("cutover with a point", columns(ZERO, cutover="1.5")),
    ("cutover after 9999", columns(ZERO, cutover="253402300800")),
    ("cutover beyond 64 bits", columns(ZERO, cutover="18446744073709551616")),
    ("a handoff without from", [('"handoffs":[]', f'"handoffs":[{HANDOFF}]'), ('"from":{"name":"agg-1","incarnation":"9b1c55d0"},', "")]),
    ("a handoff of nothing", [('"handoffs":[]', f'"handoffs":[{HANDOFF}]'), ('"high":"4000000000000000"', '"high":"0000000000000000"')]),
    ("a handoff beyond the space", [('"handoffs":[]', f'"handoffs":[{HANDOFF}]'), ('"high":"4000000000000000"', '"high":"10000000000000001"')]),
    ("handoffs are null", [('"handoffs":[]', '"handoffs":null')]),
    ("a move of nothing", [('"high":"c000000000000000","at"', '"high":"4000000000000000","at"')]),
    ("a move without a time", [('"at":1763640000,', "")]),
    ("a move of no known cause", [('"cause":"drain"', '"cause":"whim"')]),
    ("a move without a cause", [('"cause":"drain",', "")]),
    ("a move from null", [('"from":"agg-1"', '"from":null')]),
]


def body_after(edits):
    return edits(BODY) if callable(edits) else replaced(BODY, *edits)


def _padded(total):
    """A whole assignment of so many bytes."""
    padding = total - len(ASSIGNMENT) - len(',"x":""')
    for _ in range(3):  # the length of the length changes
        body = replaced(BODY, ('{"cluster"', '{"x":"' + "y" * padding + '","cluster"'))
        file = with_header(body, GENERATION)
        padding += total - len(file)
    assert len(file) == total
    return file


def _header_of(total):
    """A header that is so long, without its newline."""
    return HEADER[:-1] + b" " * (total - len(HEADER)) + b"}\n" + BODY + b"\n"


# Of whole files.
GOOD_FILES = [
    ("white space in the header", HEADER.replace(b",", b" ,\t") + b"\r\n" + BODY + b"\n"),
    ("unknown members in the header", with_header(BODY, GENERATION, colour=["red"])),
    ("a reversed header", reversed_members(HEADER) + b"\n" + BODY + b"\n"),
    ("a header of 4096 bytes", _header_of(HEADER_BYTES_MAX)),
]
BAD_FILES = [
    ("empty", b""),
    ("a newline", b"\n"),
    ("a header alone", HEADER + b"\n"),
    ("cut by one", ASSIGNMENT[:-1]),
    ("cut by two", ASSIGNMENT[:-2]),
    ("cut in the middle", ASSIGNMENT[: len(ASSIGNMENT) // 2]),
    ("cut in the header", ASSIGNMENT[:50]),
    ("a newline behind", ASSIGNMENT + b"\n"),
    ("a third line", ASSIGNMENT + b"{}\n"),
    ("CRLF behind the body", ASSIGNMENT[:-1] + b"\r\n"),
    ("one bit of the body", ASSIGNMENT.replace(b"agg-1", b"agg-0", 1)),
    ("another checksum", ASSIGNMENT.replace(b'"dad9', b'"dad8')),
    ("a checksum in upper case", HEADER.replace(b"dad90d21307c3254", b"DAD90D21307C3254") + b"\n" + BODY + b"\n"),
    ("a checksum of 15 digits", HEADER.replace(b"dad90d21307c3254", b"dad90d21307c325") + b"\n" + BODY + b"\n"),
    ("a checksum as a number", HEADER.replace(b'"dad90d21307c3254"', str(xxh3(BODY)).encode()) + b"\n" + BODY + b"\n"),
    ("bytes too few", with_header(BODY, GENERATION, bytes=len(BODY) - 1)),
    ("bytes too many", with_header(BODY, GENERATION, bytes=len(BODY) + 1)),
    ("bytes with a point", HEADER.replace(b'"bytes":744', b'"bytes":744.0') + b"\n" + BODY + b"\n"),
    ("another generation in the header", with_header(BODY, GENERATION + 1)),
    ("generation 2^53", with_header(BODY.replace(b"1763640012", b"9007199254740992"), 1 << 53)),
    ("another format", with_header(BODY, GENERATION, format="limpet-report")),
    ("version 2", with_header(BODY, GENERATION, version=2)),
    ("version 0", with_header(BODY, GENERATION, version=0)),
    ("version 1.0", HEADER.replace(b'"version":1', b'"version":1.0') + b"\n" + BODY + b"\n"),
    ("no version", HEADER.replace(b'"version":1,', b"") + b"\n" + BODY + b"\n"),
    ("no format", HEADER.replace(b'"format":"limpet-assignment",', b"") + b"\n" + BODY + b"\n"),
    ("no checksum", HEADER.replace(b',"xxh3":"dad90d21307c3254"', b"") + b"\n" + BODY + b"\n"),
    ("a checksum twice", HEADER.replace(b"}", b',"xxh3":"dad90d21307c3254"}') + b"\n" + BODY + b"\n"),
    ("a header of 4097 bytes", _header_of(HEADER_BYTES_MAX + 1)),
    ("the body alone", BODY + b"\n"),
    ("NULs", b"\0" * 4096),
    ("no header's newline", HEADER + BODY + b"\n"),
]


def big_files():
    """(what, bytes, good): made when they are needed."""
    return [("64 MiB", _padded(ASSIGNMENT_BYTES_MAX), True), ("64 MiB and a byte", _padded(ASSIGNMENT_BYTES_MAX + 1), False)]


def assignments():
    """(what, file, good) of all."""
    for cases, good in ((GOOD_BODIES, True), (BAD_BODIES, False)):
        for what, edits in cases:
            body = body_after(edits)
            assert good or body != BODY, what
            yield what, with_header(body, GENERATION), good
    yield from ((what, file, True) for what, file in GOOD_FILES)
    yield from ((what, file, False) for what, file in BAD_FILES)


def as_generation(file, generation):
    """The same of another generation, right or wrong as before."""
    head, newline, rest = file.partition(b"\n")
    if not newline or not rest.endswith(b"\n"):
        return None
    body = rest[:-1]
    shifted = body.replace(str(GENERATION).encode(), str(generation).encode())
    right = key_text(xxh3(body)).encode()
    head = head.replace(str(GENERATION).encode(), str(generation).encode()).replace(right, key_text(xxh3(shifted)).encode())
    return head + b"\n" + shifted + b"\n"


GOOD_REPORTS = [
    ("as it is", []),
    ("white space", [('{"format"', ' {\t"format"'), ('"version":1', '"version" : 1')]),
    ("white space behind", lambda text: text[:-1] + b" \r\n"),
    ("reversed members", lambda text: reversed_members(text) + b"\n"),
    ("unknown members", [('"cpu":0.31', '"disk":{"free":[1.5,null]},"cpu":0.31'), ('"groups":1200', '"series":9,"groups":1200')]),
    ("only what is required", lambda text: b'{"format":"limpet-report","version":1,"name":"agg-0","incarnation":"1","sequence":0,"state":"ready"}\n'),
    ("the largest sequence", [('"sequence":311', '"sequence":18446744073709551615')]),
    ("generation 0", [('"generation":1763640012', '"generation":0')]),
    ("the largest generation", [('"generation":1763640012', '"generation":9007199254740991')]),
    ("weight 1e-6", [('"weight":1', '"weight":1e-6')]),
    ("weight 1e6", [('"weight":1', '"weight":1E+6')]),
    ("capacity 1e6", [('"capacity":2', '"capacity":1000000')]),
    ("a cpu of 1e15", [('"cpu":0.31', '"cpu":1e15')]),
    ("line ends within and behind", lambda text: text.replace(b",", b"\n,\r\n") + b"\n"),
    ("memory 2^64 - 1", [('"memory":52428800', '"memory":18446744073709551615')]),
    ("slices in any order", [('"low":"0000000000000000"', '"low":"8000000000000000"')]),
    ("a slice of which nothing is known", [(',"samples_per_s":980,"cpu":0.02,"state_bytes":64000,"groups":190', "")]),
    ("a handoff", [('"handoffs":[]', f'"handoffs":[{HANDOFF}]')]),
    ("texts of all kinds", [('"zone":"a"', '"zone":"z\\u00f6ne \\"\\n"'), ('"host":"n11"', '"host":"ü"')]),
    ("starting", [('"state":"ready"', '"state":"starting"')]),
    ("draining", [('"state":"ready"', '"state":"draining"')]),
    ("drained", [('"state":"ready"', '"state":"drained"')]),
]
BAD_REPORTS = [
    ("empty", lambda text: b""),
    ("no newline", lambda text: text[:-1]),
    ("cut", lambda text: text[:-20]),
    ("two lines", lambda text: text + text),
    ("a cpu beyond 1e15", [('"cpu":0.31', '"cpu":1.1e15')]),
    ("a BOM", lambda text: b"\xef\xbb\xbf" + text),
    ("an array", lambda text: b"[]\n"),
    ("nothing in it", lambda text: b"{}\n"),
    ("another format", [("limpet-report", "limpet-assignment")]),
    ("version 2", [('"version":1', '"version":2')]),
    ("version 1.0", [('"version":1', '"version":1.0')]),
    ("no version", [('"version":1,', "")]),
    ("no name", [('"name":"agg-0",', "")]),
    ("no name to speak of", [('"agg-0"', '"../x"')]),
    ("no incarnation", [('"incarnation":"77aa03c1",', "")]),
    ("no sequence", [('"sequence":311,', "")]),
    ("sequence 2^64", [('"sequence":311', '"sequence":18446744073709551616')]),
    ("sequence below 0", [('"sequence":311', '"sequence":-1')]),
    ("sequence with a point", [('"sequence":311', '"sequence":311.0')]),
    ("sequence with an exponent", [('"sequence":311', '"sequence":3e2')]),
    ("no state", [('"state":"ready",', "")]),
    ("dead", [('"state":"ready"', '"state":"dead"')]),
    ("state twice", [('"state":"ready"', '"state":"ready","state":"ready"')]),
    ("weight 0", [('"weight":1', '"weight":0')]),
    ("weight above 1e6", [('"weight":1', '"weight":1000001')]),
    ("weight is null", [('"weight":1', '"weight":null')]),
    ("capacity 0", [('"capacity":2', '"capacity":0')]),
    ("cpu below 0", [('"cpu":0.31', '"cpu":-0.31')]),
    ("cpu beyond doubles", [('"cpu":0.31', '"cpu":1e999')]),
    ("memory with a point", [('"memory":52428800', '"memory":5.5')]),
    ("memory below 0", [('"memory":52428800', '"memory":-1')]),
    ("started with a point", [('"started":1763629990', '"started":1763629990.5')]),
    ("started below 0", [('"started":1763629990', '"started":-1')]),
    ("generation 2^53", [('"generation":1763640012', '"generation":9007199254740992')]),
    ("a slice twice", [('"low":"4000000000000000"', '"low":"0000000000000000"')]),
    ("a slice without low", [('"low":"4000000000000000",', "")]),
    ("groups with a point", [('"groups":1200', '"groups":1200.0')]),
    ("samples below 0", [('"samples_per_s":980', '"samples_per_s":-1')]),
    ("a hot key without its key", [('"key":"3fa1c05b7e22d910",', "")]),
    ("a hot key of 17 digits", [('"3fa1c05b7e22d910"', '"10000000000000000"')]),
    ("a handoff of nothing", [('"handoffs":[]', f'"handoffs":[{HANDOFF}]'), ('"high":"4000000000000000"', '"high":"0000000000000000"')]),
    ("no UTF-8", [('"zone":"a"', b'"zone":"\xff"')]),
    ("depth 17", [('{"format"', f'{{"x":{nested(17)},"format"')]),
    ("too long", lambda text: text[:-2] + b" " * (REPORT_BYTES_MAX - len(text) + 1) + b"}\n"),
]


def reports():
    for cases, good in ((GOOD_REPORTS, True), (BAD_REPORTS, False)):
        for what, edits in cases:
            yield what, edits(REPORT) if callable(edits) else replaced(REPORT, *edits), good
