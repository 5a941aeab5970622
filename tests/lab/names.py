"""The servers of the lab's DNS: Knot signs and serves all zones, two Unbounds resolve and validate them from the root
down, and a router's poor proxy passes questions on to one of them."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from support.server import wait_for

from . import plan, places, query, zones

ALGORITHM = "ECDSAP256SHA256"


class Knot:
    def __init__(self, place, folder, dane_tlsa):
        self.place, self.folder, self.dane_tlsa = place, folder, dane_tlsa
        for name in ("zones", "db", "run"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        self.config = os.path.join(folder, "knot.conf")
        self.control = os.path.join(folder, "run", "knot.sock")
        self.records = {**zones.zones(dane_tlsa), **zones.top({})}
        self.serial = 1
        self._write_config()
        self._make_keys()
        self._write_zones()

    def _write_config(self):
        parts = [f"""server:
    rundir: {self.folder}/run
    user: root
    listen: [ {plan.NAMES.v4}@53, {plan.NAMES.v6}@53 ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {self.folder}/db
    journal-db-max-size: 16M
    kasp-db-max-size: 16M
control:
    listen: {self.control}
log:
  - target: stderr
    any: info
policy:
  - id: lab
    manual: on
    single-type-signing: on
    algorithm: {ALGORITHM}
template:
  - id: default
    storage: {self.folder}/zones
    zonefile-sync: -1
    journal-content: none
  - id: signed
    storage: {self.folder}/zones
    zonefile-sync: -1
    journal-content: none
    dnssec-signing: on
    dnssec-policy: lab
zone:
"""]
        for name, (how, _) in self.records.items():
            template = "default" if how == zones.PLAIN else "signed"
            parts.append(f'  - domain: "{name}"\n    template: {template}\n    file: "{self._file(name)}"\n')
        with open(self.config, "w") as out:
            out.write("".join(parts))

    @staticmethod
    def _file(zone):
        return (zone.rstrip(".") or "root") + ".zone"

    def _keymgr(self, *arguments):
        done = subprocess.run(["keymgr", "-c", self.config, *arguments], capture_output=True, text=True, env=places.environment())
        if done.returncode != 0:
            raise AssertionError(f"keymgr {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _make_keys(self):
        """A key for each signed zone, made before the zones are loaded: their parents need the DS."""
        self.delegations = {}
        for zone, (how, _) in self.records.items():
            if how == zones.PLAIN:
                continue
            self._keymgr(zone, "generate", f"algorithm={ALGORITHM}", "ksk=yes", "zsk=yes")
            # "zone. DS tag algorithm digest-type digest", one for each digest; SHA-256 is enough (RFC 8624 section 3.3).
            found = [line.split(" DS ", 1)[1] for line in self._keymgr(zone, "ds").splitlines() if " 13 2 " in line]
            self.delegations[zone] = [another_digest(ds) for ds in found] if how == zones.BOGUS else found
        self.anchor = os.path.join(self.folder, "root.ds")
        with open(self.anchor, "w") as out:
            out.writelines(f". IN DS {ds}\n" for ds in self.delegations["."])

    def _write_zones(self):
        self.records = {**self.records, **zones.top(self.delegations)}
        for zone in self.records:
            self._write(zone)

    def _write(self, zone):
        with open(os.path.join(self.folder, "zones", self._file(zone)), "w") as out:
            out.write(zones.text(zone, self.records[zone][1], self.serial))

    def start(self):
        self.program = self.place.start("knot", "knotd", "-c", self.config)
        wait_for(lambda: self._serves_all() or not self.program.running(), what=f"Knot's zones; its log:\n{self.place.log('knot')[-2000:]}")
        if not self.program.running():
            raise AssertionError("Knot ended:\n" + self.place.log("knot")[-2000:])
        return self

    def _serves_all(self):
        return all(query.ask(self.place, plan.NAMES.v4, zone, "SOA", timeout=2).answers for zone in self.records)

    def change(self, zone, old, new):
        """Another text in a zone's records, signed and served at once; resolvers are made to forget it."""
        how, records = self.records[zone]
        if old not in records:
            raise ValueError(f"{zone} has no {old!r}:\n{records}")
        self.records[zone] = (how, records.replace(old, new))
        self.serial += 1
        self._write(zone)
        self.place.run("knotc", "-s", self.control, "-b", "zone-reload", zone)


def another_digest(ds):
    head, digest = ds.rsplit(" ", 1)
    return f"{head} {('0' if digest[0] != '0' else '1') + digest[1:]}"


class Unbound:
    def __init__(self, place, folder, host, anchor):
        self.place, self.host = place, host
        os.makedirs(folder, exist_ok=True)
        self.config, self.control = os.path.join(folder, "unbound.conf"), os.path.join(folder, "control")
        with open(os.path.join(folder, "root.hints"), "w") as out:
            out.write(f". 3600000 NS {plan.NAMES.name}.\n{plan.NAMES.name}. 3600000 A {plan.NAMES.v4}\n")
        with open(self.config, "w") as out:
            out.write(f"""server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  interface: {host.v4}
  interface: {host.v6}
  interface: 127.0.0.1
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  num-threads: 1
  root-hints: "{folder}/root.hints"
  trust-anchor-file: "{anchor}"
  unblock-lan-zones: yes
  val-log-level: 1
  infra-host-ttl: 5
  cache-max-negative-ttl: 5
  outgoing-interface: {host.v4}
remote-control:
  control-enable: yes
  control-interface: {self.control}
  control-use-cert: no
""")

    def start(self):
        self.program = self.place.start("unbound", "unbound", "-d", "-c", self.config)
        wait_for(self._answers, what=f"{self.host.name} to answer")
        return self

    def _answers(self):
        if not self.program.running():
            raise AssertionError("Unbound ended:\n" + self.place.log("unbound")[-2000:])
        return query.ask(self.place, self.host.v4, ".", "SOA", timeout=2).answers

    def forget(self):
        """Empties its cache."""
        self.place.run("unbound-control", "-c", self.config, "flush_zone", ".")
        self.place.run("unbound-control", "-c", self.config, "flush_infra", "all")


class Router:
    """The DNS proxy of the router at home."""

    def __init__(self, isp):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "router.py")
        self.program = isp.start("router", sys.executable, "-B", program, plan.GATEWAY.v4, plan.RESOLVER.v4)
        wait_for(lambda: query.ask(isp, plan.GATEWAY.v4, "example.", "SOA", timeout=2).answers, what="the router's DNS proxy")


def start_all(isp, world, folder, dane_tlsa):
    knot = Knot(world, os.path.join(folder, "knot"), dane_tlsa).start()
    resolvers = [Unbound(isp, os.path.join(folder, "unbound-isp"), plan.RESOLVER, knot.anchor),
                 Unbound(world, os.path.join(folder, "unbound-world"), plan.OPEN_RESOLVER, knot.anchor)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(Unbound.start, resolvers))
    return knot, resolvers, Router(isp)
