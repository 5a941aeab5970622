"""The lab is what it says: each state of port 25 and of IPv6, seen from home; and it leaves the machine as it was."""
import errno
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, places, plan                # noqa: E402
from lab.case import Client, LabCase                      # noqa: E402
from support.server import wait_for                       # noqa: E402

BOTH = (("IPv4", lambda host: host.v4), ("IPv6", lambda host: host.v6))
SHORT = 2   # seconds for what must not be answered; what must be answered is given more


class Port25(LabCase):
    def fails_with(self, error, address, port, timeout=30):
        with self.assertRaises(OSError) as caught:
            self.lab.home.connect(address, port, timeout).close()
        self.assertIsInstance(caught.exception, error, (address, port))

    def others_work(self):
        """Whatever port 25 is like: the ISP's own server at 25, and everybody's submission ports."""
        for family, of in BOTH:
            for host, port in ((plan.RELAY, 25), (plan.RELAY, 587), (plan.PROVIDER, 587), (plan.PROVIDER, 2525)):
                with self.subTest(family=family, host=host.name, port=port):
                    self.assertIn(host.name, self.lab.home.greeting(of(host), port) or "")

    def test_open(self):
        self.lab.set(port25="open")
        for host in plan.EXCHANGERS.values():
            for family, of in BOTH:
                with self.subTest(family=family, host=host.name):
                    self.assertEqual(self.lab.home.greeting(of(host), 25), f"220 {host.name} ESMTP Postfix")
        self.others_work()

    def test_dropped(self):
        for _, of in BOTH:
            self.fails_with(TimeoutError, of(plan.DANE), 25, SHORT)
        self.others_work()

    def test_rejected(self):
        self.lab.set(port25="reject")
        for _, of in BOTH:
            self.fails_with(ConnectionRefusedError, of(plan.DANE), 25)
        self.others_work()

    def test_intercepted(self):
        """Another answers in the name of all, without TLS and AUTH, and passes the mail on."""
        self.lab.set(port25="intercept")
        for family, of in BOTH:
            with self.subTest(family=family), Client(self.lab.home, plan.DANE, 25, of(plan.DANE)) as client:
                client.ehlo()
                self.assertTrue(client.ehlo_resp.startswith(plan.FILTER.name.encode()), client.ehlo_resp)
                self.assertFalse(client.has_extn("starttls"))
                self.assertFalse(client.has_extn("auth"))
                client.sendmail("taro@isp.example", [f"{family}@dane.example"], "Subject: between\r\n\r\nbody\r\n")
                self.lab.wait_for_mail(f"{family}@dane.example")
        self.others_work()

    def test_closed_to_some(self):
        self.lab.set(port25="drop", only=[plan.DANE.v4, plan.DANE.v6])
        for _, of in BOTH:
            self.fails_with(TimeoutError, of(plan.DANE), 25, SHORT)
            self.assertIn(plan.STS.name, self.lab.home.greeting(of(plan.STS), 25) or "")

    def test_other_ports(self):
        self.lab.close_port(587)
        self.lab.close_port(465, "reject")
        self.fails_with(TimeoutError, plan.PROVIDER.v4, 587, SHORT)
        self.fails_with(ConnectionRefusedError, plan.PROVIDER.v6, 465)
        self.assertIn(plan.PROVIDER.name, self.lab.home.greeting(plan.PROVIDER.v4, 2525) or "")
        self.assertIn(plan.RELAY.name, self.lab.home.greeting(plan.RELAY.v4, 587) or "")
        self.lab.close_port(587, None)
        self.assertIn(plan.PROVIDER.name, self.lab.home.greeting(plan.PROVIDER.v4, 587) or "")

    def test_attempts_are_counted(self):
        """Once a connection, however often its first segment is sent, whatever becomes of it; the ISP's own port 25 is no attempt."""
        self.assertEqual(self.lab.attempts_on_port25(), [])
        self.fails_with(TimeoutError, plan.DANE.v4, 25, 4)   # long enough to be sent again
        self.lab.home.greeting(plan.RELAY.v4, 25)
        self.assertEqual(self.lab.attempts_on_port25(), [plan.DANE.v4])
        for state in ("reject", "intercept", "open"):
            self.lab.set(port25=state)
            self.lab.home.greeting(plan.STS.v6, 25)
        self.assertEqual(sorted(self.lab.attempts_on_port25()), sorted([plan.DANE.v4] + [plan.STS.v6] * 3))
        self.assertEqual(self.lab.attempts(587), [])

    def test_nobody(self):
        """An address without a machine is answered in time, as by a real router."""
        self.fails_with(OSError, plan.NOBODY, 587, 60)

    def test_wrong_words(self):
        for change in ({"port25": "closed"}, {"dns": "knot"}, {"ipv6": "broken"}):
            with self.subTest(change), self.assertRaisesRegex(ValueError, "is one of"):
                self.lab.set(**change)


class Ipv6(LabCase):
    def at_home(self):
        return self.lab.home.run("ip", "-6", "-o", "address"), self.lab.home.run("ip", "-6", "route", "show", "default")

    def test_present(self):
        self.assertIn(plan.HOME.v6, self.at_home()[0])
        self.assertIn(plan.RELAY.name, self.lab.home.greeting(plan.RELAY.v6, 587) or "")

    def test_absent_and_back(self):
        self.lab.set(ipv6="absent")
        self.assertEqual(self.at_home(), ("", ""))
        with self.assertRaises(OSError) as caught:
            self.lab.home.connect(plan.RELAY.v6, 587, 60)
        self.assertIn(caught.exception.errno, (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT))
        self.assertIn(plan.RELAY.name, self.lab.home.greeting(plan.RELAY.v4, 587) or "")
        self.lab.set(ipv6="present")
        self.test_present()

    def test_dead(self):
        """An address and a route as if all were well; nothing comes back."""
        self.lab.set(ipv6="dead")
        address, route = self.at_home()
        self.assertIn(plan.HOME.v6, address)
        self.assertIn(plan.GATEWAY.v6, route)
        for host, port in ((plan.RELAY, 587), (plan.PROVIDER, 587)):
            with self.assertRaises(TimeoutError):
                self.lab.home.connect(host.v6, port, SHORT)
            self.assertIn(host.name, self.lab.home.greeting(host.v4, port) or "")


MAKES_ONE = f"""import sys
sys.path.insert(0, {os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")!r})
from lab import Lab
with Lab() as lab:
    print(lab.folder, lab.machine.pid, lab.home.pid, lab.knot.program.pid, flush=True)
    sys.stdin.read()
"""


def outside():
    """What a lab must leave alone."""
    with open("/proc/self/mounts") as mounts, open("/etc/resolv.conf") as resolv, open("/etc/hosts") as hosts:
        texts = [sorted(mounts), resolv.read(), hosts.read(), os.uname().nodename]
    for command in (["ip", "-o", "link"], ["ip", "netns"], ["nft", "list", "tables"], ["sysctl", "net.ipv4.ip_forward"]):
        texts.append(subprocess.run(command, capture_output=True, text=True, env=places.environment()).stdout)
    return texts


class Leftovers(unittest.TestCase):
    def test_killed(self):
        """Killed at its best: no program, no namespace and no cable is left; the folder goes with the next lab."""
        if places.unavailable():
            print("skipped: " + places.unavailable())   # ctest looks for it
            self.skipTest("skipped: " + places.unavailable())
        before = outside()
        maker = subprocess.Popen([sys.executable, "-B", "-c", MAKES_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(maker.stdout.close)
        self.addCleanup(maker.stdin.close)
        words = maker.stdout.readline().split()
        self.assertEqual(len(words), 4, words)
        folder, pids = words[0], words[1:]
        self.assertNotIn(folder, places.sweep(), "removed under a lab that lives")
        self.assertTrue(os.path.isdir(folder))
        maker.send_signal(signal.SIGKILL)
        maker.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), what="the lab's programs to be gone")
        wait_for(lambda: outside() == before, what="the machine to be as it was")
        wait_for(lambda: folder in places.sweep() or not os.path.exists(folder), what="the folder to be removed")
        self.assertFalse(os.path.exists(folder))


if __name__ == "__main__":
    become_able()
    unittest.main()
