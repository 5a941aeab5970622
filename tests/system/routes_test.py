"""Which way mail leaves by: [[route]] rules, accounts for each sender, several hosts and ports, a proxy, a certificate of
our own; and what `sidegate explain route` says about it."""
import json
import os
import signal
import smtplib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.certificates import Authority              # noqa: E402
from support.peer import Peer                           # noqa: E402
from support.server import Server, free_port, wait_for  # noqa: E402
from support.sink import Sink                           # noqa: E402
from support.socks5 import Socks5                       # noqa: E402


def relay(name, port, extra="", host="127.0.0.1", tls="none"):
    return f'[[relay]]\nname = "{name}"\nhost = "{host}"\nport = {port}\ntls = "{tls}"\nretry_after = "200ms"\n{extra}'


class Case(unittest.TestCase):
    def sink(self, **more):
        sink = Sink(**more).start()
        self.addCleanup(sink.stop)
        return sink

    def peer(self, *arguments):
        peer = Peer(*arguments).start()
        self.addCleanup(peer.discard)
        return peer

    def serve(self, relays, extra=""):
        server = Server(relay=relays, extra=extra)
        self.addCleanup(server.discard)
        return server.start()

    def virtual(self, line):
        handle, path = tempfile.mkstemp(prefix="sidegate-virtual-")
        self.addCleanup(os.unlink, path)
        with os.fdopen(handle, "w") as out:
            out.write(line + "\n")
        return path

    def send(self, server, sender, recipient):
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            client.sendmail(sender, [recipient], f"From: {sender}\r\nSubject: x\r\n\r\nbody\r\n")

    def arrives(self, sink, sender, recipient, count=1):
        wait_for(lambda: len([m for m in list(sink.messages) if m[1].startswith(f"<{sender}>") and f"<{recipient}>" in m[2][0]]) >= count,
                 what=f"{sender} -> {recipient}")

    def explain(self, server, *arguments):
        return json.loads(server.command("explain", "route", *arguments, "--json", check=0).stdout)


class Rules(Case):
    def test_by_sender_and_recipient(self):
        one, two = self.sink(), self.sink()
        server = self.serve(relay("one", one.port) + relay("two", two.port) +
                            '[[route]]\nsender = "@work.example"\nways = ["two", "one"]\n'
                            '[[route]]\nrecipient = [".mobile.example", "/^(docomo|softbank)\\\\.ne\\\\.jp$/"]\nways = ["two"]\n'
                            '[[route]]\nrecipient = "hole.example"\naction = "discard"\n'
                            '[[route]]\nrecipient = "bad.example"\naction = "fail"\ntext = "we do not write to them"\n',
                            f'virtual_files = ["{self.virtual("astray@aliases.test g@bad.example")}"]\n')
        for sender, recipient, sink in (("me@home.example", "a@x.example", one), ("me@work.example", "b@x.example", two),
                                        ("me@home.example", "c@a.mobile.example", two), ("me@home.example", "d@softbank.ne.jp", two),
                                        ("me@home.example", "e@mobile.example", one)):
            self.send(server, sender, recipient)
            self.arrives(sink, sender, recipient)
        self.send(server, "me@home.example", "f@hole.example")
        wait_for(lambda: [e for e in server.events("removed")][5:], what="what is thrown away")
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
            self.send(server, "me@home.example", "g@bad.example")
        self.assertEqual(refused.exception.recipients["g@bad.example"], (550, b"5.7.1 we do not write to them"))
        self.send(server, "me@home.example", "astray@aliases.test")   # an alias leads there: nobody hears it at once
        self.arrives(one, "", "me@home.example")   # the report goes by the usual way
        self.assertIn(b"we do not write to them", one.messages[-1][3])
        self.assertEqual(len(one.messages) + len(two.messages), 6)

        said = self.explain(server, "--from", "me@work.example", "--to", "x@a.example")
        self.assertEqual((said["rule"], [w["name"] for w in said["ways"]], said["server"]), ("route 1", ["two", "one"], "up"))
        self.assertTrue(all(way["up"] for way in said["ways"]), said)
        said = self.explain(server, "--from", "me@home.example", "--to", "x@a.example")
        self.assertEqual((said["rule"], [w["name"] for w in said["ways"]]), ("default", ["one", "two"]))
        self.assertEqual([(r["rule"], r["fits"], r.get("condition")) for r in said["rules"]][:2],
                         [("route 1", False, "sender"), ("route 2", False, "recipient")])
        said = self.explain(server, "--from", "<>", "--to", "x@bad.example")
        self.assertEqual((said["action"], said["text"]), ("fail", "we do not write to them"))
        server.stop()
        said = self.explain(server, "--from", "me@home.example", "--to", "x@hole.example")
        self.assertEqual((said["action"], said["server"]), ("discard", "down"))
        text = server.command("explain", "route", "--from", "me@home.example", "--to", "x@softbank.ne.jp", check=0).stdout
        self.assertIn("route 2: fits", text)
        self.assertIn("two", text)

    def test_explained_from_the_start(self):
        """Canonical maps and aliases come before routes, in what is said as in what is done."""
        one, two = self.sink(), self.sink()
        server = self.serve(relay("one", one.port) + relay("two", two.port) + '[[route]]\nsender = "@new.test"\nways = ["two"]\n'
                            '[[route]]\nsender = "root@gate.test"\nways = ["direct"]\n[rewrite]\ncanonical = { "@old.test" = "@new.test" }\n',
                            f'virtual_files = ["{self.virtual("both@aliases.test c@x.example, d@y.example")}"]\n')
        self.send(server, "ann@old.test", "a@x.example")
        self.arrives(two, "ann@new.test", "a@x.example")
        said = self.explain(server, "--from", "ann@old.test", "--to", "a@x.example")
        self.assertEqual((said["rule"], [w["name"] for w in said["ways"]], said["from"]), ("route 1", ["two"], "ann@new.test"))
        self.assertEqual(said["coming_in"]["from"][0]["after"], "ann@new.test")
        text = server.command("explain", "route", "--from", "ann@old.test", "--to", "both@aliases.test", check=0).stdout
        for words in ("ann@old.test becomes ann@new.test", "both@aliases.test leads to c@x.example", "both@aliases.test leads to d@y.example"):
            self.assertIn(words, text)
        said = self.explain(server, "--from", "a@b.example", "--to", "root")
        self.assertEqual((said["destination"], said["rule"], [w["name"] for w in said["ways"]]), ("mailbox", "local", ["local"]))
        nobody = server.command("explain", "route", "--from", "a@b.example", "--to", "sg-nobody-at-all@gate.test")
        self.assertEqual(nobody.returncode, 67)
        self.assertIn("550 5.1.1", nobody.stdout)
        for sender, ways in (("root@gate.test", ["direct"]), ("x@new.test", ["two"]), ("x@y.example", ["one", "two"])):
            text = server.command("explain", "sender", "--from", sender, "--json", check=0).stdout
            self.assertEqual([json.loads(line)["way"] for line in text.splitlines()], ways, sender)

    def test_held_until_released(self):
        """Each recipient by itself; what is released goes as if the route were not there, over a restart too."""
        sink = self.sink()
        server = self.serve(relay("one", sink.port) + '[[route]]\nrecipient = "later.example"\naction = "hold"\n')
        self.send(server, "me@home.example", "a@later.example")
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.sendmail("me@home.example", ["b@later.example", "c@now.example"], "Subject: two\r\n\r\nbody\r\n")
        self.arrives(sink, "me@home.example", "c@now.example")
        held = wait_for(lambda: (found := server.events("message_held")) and len(found) == 2 and found, what="the log")
        self.assertEqual([event["reason"] for event in held], ["held by [[route]] 1 of the configuration"] * 2)
        shown = json.loads(server.command("queue", "show", held[1]["id"], "--json", check=0).stdout)
        self.assertIn("held by [[route]] 1", json.dumps(shown))
        self.assertEqual(json.loads(server.command("status", "--json", check=0).stdout)["queue"]["held"], 2)
        server.stop()
        server.start()
        server.command("queue", "release", held[0]["id"], check=0)
        self.arrives(sink, "me@home.example", "a@later.example")
        server.command("queue", "release", "--all", check=0)
        self.arrives(sink, "me@home.example", "b@later.example")
        self.assertEqual(len(sink.messages), 3)
        said = self.explain(server, "--from", "me@home.example", "--to", "x@later.example")
        self.assertEqual((said["rule"], said["action"], [way["name"] for way in said["ways"]]), ("route 1", "hold", ["one"]))
        server.stop()

    def test_a_reload_routes_what_is_queued(self):
        closed, sink = free_port(), self.sink()
        server = self.serve(relay("away", closed) + relay("here", sink.port) + '[[route]]\nsender = "*"\nways = ["away"]\n')
        self.send(server, "me@home.example", "a@x.example")
        wait_for(lambda: server.events("way_down"), what="the way to be down")
        self.assertEqual(sink.messages, [])
        server.relay = server.relay.replace('ways = ["away"]', 'ways = ["here"]')
        server.write_config()
        server.process.send_signal(signal.SIGHUP)
        self.arrives(sink, "me@home.example", "a@x.example")
        server.stop()

    def test_a_way_that_is_not_there(self):
        server = Server(relay=relay("isp", 25) + '[[route]]\nsender = "*"\nways = ["ips"]\n')
        self.addCleanup(server.discard)
        result = server.command("config", "check")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('there is no way "ips"', result.stdout)
        self.assertIn('did you mean "isp"?', result.stdout)


class Accounts(Case):
    def test_two_people_with_a_login_each(self):
        """Same provider, two accounts; one connection for each, whatever they send."""
        folder = Server().folder
        authority = Authority(os.path.join(folder, "ca"))
        cert, key = authority.issue("provider", ("provider.test",), ("127.0.0.1",))
        provider = self.peer("--cert", cert, "--key", key, "--auth", "tls", "--auth-required", "--user", "taro@gmail.test:one",
                             "--user", "hanako@gmail.test:two")
        more = 'tls_name = "provider.test"\n' + f'tls_ca_file = "{authority.ca}"\n'
        relays = "".join(relay(name, provider.port, f'user = "{name}@gmail.test"\npassword = "{password}"\n' + more, tls="starttls")
                         for name, password in (("taro", "one"), ("hanako", "two")))
        server = self.serve(relays + "".join(f'[[route]]\nsender = "{name}@home.example"\nways = ["{name}"]\n' for name in ("taro", "hanako")),
                            extra="threads = 1\n")
        for turn in range(3):
            for name in ("taro", "hanako"):
                self.send(server, f"{name}@home.example", f"{turn}@x.example")
                wait_for(lambda: len([m for m in provider.messages() if m[0] == f"{name}@home.example"]) > turn, what="the message")
        logins = [e["user"] for e in provider.of("auth") if e["ok"]]
        self.assertEqual(sorted(logins), ["hanako@gmail.test", "taro@gmail.test"])   # sessions are kept, each for its account
        server.stop()


class Places(Case):
    def test_the_port_that_works(self):
        sink, closed = self.sink(), free_port()
        server = self.serve(f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\ntls = "none"\nports = [{closed}, {sink.port}]\n')
        for n in range(2):
            self.send(server, "me@home.example", f"{n}@x.example")
            self.arrives(sink, "me@home.example", f"{n}@x.example")
        self.assertEqual(server.events("way_down"), [])
        server.stop()
        (event,) = server.events("relay_place")
        self.assertEqual(event["at"], f"127.0.0.1:{sink.port}")

    def test_the_next_host(self):
        sink, closed = self.sink(), free_port()
        server = self.serve(f'[[relay]]\nname = "isp"\nhosts = ["127.0.0.1:{closed}", "localhost:{sink.port}"]\ntls = "none"\n')
        self.send(server, "me@home.example", "a@x.example")
        self.arrives(sink, "me@home.example", "a@x.example")
        server.stop()

    def test_a_proxy(self):
        sink = self.sink()
        proxy = Socks5({"relay.hidden.test": "127.0.0.1"}, login=("me", "secret"))
        self.addCleanup(proxy.stop)
        server = self.serve(relay("far", sink.port, f'proxy = "socks5://me:secret@127.0.0.1:{proxy.port}"\n', host="relay.hidden.test"))
        self.send(server, "me@home.example", "a@x.example")
        self.arrives(sink, "me@home.example", "a@x.example")
        self.assertEqual(proxy.requests, [("relay.hidden.test", sink.port)])
        self.assertNotIn("me:secret", server.command("config", "show").stdout)
        server.stop()

    def test_a_proxy_that_does_not_take_us(self):
        sink = self.sink()
        proxy = Socks5(login=("me", "secret"))
        self.addCleanup(proxy.stop)
        server = self.serve(relay("far", sink.port, f'proxy = "socks5://127.0.0.1:{proxy.port}"\n', host="relay.hidden.test"))
        self.send(server, "me@home.example", "a@x.example")
        (down,) = wait_for(lambda: server.events("way_down"), what="the way to be down")
        self.assertIn("SOCKS5 proxy", json.dumps(down))
        self.assertEqual(sink.messages, [])
        server.stop()

    def test_direct_by_a_proxy(self):
        """The proxy is given addresses; that it cannot reach one says nothing of port 25 on this line."""
        sink = self.sink()
        proxy = Socks5({"127.0.0.1": "127.0.0.1"}, login=("me", "secret"))
        self.addCleanup(proxy.stop)
        direct = f'[direct]\nport = {sink.port}\nprivate_addresses = true\nretry_after = "1s"\n'
        server = self.serve(direct + f'proxy = "socks5://me:secret@127.0.0.1:{proxy.port}"\n')
        self.send(server, "me@home.example", "a@[127.0.0.1]")
        self.arrives(sink, "me@home.example", "a@[127.0.0.1]")
        self.assertEqual(proxy.requests, [("127.0.0.1", sink.port)])
        self.assertNotIn("me:secret", server.command("config", "show").stdout)
        others = [f"127.0.0.{n}" for n in range(2, 8)]
        for other in others:
            self.send(server, "me@home.example", f"a@[{other}]")
        wait_for(lambda: {host for host, _ in list(proxy.requests)} >= set(others), what="all of them to be asked for")
        rows = wait_for(lambda: [row for row in (json.loads(line) for line in server.command("queue", "list", "--json").stdout.splitlines())
                                 if "SOCKS5 proxy" in row.get("reason", "")], what="the reason")
        shown = server.command("queue", "show", rows[0]["id"]).stdout
        self.assertIn("not reached through the proxy of [direct]", " ".join(shown.split()))
        self.assertEqual(server.events("port25_closed"), [])
        server.stop()

    def test_a_source_address(self):
        sink = self.sink()
        server = self.serve(relay("isp", sink.port, 'source_address = ["127.0.0.2"]\n'))
        self.send(server, "me@home.example", "a@x.example")
        self.arrives(sink, "me@home.example", "a@x.example")
        server.stop()


class OldForms(Case):
    """What providers offer in practice, on port 587."""

    def delivers(self, arguments, settings, mechanism, tls="none"):
        peer = self.peer("--user", "me:secret", "--auth-required", *arguments)
        server = self.serve(relay("isp", peer.port, 'user = "me"\npassword = "secret"\n' + settings, tls=tls))
        self.send(server, "me@home.example", "a@x.example")
        wait_for(peer.messages, what="the message")
        self.assertEqual([e["mechanism"] for e in peer.of("auth") if e["ok"]], [mechanism])
        server.stop()

    def test_no_tls_and_cram_md5_alone(self):
        self.delivers(("--auth", "always", "--mechanisms", "CRAM-MD5"), 'insecure_auth = "challenge"\n', "CRAM-MD5")

    def test_the_old_form_with_an_equals_sign(self):
        self.delivers(("--auth", "never", "--extensions", "PIPELINING,AUTH=LOGIN"), "insecure_auth = true\n", "LOGIN")


class Providers(unittest.TestCase):
    def test_are_listed(self):
        server = Server()
        self.addCleanup(server.discard)
        rows = [json.loads(line) for line in server.command("config", "providers", "--json", check=0).stdout.splitlines()]
        ocn = next(row for row in rows if row["provider"] == "ocn")
        self.assertEqual((ocn["host"], ocn["user"]), ("smtp.ocn.ne.jp", "address"))
        self.assertTrue(all(row["source"] and row["date"] for row in rows))
        self.assertIn("smtp.gmail.com", server.command("config", "providers", check=0).stdout)


if __name__ == "__main__":
    unittest.main()
