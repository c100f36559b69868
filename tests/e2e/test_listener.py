"""Lines over HTTP and sockets: what a sender is told is true. 204: nothing is dropped; anything else: the sender knows what to repeat."""

import gzip
import http.client
import json
import random
import re
import select
import socket
import threading
import time
import zlib

from lineproto import parse_all
from limpet_case import LimpetCase, count_rule, eventually, free_port, now_ns

MIB = 1 << 20


class ListenerCase(LimpetCase):
    def listening(self, rules="", **options):
        limpet = self.limpet(rules, http=True, **options)
        limpet.wait_listening()
        return limpet

    def stop(self, limpet):
        self.assert_clean(limpet.stop())
        return limpet


class WriteTest(ListenerCase):
    def test_lines_are_aggregated(self):
        limpet = self.listening(count_rule())
        body = b"m,g=a v=1 %d\nm,g=b v=1 %d\nm,g=a v=1 %d" % ((now_ns(),) * 3)  # the last line of a body is whole
        status, headers, answer = limpet.post(body)
        self.assertEqual((status, answer), (204, b""))
        self.stop(limpet)
        self.assertEqual({line.tags["g"]: line.fields["v_count"] for line in limpet.results()}, {"a": 2, "b": 1})

    def test_beside_stdin(self):
        limpet = self.listening(count_rule())
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        limpet.post(b"m,g=a v=1 %d\n" % now_ns())
        self.stop(limpet)
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 2}])

    def test_passed_through_byte_for_byte_where_the_time_is_in_ns(self):
        limpet = self.listening()
        lines = b'odd,b=1,a=2  v=1.0,s="x\ny" 12\nm v=1i 5\n'
        self.assertEqual(limpet.post(lines)[0], 204)
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), lines)

    def test_precision(self):
        units = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
        limpet = self.listening()
        for number, unit in enumerate(units):
            self.assertEqual(limpet.post(b"m,unit=%s v=1.50 %d\n" % (unit.encode(), 1700 + number), query={"precision": unit})[0], 204)
        for unit in ("u", "n", "m", "h"):
            self.assertEqual(limpet.post(b"old,unit=%s v=1 7\n" % unit.encode(), "/write", {"db": "d", "precision": unit})[0], 204)
        self.stop(limpet)
        self.assertEqual({line.tags["unit"]: line.time_ns for line in limpet.results("m")},
                         {"ns": 1700, "us": 1701 * 10**3, "ms": 1702 * 10**6, "s": 1703 * 10**9})
        self.assertEqual({line.tags["unit"]: line.time_ns for line in limpet.results("old")}, {"u": 7000, "n": 7, "m": 420 * 10**9, "h": 7 * 3600 * 10**9})
        self.assertIn(b"m,unit=s v=1.50 1703000000000\n", bytes(limpet.stdout))

    def test_precision_counts_for_the_rules_too(self):
        limpet = self.listening(count_rule())
        limpet.post(b"m,g=a v=1 %d\n" % (now_ns() // 10**9), query={"precision": "s"})
        self.stop(limpet)
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 1}])

    def test_precision_that_is_none(self):
        limpet = self.listening()
        self.assertEqual(limpet.post(b"m v=1 1\n", query={"precision": "h"})[0], 400)  # only /write knows hours
        status, _, answer = limpet.post(b"m v=1 1\n", query={"precision": "fortnight"})
        self.assertEqual(status, 400)
        self.assertIn("precision", json.loads(answer)["message"])
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"")

    def test_missing_timestamps_get_the_clock(self):
        limpet = self.listening()
        before = now_ns()
        self.assertEqual(limpet.post(b'm,a=1 v=1\nm v=2 7\nm s="a b" \n')[0], 204)
        after = now_ns()
        self.stop(limpet)
        first, second, third = limpet.results()
        self.assertTrue(before <= first.time_ns <= after, (before, first.time_ns, after))
        self.assertEqual(second.time_ns, 7)
        self.assertTrue(before <= third.time_ns <= after)

    def test_gzip(self):
        limpet = self.listening(count_rule())
        body = b"".join(b"m,g=%d v=1 %d\n" % (i % 10, now_ns()) for i in range(5000))
        self.assertEqual(limpet.post(body, compress=True)[0], 204)
        self.stop(limpet)
        self.assertEqual(sum(line.fields["v_count"] for line in limpet.results()), 5000)

    def test_gzip_that_is_damaged(self):
        limpet = self.listening()
        whole = gzip.compress(b"m v=1 1\n" * 1000)
        for body in (whole[:-20], whole[:10], b"not gzip at all", b""):
            with self.subTest(size=len(body)):
                status, _, answer = limpet.request("POST", "/api/v2/write?org=o&bucket=b", body, {"Content-Encoding": "gzip"})
                self.assertIn(status, (400, 204) if not body else (400,), answer)
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"", "of a damaged body nothing counts")

    def test_gzip_of_two_members(self):
        limpet = self.listening()
        body = gzip.compress(b"m v=1 1\n") + gzip.compress(b"m v=2 2\n")
        self.assertEqual(limpet.request("POST", "/write?db=d", body, {"Content-Encoding": "gzip"})[0], 204)
        self.stop(limpet)
        self.assertEqual(len(limpet.results()), 2)

    def test_unknown_encoding(self):
        limpet = self.listening()
        status = limpet.request("POST", "/write?db=d", zlib.compress(b"m v=1 1\n"), {"Content-Encoding": "br"})[0]
        self.assertIn(status, (400, 415))
        self.stop(limpet)

    def test_chunked_body(self):
        limpet = self.listening()
        connection = http.client.HTTPConnection("127.0.0.1", limpet.port, timeout=10)
        parts = [b"m v=1 1\nm v=2", b" 2\nm ", b"v=3 3\n"]
        connection.request("POST", "/write?db=d", iter(parts), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 204)
        connection.close()
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"".join(parts))

    def test_expect_100_continue(self):
        limpet = self.listening()
        with socket.create_connection(("127.0.0.1", limpet.port), timeout=10) as s:
            s.sendall(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n")
            self.assertIn(b"100", s.recv(100))
            s.sendall(b"m v=1 1\n")
            self.assertIn(b"204", s.recv(1000))
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"m v=1 1\n")

    def test_connection_is_kept_for_many_requests(self):
        limpet = self.listening()
        connection = http.client.HTTPConnection("127.0.0.1", limpet.port, timeout=10)
        for i in range(200):
            connection.request("POST", "/write?db=d", b"m v=1 %d\n" % i)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, 204)
        connection.close()
        self.stop(limpet)
        self.assertEqual([line.time_ns for line in limpet.results()], list(range(200)))

    def test_many_senders_at_once(self):
        limpet, senders, posts, failures = self.listening(count_rule()), 20, 20, []

        def send(number):
            for _ in range(posts):
                status = limpet.post(b"".join(b"m,g=%d v=1 %d\n" % (number, now_ns()) for _ in range(100)), compress=number % 2 == 0)[0]
                if status != 204:
                    failures.append(status)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.stop(limpet)
        self.assertEqual({line.fields["v_count"] for line in limpet.results()}, {posts * 100})
        self.assertEqual(len(limpet.results()), senders)

    def test_empty_body(self):
        limpet = self.listening()
        self.assertEqual(limpet.post(b"")[0], 204)
        self.assertEqual(limpet.post(b"\n# a comment\n")[0], 204)
        self.stop(limpet)
        self.assertEqual(limpet.final_ledger()["lines"]["read"], 0)

    def test_what_was_answered_is_there_after_an_immediate_stop(self):
        for _ in range(5):
            limpet = self.listening(count_rule())
            self.assertEqual(limpet.post(b"".join(b"m,g=a v=1 %d\n" % now_ns() for _ in range(20000)))[0], 204)
            self.stop(limpet)
            self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 20000}])


class PartialWriteTest(ListenerCase):
    def check_message(self, message):
        self.assertTrue(message.startswith("partial write: unable to parse line 2: "), message)

    def test_v2(self):
        limpet = self.listening(count_rule())
        status, headers, answer = limpet.post(b"m,g=a v=1 %d\nbad line\nm,g=a v=1 %d\n" % (now_ns(), now_ns()))
        self.assertEqual(status, 400)
        self.assertIn("application/json", headers.get("Content-Type", ""))
        decoded = json.loads(answer)
        self.assertEqual(decoded["code"], "invalid")
        self.check_message(decoded["message"])
        self.stop(limpet)
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 2}])

    def test_v1(self):
        limpet = self.listening()
        status, _, answer = limpet.post(b"m v=1 1\nm v=oops 1\nm v=2 2\n", "/write", {"db": "d"})
        self.assertEqual(status, 400)
        self.check_message(json.loads(answer)["error"])
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"m v=1 1\nm v=2 2\n")

    def test_line_number_counts_every_line(self):
        limpet = self.listening()
        for body, line in ((b"bad\n", 1), (b"\n\n# c\nbad\n", 4), (b'm s="a\nb" 1\nbad\n', 3), (b"m v=1 1\n" * 999 + b"bad\nbad\n", 1000)):
            status, _, answer = limpet.post(body)
            self.assertEqual(status, 400)
            self.assertIn(f"unable to parse line {line}:", json.loads(answer)["message"])
        self.stop(limpet)

    def test_message_is_valid_json_whatever_the_line(self):
        limpet = self.listening()
        for bad in (b'bad "quoted" \\ line', b"bad \xff\xfe", b"bad \0\x01\x1b", b"bad " + b"x" * 100000):
            status, _, answer = limpet.post(bad + b"\n")
            self.assertEqual(status, 400)
            json.loads(answer)
            self.assertLess(len(answer), 10000)
        self.stop(limpet)


class OtherPathsTest(ListenerCase):
    def test_ping_and_health(self):
        limpet = self.listening()
        self.assertEqual(limpet.request("GET", "/ping")[0], 204)
        self.assertEqual(limpet.request("HEAD", "/ping")[0], 204)
        status, _, answer = limpet.request("GET", "/health")
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(answer)["status"], "pass")
        self.stop(limpet)

    def test_query_accepts_create_database(self):
        limpet = self.listening()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for path, body in (("/query?q=CREATE+DATABASE+%22telegraf%22", b""), ("/query", b"q=CREATE+DATABASE+%22telegraf%22")):
            status, _, answer = limpet.request("POST", path, body, form)
            self.assertEqual(status, 200, answer)
            self.assertNotIn("error", answer.decode())
            json.loads(answer)
        status, _, answer = limpet.request("POST", "/query", b"q=DROP+DATABASE+x", form)
        self.assertTrue(status >= 400 or b"error" in answer, (status, answer))
        self.stop(limpet)

    def test_unknown_path_and_method(self):
        limpet = self.listening()
        self.assertEqual(limpet.request("GET", "/nothing/here")[0], 404)
        self.assertIn(limpet.request("DELETE", "/api/v2/write?org=o&bucket=b")[0], (404, 405))
        self.assertIn(limpet.request("GET", "/write?db=d")[0], (404, 405))
        self.stop(limpet)

    def test_what_is_no_http(self):
        limpet = self.listening()
        source = random.Random(11)
        garbage = [b"\0" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"POST /write HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"m v=1 1\n" * 1000,
                   b"GET /ping HTTP/1.1\r\n" + b"X: y\r\n" * 100000 + b"\r\n", b"POST /write HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                   b"GET /" + b"a" * 10**6 + b" HTTP/1.1\r\n\r\n"] + [source.randbytes(500) for _ in range(20)]
        for text in garbage:
            with socket.create_connection(("127.0.0.1", limpet.port), timeout=5) as s:
                try:
                    s.sendall(text)
                    s.shutdown(socket.SHUT_WR)
                    s.recv(1000)
                except OSError:
                    pass
        self.assertEqual(limpet.post(b"m v=1 1\n")[0], 204)
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"m v=1 1\n")

    def test_sender_that_leaves_in_mid_body(self):
        limpet = self.listening()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", limpet.port)) as s:
                s.sendall(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nm v=1 1\nm v=")
        self.assertEqual(limpet.post(b"m v=2 2\n")[0], 204)
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"m v=2 2\n", "a body that did not come whole does not count")

    def test_slow_sender_does_not_hold_up_others(self):
        limpet = self.listening()
        with socket.create_connection(("127.0.0.1", limpet.port)) as slow:
            slow.sendall(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nm v")
            begin = time.monotonic()
            self.assertEqual(limpet.post(b"m v=2 2\n")[0], 204)
            self.assertLess(time.monotonic() - begin, 2)
            slow.sendall(b"=1 1\n")
            self.assertIn(b"204", slow.recv(1000))
        self.stop(limpet)


class LimitsTest(ListenerCase):
    def test_body_too_long_on_the_wire(self):
        limpet = self.listening()
        status = limpet.request("POST", "/write?db=d", b"m v=1 1\n" * (4 * MIB + 1))[0]
        self.assertEqual(status, 413)
        self.assertEqual(limpet.post(b"m v=2 2\n")[0], 204)
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"m v=2 2\n")

    def test_chunked_body_too_long_on_the_wire(self):
        limpet = self.listening()
        parts = (b"m v=1 1\n" * (MIB // 8) for _ in range(40))
        connection = http.client.HTTPConnection("127.0.0.1", limpet.port, timeout=30)
        try:
            connection.request("POST", "/write?db=d", parts, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            self.assertEqual(connection.getresponse().status, 413)
        except ConnectionError:
            pass  # closed under us while we still sent; that nothing was taken is checked below
        connection.close()
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"")

    def test_body_too_long_when_inflated(self):
        limpet = self.listening()
        bomb = gzip.compress(b"\n" * (300 * MIB), 9)
        self.assertLess(len(bomb), MIB)
        self.assertEqual(limpet.request("POST", "/write?db=d", bomb, {"Content-Encoding": "gzip"})[0], 413)
        self.assertEqual(limpet.post(b"m v=2 2\n")[0], 204)
        self.stop(limpet)

    def test_overload_is_503_with_retry_after_and_nothing_answered_is_lost(self):
        # Lines that are to be written back while stdout is stuck cannot be shed once 204 was said: the sender has to wait.
        limpet = self.listening()
        limpet.pause_stdout()
        line = b'other text="' + b"x" * 4000 + b'" %d\n'
        accepted, refused = 0, None
        for number in range(80):
            body = b"".join(line % (number * 2000 + i) for i in range(2000))  # 8 MB
            try:
                status, headers, _ = limpet.post(body, timeout_s=5)
            except OSError:
                continue  # held without an answer: neither promised nor refused
            if status == 503:
                refused = headers
                break
            self.assertEqual(status, 204)
            accepted += 2000
        self.assertIsNotNone(refused, f"640 MB, and never a 503; {accepted} lines accepted")
        self.assertRegex(refused.get("Retry-After", ""), r"^\d+$")
        limpet.resume_stdout()
        eventually(lambda: limpet.stdout.count(b"\n") >= accepted, 30)
        self.assertTrue(eventually(lambda: limpet.post(b"after v=1 1\n")[0] == 204, 20, 0.2))
        self.stop(limpet)
        self.assertGreaterEqual(len(limpet.results("other")), accepted)
        self.assertEqual(limpet.final_ledger()["lines"]["shed"], 0)

    def test_too_many_connections(self):
        limpet = self.listening()
        open_ones = []
        for _ in range(1100):
            try:
                open_ones.append(socket.create_connection(("127.0.0.1", limpet.port), timeout=2))
            except OSError:
                break
        limpet.write(b"still v=1 1\n")
        self.assertTrue(eventually(lambda: b"still" in bytes(limpet.stdout)))
        closed = select.poll()
        for s in open_ones:
            closed.register(s, select.POLLIN)
        self.assertTrue(closed.poll(10_000), "none was closed by the other side")
        for s in open_ones:
            s.close()
        self.assertTrue(eventually(lambda: self.answers(limpet), 10, 0.2))
        self.assertGreater(limpet.status_number("connections_refused"), 0)
        self.stop(limpet)

    def answers(self, limpet):
        try:
            return limpet.post(b"m v=1 1\n")[0] == 204
        except OSError:
            return False


class SocketTest(ListenerCase):
    def feed(self, address, family):
        def connect():
            s = socket.socket(family, socket.SOCK_STREAM)
            try:
                s.connect(address)
                return s
            except OSError:
                s.close()

        s = eventually(connect)
        self.assertTrue(s, f"cannot connect to {address}")
        with s:
            for text in (b"m,g=a v=1 %d\nm,g=" % now_ns(), b"a v=1 %d\nother v=1 5\nbad line\n" % now_ns(), b"m,g=b v=1\n"):
                s.sendall(text)
                time.sleep(0.02)

    def check(self, limpet):
        self.assertTrue(eventually(lambda: b"other" in bytes(limpet.stdout)))
        time.sleep(0.3)
        self.stop(limpet)
        self.assertEqual({line.tags["g"]: line.fields["v_count"] for line in limpet.results("m")}, {"a": 2, "b": 1})
        self.assertIn(b"other v=1 5\n", bytes(limpet.stdout))
        self.assertEqual(sum(limpet.final_ledger()["lines"]["bad"].values()), 1)

    def test_unix(self):
        path = self.directory / "in.sock"
        limpet = self.limpet(count_rule(), args=["--listen.socket", f"unix:{path}"])
        self.feed(str(path), socket.AF_UNIX)
        self.check(limpet)

    def test_tcp(self):
        port = free_port()
        limpet = self.limpet(count_rule(), args=["--listen.socket", f"tcp://127.0.0.1:{port}"])
        self.feed(("127.0.0.1", port), socket.AF_INET)
        self.check(limpet)

    def test_unix_path_left_over_from_a_killed_process(self):
        path = self.directory / "in.sock"
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(path))
        limpet = self.limpet(count_rule(), args=["--listen.socket", f"unix:{path}"])
        self.feed(str(path), socket.AF_UNIX)
        self.check(limpet)

    def test_unix_path_that_is_a_file_is_left_alone(self):
        path = self.directory / "precious"
        path.write_text("data")
        limpet = self.limpet(args=["--listen.socket", f"unix:{path}"])
        limpet.write(b"m v=1 1\n")
        time.sleep(0.5)
        self.stop(limpet)
        self.assertEqual(path.read_text(), "data")
        self.assertEqual(bytes(limpet.stdout), b"m v=1 1\n")

    def test_half_a_line_at_the_stop_is_counted(self):
        path = self.directory / "in.sock"
        limpet = self.limpet(count_rule(), args=["--listen.socket", f"unix:{path}"])
        self.assertTrue(eventually(path.exists))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b"m,g=a v=1 %d\nother v=1 5\nm,g=a v=" % now_ns())
            self.assertTrue(eventually(lambda: b"other" in bytes(limpet.stdout)))
            self.stop(limpet)
        self.assertEqual(limpet.final_ledger()["lines"]["bad"], {"unterminated": 1})
        self.assertEqual([line.fields for line in limpet.results("m")], [{"v_count": 1}])

    def test_many_lines_lose_none(self):
        path, count = self.directory / "in.sock", 300000
        limpet = self.limpet(count_rule(), args=["--listen.socket", f"unix:{path}"])
        self.assertTrue(eventually(path.exists))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b"".join(b"m,g=%d v=1 %d\n" % (i % 100, now_ns()) for i in range(count)))
        time.sleep(1)
        self.stop(limpet)
        self.assertEqual(sum(line.fields["v_count"] for line in limpet.results("m")), count)


class AddressTest(ListenerCase):
    def test_port_that_is_taken_is_retried_quietly(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            limpet = self.limpet(args=["--listen.http", f"127.0.0.1:{port}"])
            limpet.port = port
            limpet.write(b"m v=1 1\n")
            self.assertTrue(eventually(lambda: bytes(limpet.stdout) == b"m v=1 1\n"))
            time.sleep(3)
            self.assertEqual(limpet.errors(), [])
            self.assertLessEqual(len(limpet.log), 5, limpet.log)
        limpet.wait_listening()
        self.assertEqual(limpet.post(b"m v=2 2\n")[0], 204)
        self.stop(limpet)

    def test_other_address_than_loopback_is_refused(self):
        for flag, address in (("--listen.http", "0.0.0.0:{}"), ("--listen.http", "[::]:{}"), ("--listen.socket", "tcp://0.0.0.0:{}")):
            with self.subTest(address=address):
                port = free_port()
                limpet = self.limpet(args=[flag, address.format(port)])
                limpet.write(b"m v=1 1\n")
                self.assert_error_says(limpet, "insecure")
                with self.assertRaises(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1)
                self.stop(limpet)
                self.assertEqual(bytes(limpet.stdout), b"m v=1 1\n")

    def test_insecure_allows_it(self):
        port = free_port()
        limpet = self.limpet(args=["--listen.http", f"0.0.0.0:{port}", "--listen.insecure", "true"])
        limpet.port = port
        limpet.wait_listening()
        self.assertEqual(limpet.post(b"m v=1 1\n")[0], 204)
        self.stop(limpet)

    def test_address_that_makes_no_sense(self):
        for address in ("nonsense", "127.0.0.1:99999", "127.0.0.1", ":"):
            limpet = self.limpet(args=["--listen.http", address])
            limpet.write(b"m v=1 1\n")
            self.assertTrue(eventually(limpet.errors, 5), address)
            self.stop(limpet)
            self.assertEqual(bytes(limpet.stdout), b"m v=1 1\n")


class StatusTest(ListenerCase):
    METRIC = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\.)*"(,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\.)*")*,?\})? -?[0-9.eE+-]+( \d+)?')

    def busy(self):
        limpet = self.listening(count_rule(name="requests"))
        limpet.write(b"".join(b"m,g=%d v=1 %d\n" % (i % 3, now_ns()) for i in range(30)) + b"other v=1 1\nbad\nm,g=a v=1 1\n")
        limpet.wait_read(33)
        return limpet

    def test_metrics(self):
        limpet = self.busy()
        status, headers, body = limpet.request("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertIn("text/plain", headers["Content-Type"])
        samples = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, self.METRIC)
                samples[line.rpartition(" ")[0]] = float(line.rpartition(" ")[2])
        value = lambda *words: [number for key, number in samples.items() if all(word in key for word in words)]
        self.assertIn(33, value("lines", "read"))
        self.assertIn(1, value("lines", "written_back"))
        self.assertIn(31, value("seen", 'rule="requests"'))
        self.assertIn(30, value("aggregated", 'rule="requests"'))
        self.assertIn(1, value("dropped", 'rule="requests"', "late"))
        self.assertIn(3, value("groups", 'rule="requests"'))
        self.assertTrue(value("series"))
        for line in body.decode().splitlines():
            if line.startswith("# TYPE"):
                self.assertRegex(line, r"^# TYPE \S+ (counter|gauge|histogram|summary|untyped)$")
        self.stop(limpet)

    def test_health_and_readiness(self):
        limpet = self.busy()
        self.assertEqual(limpet.request("GET", "/healthz")[0], 200)
        self.assertEqual(limpet.request("GET", "/readyz")[0], 200)
        self.stop(limpet)

    def test_not_ready_while_the_rules_are_broken(self):
        limpet = self.listening("[[rule]]\nname = ")
        code, _, body = limpet.request("GET", "/readyz")
        self.assertEqual((code, body), (503, b"the rules have errors: every line passes through\n"))
        self.assertEqual(limpet.request("GET", "/healthz")[0], 200)
        limpet.write_rules(count_rule())
        self.assertTrue(eventually(lambda: limpet.request("GET", "/readyz")[0] == 200))
        limpet.write_rules("[[rule]]\nname = ")
        self.assertTrue(eventually(lambda: limpet.status_number("reload_errors") == 1))
        self.assertEqual(limpet.request("GET", "/readyz")[0], 200, "those before are in force")
        self.stop(limpet)

    def test_status_is_the_ledger_in_json(self):
        limpet = self.busy()
        ledger = limpet.ledger()
        self.assertEqual(ledger["lines"]["read"], 33)
        self.assertEqual(ledger["lines"]["original_dropped"], 31)
        self.assertEqual(ledger["rules"]["requests"]["aggregated"], 30)
        self.assertEqual(ledger["rules"]["requests"]["dropped"], {"late": 1})
        self.stop(limpet)
        final = limpet.final_ledger()
        self.assertEqual(final["lines"], ledger["lines"])

    def test_self_metrics_as_lines(self):
        limpet = self.limpet(count_rule(name="requests"), args=["--metrics_interval", "1s", "--pod", "agg-0"])
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assertTrue(eventually(lambda: limpet.stdout.count(b"limpet_rule,") >= 2, 10))
        self.stop(limpet)
        lines = [line for line in parse_all(limpet.stdout) if line.name == "limpet"]
        self.assertEqual(lines[0].tags, {"pod": "agg-0"})
        self.assertEqual(lines[-1].fields["lines_read"], 1)
        rule = [line for line in parse_all(limpet.stdout) if line.name == "limpet_rule"][-1]
        self.assertEqual(rule.tags, {"pod": "agg-0", "rule": "requests"})
        self.assertEqual(rule.fields["aggregated"], 1)

    def test_none_of_them_without_asking(self):
        limpet = self.limpet(count_rule())
        time.sleep(1.5)
        self.stop(limpet)
        self.assertEqual(bytes(limpet.stdout), b"")
