"""A test case with a lab, shared by its tests: each begins with port 25 dropped, a good resolver and working IPv6."""
import smtplib
import ssl
import unittest

from . import Lab, unavailable


class Client(smtplib.SMTP):
    """An SMTP client in a place: `address` is where it connects, the host's name what its certificate must carry."""

    def __init__(self, place, host, port, address=None, tls=None):
        self.place, self.address, self.tls = place, address or host.v4, tls
        super().__init__(host.name, port, local_hostname="client.test", timeout=60)

    def _get_socket(self, host, port, timeout):
        connected = self.place.connect(self.address, port, timeout)
        return self.tls.wrap_socket(connected, server_hostname=host) if self.tls else connected


class LabCase(unittest.TestCase):
    shared = []   # the one lab of this program

    @classmethod
    def setUpClass(cls):
        reason = unavailable()
        if reason:
            print("skipped: " + reason)   # ctest looks for it
            raise unittest.SkipTest("skipped: " + reason)
        if not cls.shared:
            cls.shared.append(unittest.enterModuleContext(Lab()))
            unittest.addModuleCleanup(cls.shared.clear)
        cls.lab = cls.shared[0]

    def setUp(self):
        self.lab.firewall.closed = {}
        self.lab.set("drop", "unbound", "present")
        self.lab.firewall.forget_attempts()

    def trust(self):
        """A TLS context that trusts the lab's CA alone, and checks names."""
        return ssl.create_default_context(cafile=self.lab.authority.ca)
