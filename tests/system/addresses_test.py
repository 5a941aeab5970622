"""Addresses, parameters and header injection, end to end: what the provider gets is what the client said, or it was refused."""
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient          # noqa: E402
from support.content import without_trace     # noqa: E402
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402

LOCAL_PARTS = [
    "taro..k", "taro.", ".taro", "..taro..", "a..b...c.", "-dash", "dash-", "under_score", "a+b=c", "!#$%&'*+-/=?^_`{|}~", "0", "a" * 64, "A.MiXeD.Case",
    '"quoted"', '"with space"', '"a@b"', '"a\\"b"', '"a\\\\b"', '"<a>"', '"a,b;c:d"', '"()"', '" "', '""', '"a..b."', '"' + "q" * 62 + '"', "postmaster", '"a\\ b"',
]
TOO_LONG = ["a" * 65, '"' + "q" * 63 + '"', "a" * 1000]
DOMAINS = ["example.org", "sub-domain.example.org", "xn--bcher-kva.example", "under_score.example", "localhost", "[192.0.2.7]", "[IPv6:2001:db8::1]",
           "UPPER.Example", ".".join(["d" * 63] * 3) + ".example", "1.2.3.example"]
UTF8_MAILBOXES = ["用户@例子.example", "jürgen@bücher.example", "plain@bücher.example", "δοκιμή@example.org", '"grüße dich"@example.org', "a😀b@example.org"]
# Octets that must never reach a header, a log line or a later command.
CONTROLS = [bytes([c]) for c in range(32) if c not in (10,)] + [b"\x7f"]


class Addresses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sink = Sink(extensions=("PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"),
                        reply=lambda stage, text: cls.script(stage, text)).start()
        cls.replies = {}
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n')
        cls.server.extra = (f'postmaster = "pm@home.test"\nlocal_domains = []\n[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {cls.server.port}\n'
                            'add_missing_headers = false\nmax_errors = 1000\nmax_idle_commands = 10000\n')
        cls.server.write_config()
        cls.server.start()

    @classmethod
    def script(cls, stage, text):
        for part, reply in cls.replies.items():
            if stage == "rcpt" and part in text:
                return reply
        return None

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.discard()
        cls.sink.stop()

    def setUp(self):
        self.replies.clear()
        self.sink.messages.clear()

    def client(self):
        client = RawClient(self.server.port)
        self.assertEqual(client.command("EHLO client.test")[0], 250)
        return client

    def deliver(self, client, mail, rcpt, content=b"Subject: x\r\n\r\nhi\r\n"):
        self.assertEqual(client.command(f"MAIL FROM:{mail}")[0], 250, mail)
        self.assertEqual(client.command(f"RCPT TO:{rcpt}")[0], 250, rcpt)
        self.assertEqual(client.data(content)[0], 250)

    def arrivals(self, count):
        return wait_for(lambda: len(self.sink.messages) >= count and list(self.sink.messages), 20, what=f"{count} messages")

    # --- addresses

    def test_local_parts(self):
        client = self.client()
        addresses = [f"<{local}@example.org>" for local in LOCAL_PARTS]
        for address in addresses:
            self.deliver(client, address, address, f"To: {address}\r\n\r\n".encode())
        got = {m[3].split(b"To: ", 1)[1].split(b"\r\n")[0].decode(): m for m in self.arrivals(len(addresses))}
        for address in addresses:
            _, sender, recipients, content = got[address]
            self.assertTrue(sender.startswith(address), (sender, address))
            self.assertEqual(len(recipients), 1)
            self.assertTrue(recipients[0].startswith(address), (recipients, address))
            trace = " ".join(content[:len(content) - len(without_trace(content))].decode().split())
            self.assertIn(f"for {' '.join(address.split())};", trace)   # folding may take no more than spaces
        for local in TOO_LONG:
            for command in ("MAIL FROM", "RCPT TO"):
                client.command("RSET")
                if command == "RCPT TO":
                    client.command("MAIL FROM:<a@test>")
                code, lines = client.command(f"{command}:<{local}@example.org>")
                self.assertIn(code, (500, 501, 553), lines)
        client.close()

    def test_domains(self):
        client = self.client()
        for domain in DOMAINS:
            self.deliver(client, f"<a@{domain}>", f"<b@{domain}>")
        got = [(m[1].split(">")[0] + ">", m[2][0].split(">")[0] + ">") for m in self.arrivals(len(DOMAINS))]
        self.assertEqual(sorted(got), sorted((f"<a@{d}>", f"<b@{d}>") for d in DOMAINS))
        for domain in ("d" * 64 + ".example", ".".join(["d" * 63] * 4) + ".example", "exa mple", "example.", "-a.example", "[192.0.2]", "[IPv6:x]", "[IPv6:192.0.2.1]", "ex\\ample"):
            self.assertIn(client.command(f"MAIL FROM:<a@{domain}>")[0], (500, 501, 553), domain)
        client.close()

    def test_smtputf8(self):
        client = self.client()
        for mailbox in UTF8_MAILBOXES:
            code, lines = client.command(f"MAIL FROM:<{mailbox}>")
            self.assertEqual((code, lines[0].split()[1]), (553, "5.6.7"), mailbox)
            self.assertEqual(client.command("MAIL FROM:<a@test>")[0], 250)
            code, lines = client.command(f"RCPT TO:<{mailbox}>")
            self.assertEqual((code, lines[0].split()[1]), (553, "5.6.7"), mailbox)
            client.command("RSET")
            self.deliver(client, f"<{mailbox}> SMTPUTF8 BODY=8BITMIME", f"<{mailbox}>", f"To: {mailbox}\r\nSubject: grüße\r\n\r\nhällo\r\n".encode())
        for mailbox, (_, sender, recipients, content) in zip(sorted(UTF8_MAILBOXES), sorted(self.arrivals(len(UTF8_MAILBOXES)), key=lambda m: m[1][1:])):
            self.assertTrue(sender.startswith(f"<{mailbox}>"), sender)
            self.assertIn("SMTPUTF8", sender)
            self.assertTrue(recipients[0].startswith(f"<{mailbox}>"))
            self.assertEqual(without_trace(content), f"To: {mailbox}\r\nSubject: grüße\r\n\r\nhällo\r\n".encode())
            self.assertIn(b"with UTF8SMTP", content)
        for bad in (b"<\xff@example.org> SMTPUTF8", b"<\xc3@example.org> SMTPUTF8", b"<a\xc2\x85b@example.org> SMTPUTF8", b"<\xed\xa0\x80@example.org> SMTPUTF8",
                    b"<a@b> SMTPUTF8=1", b"<\xc0\x8a@example.org> SMTPUTF8"):
            client.send(b"MAIL FROM:" + bad + b"\r\n")
            self.assertIn(client.reply()[0], (500, 501), bad)
        client.close()

    def test_dsn_parameters(self):
        client = self.client()
        self.deliver(client, "<a@test> RET=HDRS ENVID=QQ+2B314+3D159", "<b@test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@home.test")
        self.deliver(client, "<a2@test> ret=full envid=x size=100 body=8bitmime", "<b2@test> notify=never orcpt=X-Y;z")
        self.deliver(client, "<a3@test>", "<b3@test>")
        messages = {m[1].split(">")[0]: m for m in self.arrivals(3)}
        _, sender, recipients, _ = messages["<a@test"]
        for word in ("RET=HDRS", "ENVID=QQ+2B314+3D159"):
            self.assertIn(word, sender)
        self.assertIn("ORCPT=rfc822;Bob+2Bx@home.test", recipients[0])
        notify = recipients[0].split("NOTIFY=")[1].split(" ")[0]
        self.assertEqual(set(notify.split(",")), {"SUCCESS", "DELAY"})
        _, sender, recipients, _ = messages["<a2@test"]
        self.assertIn("RET=FULL", sender)
        self.assertIn("ENVID=x", sender)
        self.assertIn("NOTIFY=NEVER", recipients[0])
        self.assertIn("ORCPT=X-Y;z", recipients[0])
        _, sender, recipients, _ = messages["<a3@test"]
        self.assertNotIn("RET=", sender)
        self.assertNotIn("NOTIFY", recipients[0])
        for bad in ("RET=NONE", "RET", "ENVID", "ENVID=", "ENVID=a b=c", "ENVID=+zz", "ENVID=+0D+0A", f"ENVID={'e' * 101}", "RET=FULL RET=HDRS", "BODY=BINARYMIME",
                    "BODY", "X=1", "AUTH=<>", "SIZE=1 SIZE=1", "=", "-A=b", "A==b", "FROM=x", "SMTPUTF8 SMTPUTF8"):
            self.assertIn(client.command(f"MAIL FROM:<a@test> {bad}")[0], (501, 555), bad)
        client.command("MAIL FROM:<a@test>")
        for bad in ("NOTIFY", "NOTIFY=", "NOTIFY=NEVER,SUCCESS", "NOTIFY=SOMETIMES", "NOTIFY=SUCCESS,SUCCESS", "NOTIFY=DELAY NOTIFY=DELAY", "ORCPT", "ORCPT=", "ORCPT=rfc822",
                    "ORCPT=rfc822;", "ORCPT=;x", "ORCPT=rfc822;a+0D+0Ab", "ORCPT=rfc822;a+0a", "ORCPT=rfc822;a=b", f"ORCPT=rfc822;{'o' * 500}", "X=1"):
            self.assertIn(client.command(f"RCPT TO:<b@test> {bad}")[0], (501, 555), bad)
        client.close()

    # --- injection

    def test_control_octets(self):
        client = RawClient(self.server.port)
        for control in CONTROLS:
            for line in (b"EHLO a%sb", b"HELO a%sb.test", b"EHLO [127.0.0.1%s]"):
                client.send(line % control + b"\r\n")
                self.assertIn(client.reply()[0], (500, 501), (line, control))
        self.assertEqual(client.command("EHLO client.test")[0], 250)
        for control in CONTROLS:
            for line in (b"MAIL FROM:<a%sb@test>", b'MAIL FROM:<"a%sb"@test>', b'MAIL FROM:<"a\\%sb"@test>', b"MAIL FROM:<a@te%sst>", b"MAIL FROM:<a@test>%sX: y",
                         b"MAIL FROM:<a@test> ENVID=a%sb", b"MAIL FROM:<a%s@test> SMTPUTF8", b"NOOP a%sb", b"VRFY a%sb"):
                client.send(line % control + b"\r\n")
                self.assertIn(client.reply()[0], (500, 501), (line, control))
        self.assertEqual(client.command("MAIL FROM:<a@test>")[0], 250)
        for control in CONTROLS:
            for line in (b"RCPT TO:<a%sb@test>", b'RCPT TO:<"a%sb"@test>', b"RCPT TO:<a@test> ORCPT=rfc822;a%sb"):
                client.send(line % control + b"\r\n")
                self.assertIn(client.reply()[0], (500, 501), (line, control))
        self.assertEqual(client.command("VRFY x")[0], 252)
        client.close()

    def test_helo_names(self):
        """A name that is none keeps no device from sending (RFC 5321 section 4.1.4), and says nothing in the trace field."""
        odd = ("a(b", "a)", "a b", "a;b", "a@b", "<a>", '"a"', "a,b", "a\\b", "[127.0.0.1", "[x]", "a..b", ".a", "a.", "-a", "a%b", "(comment)", "x\u00fc",
                     "[127.0.0.1] (faked.example [192.0.2.1])", "a" * 256, "a." * 200, "[a:(b)]", "[a:b@c]", "[a:b;c]")
        plain = ("client.test", "[127.0.0.1]", "[IPv6:::1]", "[::1]", "under_score", "localhost", "1.2.3.4", "x-1")
        for i, name in enumerate(odd + plain):
            client = RawClient(self.server.port)
            self.assertEqual(client.command(f"{('EHLO', 'HELO')[i % 2]} {name}")[0], 250, name)
            self.deliver(client, "<a@test>", "<b@test>")
            client.close()
        client = RawClient(self.server.port)
        self.assertEqual(client.command("EHLO")[0], 501)
        self.assertEqual(client.command("EHLO a\x01b")[0], 500)
        self.assertEqual(client.command("MAIL FROM:<a@test>")[0], 503)
        client.close()
        arrived = self.arrivals(len(odd + plain))
        traces = [m[3].replace(b"\r\n\t", b" ") for m in arrived]
        self.assertEqual(sum(trace.startswith(b"Received: from unknown (HELO ") for trace in traces), len(odd), traces)
        for m in arrived:
            self.assertEqual(m[3].count(b"Received:"), 1)
            trace = m[3].split(b"\r\nSubject:")[0].replace(b"\r\n\t", b" ")
            self.assertEqual((trace.count(b"("), trace.count(b")"), trace.count(b";")), (1, 1, 1), trace)
            self.assertEqual(without_trace(m[3]), b"Subject: x\r\n\r\nhi\r\n")

    def test_what_the_provider_says_cannot_leave_its_place(self):
        """A reply with controls, quotes, markup or 8-bit octets goes into log, queue and report: one line each."""
        evil = '550 5.1.1 no\x07 such "user" \\ \u2028 <b@test>\x1b[2J X-Injected: 1\x0b\r'
        self.replies["evil@"] = evil
        client = self.client()
        client.command("MAIL FROM:<sender@test>")
        client.command('RCPT TO:<"x\\" status=sent (250) evil@"@test>')
        self.assertEqual(client.data(b"Subject: original\r\n\r\nhi\r\n")[0], 250)
        (report,) = self.arrivals(1)
        self.assertEqual(report[1].split(" ")[0], "<>")
        header, _, body = report[3].partition(b"\r\n\r\n")
        self.assertNotIn(b"X-Injected", header)
        for octet in report[3].replace(b"\r\n", b""):
            self.assertTrue(octet >= 32 or octet == 9, (octet, report[3]))
        for line in body.split(b"\r\n"):
            self.assertFalse(line.startswith(b"X-Injected"))
        wait_for(lambda: [e for e in self.server.events("delivery") if e["status"] == "bounced"], 10, what="the log line")
        for line in self.server.log_text().splitlines():
            self.assertTrue(line.startswith('{"time":') and line.endswith("}"), line)
            self.assertTrue(all(ord(c) >= 32 and c not in "\x7f\u2028\x85" for c in line), line)
        client.close()

    def test_deferred_reply_in_the_queue(self):
        self.replies["later@"] = '451 4.3.0 come\x08 "back" \x1b]0;title\x07 later'
        client = self.client()
        self.deliver(client, "<sender@test>", "<later@test>")

        def attempts():
            return [e for e in self.server.events("delivery") if e["status"] == "deferred"]
        event = wait_for(attempts, 20, what="the deferral")[0]
        for command in (("queue", "list"), ("queue", "list", "--json"), ("queue", "show", event["id"]), ("queue", "show", event["id"], "--json")):
            output = self.server.command(*command, check=0).stdout
            self.assertIn("come", output + " come" if "show" not in command else output)
            self.assertTrue(all(ord(c) >= 32 or c == "\n" for c in output), (command, output))
        self.server.command("queue", "delete", event["id"])
        client.close()


if __name__ == "__main__":
    unittest.main()
