"""Routes that end on this machine, action = "local" and "lmtp": real users' mailboxes and a real Dovecot, for domains that are
not our own, beside others that go on by a relay."""
import json
import mailbox
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import local_users                           # noqa: E402
from support.client import RawClient                      # noqa: E402
from support.dovecot import DovecotLmtp, lmtp_available   # noqa: E402
from support.server import Server, wait_for               # noqa: E402
from support.sink import Sink                             # noqa: E402

TOP = 'local_domains = ["here.test"]\nalias_files = []\n[queue]\nretry_first = "300ms"\nretry_max = "300ms"\n'
DOTS = b"Subject: x\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\n.\r\n..a\r\nFrom here on\r\nend\r\n"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sidegate-route-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)
        self.users = local_users.LocalUsers(self.folder, "alice", "bob")

    def serve(self, local, routes, start=True):
        os.makedirs(os.path.join(self.folder, "server"), exist_ok=True)
        server = Server(f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n' + routes, TOP + "[local]\n" + local,
                        folder=os.path.join(self.folder, "server"), prefix=self.users.prefix)
        self.addCleanup(server.end)
        return server.start() if start else server

    def dovecot(self, **more):
        dovecot = DovecotLmtp(os.path.join(self.folder, "dovecot"), **more)
        self.addCleanup(lambda: dovecot.process and dovecot.process.poll() is None and dovecot.stop())
        return dovecot

    def send(self, server, *recipients, sender="me@away.test", body=DOTS):
        client = RawClient(server.port)
        client.open_transaction(sender, recipients)
        code, lines = client.data(body)
        self.assertEqual(code, 250, lines)
        client.close()

    def ends(self, server, count):
        """{recipient: (status, enhanced code, way)} of the deliveries that ended."""
        def ended():
            found = {e["to"]: (e["status"], e["dsn"], e["way"]) for e in server.events("delivery") if e["status"] != "deferred"}
            return found if len(found) >= count else None
        try:
            return wait_for(ended, what=f"{count} ends")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{server.log_text()[-4000:]}") from None

    def mbox(self, user):
        box = mailbox.mbox(os.path.join(self.users.spool, user), create=False)
        try:
            return [message.as_bytes() for message in box]
        finally:
            box.close()


@unittest.skipUnless(local_users.available(), "needs root and unshare")
class Local(Case):
    ROUTE = '[[route]]\nrecipient = ["archive.example", ".archive.example"]\naction = "local"\n'

    def test_to_the_mailbox_of_the_local_part(self):
        server = self.serve(f'mbox = "{self.users.spool}/%u"\n', self.ROUTE)
        self.send(server, "alice@archive.example", "BOB@sub.archive.example", "carol@elsewhere.example", "alice@here.test")
        ends = self.ends(server, 4)
        self.assertEqual({(status, code) for status, code, _ in ends.values()}, {("sent", "2.0.0")}, ends)
        self.assertEqual([ends[to][2] for to in ("alice@archive.example", "BOB@sub.archive.example", "alice@here.test")], ["local"] * 3)
        self.assertEqual([(m[1].split()[0], [to.split()[0] for to in m[2]]) for m in self.sink.messages], [("<me@away.test>", ["<carol@elsewhere.example>"])])
        self.assertEqual((len(self.mbox("alice")), len(self.mbox("bob"))), (2, 1))
        self.assertIn(b"Return-Path: <me@away.test>\n", self.mbox("bob")[0])
        self.assertIn(b"\n\n.\n..a\n>From here on\nend\n", self.mbox("bob")[0])
        self.assertEqual(os.stat(os.path.join(self.users.spool, "bob")).st_uid, self.users.uids["bob"])
        server.stop()

    def test_a_tag_is_the_users_and_nobody_else_gets_it(self):
        server = self.serve(f'mbox = "{self.users.spool}/%u"\n', self.ROUTE)
        self.send(server, "alice+shop@archive.example", "nobody-there@archive.example", "../../etc/x@archive.example")
        ends = self.ends(server, 3)
        self.assertEqual(ends["alice+shop@archive.example"][0], "sent", ends)
        for unknown in ("nobody-there@archive.example", "../../etc/x@archive.example"):
            self.assertEqual(ends[unknown][:2], ("bounced", "5.1.1"), ends)
        report = wait_for(lambda: self.sink.messages, what="the report")[0]
        self.assertEqual([to.split()[0] for to in report[2]], ["<me@away.test>"])
        self.assertEqual(len(self.mbox("alice")), 1)
        server.stop()

    def test_maildir(self):
        server = self.serve('delivery = "maildir"\n', self.ROUTE)
        self.send(server, "alice@archive.example")
        self.assertEqual(self.ends(server, 1)["alice@archive.example"], ("sent", "2.0.0", "local"))
        new = os.path.join(self.users.home("alice"), "Maildir", "new")
        (name,) = os.listdir(new)
        with open(os.path.join(new, name), "rb") as mail:
            self.assertTrue(mail.read().endswith(b"\n\n.\n..a\nFrom here on\nend\n"))
        server.stop()


@unittest.skipUnless(local_users.available() and lmtp_available(), "needs root, unshare and Dovecot's LMTP server")
class Lmtp(Case):
    ROUTE = '[[route]]\nrecipient = "boxes.example"\naction = "lmtp"\n'

    def local(self, dovecot):
        return f'mbox = "{self.users.spool}/%u"\nlmtp = "{dovecot.socket}"\n'

    def test_over_a_unix_socket_each_recipient_has_an_answer_of_its_own(self):
        self.each_its_own(lambda dovecot: dovecot.socket)

    def test_over_tcp_each_recipient_has_an_answer_of_its_own(self):
        self.each_its_own(lambda dovecot: f"127.0.0.1:{dovecot.port}")

    def each_its_own(self, address):
        dovecot = self.dovecot(quota_for="bob", users=("alice", "bob", "dora")).start()
        server = self.serve(f'mbox = "{self.users.spool}/%u"\nlmtp = "{address(dovecot)}"\n', self.ROUTE)
        self.send(server, "alice@boxes.example", "bob@boxes.example", "unknown@boxes.example", "dora@boxes.example", "bob@here.test",
                  "carol@elsewhere.example", sender="")
        ends = self.ends(server, 6)
        for sent, way in (("alice@boxes.example", "lmtp"), ("dora@boxes.example", "lmtp"), ("bob@here.test", "local"), ("carol@elsewhere.example", "sink")):
            self.assertEqual(ends[sent], ("sent", "2.0.0", way), ends)
        self.assertEqual(ends["unknown@boxes.example"][:2], ("held", "5.1.1"), "from nobody: a dead letter")
        full = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == "bob@boxes.example"], what="the full mailbox")[0]
        self.assertIn("uota", full["reply"])
        (mail,) = dovecot.mails("alice")
        self.assertTrue(mail.startswith(b"Return-Path: <>\n"), mail)
        self.assertTrue(mail.endswith(b"\n\n.\n..a\nFrom here on\nend\n"), mail)
        by_alice = next(e for e in server.events("delivery") if e["to"] == "alice@boxes.example")
        self.assertIn("<alice@boxes.example>", by_alice["reply"])   # the address as it came, not its local part
        server.stop()

    def test_a_server_that_is_away_keeps_its_mail_alone(self):
        dovecot = self.dovecot()
        server = self.serve(self.local(dovecot), self.ROUTE)
        self.send(server, "alice@boxes.example", "carol@elsewhere.example")
        self.assertEqual(self.ends(server, 1)["carol@elsewhere.example"][0], "sent")
        down = wait_for(lambda: server.events("way_down"), what="the way down")[0]
        self.assertEqual(down["relay"], "lmtp")
        self.assertIn("lmtp", server.command("status").stdout)
        dovecot.start(lambda: os.path.exists(dovecot.socket))
        server.command("queue", "retry", "--all", check=0)
        self.assertEqual(self.ends(server, 2)["alice@boxes.example"], ("sent", "2.0.0", "lmtp"))
        self.assertEqual(len(dovecot.mails("alice")), 1)
        server.stop()

    def test_a_reload_says_where(self):
        """Without an address of the server the configuration is refused, and the old one stays."""
        dovecot = self.dovecot().start(lambda: True)
        server = self.serve(f'mbox = "{self.users.spool}/%u"\n', "")
        before = server.relay
        server.relay += self.ROUTE
        server.write_config()
        refused = server.command("config", "check")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("to [local]", refused.stdout + refused.stderr)
        self.assertNotEqual(server.command("reload").returncode, 0)
        server.extra, server.relay = TOP + "[local]\n" + self.local(dovecot), before + self.ROUTE
        server.write_config()
        server.command("reload", check=0)
        told = server.command("explain", "route", "--from", "me@away.test", "--to", "alice@boxes.example", "--json", check=0).stdout
        self.assertIn("lmtp", json.dumps(json.loads(told.splitlines()[0])) + told)
        self.send(server, "alice@boxes.example")
        self.assertEqual(self.ends(server, 1)["alice@boxes.example"], ("sent", "2.0.0", "lmtp"))
        server.stop()


if __name__ == "__main__":
    unittest.main()
