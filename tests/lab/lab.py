"""The whole lab, put together. What each part is: plan.py (who is where), places.py, cables.py, firewall.py, zones.py and
names.py (DNS), servers.py (mail). README.md has the picture."""
import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from support.certificates import Authority
from support.server import wait_for

from . import cables, firewall, names, places, plan, servers

DNS = ("unbound", "router")
IPV6 = ("present", "absent", "dead")


class Lab:
    """with Lab(port25="drop", dns="unbound", ipv6="present") as lab: ...

    All three can be changed while it runs: lab.set(port25="open"). To be entered by the main thread: the lab ends with the
    thread that has made it. Raises Unavailable with the reason where there can be none."""

    def __init__(self, port25="drop", dns="unbound", ipv6="present"):
        self.port25, self.dns, self.ipv6 = port25, dns, ipv6
        self.check(port25, dns, ipv6)

    @staticmethod
    def check(port25, dns, ipv6):
        for name, value, known in (("port25", port25, firewall.PORT25), ("dns", dns, DNS), ("ipv6", ipv6, IPV6)):
            if value not in known:
                raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")

    def __enter__(self):
        reason = places.unavailable()
        if reason:
            raise places.Unavailable(reason)
        places.sweep()
        self.folder, self._lock = places.make_folder()
        self.machine = None
        try:
            self._build()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.machine:
            self.machine.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def _build(self):
        self.authority = Authority(self.path("ca"))
        self.machine = places.Machine()
        self.home, self.isp, self.world, self.rented = (
            self.machine.place(name, resolver.v4, self.path(name)) for name, resolver in
            (("home", plan.RESOLVER), ("isp", plan.RESOLVER), ("world", plan.OPEN_RESOLVER), ("rented", plan.OPEN_RESOLVER)))
        for place in self.machine.places:
            place.furnish(self.authority.ca)
        cables.lay(self.home, self.isp, self.world, self.rented)
        self.firewall = firewall.Firewall(self.isp)
        certificates = {name: self.authority.issue(host.name, (host.name, *more), ()) for name, host, *more in (
            ("relay", plan.RELAY), ("provider", plan.PROVIDER), ("dane", plan.DANE), ("sts", plan.STS), ("policy", plan.POLICY, "mta-sts.equal.example"))}
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(self._start_names, certificates["dane"][0])]
            self._start_mail(certificates, pool, jobs)
            for job in jobs:
                job.result()
        self.set(self.port25, self.dns, self.ipv6)

    def _start_names(self, dane_certificate):
        self.knot, self.resolvers, self.router = names.start_all(self.isp, self.world, self.folder, public_key_digest(dane_certificate))

    def _start_mail(self, certificates, pool, jobs):
        self.relay = servers.isp_relay(self.isp, self.path("relay"), certificates["relay"])
        self.provider = servers.Provider(self.world, self.path("provider"), certificates["provider"])
        self.exchangers = {kind: servers.exchanger(self.world, self.path(f"mx-{kind}"), kind, certificates.get(kind)) for kind in plan.EXCHANGERS}
        self.policy = servers.PolicyServer(self.world, self.path("policy"), certificates["policy"])
        jobs += [pool.submit(server.start) for server in (self.relay, self.provider, *self.exchangers.values())]

    # What the line at home is like.

    def set(self, port25=None, dns=None, ipv6=None, only=()):
        """Changes the line while it runs; `only`: the addresses that a closed port 25 is closed to."""
        self.port25, self.dns, self.ipv6 = port25 or self.port25, dns or self.dns, ipv6 or self.ipv6
        self.check(self.port25, self.dns, self.ipv6)
        self.firewall.apply(port25=self.port25, only=tuple(only), dead_ipv6=self.ipv6 == "dead")
        cables.ipv6_at_home(self.home, self.ipv6 != "absent")
        self.home.resolve_by((plan.RESOLVER if self.dns == "unbound" else plan.GATEWAY).v4)

    def close_port(self, port, how="drop"):
        """Another port than 25 towards the world (not to the ISP's own servers): drop, reject, or None: open again."""
        self.firewall.apply(closed={**{p: h for p, h in self.firewall.closed.items() if p != port}, **({port: how} if how else {})})

    def change_zone(self, zone, old, new):
        """Another text in a zone, seen by everybody at once."""
        self.knot.change(zone, old, new)
        for resolver in self.resolvers:
            resolver.forget()

    # What has happened.

    def attempts(self, port):
        """Addresses in the world that were tried from home on this port, one for each connection."""
        return self.firewall.attempts(port)

    def attempts_on_port25(self):
        return self.attempts(25)

    def mailbox(self, address):
        """Messages delivered to an address, as octets, whichever host took them."""
        return [mail for server in (self.relay, self.provider, *self.exchangers.values()) for mail in server.mailbox(address)]

    def wait_for_mail(self, address, count=1, seconds=60):
        return wait_for(lambda: (found := self.mailbox(address)) and len(found) >= count and found, seconds, what=f"{count} messages to {address}; "
                        f"{plan.RELAY.name}:\n{self.relay.log_text()[-1500:]}")


def public_key_digest(certificate):
    """For TLSA 3 1 1 (RFC 6698 section 2.1): SHA-256 of the public key."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    return hashlib.sha256(subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True, capture_output=True).stdout).hexdigest()
