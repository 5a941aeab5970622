"""The lab in half a minute, for every run of all tests: it stands, and Sidegate at home brings mail out of a line with
port 25 closed. The rest: ./test lab."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, plan, query                  # noqa: E402
from lab.sidegate_test import GateCase                    # noqa: E402
from lab import gate                                      # noqa: E402


class Short(GateCase):
    def test_the_line(self):
        with self.assertRaises(TimeoutError):
            self.lab.home.connect(plan.DANE.v4, 25, 1)
        self.assertIn(plan.RELAY.name, self.lab.home.greeting(plan.RELAY.v4, 587) or "")
        self.assertTrue(query.ask(self.lab.home, plan.RESOLVER.v4, "dane.example", "MX").authentic)
        self.assertEqual(query.ask(self.lab.home, plan.RESOLVER.v4, "bogus.example", "MX").code, "SERVFAIL")

    def test_a_closed_line(self):
        server = self.gate(gate.isp(more='retry_after = "1s"\n') + gate.provider())
        self.delivers(server, "closed")
        server.stop()
        self.lab.set(dns="router", ipv6="absent")
        server.start()
        self.delivers(server, "router")
        self.lab.relay.stop()
        try:
            self.delivers(server, "second")
        finally:
            self.lab.relay.start()
        self.assertEqual(self.lab.attempts_on_port25(), [])
        server.stop()


if __name__ == "__main__":
    become_able()
    unittest.main()
