"""Real clients at 25, 465 and 587: every mechanism of msmtp, nodemailer, mutt, curl, Dovecot's proxy in front, a scanner of the LAN."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import dovecot                                         # noqa: E402
from support.client import RawClient                                # noqa: E402
from support.mail_server import PASSWORD, USER, MailServer          # noqa: E402
from support.oauth import Provider                                  # noqa: E402
from support.server import wait_for                                 # noqa: E402


def needs(*programs):
    return unittest.skipUnless(all(shutil.which(p) for p in programs), f"needs {', '.join(programs)}")


def run(*command, text=None, code=0, environment=None, timeout=120):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, env=environment)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done


class Clients(unittest.TestCase):
    # --- msmtp

    def msmtp(self, mail, mechanism, port, password=PASSWORD, implicit=False, more=(), code=0):
        return run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={port}", "--tls=on", f"--tls-starttls={'off' if implicit else 'on'}",
                   f"--tls-trust-file={mail.ca}", f"--auth={mechanism}", f"--user={USER}", f"--passwordeval=echo {password}", f"--from={USER}", *more,
                   "you@elsewhere.test", text=f"From: {USER}\nSubject: msmtp-{mechanism}-{port}\n\nhello\n", code=code)

    @needs("msmtp")
    def test_msmtp_with_every_mechanism(self):
        provider = Provider()
        self.addCleanup(provider.stop)
        mail = MailServer(self, backends='["file", "oauth"]', auth=f'oauth_introspection_url = "http://127.0.0.1:{provider.port}/introspect"\n'
                          'oauth_client_id = "gate"\noauth_client_secret = "s"\n').start()
        known = re.search(r"Supported authentication methods:\s*\n([^\n]+)", run("msmtp", "--version").stdout).group(1).split()
        tried = []
        # Where tokens are asked of somebody else, SCRAM and CRAM are not offered: those users have no keys here.
        for mechanism, password in (("plain", PASSWORD), ("login", PASSWORD), ("oauthbearer", "good"), ("xoauth2", "good")):
            if mechanism not in known:
                continue
            for name in ("submission", "submissions"):
                self.msmtp(mail, mechanism, mail.ports[name], password, name == "submissions")
                (message,) = mail.arrives(f"msmtp-{mechanism}-{mail.ports[name]}")
                self.assertTrue(message[1].startswith(f"<{USER}>"))
                self.assertIn(b"with ESMTPSA ", message[3])
            tried.append(mechanism)
            self.assertEqual(self.msmtp(mail, mechanism, mail.ports["submission"], "bad", code=None).returncode, 77, mechanism)
        mail.server.stop()
        own = MailServer(self).start()
        for mechanism in ("cram-md5", "scram-sha-1", "scram-sha-256", "scram-sha-1-plus", "scram-sha-256-plus"):
            if mechanism not in known:
                continue
            self.msmtp(own, mechanism, own.ports["submission"])
            own.arrives(f"msmtp-{mechanism}-{own.ports['submission']}")
            tried.append(mechanism)
        for mechanism in ("digest-md5", "ntlm", "gssapi"):   # not offered: msmtp says so, and sends no password
            self.assertNotEqual(self.msmtp(own, mechanism, own.ports["submission"], code=None).returncode, 0)
        own.server.stop()
        used = {event["mechanism"] for server in (mail.server, own.server) for event in server.events("accepted")}
        self.assertEqual(used, {mechanism.upper() for mechanism in tried})
        print("msmtp:", " ".join(tried))

    @needs("msmtp")
    def test_msmtp_by_its_certificate(self):
        mail = MailServer(self)   # it names a user that we know
        cert, key = self.client_certificate(mail)
        mail.server.extra = mail.server.extra.replace("[tls]\n", f'[tls]\nclient_ca_file = "{mail.ca}"\n', 1)
        mail.server.write_config()
        mail.start()
        for name in ("submission", "submissions"):
            self.msmtp(mail, "external", mail.ports[name], implicit=name == "submissions", more=(f"--tls-cert-file={cert}", f"--tls-key-file={key}"))
            (message,) = mail.arrives(f"msmtp-external-{mail.ports[name]}")
            self.assertTrue(message[1].startswith(f"<{USER}>"))
        accepted = wait_for(lambda: mail.server.events("accepted"), what="the log's word of them")
        self.assertEqual({(e["mechanism"], e["user"]) for e in accepted}, {("EXTERNAL", USER)})
        # without the certificate, or with one that others have signed, it is not even offered
        self.assertNotEqual(self.msmtp(mail, "external", mail.ports["submission"], code=None).returncode, 0)
        strange = MailServer(self, known_user=False)
        cert, key = self.client_certificate(strange)
        self.assertNotEqual(self.msmtp(mail, "external", mail.ports["submission"], more=(f"--tls-cert-file={cert}", f"--tls-key-file={key}"), code=None).returncode, 0)

    @staticmethod
    def client_certificate(mail):
        """A certificate whose mail address is the user's name."""
        folder = mail.authority.folder
        cert, key, request, extensions = (os.path.join(folder, "user." + end) for end in ("pem", "key", "csr", "ext"))
        with open(extensions, "w") as out:
            out.write(f"subjectAltName=email:{USER}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n")
        run("openssl", "req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=me", "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", mail.authority.ca, "-CAkey", mail.authority.ca_key, "-CAcreateserial", "-days", "30",
            "-extfile", extensions, "-out", cert)
        os.chmod(key, 0o600)
        return cert, key

    # --- nodemailer, mutt, curl

    @needs("nodejs")
    def test_nodemailer(self):
        if not os.path.exists("/usr/share/nodejs/nodemailer"):
            self.skipTest("needs node-nodemailer")
        mail = MailServer(self).start()
        environment = dict(os.environ, NODE_EXTRA_CA_CERTS=mail.ca)
        for name, implicit in (("submission", False), ("submissions", True)):
            for method in ("PLAIN", "LOGIN", "CRAM-MD5"):
                options = {"host": "localhost", "port": mail.ports[name], "secure": implicit, "requireTLS": not implicit, "authMethod": method,
                           "auth": {"user": USER, "pass": PASSWORD}}
                message = {"from": f"Me <{USER}>", "to": "you@elsewhere.test", "subject": f"node-{name}-{method}", "text": "one\n.\ntwo",
                           "attachments": [{"filename": "a.txt", "content": "x" * 100000}]}
                code = (f'require("/usr/share/nodejs/nodemailer").createTransport({json.dumps(options)}).sendMail({json.dumps(message)})'
                        '.then(i => { console.log(i.response); process.exit(0); }, e => { console.error(e); process.exit(1); });')
                self.assertIn("250 2.0.0 queued as ", run("nodejs", "-e", code, environment=environment).stdout)
                (arrived,) = mail.arrives(message["subject"])
                self.assertIn(b"\r\n.\r\ntwo", arrived[3].replace(b"one", b""))
        wait_for(lambda: {e["mechanism"] for e in mail.server.events("accepted")} == {"PLAIN", "LOGIN", "CRAM-MD5"}, what="the mechanisms in the log")
        # a pool: several messages on one connection, several connections
        options = {"host": "localhost", "port": mail.ports["submissions"], "secure": True, "pool": True, "maxConnections": 4,
                   "auth": {"user": USER, "pass": PASSWORD}}
        code = (f'const t = require("/usr/share/nodejs/nodemailer").createTransport({json.dumps(options)});'
                f'Promise.all([...Array(60).keys()].map(i => t.sendMail({{from: "{USER}", to: "you@elsewhere.test", subject: "pool", text: "" + i}})))'
                '.then(() => process.exit(0), e => { console.error(e); process.exit(1); });')
        run("nodejs", "-e", code, environment=environment)
        mail.arrives("pool", 60)
        # a wrong password is told as such
        options["auth"]["pass"], options["pool"] = "wrong", False
        code = (f'require("/usr/share/nodejs/nodemailer").createTransport({json.dumps(options)}).verify()'
                '.then(() => process.exit(0), e => { console.error(e.code, e.responseCode); process.exit(1); });')
        self.assertIn("EAUTH 535", run("nodejs", "-e", code, environment=environment, code=1).stderr)

    @needs("mutt")
    def test_mutt(self):
        mail = MailServer(self).start()
        for scheme, name, mechanisms in (("smtp", "submission", ("plain", "login", "cram-md5", "scram-sha-256")), ("smtps", "submissions", ("plain",))):
            for mechanism in mechanisms:
                subject = f"mutt-{name}-{mechanism}"
                rc = os.path.join(mail.folder, "muttrc")
                with open(rc, "w") as out:
                    out.write(f'set smtp_url="{scheme}://{USER.replace("@", "%40")}@localhost:{mail.ports[name]}/"\nset smtp_pass="{PASSWORD}"\n'
                              f'set smtp_authenticators="{mechanism}"\nset ssl_starttls=yes\nset ssl_force_tls=yes\nset certificate_file="{mail.ca}"\n'
                              f'set ssl_ca_certificates_file="{mail.ca}"\nset from="{USER}"\nset use_from=yes\nset envelope_from=yes\nset copy=no\n')
                done = run("mutt", "-n", "-F", rc, "-s", subject, "--", "you@elsewhere.test", text="hello\n", code=None,
                           environment=dict(os.environ, HOME=mail.folder, TERM="dumb"))
                if done.returncode != 0 and "No authenticators available" in done.stdout + done.stderr:
                    continue   # this mutt's SASL library lacks it
                self.assertEqual(done.returncode, 0, (mechanism, done.stdout, done.stderr))
                (message,) = mail.arrives(subject)
                self.assertIn(b"with ESMTPSA ", message[3])
        wait_for(lambda: {"PLAIN", "LOGIN"} <= {e["mechanism"] for e in mail.server.events("accepted")}, what="both mechanisms in the log")

    @needs("curl")
    def test_curl(self):
        mail = MailServer(self).start()
        for scheme, name in (("smtp", "submission"), ("smtps", "submissions")):
            for option in ("AUTH=PLAIN", "AUTH=LOGIN", "AUTH=CRAM-MD5", "AUTH=SCRAM-SHA-256", "AUTH=SCRAM-SHA-1"):
                subject = f"curl-{name}-{option[5:]}"
                done = run("curl", "-sS", "--ssl-reqd", "--cacert", mail.ca, f"{scheme}://localhost:{mail.ports[name]}", "--login-options", option, "--user",
                           f"{USER}:{PASSWORD}", "--mail-from", USER, "--mail-rcpt", "you@elsewhere.test", "-T", "-",
                           text=f"From: {USER}\r\nSubject: {subject}\r\n\r\nx\r\n", code=None)
                if done.returncode in (67, 4) and "SCRAM" in option:   # a curl without gsasl
                    continue
                self.assertEqual(done.returncode, 0, (option, done.stderr))
                mail.arrives(subject)

    # --- a proxy in front

    @unittest.skipUnless(dovecot.available(), "needs root and Dovecot")
    def test_dovecots_submission_proxy_in_front(self):
        mail = MailServer(self).start()
        folder = tempfile.mkdtemp(prefix="sidegate-proxy-")
        self.addCleanup(shutil.rmtree, folder, True)
        os.chmod(folder, 0o755)
        cert, key = mail.authority.issue("proxy", ["localhost"])
        # to the submission port as a user of ours, by STARTTLS and with TLS from the first octet
        for ssl, name in (("starttls", "submission"), ("smtps", "submissions")):
            home = os.path.join(folder, name)
            os.mkdir(home)
            front = dovecot.Dovecot(home, cert, key, mail.ports[name], user="me@test", password=PASSWORD)
            with open(front.config, "a") as out:
                out.write(f"submission_relay_ssl = {ssl}\nsubmission_relay_ssl_verify = no\nsubmission_relay_user = {USER}\n"
                          f"submission_relay_password = {PASSWORD}\n")
            front.start()
            try:
                self.send_through(front, mail, f"proxy-{name}", b"ESMTPSA")
            finally:
                front.stop()

    def send_through(self, front, mail, subject, protocol):
        message = f"From: me@test\r\nSubject: {subject}\r\n\r\n" + "line\r\n.dot\r\n" * 2000
        path = os.path.join(mail.folder, "message")
        with open(path, "w", newline="") as out:
            out.write(message)
        done = run("curl", "-sS", "--ssl-reqd", "--cacert", mail.ca, f"smtp://localhost:{front.port}", "--user", f"me@test:{PASSWORD}", "--mail-from", USER,
                   "--mail-rcpt", "you@elsewhere.test", "--mail-rcpt", "her@elsewhere.test", "--upload-file", path, code=None)
        self.assertEqual(done.returncode, 0, done.stderr + front.log_text()[-2000:])
        (arrived,) = mail.arrives(subject)
        self.assertEqual(len(arrived[2]), 2)
        self.assertIn(b"with " + protocol, arrived[3])
        self.assertEqual(arrived[3].count(b"\r\n.dot\r\n"), 2000)

    # --- a device of the LAN

    def test_a_scanner_in_the_lan(self):
        """It knows port 25 and nothing else: a bare name in HELO, spaces where none belong, no TLS, no login."""
        mail = MailServer(self, more={"smtp": 'networks = ["127.0.0.1"]\n'}).start()
        client = RawClient(mail.ports["smtp"])
        for line, code in (("HELO BRN30055C4D2A1B", 250), ("MAIL FROM: <scanner@elsewhere.test>", 250), ("RCPT TO: <me@elsewhere.test>", 250),
                           ("RCPT TO:<me@gate.test>", 550)):
            self.assertEqual(client.command(line)[0], code, line)
        picture = b"\r\n".join([b"JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0ZURl"] * 20000)
        content = (b"From: scanner@elsewhere.test\r\nTo: me@elsewhere.test\r\nSubject: scan\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf; name=\"scan.pdf\"\r\n"
                   b"Content-Transfer-Encoding: base64\r\n\r\n" + picture + b"\r\n")
        self.assertEqual(client.data(content)[0], 250)
        client.send(b"QUIT\r\n")
        (message,) = mail.arrives("scan")
        self.assertIn(picture, message[3])
        self.assertIn(b"\r\nDate: ", message[3])         # it has no clock
        self.assertIn(b"\r\nMessage-ID: <", message[3])
        # Others that are like it: a device that says EHLO with its model, one with its address, one that closes without QUIT.
        for n, hello in enumerate(("EHLO HP Color LaserJet", "EHLO [127.0.0.1]", "EHLO 192.168.1.20", "HELO localhost", "HELO scanner_2")):
            client = RawClient(mail.ports["smtp"])
            self.assertEqual(client.command(hello)[0], 250, hello)
            self.assertEqual(client.command("MAIL FROM:<scanner@elsewhere.test>")[0], 250)
            self.assertEqual(client.command("RCPT TO:<me@elsewhere.test>")[0], 250)
            self.assertEqual(client.data(f"Subject: scan{n}\r\n\r\nx\r\n".encode())[0], 250)
            client.close()
            mail.arrives(f"scan{n}")
        # The same listener for the world: not from an address that is not listed.
        stranger = RawClient(mail.ports["submission"])
        stranger.command("HELO BRN30055C4D2A1B")
        self.assertEqual(stranger.command("MAIL FROM: <scanner@elsewhere.test>")[0], 530)
        wait_for(lambda: len(mail.server.events("accepted")) == 6, what="the log lines")


if __name__ == "__main__":
    unittest.main()
