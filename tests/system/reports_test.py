"""Delivery reports (RFC 3461, 3464) and the times of tries, as the original sender and the provider see them."""
import email
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                    # noqa: E402
from support.server import Server, free_port, wait_for  # noqa: E402
from support.sink import Sink                           # noqa: E402

BODY = b"Subject: original\r\nX-Mark: head\r\n\r\nbody of it\r\n"
DSN = ("PIPELINING", "SIZE 104857600", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES")
NO_DSN = tuple(e for e in DSN if e != "DSN")
USUAL = 'retry_first = "300ms"\nretry_max = "300ms"\n'


class Setting:
    """A sink whose replies to RCPT are a table {part of the line: reply}, and a server that relays to it."""

    def __init__(self, refuse=None, extensions=DSN, queue=USUAL, top="", port=None):
        self.refuse, self.times = refuse or {}, []
        self.sink = Sink(extensions=extensions, reply=self.reply).start()
        self.server = Server(extra=top + "[queue]\n" + queue, relay=f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\ntls = "none"\n'
                             f'port = {port or self.sink.port}\nretry_after = "300ms"\n')
        self.lines = []

    def reply(self, stage, text):
        if stage in ("mail", "rcpt"):
            self.lines.append(text)
        return next((reply for part, reply in self.refuse.items() if stage == "rcpt" and part in text), None)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print(self.server.log_text()[-3000:], file=sys.stderr)
        self.server.stop()
        self.server.discard()
        self.sink.stop()

    def submit(self, *recipients, sender="taro..k@sender.test", parameters="", body=BODY):
        """Recipients as they stand behind RCPT TO:, with parameters."""
        client = RawClient(self.server.port)
        client.command("EHLO client.test")
        for line in (f"MAIL FROM:<{sender}>{parameters}", *(f"RCPT TO:{r}" for r in recipients)):
            code, lines = client.command(line)
            assert code == 250, lines
        code, lines = client.data(body)
        assert code == 250, lines
        client.close()

    def reports(self):
        """(recipients, parsed) of each report that arrived, and every one is well formed"""
        return [(m[2], Report(m[3])) for m in list(self.sink.messages) if m[1].startswith("<>")]

    def report(self, seconds=20):
        (found,) = wait_for(self.reports, seconds, what="a report")
        return found

    def listed(self):
        return [json.loads(line) for line in self.server.command("queue", "list", "--json", check=0).stdout.splitlines()]

    def empty(self, seconds=20):
        wait_for(lambda: not self.listed(), seconds, 0.1, "an empty queue")

    def statuses(self):
        return [(e["to"], e["status"]) for e in self.server.events("delivery")]


class Report:
    def __init__(self, data):
        self.message = email.message_from_bytes(data)
        assert self.message.get_content_type() == "multipart/report", data
        assert self.message.get_param("report-type") == "delivery-status", data
        self.text, self.status, self.returned = self.message.get_payload()
        # RFC 3464 section 2.1: a group for the message, then one for each recipient
        self.about, *self.recipients = self.status.get_payload()


class Failure(unittest.TestCase):
    def test_all_fields(self):
        with Setting({"hanako.": "550 5.1.1 no such user <here>"}) as s:
            s.submit("<..hanako.@keitai.test> NOTIFY=FAILURE ORCPT=rfc822;old+2B..x.@first.test", "<ok@test> NOTIFY=FAILURE",
                     parameters=" RET=HDRS ENVID=abc+2Bdef")
            to, report = s.report()
            self.assertEqual(to, ["<taro..k@sender.test>"])   # the old address, as it was
            self.assertEqual(report.message["To"].strip("<>"), "taro..k@sender.test")
            self.assertIn("gate.test", report.message["From"])
            self.assertRegex(report.message["Auto-Submitted"], "^auto-replied")   # RFC 3834
            self.assertTrue(report.message["Date"] and report.message["Message-ID"] and report.message["MIME-Version"])
            self.assertEqual(report.about["Original-Envelope-Id"], "abc+def")
            self.assertEqual(report.about["Reporting-MTA"], "dns; gate.test")
            self.assertTrue(report.about["Arrival-Date"])
            (one,) = report.recipients
            self.assertEqual(one["Final-Recipient"], "rfc822;..hanako.@keitai.test")
            self.assertEqual(one["Original-Recipient"], "rfc822;old+..x.@first.test")
            self.assertEqual((one["Action"], one["Status"]), ("failed", "5.1.1"))
            self.assertEqual(one["Diagnostic-Code"], "smtp; 550 5.1.1 no such user <here>")
            self.assertIn("127.0.0.1", one["Remote-MTA"])
            self.assertIn("..hanako.@keitai.test", report.text.get_payload())
            self.assertEqual(report.returned.get_content_type(), "text/rfc822-headers")
            self.assertIn("X-Mark: head", report.returned.get_payload())
            self.assertNotIn("body of it", report.message.as_string())
            s.empty()
            self.assertEqual(len(s.reports()), 1)
            self.assertEqual([m[2] for m in s.sink.messages if m[1].startswith("<taro")], [["<ok@test> NOTIFY=FAILURE"]])
            self.assertTrue(any(line.startswith("MAIL FROM:<taro..k@sender.test>") and "ENVID=abc+2Bdef" in line and "RET=HDRS" in line
                                for line in s.lines), s.lines)
            self.assertTrue(any("ORCPT=rfc822;old+2B..x.@first.test" in line for line in s.lines))

    def test_words_of_the_peer(self):
        """Not ASCII, with control characters, or long: the report stays well formed, and nothing is injected into it."""
        for words in ("宛先不明", "bad\x1b[31m\x07\tname", "x" * 3000, "a:b; (c) <d> \"e\\"):
            with self.subTest(words=words[:20]), Setting({"no@": f"550 5.1.1 {words}"}) as s:
                s.submit("<no@test>")
                _, report = s.report()
                (one,) = report.recipients
                self.assertEqual((one["Final-Recipient"], one["Status"]), ("rfc822;no@test", "5.1.1"))
                self.assertRegex(one["Diagnostic-Code"], r"^smtp; 550 5\.1\.1\s")   # perhaps folded
                (data,) = [m[3] for m in s.sink.messages]
                head, _, rest = data.partition(b"\r\n\r\n")
                status = rest[rest.index(b"message/delivery-status"):rest.index(b"text/rfc822-headers")]
                self.assertTrue(head.isascii() and status.isascii())
                self.assertNotRegex(data, rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
                self.assertLessEqual(max(map(len, data.split(b"\r\n"))), 998)
                self.assertNotRegex(s.server.log_text(), r"[\x1b\x07]")

    def test_return_full(self):
        with Setting({"no@": "550 5.1.1 no"}) as s:
            s.submit("<no@test>", parameters=" RET=FULL")
            _, report = s.report()
            self.assertEqual(report.returned.get_content_type(), "message/rfc822")
            self.assertIn("body of it", report.returned.as_string())

    def test_never(self):
        with Setting({"no@": "550 5.1.1 no"}) as s:
            s.submit("<no@test> NOTIFY=NEVER")
            wait_for(lambda: ("no@test", "bounced") in s.statuses(), 20, what="the failure")
            s.empty()
            self.assertEqual(s.reports(), [])

    def test_one_report_for_one_attempt(self):
        with Setting({"no": "550 5.1.1 no"}) as s:
            s.submit("<no1@test>", "<no2@test>", "<ok@test>", "<no3@other.test>")
            _, report = s.report()
            self.assertEqual([r["Final-Recipient"] for r in report.recipients],
                             ["rfc822;no1@test", "rfc822;no2@test", "rfc822;no3@other.test"])
            s.empty()
            self.assertEqual(len(s.reports()), 1)

    def test_reports_on_reports(self):
        """A report that fails goes to the postmaster, else it is kept: never nowhere, and never to <>."""
        refuse = {"no@": "550 5.1.1 no", "taro..k@": "550 5.1.1 sender is gone"}
        with self.subTest("kept"), Setting(refuse) as s:
            s.submit("<no@test>")
            (kept,) = wait_for(lambda: [r for r in s.listed() if r["state"] == "held"], 20, 0.1, "the dead letter")
            self.assertTrue(kept["report"])
            self.assertEqual((kept["from"], kept["to"]), ("", ["taro..k@sender.test"]))
            self.assertIn("sender is gone", kept["reason"])
            wait_for(lambda: len(s.listed()) == 1, every=0.1, what="the end of the message itself")
            shown = s.server.command("queue", "show", kept["id"], check=0).stdout
            self.assertIn("sender is gone", shown)
        with self.subTest("postmaster"), Setting(refuse, top='postmaster = "pm@home.test"\n') as s:
            s.submit("<no@test>")
            to, report = s.report()
            self.assertEqual(to, ["<pm@home.test>"])
            self.assertIn("no@test", report.message.as_string())   # the whole of it, the failed report too
            s.empty()
        with self.subTest("from <>"), Setting(refuse) as s:
            s.submit("<no@test>", sender="")
            wait_for(lambda: [r["state"] for r in s.listed()] == ["held"], 20, 0.1, "the dead letter")
            self.assertEqual(s.sink.messages, [])
        with self.subTest("postmaster is gone too"), Setting(dict(refuse, **{"pm@": "550 5.1.1 no"}), top='postmaster = "pm@home.test"\n') as s:
            s.submit("<no@test>")
            wait_for(lambda: [r["state"] for r in s.listed()] == ["held"], 20, 0.1, "the dead letter")


class Success(unittest.TestCase):
    def test_passed_on(self):
        with Setting() as s:
            s.submit("<ok@test> NOTIFY=SUCCESS,FAILURE")
            s.empty()
            self.assertEqual([m[2] for m in s.sink.messages], [["<ok@test> NOTIFY=SUCCESS,FAILURE"]])

    def test_relayed(self):
        """RFC 3461 section 5.2.2: the next host does not take DSN, so we say how far it went."""
        with Setting(extensions=NO_DSN) as s:
            s.submit("<ok@test> NOTIFY=SUCCESS ORCPT=rfc822;was@test", "<plain@test>", parameters=" ENVID=e1")
            _, report = s.report()
            (one,) = report.recipients
            self.assertEqual((one["Action"], one["Status"]), ("relayed", "2.0.0"))
            self.assertEqual(one["Original-Recipient"], "rfc822;was@test")
            self.assertEqual(report.about["Original-Envelope-Id"], "e1")
            s.empty()
            self.assertEqual(s.sink.messages[0][2], ["<ok@test>", "<plain@test>"])
            self.assertFalse(any("NOTIFY" in line or "ENVID" in line for line in s.lines))


class Time(unittest.TestCase):
    def test_delay_once_then_expiry(self):
        with Setting({"busy@": "450 4.2.1 busy"}, queue=USUAL + 'delay_report = "1s"\nlifetime = "4s"\n') as s:
            s.submit("<busy@test>")
            first, last = wait_for(lambda: s.reports() if len(s.reports()) == 2 else None, 20, what="two reports")
            (one,) = first[1].recipients
            self.assertEqual((one["Action"], one["Status"]), ("delayed", "4.2.1"))
            self.assertTrue(one["Will-Retry-Until"])
            (one,) = last[1].recipients
            self.assertEqual((one["Action"], one["Status"]), ("failed", "4.4.7"))
            self.assertEqual(one["Diagnostic-Code"], "smtp; 450 4.2.1 busy")
            s.empty()
            self.assertEqual(len(s.reports()), 2)
            self.assertGreater(s.statuses().count(("busy@test", "deferred")), 1)

    def test_no_retry_puts_them_off(self):
        """The next try would be an hour off: the delay is told and the message returned when their time comes."""
        queue = 'retry_first = "1h"\ndelay_report = "2s"\nlifetime = "4s"\n'
        with Setting({"busy@": "450 4.2.1 busy"}, queue=queue) as s:
            s.submit("<busy@test>")
            first, last = wait_for(lambda: s.reports() if len(s.reports()) == 2 else None, 20, what="two reports")
            self.assertEqual([r["Action"] for r in first[1].recipients + last[1].recipients], ["delayed", "failed"])
            def tried():
                times = [seconds_of(e["time"]) for e in s.server.events("delivery") if e["to"] == "busy@test"]
                return times if len(times) >= 3 else None
            tries = wait_for(tried, what="three lines")
            self.assertEqual(len(tries), 3)
            taken = min(seconds_of(e["time"]) for e in s.server.events("accepted"))   # the message, then its reports
            self.assertGreaterEqual(tries[1] - taken, 1.9)
            self.assertGreaterEqual(tries[2] - taken, 3.9)
            s.empty()

    def test_delay_is_for_who_asks(self):
        with Setting({"busy": "450 4.2.1 busy"}, queue=USUAL + 'delay_report = "1s"\nlifetime = "3s"\n') as s:
            s.submit("<busy1@test> NOTIFY=FAILURE", "<busy2@test> NOTIFY=DELAY")
            first, last = wait_for(lambda: s.reports() if len(s.reports()) == 2 else None, 20, what="two reports")
            self.assertEqual([(r["Final-Recipient"], r["Action"]) for r in first[1].recipients], [("rfc822;busy2@test", "delayed")])
            self.assertEqual([(r["Final-Recipient"], r["Action"]) for r in last[1].recipients], [("rfc822;busy1@test", "failed")])
            s.empty()

    def test_delay_told_while_the_relay_was_down_is_not_told_again(self):
        """The report alone counts as no attempt; the first one, over the relay that is back, knows of it all the same."""
        port = free_port()
        with Setting(port=port, queue=USUAL + 'delay_report = "1s"\n') as s:
            s.submit("<busy@test>")
            delays = lambda: [e for e in s.server.events("report") if e["kind"] == "delay"]
            wait_for(delays, 30, what="the report")
            sink = Sink(port=port, reply=lambda stage, text: "451 4.3.0 later" if stage == "rcpt" else None).start()
            self.addCleanup(sink.stop)
            wait_for(lambda: ("busy@test", "deferred") in [(e["to"], e["status"]) for e in s.server.events("delivery")
                                                           if "451" in e["reply"]], 30, what="an attempt")
            self.assertEqual(len(delays()), 1)

    def test_way_down_till_the_end(self):
        """Nothing can leave: the message expires, its report too, and that one is kept."""
        with Setting(port=free_port(), queue=USUAL + 'delay_report = "0s"\nlifetime = "2s"\n') as s:
            s.submit("<b@test>")
            (kept,) = wait_for(lambda: [r for r in s.listed() if r["state"] == "held"], 30, 0.1, "the dead letter")
            self.assertTrue(kept["report"])
            self.assertEqual(kept["to"], ["taro..k@sender.test"])
            (failed,) = wait_for(lambda: [e for e in s.server.events("delivery") if e["to"] == "b@test"], what="the log line")
            self.assertEqual((failed["status"], failed["dsn"]), ("bounced", "4.4.7"))

    def test_spacing(self):
        """retry_first, twice it, up to retry_max; each up to a quarter more; `next` says so beforehand."""
        with Setting({"busy@": "450 4.2.1 busy"}, queue='retry_first = "1s"\nretry_max = "2s"\n') as s:
            s.submit("<busy@test>")
            tries = wait_for(lambda: (lambda e: e if len(e) >= 4 else None)(s.server.events("delivery")), 30, what="four tries")
            times = [seconds_of(e["time"]) for e in tries]
            gaps = [b - a for a, b in zip(times, times[1:])]
            for gap, least in zip(gaps, (1, 1.5, 1.5)):   # retry_max with its spread below it
                self.assertGreaterEqual(gap, least - 0.01)
                self.assertLess(gap, 3.5)
            (row,) = s.listed()
            shown = json.loads(s.server.command("queue", "show", row["id"], "--json", check=0).stdout)
            self.assertEqual([t["meaning"] for t in shown["tries"]], [shown["tries"][0]["meaning"]] * len(shown["tries"]))
            self.assertGreaterEqual(shown["attempts"], 4)


def seconds_of(time):
    hours, minutes, seconds = re.search(r"T(\d+):(\d+):([\d.]+)Z", time).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


if __name__ == "__main__":
    unittest.main()
