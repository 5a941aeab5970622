"""Listener profiles and the TLS server: who may send where, certificates by name, renewed, signed by ourselves."""
import json
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.certificates import Authority, run      # noqa: E402
from support.client import RawClient                 # noqa: E402
from support.server import Server, free_port, wait_for   # noqa: E402
from support.sink import Sink                        # noqa: E402


def private(pair):
    os.chmod(pair[1], 0o600)
    return pair


def entry(pair):
    return f'{{ certificate = "{pair[0]}", key = "{pair[1]}" }}'


def s_client(port, *arguments, text="QUIT\r\n"):
    """openssl s_client's words about a connection."""
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments], input=text.encode(),
                          capture_output=True, timeout=60).stdout.decode(errors="replace")


def subject_seen(port, *arguments):
    found = re.search(r"subject=\s*CN\s*=\s*(\S+)", s_client(port, "-showcerts", *arguments))
    return found.group(1) if found else None


class Ports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sink = Sink().start()

    @classmethod
    def tearDownClass(cls):
        cls.sink.stop()

    def serve(self, tls="", top="", **kwargs):
        """One server with a listener of each profile; names to ports in self.ports."""
        server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n', **kwargs)
        self.addCleanup(server.discard)
        self.ports = {"in": server.port, **{name: free_port() for name in ("smtp", "submission", "submissions", "lan")}}
        listeners = f'[[listener]]\nname = "in"\nport = {server.port}\n'
        for name in ("smtp", "submission", "submissions"):
            listeners += f'[[listener]]\nname = "{name}"\nprofile = "{name}"\nport = {self.ports[name]}\n'
        listeners += f'[[listener]]\nname = "lan"\nprofile = "smtp"\naddress = "127.0.0.1"\nport = {self.ports["lan"]}\nnetworks = ["127.0.0.0/8"]\n'
        server.extra = top + 'local_domains = ["gate.test"]\nalias_files = []\n' + tls + listeners
        server.write_config()
        return server

    def authority(self, server):
        return Authority(os.path.join(server.folder, "ca"))

    # --- profiles

    def test_who_may_send_where(self):
        server = self.serve().start()
        everywhere, here = "x@elsewhere.test", "postmaster@gate.test"
        for name, mail, away, local in (("in", 250, 250, 250), ("lan", 250, 250, 250), ("smtp", 250, 554, 250),
                                        ("submission", 530, 503, 503)):
            client = RawClient(self.ports[name])
            client.command("EHLO c.test")
            code, lines = client.command("MAIL FROM:<a@test>")
            self.assertEqual(code, mail, (name, lines))
            if mail == 530:
                self.assertTrue(lines[0].startswith("530 5.7.0 Authentication required"), lines)
            self.assertEqual(client.command(f"RCPT TO:<{everywhere}>")[0], away, name)
            self.assertEqual(client.command(f"RCPT TO:<{here}>")[0], local, name)
            for trick in ("x%elsewhere.test@gate.test", "elsewhere.test!x@gate.test", "@gate.test:x@elsewhere.test",
                          '"x@elsewhere.test"@gate.test'):
                if name == "smtp":
                    self.assertGreaterEqual(client.command(f"RCPT TO:<{trick}>")[0], 500, trick)
            self.assertEqual(client.command("VRFY root")[0], 252, name)
            for verb in ("EXPN root", "ETRN test", "AUTH PLAIN AHgAeA==", "TURN"):
                self.assertGreaterEqual(client.command(verb)[0], 500, (name, verb))
            self.assertEqual(client.command("HELP")[1], ["214 2.0.0 gate.test: see RFC 5321"])
            client.close()

    def test_what_is_offered(self):
        server = self.serve().start()
        for name, starttls in (("in", False), ("smtp", True), ("submission", True), ("lan", True)):
            client = RawClient(self.ports[name])
            offered = client.command("EHLO c.test")[1]
            self.assertEqual(any("STARTTLS" in line for line in offered), starttls, (name, offered))
            for word in ("AUTH", "ETRN", "DELIVERBY", "EXPN", "VRFY", "HELP"):
                self.assertFalse(any(word in line for line in offered), (name, offered))
            client.close()
        # TLS from the first octet: plain text gets no word
        with socket.create_connection(("127.0.0.1", self.ports["submissions"]), 20) as plain:
            plain.settimeout(30)
            plain.sendall(b"EHLO c.test\r\n")
            self.assertNotIn(b"220", plain.recv(1000))

    def test_config_check_names_the_networks(self):
        server = self.serve()
        result = server.command("config", "check", check=0)
        self.assertIn("127.0.0.0/8", result.stdout)
        self.assertIn("listener lan: without logging in, mail to anywhere is taken from 127.0.0.0/8", result.stdout)

    # --- TLS

    def test_a_certificate_of_our_own_is_made_once(self):
        server = self.serve().start()
        notice = wait_for(lambda: server.events("self_signed_certificate"), 20, what="the notice")[0]
        self.assertIn("[tls]", notice["next"])
        own = os.path.join(server.folder, "queue", "self_signed.pem")
        self.assertEqual(os.stat(own).st_mode & 0o7777, 0o600)
        self.assertEqual(subject_seen(self.ports["submissions"]), "gate.test")
        self.assertEqual(subject_seen(self.ports["smtp"], "-starttls", "smtp"), "gate.test")
        with open(own) as first:
            before = first.read()
        server.stop()
        server.start()
        with open(own) as second:
            self.assertEqual(second.read(), before)
        status = json.loads(server.command("status", "--json", check=0).stdout)
        (certificate,) = status["certificates"]
        self.assertTrue(certificate["self_signed"])
        self.assertTrue(any("signed itself" in warning for warning in status["warnings"]), status["warnings"])
        self.assertIn("gate.test", server.command("status", check=0).stdout)

    def test_names_and_kinds_of_keys(self):
        server = self.serve()
        authority = self.authority(server)
        one, two = private(authority.issue("one", ["gate.test"])), private(authority.issue("two", ["other.test", "*.wild.test"]))
        rsa = (os.path.join(server.folder, "ca", "rsa.pem"), os.path.join(server.folder, "ca", "rsa.key"))
        run("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30", "-subj", "/CN=rsa.gate.test", "-addext",
            "subjectAltName=DNS:gate.test", "-keyout", rsa[1], "-out", rsa[0])
        private(rsa)
        server.extra = server.extra.replace("[[listener]]", f"[tls]\ncertificates = [{entry(one)}, {entry(two)}, {entry(rsa)}]\n[[listener]]", 1)
        server.write_config()
        server.start()
        port = self.ports["submissions"]
        for asked, shown in ((None, "gate.test"), ("gate.test", "gate.test"), ("other.test", "other.test"), ("a.wild.test", "other.test"),
                             ("unknown.test", "gate.test")):
            arguments = ["-servername", asked] if asked else ["-noservername"]
            self.assertEqual(subject_seen(port, *arguments), shown, asked)
            self.assertEqual(subject_seen(self.ports["submission"], "-starttls", "smtp", *arguments), shown, asked)
        self.assertEqual(subject_seen(port, "-servername", "gate.test", "-sigalgs", "RSA-PSS+SHA256", "-tls1_3"), "rsa.gate.test")
        self.assertEqual(subject_seen(port, "-servername", "gate.test", "-sigalgs", "ECDSA+SHA256", "-tls1_3"), "gate.test")
        self.assertEqual(subject_seen(port, "-servername", "gate.test", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-tls1_2"), "rsa.gate.test")
        for old in ("-tls1", "-tls1_1"):
            self.assertIn("(NONE)", s_client(port, old, "-cipher", "ALL:@SECLEVEL=0"), old)
        rows = json.loads(server.command("status", "--json", check=0).stdout)["certificates"]
        self.assertEqual(sorted(row["key"] for row in rows), ["ECDSA 256", "ECDSA 256", "RSA 2048"])
        self.assertTrue(all(28 <= row["days_left"] <= 30 for row in rows), rows)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_a_renewed_certificate_and_password_reach_the_sandboxed_server(self):
        server = self.serve(user="nobody")
        os.chmod(server.folder, 0o755)
        live, archive = os.path.join(server.folder, "certbot", "live", "gate.test"), os.path.join(server.folder, "certbot", "archive", "gate.test")
        for folder in (live, archive):
            os.makedirs(folder, 0o700)
        os.chmod(os.path.join(server.folder, "certbot"), 0o700)   # root alone
        authority = self.authority(server)
        for n, days in ((1, 5), (2, 60)):
            cert, key = authority.issue(f"n{n}", ["gate.test"], days=days)
            shutil.copy(cert, os.path.join(archive, f"fullchain{n}.pem"))
            shutil.copy(key, os.path.join(archive, f"privkey{n}.pem"))
            os.chmod(os.path.join(archive, f"privkey{n}.pem"), 0o600)

        def point_at(n):   # as certbot does: one link after the other
            for kind in ("privkey", "fullchain"):
                link = os.path.join(live, kind + ".pem")
                if os.path.lexists(link):
                    os.unlink(link)
                os.symlink(f"../../archive/gate.test/{kind}{n}.pem", link)

        def serial():
            return json.loads(server.command("status", "--json", check=0).stdout)["certificates"][0]["days_left"]

        point_at(1)
        server.extra = server.extra.replace("[[listener]]", f'[tls]\ncertificates = ["{live}/"]\n[[listener]]', 1)
        server.write_config()
        server.start()
        self.assertLessEqual(serial(), 5)
        self.assertTrue(wait_for(lambda: server.events("certificate_expires"), 20, what="the warning"))
        session = ssl.create_default_context(cafile=authority.ca)
        session.check_hostname = False
        old = session.wrap_socket(socket.create_connection(("127.0.0.1", self.ports["submissions"]), 20))
        self.assertIn(b"220", old.recv(1000))
        with open(server.config_path) as config:   # half-edited: it must not come into force by the way
            text = config.read().replace('hostname = "gate.test"', 'hostname = "half.edited"')
        with open(server.config_path, "w") as config:
            config.write(text)
        point_at(2)
        wait_for(lambda: server.events("files_renewed"), 60, what="the new certificate to be handed over")
        wait_for(lambda: serial() > 50, 20, what="the new certificate in status")
        not_after = re.search(r"notAfter=(.*)", subprocess.run(
            ["openssl", "x509", "-noout", "-enddate"], input=s_client(self.ports["submissions"]), capture_output=True, text=True).stdout).group(1)
        self.assertIn(not_after, subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", os.path.join(archive, "fullchain2.pem")],
                                                capture_output=True, text=True).stdout)
        self.assertIn("gate.test", RawClient(server.port).greeting[1][0])
        old.sendall(b"EHLO c.test\r\n")   # a session keeps what it began with
        self.assertIn(b"250", old.recv(4000))
        old.close()
        # a key that does not fit: what was read before stays in force, and the log says so
        os.unlink(os.path.join(live, "privkey.pem"))
        os.symlink("../../archive/gate.test/privkey1.pem", os.path.join(live, "privkey.pem"))
        wait_for(lambda: server.events("files_not_renewed"), 60, what="the complaint")
        self.assertGreater(serial(), 50)

    def test_nothing_said_before_starttls_counts(self):
        self.serve().start()
        port = self.ports["smtp"]
        client = RawClient(port)
        client.command("EHLO before.test")
        self.assertEqual(client.command("MAIL FROM:<evil@test>")[0], 250)
        self.assertEqual(client.command("STARTTLS")[0], 503)   # not in a transaction
        client.command("RSET")
        self.assertEqual(client.command("STARTTLS")[0], 220)
        context = ssl._create_unverified_context()
        secured = RawClient.__new__(RawClient)
        secured.socket = context.wrap_socket(client.socket)
        secured.file = secured.socket.makefile("rb")
        self.assertEqual(secured.command("MAIL FROM:<a@test>")[0], 503)   # EHLO first, again
        offered = secured.command("EHLO after.test")[1]
        self.assertFalse(any("STARTTLS" in line for line in offered))
        self.assertEqual(secured.command("STARTTLS")[0], 503)
        secured.close()

    def test_plain_text_behind_starttls_ends_the_session(self):
        server = self.serve().start()
        for sent in (b"STARTTLS\r\nEHLO x\r\n", b"STARTTLS\r\nMAIL FROM:<evil@test>\r\nRCPT TO:<postmaster@gate.test>\r\n", b"STARTTLS\r\nX"):
            client = RawClient(self.ports["submission"])
            client.command("EHLO c.test")
            client.send(sent)
            code, lines = client.reply()
            self.assertEqual((code, client.reply()[0]), (554, 0), lines)
            client.close()
        self.assertFalse(server.events("accepted"))

    def test_half_a_handshake_blocks_nobody_and_ends(self):
        server = self.serve().start()
        idle = [socket.create_connection(("127.0.0.1", self.ports["submissions"]), 20) for _ in range(20)]
        self.assertEqual(subject_seen(self.ports["submissions"]), "gate.test")
        server.stop()   # does not wait for them
        for one in idle:
            one.close()

    def test_clients(self):
        server = self.serve()
        authority = self.authority(server)
        pair = private(authority.issue("one", ["gate.test", "localhost"]))
        server.extra = server.extra.replace("[[listener]]", f"[tls]\ncertificates = [{entry(pair)}]\n[[listener]]", 1)
        server.write_config()
        server.start()
        context = ssl.create_default_context(cafile=authority.ca)
        with smtplib.SMTP("localhost", self.ports["lan"], timeout=30) as client:
            client.starttls(context=context)
            client.sendmail("python@test", ["x@elsewhere.test"], "Subject: x\r\n\r\nx\r\n")
        with smtplib.SMTP_SSL("localhost", self.ports["submissions"], timeout=30, context=context) as client:
            client.ehlo()
            self.assertEqual(client.mail("python@test")[0], 530)
        message = os.path.join(server.folder, "message")
        with open(message, "w") as out:
            out.write("From: curl@test\r\nSubject: x\r\n\r\nx\r\n")
        commands = {
            "curl": ["curl", "-sS", "--ssl-reqd", "--cacert", authority.ca, f"smtp://localhost:{self.ports['lan']}", "--mail-from", "curl@test",
                     "--mail-rcpt", "x@elsewhere.test", "--upload-file", message],
            "swaks": ["swaks", "--server", "127.0.0.1", "--port", str(self.ports["lan"]), "--tls", "--from", "swaks@test", "--to", "x@elsewhere.test",
                      "--hide-all"],
            "msmtp": ["msmtp", "--host=localhost", f"--port={self.ports['lan']}", "--tls=on", f"--tls-trust-file={authority.ca}", "--auth=off",
                      "--from=msmtp@test", "x@elsewhere.test"],
        }
        for name, command in commands.items():
            if shutil.which(command[0]) is None:
                continue
            done = subprocess.run(command, input="Subject: x\n\nx\n", capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, (name, done.stdout, done.stderr))
            wait_for(lambda: any(f"<{name}@test>" in sender for _, sender, _, _ in list(self.sink.messages)), 30, what=name)
            received = next(content for _, sender, _, content in self.sink.messages if f"<{name}@test>" in sender)
            self.assertIn(b"with ESMTPS ", received)
        self.assertTrue(wait_for(lambda: [e for e in server.events("tls") if e.get("listener") == "lan"], 20, what="the TLS line"))

    def test_client_certificates_are_asked_for_and_not_demanded(self):
        server = self.serve()
        authority = self.authority(server)
        pair, taro = private(authority.issue("one", ["gate.test"])), authority.issue("taro", ["taro.test"])
        server.extra = server.extra.replace(
            "[[listener]]", f'[tls]\ncertificates = [{entry(pair)}]\nclient_ca_file = "{authority.ca}"\nminimum = "1.3"\n[[listener]]', 1)
        server.write_config()
        server.start()
        port = self.ports["submissions"]
        self.assertIn("Acceptable client certificate CA names", s_client(port))
        s_client(port, "-cert", taro[0], "-key", taro[1])
        event = wait_for(lambda: [e for e in server.events("tls") if e.get("subject")], 20, what="the certificate's line")[0]
        self.assertEqual((event["verified"], event["version"]), (True, "TLSv1.3"))
        self.assertIn("taro.test", event["subject"])
        self.assertIn("(NONE)", s_client(port, "-tls1_2"))

    def test_postfix_has_the_same_words(self):
        server = self.serve(top="")
        server.extra = server.extra.replace("[[listener]]", '[log]\nstyle = "postfix"\n[[listener]]', 1)
        server.write_config()
        server.start()
        s_client(self.ports["submissions"])
        line = r"smtpd\[\d+\]: Anonymous TLS connection established from unknown\[127\.0\.0\.1\]: TLSv1\.3 with cipher \S+ \(256/256 bits\)"
        wait_for(lambda: re.search(line, server.log_text()), 20, what="the line")

    # --- relay domains

    def test_relay_domains(self):
        inside = Sink(reply=lambda stage, value: "550 5.1.1 no such user" if stage == "rcpt" and "nobody@" in value else None).start()
        self.addCleanup(inside.stop)
        server = self.serve()
        listed = os.path.join(server.folder, "listed")
        with open(listed, "w") as out:
            out.write("taro@list.test OK\nhana\n")
        server.relay += "".join(
            f'[[relay_domain]]\ndomain = "{kind}.test"\nnext_hop = "127.0.0.1:{inside.port}"\nrecipients = "{recipients}"\n'
            for kind, recipients in (("any", "any"), ("list", listed), ("ask", "call-forward")))
        server.write_config()
        server.start()
        client = RawClient(self.ports["smtp"])
        client.command("EHLO c.test")
        client.command("MAIL FROM:<world@test>")
        for recipient, code in (("who@any.test", 250), ("taro@list.test", 250), ("hana+x@list.test", 250), ("nobody@list.test", 550),
                                ("postmaster@list.test", 250), ("taro@ask.test", 250), ("nobody@ask.test", 550), ("x@sub.any.test", 554),
                                ("x%elsewhere.test@any.test", 554)):
            self.assertEqual(client.command(f"RCPT TO:<{recipient}>")[0], code, recipient)
        self.assertEqual(client.data(b"Subject: x\r\n\r\nx\r\n")[0], 250)
        taken = {"who@any.test", "taro@list.test", "hana+x@list.test", "postmaster@list.test", "taro@ask.test"}

        def arrived():
            return {address for _, _, to, _ in list(inside.messages) for address in re.findall(r"<([^>]+)>", " ".join(to))}
        wait_for(lambda: arrived() >= taken, 60, what="the mail at the inside server")
        self.assertFalse(any("world@test" in sender for _, sender, _, _ in self.sink.messages))
        with open(listed, "a") as out:   # the list is read again by itself
            out.write("nobody\n")
        wait_for(lambda: server.events("files_renewed"), 60, what="the list to be read again")

        def now_taken():
            fresh = RawClient(self.ports["smtp"])
            fresh.command("EHLO c.test")
            fresh.command("MAIL FROM:<world@test>")
            code = fresh.command("RCPT TO:<nobody@list.test>")[0]
            fresh.close()
            return code == 250
        wait_for(now_taken, 20, what="the new name")
        client.close()

    def test_relay_domains_and_routes(self):
        """A route refuses and holds a relay domain's mail, and leads none of it to the world; both spellings of a domain are one."""
        inside = Sink().start()
        self.addCleanup(inside.stop)
        server = self.serve()
        server.relay += "".join(f'[[relay_domain]]\ndomain = "{name}"\nnext_hop = "127.0.0.1:{inside.port}"\n' for name in ("inside.test", "例え.test"))
        server.relay += ('[[route]]\nsender = "@bad.test"\naction = "fail"\ntext = "not from there"\n'
                         '[[route]]\nsender = "@kept.test"\naction = "hold"\n[[route]]\nways = ["sink"]\n')
        server.write_config()
        server.start()
        client = RawClient(self.ports["smtp"])
        client.command("EHLO c.test")
        for sender, recipient, code in (("a@bad.test", "taro@inside.test", 550), ("a@good.test", "taro@inside.test", 250),
                                        ("a@kept.test", "hana@inside.test", 250), ("a@good.test", "taro@xn--r8jz45g.test", 250),
                                        ("a@good.test", "taro@xn--other.test", 554)):
            client.command(f"MAIL FROM:<{sender}>")
            self.assertEqual(client.command(f"RCPT TO:<{recipient}>")[0], code, (sender, recipient))
            if code == 250:
                self.assertEqual(client.data(b"Subject: x\r\n\r\nx\r\n")[0], 250)
            else:
                client.command("RSET")
        client.close()

        def arrived():
            return {address for _, _, to, _ in list(inside.messages) for address in re.findall(r"<([^>]+)>", " ".join(to))}
        wait_for(lambda: len(arrived()) == 2, 60, what="the mail at the inside server")
        self.assertEqual(arrived(), {"taro@inside.test", "taro@xn--r8jz45g.test"})
        held = json.loads(server.command("queue", "list", "--json").stdout.splitlines()[0])
        self.assertEqual((held["state"], held["to"]), ("held", ["hana@inside.test"]))
        self.assertFalse([to for _, _, to, _ in list(self.sink.messages) if "inside.test" in to[0] or "r8jz45g" in to[0]])
        explained = server.command("explain", "route", "--from", "a@good.test", "--to", "x@inside.test").stdout
        self.assertIn("goes to its own next hop", explained)


if __name__ == "__main__":
    unittest.main()
