"""Aliases, the virtual map, included files and unknown users with the real binary: decided at RCPT, as the files are now."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                      # noqa: E402
from support.server import BINARY, Server, wait_for       # noqa: E402
from support.sink import Sink                             # noqa: E402

ALIASES = """\
# this machine's people
root: operator
Operator:
  root@outside.test,
  # and one more
  second@outside.test
quoted: "first last"
"first last": person@outside.test
staff: :include:{folder}/staff
owner-staff: root
loop: loop2
loop2: loop
nowhere: nobody-of-that-name
both: root, operator, second@outside.test
discard: /dev/null
gone: :include:{folder}/gone
"""
VIRTUAL = """\
info@shop.test sales@outside.test
info+big@shop.test big@outside.test
@catch.test all@outside.test
kept@catch.test root
"""


def relay_block(port):
    return f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'


class Aliases(unittest.TestCase):
    def setUp(self):
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)
        self.folder = tempfile.mkdtemp(prefix="sidegate-aliases-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.write("aliases", ALIASES)
        self.write("virtual", VIRTUAL)
        self.write("staff", "# list\none@outside.test\ntwo@outside.test, one@outside.test\n")
        self.server = Server(relay=relay_block(self.sink.port), extra=f'alias_files = ["{self.folder}/aliases"]\nvirtual_files = ["{self.folder}/virtual"]\n')
        self.addCleanup(self.server.discard)
        self.server.start()
        self.client = RawClient(self.server.port)
        self.addCleanup(self.client.close)
        self.command("EHLO client.test")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w") as out:
            out.write(text.replace("{folder}", self.folder))
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def command(self, line):
        lines = self.client.command(line)[1]
        return " ".join(lines[0].split(" ")[:2])

    def rcpt(self, address):
        self.command("MAIL FROM:<sender@far.test>")
        answer = self.command(f"RCPT TO:<{address}>")
        self.command("RSET")
        return answer

    def send(self, *recipients, sender="sender@far.test"):
        """(envelope sender, recipients) as the sink got them, one for each of its messages."""
        self.command("RSET")
        before = len(self.sink.messages)
        self.assertEqual(self.command(f"MAIL FROM:<{sender}>"), "250 2.1.0")
        for address in recipients:
            self.assertEqual(self.command(f"RCPT TO:<{address}>"), "250 2.1.5", address)
        code, lines = self.client.data(b"Subject: x\r\n\r\nhello\r\n")
        self.assertEqual(code, 250, lines)
        name = lines[0].split()[-1]
        wait_for(lambda: [e for e in self.server.events("removed") if e["id"] == name], 20, what="the end of the message")
        got = list(self.sink.messages)[before:]
        return sorted((m[1].split(" ")[0], sorted(r.split(" ")[0] for r in m[2])) for m in got)

    def run_command(self, *arguments):
        return subprocess.run([BINARY, *arguments, "--config", self.server.config_path], capture_output=True, text=True,
                              env=self.server.child_environment(), timeout=60)

    def arrived(self, *recipients, **more):
        return sorted(address for _, to in self.send(*recipients, **more) for address in to)

    def test_who_gets_it(self):
        for recipients, expected in (
                (["root"], ["root@outside.test", "second@outside.test"]),
                (["ROOT@gate.test"], ["root@outside.test", "second@outside.test"]),
                (["root@localhost", "both", "postmaster"], ["root@outside.test", "second@outside.test"]),
                (["quoted@gate.test"], ["person@outside.test"]),
                (["root+tag"], ["root@outside.test", "second@outside.test"]),
                (["info@shop.test"], ["sales@outside.test"]),
                (["Info+x@SHOP.test"], ["sales@outside.test"]),
                (["info+big@shop.test"], ["big@outside.test"]),
                (["any.body@catch.test"], ["all@outside.test"]),
                (["kept@catch.test"], ["root@outside.test", "second@outside.test"]),
                (["other@elsewhere.test", "root"], ["other@elsewhere.test", "root@outside.test", "second@outside.test"])):
            with self.subTest(recipients=recipients):
                self.assertEqual(self.arrived(*recipients), sorted(f"<{e}>" for e in expected))

    def test_refused_at_rcpt(self):
        for address, expected in (
                ("nobody-of-that-name@gate.test", "550 5.1.1"), ("nobody-of-that-name", "550 5.1.1"), ("nobody@shop.test", "550 5.1.1"),
                ("user%outside.test@gate.test", "550 5.1.1"), ("outside.test!user@gate.test", "550 5.1.1"), ('"user@outside.test"@gate.test', "550 5.1.1"),
                ("loop@gate.test", "451 4.3.0"), ("nowhere@gate.test", "451 4.3.0"), ("gone@gate.test", "451 4.3.0"),
                ("discard@gate.test", "250 2.1.5"), ("postmaster", "250 2.1.5"), ("Postmaster@shop.test", "250 2.1.5")):
            self.assertEqual(self.rcpt(address), expected, address)
        # Each trouble is told once, with its line.
        self.rcpt("loop@gate.test")
        told = wait_for(lambda: [e for e in self.server.events("alias_problem") if "loop" in e.get("reason", "")], what="the log line")
        self.assertEqual([(e["line"], e["file"]) for e in told], [(11, f"{self.folder}/aliases")])

    def test_owner(self):
        self.assertEqual(self.arrived("staff"), ["<one@outside.test>", "<two@outside.test>"])
        explained = json.loads(self.run_command("explain", "address", "staff", "--json").stdout)
        self.assertEqual([r["return_path"] for r in explained["recipients"]], ["owner-staff@gate.test"] * 2)

    def test_who_asks_for_success_is_told_of_the_address_once(self):
        """RFC 3464 section 2.3.3: an alias of several is expanded, mail for a list with an owner is delivered."""
        self.command("MAIL FROM:<sender@far.test>")
        for address in ("both", "staff"):
            self.assertEqual(self.command(f"RCPT TO:<{address}@gate.test> NOTIFY=SUCCESS,FAILURE"), "250 2.1.5")
        self.assertEqual(self.client.data(b"Subject: x\r\n\r\nhello\r\n")[0], 250)

        def actions():
            text = b"".join(m[3] for m in list(self.sink.messages) if m[1].startswith("<>")).decode()
            return set(re.findall(r"Final-Recipient: rfc822;(\S+)\r\nAction: (\w+)", text))
        wait_for(lambda: len(actions()) >= 2, 20, what="the reports")
        self.assertEqual(actions(), {("both@gate.test", "expanded"), ("staff@gate.test", "delivered")})
        members = [one for m in list(self.sink.messages) if not m[1].startswith("<>") for one in m[2]]
        self.assertEqual([one for one in members if "SUCCESS" in one], [])

    def test_reload(self):
        self.assertEqual(self.rcpt("fresh"), "550 5.1.1")
        self.write("aliases", "fresh: new@outside.test\n")
        self.assertEqual(self.arrived("fresh"), ["<new@outside.test>"])
        self.assertEqual(self.rcpt("staff"), "550 5.1.1")
        # A file that turns bad: what it said before stays in force, and the log says so once.
        self.write("aliases", "fresh: a@@b\nstaff: x@outside.test\n")
        self.assertEqual(self.arrived("fresh"), ["<new@outside.test>"])
        self.assertEqual(self.rcpt("staff"), "550 5.1.1")
        told = wait_for(lambda: [e for e in self.server.events("alias_problem") if "a@@b" in e["reason"]], what="the problem in the log")
        self.assertEqual([(e["line"], e["in_force"]) for e in told], [(1, "the version before")])
        os.unlink(os.path.join(self.folder, "aliases"))
        self.assertEqual(self.arrived("fresh"), ["<new@outside.test>"])
        self.write("aliases", "staff: x@outside.test\n")
        self.assertEqual(self.arrived("staff"), ["<x@outside.test>"])
        # A domain that a virtual file is about from now on: nobody asks, it is seen all the same.
        self.write("virtual", "@new.test x@outside.test\n")
        wait_for(lambda: [e for e in self.server.events("aliases_read") if e["file"].endswith("virtual")][1:], 10, what="the virtual file")
        self.assertEqual(self.arrived("a@new.test"), ["<x@outside.test>"])

    def test_included_files_are_trusted_only_where_nobody_else_writes(self):
        for spoil in (lambda path: os.chmod(path, 0o666), lambda path: os.chown(path, 12345, 12345), self.as_link, self.as_pipe):
            self.write("staff", "one@outside.test\n")
            self.write("aliases", f"fresh{id(spoil)}: :include:{self.folder}/other\n")
            path = os.path.join(self.folder, "other")
            shutil.copy(os.path.join(self.folder, "staff"), path)
            spoil(path)
            self.assertEqual(self.rcpt(f"fresh{id(spoil)}"), "451 4.3.0")
            os.unlink(path)

    def as_link(self, path):
        os.unlink(path)
        os.symlink(os.path.join(self.folder, "staff"), path)

    def as_pipe(self, path):
        os.unlink(path)
        os.mkfifo(path)

    def test_senders_without_a_domain(self):
        self.assertEqual(self.send("x@elsewhere.test", sender="root"), [("<root@gate.test>", ["<x@elsewhere.test>"])])

    def test_commands(self):
        """explain, aliases check and config check say the same as RCPT does."""
        out = self.run_command("explain", "address", "root", "info@shop.test", "ghost@gate.test", "loop@gate.test", "x@elsewhere.test", "--json")
        rows = [json.loads(line) for line in out.stdout.splitlines()]
        self.assertEqual([(r["result"], r["reply"]) for r in rows],
                         [("resolved", "250 2.1.5"), ("resolved", "250 2.1.5"), ("unknown", "550 5.1.1"), ("deferred", "451 4.3.0"), ("not_ours", "250 2.1.5")])
        self.assertEqual([(r["address"], r["ways"], r["forwarded"]) for r in rows[0]["recipients"]],
                         [("root@outside.test", ["sink"], True), ("second@outside.test", ["sink"], True)])
        self.assertEqual(rows[4]["recipients"][0]["ways"], ["sink"])
        self.assertIn(("alias", f"{self.folder}/aliases", 2), [(s["step"], s["file"], s["line"]) for s in rows[0]["steps"]])
        out = self.run_command("explain", "address", "root")
        self.assertEqual(out.returncode, 0, out.stderr)
        self.assertIn(f"alias: root leads to operator  [{self.folder}/aliases:2]", out.stdout)
        self.assertIn("-> root@outside.test: by sink", out.stdout)
        self.assertEqual(self.run_command("explain", "address", "ghost@gate.test").returncode, 67)
        out = self.run_command("aliases", "check")
        self.assertEqual(out.returncode, 65, out.stdout + out.stderr)
        self.assertIn(f"{self.folder}/aliases: 12 aliases\n", out.stdout)
        self.assertIn(f"{self.folder}/virtual: 4 virtual addresses\n", out.stdout)
        self.assertIn(f"{self.folder}/aliases:11: error: loop leads back to itself", out.stdout)
        out = self.run_command("config", "check")
        self.assertEqual(out.returncode, 0, out.stdout)
        self.assertIn(f"{self.folder}/aliases:11: warning: loop leads back to itself", out.stdout)
        self.assertNotIn("mail for root", out.stdout)
        self.write("aliases", "alice: root\n")
        out = self.run_command("aliases", "check")
        self.assertEqual((out.returncode, out.stdout.splitlines()[0]), (0, f"{self.folder}/aliases: 1 alias"))
        out = self.run_command("config", "check")
        self.assertIn("mail for root stays in root's mailbox", out.stdout)
        self.assertIn(f"write into {self.folder}/aliases: root: you@example.org", out.stdout)


class Reports(unittest.TestCase):
    def test_a_report_to_root_follows_its_alias(self):
        sink = Sink(reply=lambda stage, text: "550 5.1.1 no" if stage == "rcpt" and "bad@" in text else None).start()
        self.addCleanup(sink.stop)
        server = Server(relay=relay_block(sink.port))
        self.addCleanup(server.discard)
        path = os.path.join(server.folder, "aliases")
        with open(path, "w") as out:
            out.write("root: me@outside.test\n")
        server.extra = f'alias_files = ["{path}"]\n'
        server.write_config()
        server.start()
        client = RawClient(server.port)
        client.command("EHLO client.test")
        client.command("MAIL FROM:<root>")
        self.assertEqual(client.command("RCPT TO:<bad@elsewhere.test>")[0], 250)
        self.assertEqual(client.data(b"Subject: x\r\n\r\n")[0], 250)
        client.close()
        report = wait_for(lambda: [m for m in list(sink.messages) if m[1].startswith("<>")], 20, what="the report")
        self.assertEqual([r.split(" ")[0] for r in report[0][2]], ["<me@outside.test>"])
        server.stop()


if __name__ == "__main__":
    unittest.main()
