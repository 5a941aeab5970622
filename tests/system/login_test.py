"""Logging in on a submission listener: every mechanism with real clients, real back ends, and who guesses passwords"""
import base64
import json
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.oauth import Provider                                 # noqa: E402
from support.server import Server, free_port, wait_for             # noqa: E402
from support.sink import Sink                                      # noqa: E402
from support.slapd import Slapd, needs_slapd                       # noqa: E402

PASSWORD = "p4ss wörd="
MESSAGE = b"From: me@example.org\r\nTo: you@example.net\r\nSubject: x\r\n\r\nbody\r\n"


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Login(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sidegate-login-")
        os.chmod(self.folder, 0o755)
        self.users = os.path.join(self.folder, "users")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def serve(self, auth="", log="json", backends='["file"]', users=()):
        port = free_port()
        sink = Sink().start()
        self.addCleanup(sink.stop)
        server = Server(f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n',
                        f'[log]\nstyle = "{log}"\n[auth]\nusers_file = "{self.users}"\nbackends = {backends}\nfailure_delay = 0\n{auth}\n'
                        f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {port}\nprofile = "submission"\n')
        server.port = port
        self.addCleanup(server.discard)
        if not os.path.exists(self.users):
            with open(self.users, "w"):
                pass
            os.chmod(self.users, 0o640)
        self.sink = sink
        for name, password in users:
            self.user(server, "add", name, password=password + "\n")
        return server.start()

    def user(self, server, verb, name, *arguments, password=None, code=0):
        process = subprocess.run([*server_command(server), "user", verb, name, *arguments, "--config", server.config_path],
                                 input=password, capture_output=True, text=True, timeout=60, env=server.child_environment())
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stdout + process.stderr

    def client(self, server):
        client = smtplib.SMTP("127.0.0.1", server.port, timeout=30)
        self.addCleanup(client.close)
        client.starttls(context=unverified())
        client.ehlo()
        return client

    def auth(self, server, user, password):
        """The reply to AUTH PLAIN."""
        client = self.client(server)
        code, text = client.docmd("AUTH", "PLAIN " + plain(user, password))
        client.close()
        return code, text.decode()

    def logged_in(self, server, user, password):
        return self.auth(server, user, password)[0] == 235

    # --- our own users

    def test_users_come_and_go_under_a_running_server(self):
        server = self.serve()
        self.assertEqual(self.auth(server, "me@example.org", PASSWORD), (535, "5.7.8 Authentication credentials invalid"))
        self.user(server, "add", "Me@Example.org", password=PASSWORD + "\n")
        wait_for(lambda: self.logged_in(server, "me@example.org", PASSWORD), what="the new user")
        self.assertTrue(self.logged_in(server, "ME@example.org", PASSWORD))
        self.assertEqual(os.stat(self.users).st_mode & 0o7777, 0o640)
        with open(self.users) as text:
            self.assertNotIn(PASSWORD, text.read())
        self.user(server, "add", "me@example.org", password="x\n", code=65)
        self.assertIn("would be done", self.user(server, "disable", "me@example.org", "--dry-run"))
        self.user(server, "passwd", "me@example.org", password="other\n")
        wait_for(lambda: self.logged_in(server, "me@example.org", "other"), what="the new password")
        self.assertFalse(self.logged_in(server, "me@example.org", PASSWORD))   # remembered no longer
        self.user(server, "disable", "me@example.org")
        wait_for(lambda: not self.logged_in(server, "me@example.org", "other"), what="the user to be shut out")
        rows = [json.loads(line) for line in server.command("user", "list", "--json", check=0).stdout.splitlines()]
        self.assertEqual(rows, [{"name": "me@example.org", "disabled": True, "suspended": False, "hash": "yescrypt",
                                 "scram": ["SCRAM-SHA-256", "SCRAM-SHA-1"], "cram_md5": False}])
        self.user(server, "enable", "me@example.org")
        wait_for(lambda: self.logged_in(server, "me@example.org", "other"), what="the user to be let in")
        self.user(server, "delete", "me@example.org")
        wait_for(lambda: not self.logged_in(server, "me@example.org", "other"), what="the user to be gone")
        self.user(server, "passwd", "me@example.org", password="x\n", code=67)
        server.stop()

    def test_every_mechanism_with_real_clients(self):
        server = self.serve()
        self.user(server, "add", "me@example.org", "--cram-md5", password="s3cret\n")
        client = wait_for(lambda: self.offers(server, "CRAM-MD5"), what="the user")
        self.assertIn("SCRAM-SHA-256-PLUS", client)
        for mechanism in ("plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "scram-sha-1-plus", "scram-sha-256-plus"):
            done = subprocess.run(["msmtp", "--host=127.0.0.1", f"--port={server.port}", "--tls=on", "--tls-starttls=on", "--tls-certcheck=off",
                                   f"--auth={mechanism}", "--user=me@example.org", "--passwordeval=echo s3cret", "--from=me@example.org",
                                   "you@example.net"], input=MESSAGE, capture_output=True, timeout=60)
            if b"not available" in done.stderr or b"not supported" in done.stderr or b"invalid argument" in done.stderr:   # this msmtp's library has no such mechanism
                continue
            self.assertEqual(done.returncode, 0, (mechanism, done.stderr))
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(server.port), "-tls", "--auth", mechanism, "--auth-user",
                                   "me@example.org", "--auth-password", "s3cret", "--from", "me@example.org", "--to", "you@example.net"],
                                  capture_output=True, text=True, timeout=60)
            if "dependencies" in done.stderr + done.stdout and done.returncode != 0:
                continue
            self.assertEqual(done.returncode, 0, (mechanism, done.stdout[-1500:]))
        done = subprocess.run(["curl", "-sS", "-k", "--ssl-reqd", f"smtp://127.0.0.1:{server.port}", "--user", "me@example.org:s3cret",
                               "--mail-from", "me@example.org", "--mail-rcpt", "you@example.net", "-T", "-"], input=MESSAGE,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        client = self.client(server)
        client.login("me@example.org", "s3cret")
        client.sendmail("me@example.org", ["you@example.net"], MESSAGE)
        client.quit()
        server.stop()
        methods = {event["mechanism"] for event in server.events("accepted")}
        self.assertTrue({"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"} <= methods, methods)
        self.assertTrue(all(event["user"] == "me@example.org" and event["protocol"] == "ESMTPSA" for event in server.events("accepted")))

    def offers(self, server, mechanism):
        client = self.client(server)
        offered = client.esmtp_features.get("auth", "").strip()
        client.close()
        return offered if mechanism in offered.split() else ""

    def test_nothing_without_tls_and_login(self):
        server = self.serve()
        client = smtplib.SMTP("127.0.0.1", server.port, timeout=30)
        client.ehlo()
        self.assertNotIn("auth", client.esmtp_features)
        self.assertEqual(client.docmd("AUTH", "PLAIN " + plain("me", "x"))[0], 538)
        self.assertEqual(client.docmd("MAIL", "FROM:<me@example.org>")[0], 530)
        client.close()
        client = self.client(server)
        self.assertEqual(client.docmd("MAIL", "FROM:<me@example.org>")[0], 530)
        client.close()
        server.stop()

    def test_who_guesses(self):
        server = self.serve("max_failures_per_address = 5\nmax_failures_per_user = 1000\nfailure_window = \"1h\"\n", log="postfix", users=[("me", "s3cret")])
        self.assertTrue(self.logged_in(server, "me", "s3cret"))
        replies = [self.auth(server, f"user{n}", "guess")[0] for n in range(8)]
        self.assertEqual(replies[0], 535)
        self.assertEqual(replies[-1], 454)
        self.assertTrue(self.logged_in(server, "me", "s3cret"))   # who was here before is not locked out
        server.stop()
        found = subprocess.run(["fail2ban-regex", "--print-all-matched", server.log_path, "postfix[mode=auth]"], capture_output=True, text=True,
                               timeout=60).stdout
        self.assertRegex(found, r"Lines: \d+ lines, 0 ignored, 8 matched")

    # --- others' users

    def test_dovecot(self):
        if os.geteuid() != 0 or not os.path.exists("/usr/sbin/dovecot"):
            self.skipTest("needs root and Dovecot")
        with open(os.path.join(self.folder, "passdb"), "w") as out:
            out.write("me@example.org:{PLAIN}s3cret\n")
        config = os.path.join(self.folder, "dovecot.conf")
        with open(config, "w") as out:
            out.write(f"""base_dir = {self.folder}/run
state_dir = {self.folder}/run
log_path = {self.folder}/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = {self.folder}/passdb
}}
service auth {{
  unix_listener {self.folder}/auth-client {{
    mode = 0666
  }}
}}
""")
        dovecot = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(dovecot.wait)
        self.addCleanup(dovecot.terminate)
        self.try_backend("dovecot", f'dovecot_socket = "{self.folder}/auth-client"', lambda: os.path.exists(f"{self.folder}/auth-client"))

    def test_saslauthd(self):
        if os.geteuid() != 0 or not shutil.which("saslauthd") and not os.path.exists("/usr/sbin/saslauthd"):
            self.skipTest("needs root and saslauthd")
        run = os.path.join(self.folder, "saslauthd")
        os.makedirs(run)
        # -a rimap asks an IMAP server: one of ours that knows one user
        imap = Imap()
        self.addCleanup(imap.stop)
        daemon = subprocess.Popen(["/usr/sbin/saslauthd", "-d", "-a", "rimap", "-O", f"127.0.0.1/{imap.port}", "-m", run, "-n", "1", "-r"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        self.try_backend("saslauthd", f'saslauthd_socket = "{run}/mux"', lambda: os.path.exists(f"{run}/mux"))

    def try_backend(self, name, auth, ready):
        wait_for(ready, what=f"{name} to be ready")
        server = self.serve(auth, backends=f'["{name}"]')
        wait_for(lambda: self.logged_in(server, "me@example.org", "s3cret"), what=f"a login by {name}\n{server.log_text()}")
        self.assertEqual(self.auth(server, "me@example.org", "wrong")[0], 535)
        self.assertEqual(self.auth(server, "ghost@example.org", "s3cret")[0], 535)
        self.assertEqual(self.offers(server, "PLAIN"), "PLAIN LOGIN")   # of others' users we have no keys
        server.stop()

    @needs_slapd
    def test_ldap(self):
        port = Slapd(self, self.folder, "me@example.org", "s3cret").port
        url = f'ldap_url = "ldap://127.0.0.1:{port}"\nldap_starttls = false\n'
        self.try_backend("ldap", url + 'ldap_base = "dc=example,dc=org"\n', lambda: answers(port))
        self.try_backend("ldap", url + 'ldap_user_dn = "uid=%u,dc=example,dc=org"\n', lambda: answers(port))

    def test_a_directory_that_hangs_delays_nobody_else(self):
        silent = socket.create_server(("127.0.0.1", 0))   # takes connections and says nothing
        self.addCleanup(silent.close)
        server = self.serve(f'ldap_url = "ldap://127.0.0.1:{silent.getsockname()[1]}"\nldap_starttls = false\nldap_base = "dc=x"\n'
                            'timeout = "3s"\nconcurrent = 2\n', backends='["file", "ldap"]')
        self.user(server, "add", "me", "--no-scram", password="s3cret\n")
        wait_for(lambda: self.logged_in(server, "me", "s3cret"), what="the user")
        answers_to_others = []
        others = [threading.Thread(target=lambda: answers_to_others.append(self.auth(server, "other", "x")[0])) for _ in range(6)]
        for other in others:
            other.start()
        for _ in range(5):   # while those wait
            self.assertTrue(self.logged_in(server, "me", "s3cret"))
        for other in others:
            other.join()
        self.assertEqual(answers_to_others, [454] * 6)
        server.stop()

    def test_tokens(self):
        provider = Provider()
        self.addCleanup(provider.stop)
        server = self.serve(f'oauth_introspection_url = "http://127.0.0.1:{provider.port}/introspect"\noauth_client_id = "gate"\n'
                            'oauth_client_secret = "s"\n', backends='["file", "oauth"]')
        client = self.client(server)
        self.assertIn("OAUTHBEARER", client.esmtp_features["auth"])

        def bearer(token, user="me@example.org"):
            client = self.client(server)
            text = f"n,a={user},\x01auth=Bearer {token}\x01\x01"
            code, _ = client.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(text.encode()).decode())
            if code == 334:
                code, _ = client.docmd("AQ==")
            client.close()
            return code
        self.assertEqual(bearer("good"), 235)
        self.assertEqual(bearer("good", "you@example.org"), 535)
        self.assertEqual(bearer("bad"), 535)
        self.assertEqual(bearer("broken"), 454)
        text = base64.b64encode(b"user=me@example.org\x01auth=Bearer good\x01\x01").decode()
        self.assertEqual(client.docmd("AUTH", "XOAUTH2 " + text)[0], 235)
        server.stop()


def server_command(server):
    from support.server import BINARY
    return [BINARY]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False


class Imap:
    """As much of an IMAP server as saslauthd's rimap needs."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.settimeout(10)
                    peer.sendall(b"* OK ready\r\n")
                    line = peer.recv(4096)
                    tag = line.split(b" ", 1)[0]
                    good = b'"me@example.org" "s3cret"' in line
                    peer.sendall(tag + (b" OK in\r\n" if good else b" NO wrong\r\n"))
                    peer.recv(4096)
                except OSError:
                    pass

    def stop(self):
        self.socket.close()


if __name__ == "__main__":
    unittest.main()
