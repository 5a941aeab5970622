"""What the tests of the classic how-tos share: Sidegate with a user's own configuration, and what must be true at the end of each."""
import email
import email.policy
import json

from support.server import wait_for

from . import gate, plan
from .case import LabCase

TRY_SOON = '[queue]\nretry_first = "1s"\nretry_max = "1s"\n'
ALL_OVER = ("dane.example", "sts.example", "plain.example")


def key(name, value):
    return f"{name} = {json.dumps(value)}\n"


# The ISP's relay, as its customer writes it; it takes no other sender than the account's own address.
ISP = gate.isp(more='identity = "account"\n')


class HowTo(LabCase):
    def serve(self, config, **more):
        """Sidegate at home with this configuration. At the end of the test nothing may have been lost or returned."""
        server = gate.Gate(self.lab, extra=config, **more)
        for step in (server.discard, server.end):
            self.addCleanup(step)
        return server.start()

    def change(self, server, config):
        """Another configuration, and `sidegate reload`."""
        server.extra = config
        server.write_config()
        server.command("reload", check=0)

    def arrives(self, server, recipient, count=1, seconds=90):
        """The message that a recipient finds in the mailbox at the domain's own MX; of several the last."""
        try:
            found = self.lab.wait_for_mail(recipient, count, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-5000:]}") from None
        self.assertEqual(len(found), count, "each message once")
        return email.message_from_bytes(found[-1], policy=email.policy.default)

    def is_from(self, mail, path, author=None):
        """Its envelope, and the address in From."""
        self.assertEqual(mail["Return-Path"], f"<{path}>")
        self.assertEqual([address.addr_spec for address in mail["From"].addresses], [author or path])

    def deliveries(self, server, recipient):
        return [event for event in server.events("delivery") if event["to"] == recipient]

    def way_of(self, server, recipient):
        """The way that a message has left by."""
        return wait_for(lambda: [e["way"] for e in self.deliveries(server, recipient) if e["status"] == "sent"], what=f"the delivery to {recipient}")[-1]

    def event(self, server, name, what=lambda event: True):
        try:
            return wait_for(lambda: [e for e in server.events(name) if what(e)], what=f"{name} in the log")[0]
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-5000:]}") from None

    def waiting(self, server):
        """{recipient: what `queue show` says of the message}"""
        rows = [json.loads(line) for line in server.command("queue", "list", "--json", check=0).stdout.splitlines() if '"id"' in line]
        shown = [server.command("queue", "show", row["id"], "--json", check=0).stdout for row in rows]
        return {recipient["address"]: text for text in shown for recipient in json.loads(text.splitlines()[0])["recipients"]}

    def status(self, server):
        return json.loads(server.command("status", "--json", check=0).stdout)

    def nothing_returned(self, server):
        self.assertEqual([e for e in server.events("delivery") if e["status"] == "bounced"], [])
        self.assertEqual(server.events("report"), [])

    def all_is_well(self, server):
        """All that was taken has been delivered, nothing was returned, and it ends as it should."""
        try:
            wait_for(lambda: self.status(server)["queue"]["messages"] == 0, what="an empty queue")
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-5000:]}") from None
        self.nothing_returned(server)
        self.assertEqual(server.stop(), 0)

    def ask_for_spf(self, kind):
        """An exchanger that refuses what SPF does not admit."""
        strict = self.lab.exchangers[kind]
        strict.change(smtpd_recipient_restrictions="check_policy_service unix:private/policyd-spf")
        self.addCleanup(strict.change, smtpd_recipient_restrictions="")

    def customers_need_no_login(self, needless=True):
        """Whether the ISP's relay takes what comes from its customers' lines without a login."""
        self.lab.relay.change(
            mynetworks=f"{plan.HOME_NET} [{plan.HOME_NET6.split('/')[0]}]/64" if needless else "",
            smtpd_relay_restrictions="permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination" if needless
            else "permit_sasl_authenticated, reject_unauth_destination",
            smtpd_sender_restrictions="" if needless else "reject_sender_login_mismatch")
        if needless:
            self.addCleanup(self.customers_need_no_login, False)
