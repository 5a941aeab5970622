"""Signatures of our own domains, verified by others' programs: dkimpy and opendkim-testmsg; keys made by `sidegate dkim new`."""
import csv
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import filters, txt_server       # noqa: E402
from support.client import RawClient          # noqa: E402
from support.server import BINARY, Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402

sys.path.append("/usr/lib/python3/dist-packages")   # Debian's, whichever python3 runs this
try:
    import dkim
except ImportError:
    dkim = None

CASES = os.path.join(os.environ.get("SIDEGATE_CASES", os.path.join(os.path.dirname(__file__), "../../../shared/cases")), "messages")
TXT_SERVER = os.path.join(os.path.dirname(__file__), "..", "support", "txt_server.py")
HAND_MADE = {
    "empty body": b"From: a@x.test\r\nSubject: x\r\n\r\n",
    "nothing but a header": b"From: a@x.test\r\nSubject: x\r\n",
    "empty lines at the end": b"From: a@x.test\r\nSubject: x\r\n\r\nhi\r\n\r\n\r\n\r\n",
    "white space": b"From:   Ann\r\n\t<a@x.test>  \r\nSubject:  a   b \r\n\r\n a \t b  \r\n\t\r\nc\r\n",
    "8-bit": "From: 宛 <a@x.test>\r\nSubject: 宛先\r\n\r\n本文\r\n".encode(),
    "a long line": b"From: a@x.test\r\nSubject: x\r\n\r\n" + b"x" * 5000 + b"\r\n",
    "dots": b"From: a@x.test\r\n\r\n.\r\n..\r\n.a\r\n",
    "large": b"From: a@x.test\r\n\r\n" + b"line of a large body  \r\n" * 40000,
}


def as_smtp(data):
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def carried(data):
    return b"\r" not in data.replace(b"\r\n", b"") and b"\0" not in data and max(len(line) + 2 for line in data.split(b"\r\n")) <= 65536


class Signing(unittest.TestCase):
    def setUp(self):
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)

    def new_keys(self, server, *arguments):
        made = server.command("dkim", "new", "example.org", "--directory", os.path.join(server.folder, "keys"), "--json", *arguments, check=0)
        return [json.loads(line) for line in made.stdout.splitlines()]

    def serve(self, more="", keys=("--algorithm", "both"), relay='identity = "account"\naddress = "me@example.org"\n', sink=None):
        server = Server()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        self.keys = self.new_keys(server, *keys)
        server.relay = (f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {(sink or self.sink).port}\ntls = "none"\n{relay}' +
                        "".join(key["toml"] + more for key in self.keys))
        server.write_config()
        return server.start()

    def send(self, server, data, name):
        client = RawClient(server.port)
        client.open_transaction(sender=f"{name}@gate.test")
        code, lines = client.data(data)
        client.close()
        self.assertEqual(code, 250, (name, lines))

    def signed(self, sink, count):
        wait_for(lambda: len(sink.messages) >= count, 120, what=f"{count} messages")
        return [message[3] for message in sink.messages]

    def verify(self, message, count):
        """Each of the signatures, by dkimpy."""
        records = {key["name"] + ".": key["value"].encode() for key in self.keys}
        found = dkim.DKIM(message)
        for index in range(count):
            self.assertTrue(found.verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode() if isinstance(name, bytes) else name)),
                            message[:1500])

    @unittest.skipUnless(dkim, "skipped: python3-dkim is not installed")
    def test_every_kind_of_message(self):
        for form in ("relaxed/relaxed", "simple/simple"):
            server = self.serve(more=f'canonicalization = "{form}"\n')
            before = len(self.sink.messages)
            for number, data in enumerate(HAND_MADE.values()):
                self.send(server, data, f"m{number}")
            messages = self.signed(self.sink, before + len(HAND_MADE))[before:]
            for message in messages:
                with self.subTest(form=form, message=message[-60:]):
                    self.assertEqual(message.count(b"DKIM-Signature:"), 2)
                    self.verify(message, 2)
            changed = messages[0].replace(b"Subject: x", b"Subject: y")
            with self.assertRaises(AssertionError):
                self.verify(changed, 1)
            server.stop()

    @unittest.skipUnless(dkim, "skipped: python3-dkim is not installed")
    @unittest.skipUnless(os.path.isdir(CASES), "skipped: no cases")
    def test_real_messages(self):
        with open(os.path.join(CASES, "index.tsv")) as index:
            files = [row["file"] for row in csv.DictReader(index, delimiter="\t")]
        server = self.serve(keys=("--algorithm", "ed25519"))
        sent = 0
        for number, file in enumerate(files):
            with open(os.path.join(CASES, file), "rb") as source:
                data = as_smtp(source.read())
            # Without an empty line nobody knows where a header ends.
            head = data.split(b"\r\n\r\n")[0]
            # Nor where it is broken off by a line that is no field, or has a form that dkimpy does not read.
            plain = b"\r\n\r\n" in data and all(re.match(rb"[ \t]|[!-9;-~]+:", line) for line in head.split(b"\r\n"))
            if not carried(data) or not plain or data.count(b"\nReceived:") > 90:
                continue
            self.send(server, data, f"case{number}")
            sent += 1
        self.assertGreater(sent, 80)
        for message in self.signed(self.sink, sent):
            with self.subTest(message=message[:80]):
                self.verify(message, 1)

    @unittest.skipUnless(shutil.which("opendkim-testmsg") and os.geteuid() == 0, "skipped: needs root and opendkim-tools")
    def test_opendkim_agrees(self):
        server = self.serve(keys=("--selector", "od"))
        names = list(HAND_MADE)
        for number, name in enumerate(names):
            self.send(server, HAND_MADE[name], f"m{number}")
        messages = self.signed(self.sink, len(names))
        records = os.path.join(server.folder, "records.json")
        with open(records, "w") as out:
            json.dump({key["name"]: key["value"] for key in self.keys}, out)
        for message in messages:
            for data, good in ((message, True), (message + b"more\r\n", False)):
                said = subprocess.run([sys.executable, TXT_SERVER, records, "opendkim-testmsg"], input=data, capture_output=True, timeout=60)
                self.assertEqual(said.returncode == 0 and not said.stdout + said.stderr, good, (data[:1200], said.stdout, said.stderr))

    def test_rspamd_agrees(self):
        """Both algorithms, one after the other: it tells what it found of a domain, not of each signature."""
        for algorithm in ("rsa", "ed25519"):
            server = self.serve(keys=("--algorithm", algorithm, "--selector", algorithm))
            before = len(self.sink.messages)
            names = list(HAND_MADE)
            for number, name in enumerate(names):
                self.send(server, HAND_MADE[name], f"m{number}")
            messages = self.signed(self.sink, before + len(names))[before:]
            server.stop()
            records = {key["name"].lower(): key["value"] for key in self.keys}
            scanner = filters.RspamdDkim(server.folder, txt_server.serve(records, 0))
            try:
                scanner.start()
                for message in messages:
                    self.assertIn("R_DKIM_ALLOW", scanner.symbols(message), (message[:1200], scanner.output()))
                    self.assertIn("R_DKIM_REJECT", scanner.symbols(b"Subject: more\r\n" + message), message[:1200])
            finally:
                scanner.end()

    def test_a_header_that_breaks_off_is_ended(self):
        """Others would read the lines below as fields: the empty line before them says that they are none, and what is signed is what it shows."""
        server = self.serve(relay="")
        rest = b"no field\r\nSubject: seen by some\r\n\r\nx\r\n"
        self.send(server, b"From: a@example.org\r\n" + rest, "broken")
        self.send(server, b"From: a@example.org\r\nSubject: x\r\n\r\nx\r\n", "whole")
        self.signed(self.sink, 2)
        by_sender = {message[1]: message[3] for message in self.sink.messages}
        self.assertEqual([data.count(b"DKIM-Signature:") for sender, data in sorted(by_sender.items())], [2, 2], by_sender)
        self.assertIn(rest, [data.partition(b"\r\n\r\n")[2] for data in by_sender.values()])
        wait_for(lambda: server.events("header_mended"), 60, what="the log's line")

    @unittest.skipUnless(dkim, "skipped: python3-dkim is not installed")
    def test_after_a_conversion(self):
        old = Sink(extensions=("PIPELINING",)).start()
        self.addCleanup(old.stop)
        server = self.serve(sink=old, relay='identity = "account"\naddress = "me@example.org"\neight_bit = "convert"\n')
        client = RawClient(server.port)
        client.command("EHLO client.test")
        client.command("MAIL FROM:<a@gate.test> BODY=8BITMIME")
        client.command("RCPT TO:<b@test>")
        self.assertEqual(client.data("From: a@x.test\r\nSubject: x\r\n\r\n宛先\r\n".encode())[0], 250)
        client.close()
        (message,) = self.signed(old, 1)
        self.assertIn(b"quoted-printable", message)
        self.verify(message, 2)

    def test_only_own_mail_and_once(self):
        server = self.serve(relay="")
        self.send(server, b"From: a@elsewhere.test\r\n\r\nx\r\n", "foreign")
        self.send(server, b"From: a@example.org\r\n\r\nx\r\n", "own")
        messages = self.signed(self.sink, 2)
        by_sender = {message[1]: message[3] for message in self.sink.messages}
        self.assertEqual(len(messages), 2)
        (own,) = [data for sender, data in by_sender.items() if "own" in sender]
        self.assertEqual([data.count(b"DKIM-Signature:") for sender, data in sorted(by_sender.items())], [0, 2])
        self.send(server, own, "again")
        again = self.signed(self.sink, 3)[2]
        self.assertEqual(again.count(b"DKIM-Signature:"), 2, "signed already, and nothing has broken it")


    def test_two_of_ours_in_a_row_sign_once(self):
        outer = self.serve(relay="")
        home = Server(relay=f'[[relay]]\nname = "outer"\nhost = "127.0.0.1"\nport = {outer.port}\ntls = "none"\n' + "".join(key["toml"] for key in self.keys)).start()
        self.addCleanup(home.discard)
        self.addCleanup(home.stop)
        self.send(home, b"From: a@example.org\r\nSubject: x\r\n\r\nx\r\n", "own")
        (message,) = self.signed(self.sink, 1)
        self.assertEqual(message.count(b"DKIM-Signature:"), 2)
        if dkim:
            self.verify(message, 2)


class Keys(unittest.TestCase):
    def run_new(self, *arguments):
        return subprocess.run([BINARY, "dkim", "new", *arguments], capture_output=True, text=True, timeout=60, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})

    def test_files_and_records(self):
        server = Server()
        self.addCleanup(server.discard)
        folder = os.path.join(server.folder, "keys")
        said = self.run_new("Example.ORG", "--selector", "s1", "--algorithm", "both", "--directory", folder)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("s1._domainkey.example.org. IN TXT (", said.stdout)
        self.assertIn("s1-ed._domainkey.example.org", said.stdout)
        self.assertIn("[[dkim]]\ndomain = \"example.org\"\nselector = \"s1\"\n", said.stdout)
        files = sorted(os.listdir(folder))
        self.assertEqual(files, ["example.org.s1-ed.key", "example.org.s1.key"])
        for name in files:
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode), 0o600)
        with open(os.path.join(folder, files[1])) as file:
            before = file.read()
        self.assertNotIn("PRIVATE", said.stdout)
        again = self.run_new("example.org", "--selector", "s1", "--directory", folder)
        self.assertNotEqual(again.returncode, 0)
        with open(os.path.join(folder, files[1])) as file:
            self.assertEqual(file.read(), before, "a key is never overwritten")
        dry = self.run_new("example.org", "--selector", "s2", "--directory", folder, "--dry-run", "--json")
        self.assertEqual(len(os.listdir(folder)), 2)
        made = json.loads(dry.stdout)
        self.assertTrue(all(len(part) <= 255 for part in made["strings"]))
        self.assertEqual("".join(made["strings"]), made["value"])
        self.assertNotEqual(self.run_new("not a domain").returncode, 0)
        self.assertNotEqual(self.run_new("example.org", "--algorithm", "dsa", "--dry-run").returncode, 0)

    def test_show(self):
        server = Server()
        self.addCleanup(server.discard)
        made = json.loads(server.command("dkim", "new", "example.org", "--directory", server.folder + "/k", "--json", check=0).stdout)
        server.relay = made["toml"]
        server.write_config()
        shown = json.loads(server.command("dkim", "show", "--json", check=0).stdout)
        self.assertEqual((shown["name"], shown["value"]), (made["name"], made["value"]))
        os.chmod(made["key_file"], 0o644)
        self.assertIn("0644", server.command("config", "check").stderr + server.command("config", "check").stdout)


if __name__ == "__main__":
    unittest.main()
