"""Back ends end to end, under the sandboxed server: PAM with users of its own, keys by HTTP and HTTPS, LDAP by STARTTLS and LDAPS."""
import base64
import os
import smtplib
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import local_users                                    # noqa: E402
from support.mail_server import PASSWORD, USER, MailServer         # noqa: E402
from support.oauth import Keys, url64                              # noqa: E402
from support.server import wait_for                                # noqa: E402
from support.slapd import Slapd, needs_slapd                       # noqa: E402


def run(*command, text=None):
    return subprocess.run(command, input=text, check=True, capture_output=True, timeout=60).stdout


class Backends(unittest.TestCase):
    def client(self, mail):
        client = smtplib.SMTP("localhost", mail.ports["submission"], timeout=60)
        self.addCleanup(client.close)
        client.starttls(context=ssl.create_default_context(cafile=mail.ca))
        client.ehlo()
        return client

    def plain(self, mail, user, password):
        client = self.client(mail)
        code, _ = client.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())
        client.close()
        return code

    def bearer(self, mail, token, user=USER):
        client = self.client(mail)
        code, _ = client.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(f"n,a={user},\1auth=Bearer {token}\1\1".encode()).decode())
        if code == 334:
            code, _ = client.docmd("AQ==")
        client.close()
        return code

    def sends(self, mail, user, password):
        client = self.client(mail)
        client.login(user, password)
        client.sendmail(USER, ["you@elsewhere.test"], f"From: {USER}\r\nSubject: as {user}\r\n\r\nx\r\n")
        client.quit()
        mail.arrives(f"as {user}")

    # --- PAM

    @unittest.skipUnless(local_users.available() and os.path.exists("/etc/pam.d") and run("sh", "-c", "ls /usr/lib/*/security/pam_unix.so /lib/*/security/pam_unix.so 2>/dev/null; true"),
                         "needs root, unshare and pam_unix")
    def test_pam(self):
        mail = MailServer(self, backends='["pam"]', auth='pam_service = "sidegate-test"\nremember = "0"\n', known_user=False, **self.server_user())
        users = local_users.LocalUsers(mail.folder, "alice", "bob", "old")
        shadow = "root:*:19000:0:99999:7:::\n"
        for name, expires in (("alice", ""), ("bob", ""), ("old", "1")):
            shadow += f"{name}:{run('openssl', 'passwd', '-6', 'pw-' + name).decode().strip()}:19000:0:99999:7::{expires}:\n"
        with open("/etc/shadow") as own:
            shadow += "".join(line for line in own if line.split(":")[0] not in ("root", "alice", "bob", "old"))
        pam = os.path.join(mail.folder, "pam.d")
        os.mkdir(pam)
        with open(os.path.join(pam, "sidegate-test"), "w") as out:
            out.write("auth required pam_unix.so\naccount required pam_unix.so\n")
        with open(os.path.join(pam, "other"), "w") as out:
            out.write("auth required pam_deny.so\naccount required pam_deny.so\n")
        with open(os.path.join(mail.folder, "shadow"), "w") as out:
            out.write(shadow)
        os.chmod(os.path.join(mail.folder, "shadow"), 0o600)
        mail.server.prefix = ["unshare", "-m", "sh", "-c", 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && '
                              'mount --bind "$0/shadow" /etc/shadow && mount --bind "$0/pam.d" /etc/pam.d && exec "$@"', users.folder]
        mail.start()
        wait_for(lambda: self.plain(mail, "alice", "pw-alice") == 235, what="a login by PAM\n" + mail.server.log_text())
        self.sends(mail, "alice", "pw-alice")
        self.assertEqual(self.plain(mail, "alice", "pw-bob"), 535)
        self.assertEqual(self.plain(mail, "bob", "pw-bob"), 235)
        self.assertEqual(self.plain(mail, "old", "pw-old"), 535)       # the account has ended
        self.assertEqual(self.plain(mail, "nobody-here", "x"), 535)
        self.assertEqual(self.plain(mail, "root", ""), 535)
        accepted = wait_for(lambda: mail.server.events("accepted"), what="its line")
        self.assertEqual({e["user"] for e in accepted}, {"alice"})

    @staticmethod
    def server_user():
        return {"user": "nobody"} if os.geteuid() == 0 else {}

    # --- tokens

    def test_keys_by_http_and_https(self):
        for secure in (False, True):
            with self.subTest(https=secure):
                mail = MailServer(self, known_user=False, backends='["oauth"]', **self.server_user())
                keys = Keys(mail.folder, USER, mail.authority.issue("provider", ["localhost"]) if secure else None)
                self.addCleanup(keys.stop)
                mail.server.extra = mail.server.extra.replace("[tls]\n", f'oauth_jwks_url = "{keys.url}"\noauth_issuer = "https://issuer.test"\n'
                                                              f'oauth_audience = "mail"\noauth_ca_file = "{mail.ca}"\n[tls]\n', 1)
                mail.server.write_config()
                mail.start()
                wait_for(lambda: self.bearer(mail, keys.token()) == 235, what=f"a login by a token\n{mail.server.log_text()}")
                for name, token in (("expired", keys.token(exp=1)), ("of others", keys.token(iss="https://evil.test")), ("for others", keys.token(aud="web")),
                                    ("unsigned", url64(b'{"alg":"none"}') + "." + keys.token().split(".")[1] + "."), ("changed", keys.token()[:-8] + "AAAAAAAA")):
                    self.assertEqual(self.bearer(mail, token), 535, name)
                self.assertEqual(self.bearer(mail, keys.token(), "you@example.org"), 535)
                self.assertLess(keys.asked, 5)   # the keys are kept
                mail.server.stop()

    def test_a_provider_with_a_strange_certificate_is_not_believed(self):
        mail, strange = (MailServer(self, known_user=False, backends='["oauth"]') for _ in range(2))
        keys = Keys(mail.folder, USER, strange.authority.issue("provider", ["localhost"]))
        self.addCleanup(keys.stop)
        mail.server.extra = mail.server.extra.replace("[tls]\n", f'oauth_jwks_url = "{keys.url}"\noauth_audience = "mail"\noauth_ca_file = "{mail.ca}"\n[tls]\n', 1)
        mail.server.write_config()
        mail.start()
        self.assertEqual(self.bearer(mail, keys.token()), 454)
        self.assertEqual(keys.asked, 0)

    # --- LDAP

    @needs_slapd
    def test_ldap_by_tls(self):
        mail = MailServer(self, known_user=False, backends='["ldap"]', auth='ldap_user_dn = "uid=%u,dc=example,dc=org"\nremember = "0"\n', **self.server_user())
        # libldap takes "localhost" for the machine's own name when it looks at the certificate.
        directory = Slapd(self, mail.folder, USER, PASSWORD, (*mail.authority.issue("ldap", ["localhost"]), mail.ca))
        base = mail.server.extra

        def with_ldap(text):
            if mail.server.process is not None:
                mail.server.stop()
            mail.server.extra = base.replace("[tls]\n", text + "[tls]\n", 1)
            mail.server.write_config()
            mail.server.start()
        ca = f'ldap_ca_file = "{mail.ca}"\n'
        for name, text in (("starttls", f'ldap_url = "ldap://127.0.0.1:{directory.port}"\nldap_starttls = true\n' + ca),
                           ("ldaps", f'ldap_url = "ldaps://127.0.0.1:{directory.secure_port}"\n' + ca)):
            with_ldap(text)
            wait_for(lambda: self.plain(mail, USER, PASSWORD) == 235, what=f"a login by {name}\n{mail.server.log_text()[-3000:]}")
            self.assertEqual(self.plain(mail, USER, "wrong"), 535, name)
            self.assertEqual(self.plain(mail, "ghost@example.org", PASSWORD), 535, name)
            self.assertEqual(self.plain(mail, USER, ""), 535, name)   # RFC 4513 section 5.1.2: no password is no login
        # A certificate of a CA that is not named: the password is not sent, and the answer is "not now".
        other = os.path.join(mail.folder, "other.pem")
        run("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=other", "-keyout", other + ".key", "-out", other)
        with_ldap(f'ldap_url = "ldaps://127.0.0.1:{directory.secure_port}"\nldap_ca_file = "{other}"\n')
        self.assertEqual(self.plain(mail, USER, PASSWORD), 454)


if __name__ == "__main__":
    unittest.main()
