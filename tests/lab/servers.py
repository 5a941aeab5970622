"""The mail servers of the lab: the ISP's relay, the second provider, and the hosts that take mail for domains."""
import os
import sys

from support import dovecot, postfix
from support.server import wait_for

from . import mailboxes, plan

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.sts.example\r\nmax_age: 86400\r\n"
# No growing delay for all of home after a wrong password.
IMPATIENT = "auth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"
BEHIND = 10025   # where a provider's Postfix takes mail from what stands before it


def listen(host, port, *options):
    more = "".join(f" -o {{ {option} }}" for option in options)
    return [f"{address}:{port} inet n - n - - smtpd{more}" for address in (host.v4, f"[{host.v6}]")]


class MailServer(postfix.Instance):
    """A Postfix at a host's addresses, with mailboxes for `domains`."""

    def __init__(self, place, folder, host, domains, services, settings):
        self.place, self.host, self.mail = place, host, os.path.join(folder, "mail")
        os.makedirs(folder, exist_ok=True)
        super().__init__(folder, [*services, mailboxes.service(self.mail)], {
            "myhostname": host.name, "inet_interfaces": f"{host.v4}, {host.v6}", "inet_protocols": "all",
            "smtpd_banner": "$myhostname ESMTP Postfix", "smtp_tls_security_level": "may", "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_peername_lookup": "yes", "minimal_backoff_time": "5s", "maximal_backoff_time": "10s", "queue_run_delay": "5s",
            **mailboxes.settings(self.mail, domains), **settings}, place.enter())
        place.logs[host.name] = self.log

    def start(self):
        super().start()
        wait_for(self.greeting, what=f"the greeting of {self.host.name}")
        return self

    def greeting(self, port=25):
        return self.place.greeting(self.host.v4, port)

    def mailbox(self, address):
        return mailboxes.read(self.mail, address)


def isp_relay(place, folder, certificate, accounts=plan.ISP_ACCOUNTS, mechanisms="PLAIN LOGIN CRAM-MD5"):
    """As a Japanese provider runs it: only for who has logged in, and only from an address that is the account's own."""
    cert, key = certificate
    owners = os.path.join(folder, "owners")
    os.makedirs(folder, exist_ok=True)
    with open(owners, "w") as out:
        out.writelines(f"{account.user} {account.user}\n" for account in accounts)
    # What takes the place of the world's servers when port 25 is intercepted: no TLS, no AUTH, and its own name.
    between = (f"myhostname={plan.FILTER.name}", "smtpd_banner=$myhostname ESMTP", "smtpd_tls_security_level=none",
               "smtpd_sasl_auth_enable=no", f"mynetworks={plan.HOME_NET},[{plan.HOME_NET6.split('/')[0]}]/64",
               "smtpd_relay_restrictions=permit_mynetworks,reject", "smtpd_sender_restrictions=")
    server = MailServer(place, folder, plan.RELAY, ("isp.example",), [
        *listen(plan.RELAY, 25),
        *listen(plan.RELAY, 587, "smtpd_tls_security_level=$submission_tls", "smtpd_recipient_restrictions=permit_sasl_authenticated,reject"),
        *listen(plan.RELAY, 465, "smtpd_tls_wrappermode=yes", "smtpd_recipient_restrictions=permit_sasl_authenticated,reject"),
        *listen(plan.FILTER, 25, *between),
        # What the ISP's old relay speaks to, which ends TLS (old_form.py).
        f"127.0.0.1:{BEHIND} inet n - n - - smtpd -o smtpd_tls_security_level=none -o smtpd_tls_auth_only=no -o broken_sasl_auth_clients=yes"], {
            "submission_tls": "encrypt",   # of 587
            "inet_interfaces": ", ".join((plan.RELAY.v4, plan.RELAY.v6, plan.FILTER.v4, plan.FILTER.v6)),
            "smtp_bind_address": plan.RELAY.v4, "smtp_bind_address6": plan.RELAY.v6,
            "smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key, "smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "yes",
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_local_domain": "isp.example",
            "smtpd_sender_login_maps": f"texthash:{owners}", "smtpd_sender_restrictions": "reject_sender_login_mismatch",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination"})
    server.offer(mechanisms)
    for account in accounts:
        name, _, realm = account.user.rpartition("@")
        server.add_user(name, account.password, realm)
    return server


class Provider:
    """Dovecot's submission server in front, Postfix behind it (and at port 25, for provider.example's own mail)."""

    def __init__(self, place, folder, certificate):
        cert, key = certificate
        self.place, self.host = place, plan.PROVIDER
        self.behind = MailServer(place, os.path.join(folder, "postfix"), plan.PROVIDER, ("provider.example",), [
            *listen(plan.PROVIDER, 25), f"127.0.0.1:{BEHIND} inet n - n - - smtpd -o mynetworks=127.0.0.0/8 -o "
            "smtpd_relay_restrictions=permit_mynetworks,reject -o smtpd_tls_security_level=none"], {
                "inet_interfaces": f"127.0.0.1, {plan.PROVIDER.v4}, {plan.PROVIDER.v6}",
                "smtp_bind_address": plan.PROVIDER.v4, "smtp_bind_address6": plan.PROVIDER.v6,
                "smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key, "smtpd_tls_security_level": "may"})
        self.front = dovecot.Dovecot(os.path.join(folder, "dovecot"), cert, key, BEHIND, plan.ME.user, plan.ME.password,
                                     addresses=(plan.PROVIDER.v4, plan.PROVIDER.v6), ports=(587, 2525), tls_ports=(465,),
                                     hostname=plan.PROVIDER.name, enter=place.enter(), extra=IMPATIENT)
        place.logs["dovecot"] = self.front.log

    def start(self):
        self.behind.start()
        self.front.start(lambda: self.place.greeting(plan.PROVIDER.v4, 587))
        return self

    def stop(self):
        """Its submission server goes away."""
        self.place.run("doveadm", "-c", self.front.config, "stop", pids=True)
        self.front.process.wait(60)

    def restart(self):
        self.front.start(lambda: self.place.greeting(plan.PROVIDER.v4, 587))

    def mailbox(self, address):
        return self.behind.mailbox(address)


def exchanger(place, folder, kind, certificate):
    tls = {"smtpd_tls_security_level": "none"} if certificate is None else {
        "smtpd_tls_cert_file": certificate[0], "smtpd_tls_key_file": certificate[1], "smtpd_tls_security_level": "may"}
    host = plan.EXCHANGERS[kind]
    # Asked by who is told so: check_policy_service unix:private/policyd-spf.
    spf = "policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf"
    return MailServer(place, folder, host, plan.ACCEPTS[kind], [*listen(host, 25), spf], tls)


class OldRelay:
    """Offers AUTH in its old form alone, inside TLS, before the ISP's Postfix."""

    def __init__(self, place, certificate):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "old_form.py")
        self.program = place.start("old-relay", sys.executable, "-B", program, plan.OLD_RELAY.v4, plan.OLD_RELAY.v6, *certificate, str(BEHIND))
        wait_for(lambda: self.listens(place), what="the old relay")

    @staticmethod
    def listens(place):
        try:
            place.connect(plan.OLD_RELAY.v4, 465, 5).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.program.stop()


class PolicyServer:
    """HTTPS for mta-sts.sts.example; the policy is a file, read at each question."""

    def __init__(self, place, folder, certificate):
        self.place, self.file = place, os.path.join(folder, "mta-sts.txt")
        os.makedirs(folder, exist_ok=True)
        self.serve(POLICY)
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "policy_server.py")
        self.program = place.start("policy", sys.executable, "-B", program, plan.POLICY.v4, plan.POLICY.v6, *certificate, self.file)

    def serve(self, policy=POLICY, how=""):
        """The policy from now on, and how it is answered (policy_server.py)."""
        for name, text in ((self.file, policy), (self.file + ".how", how)):
            with open(name + ".new", "w", newline="") as out:
                out.write(text)
            os.replace(name + ".new", name)

    def questions(self):
        """How often it was asked."""
        return self.place.log("policy").count("GET ")
