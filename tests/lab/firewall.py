"""What the ISP does to its customers' connections: nftables in its namespace. Reloaded as one, so that there is no
moment between two states. What is counted is counted before any of it."""
import re

from . import plan

PORT25 = ("open", "drop", "reject", "intercept")

# A connection is one element of a set, however often its first segment is sent again.
WATCH = f"""
table inet watch {{
  set tried4 {{ type inet_service . ipv4_addr . inet_service; flags dynamic; size 65535; }}
  set tried6 {{ type inet_service . ipv6_addr . inet_service; flags dynamic; size 65535; }}
  chain customers {{
    type filter hook prerouting priority -200; policy accept;
    iifname "home" ip daddr {plan.WORLD_NET} tcp flags & (syn | ack) == syn update @tried4 {{ tcp dport . ip daddr . tcp sport }}
    iifname "home" ip6 daddr {plan.WORLD_NET6} tcp flags & (syn | ack) == syn update @tried6 {{ tcp dport . ip6 daddr . tcp sport }}
  }}
}}
"""


class Firewall:
    def __init__(self, isp):
        self.isp = isp
        self.port25, self.only, self.closed, self.dead_ipv6 = "open", (), {}, False
        isp.run("nft", "-f", "-", text=WATCH)
        self.apply()

    def apply(self, **changes):
        """port25: open, drop, reject or intercept; only: addresses it holds for (none: all of the world);
        closed: {port: "drop" or "reject"} for other ports; dead_ipv6: nothing of IPv6 gets through."""
        for name, value in changes.items():
            if name == "port25" and value not in PORT25:
                raise ValueError(f"port25 is one of {', '.join(PORT25)}, not {value!r}")
            setattr(self, name, value)
        self.isp.run("nft", "-f", "-", text=self.rules())

    def rules(self):
        dead = 'iifname "home" meta nfproto ipv6 icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } drop\n' \
               'iifname "home" meta nfproto ipv6 meta l4proto != ipv6-icmp drop' if self.dead_ipv6 else ""
        forward, nat = [], []
        if self.port25 in ("drop", "reject"):
            forward += self.closing(25, self.port25, self.only)
        elif self.port25 == "intercept":
            for family, match in self.matches(self.only):
                to = plan.FILTER.v4 if family == "ip" else f"[{plan.FILTER.v6}]"
                nat.append(f'iifname "home" {match} tcp dport 25 dnat {family} to {to}:25')
        for port, how in self.closed.items():
            forward += self.closing(port, how, ())
        lines = "\n    ".join
        return f"""
table inet rules {{ }}
delete table inet rules
table inet rules {{
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    {lines(nat)}
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    {dead}
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    {dead}
    {lines(forward)}
  }}
}}
"""

    def closing(self, port, how, only):
        verdict = {"drop": "drop", "reject": "reject with tcp reset"}[how]
        return [f'iifname "home" {match} tcp dport {port} {verdict}' for _, match in self.matches(only)]

    @staticmethod
    def matches(only):
        if not only:
            return [("ip", f"ip daddr {plan.WORLD_NET}"), ("ip6", f"ip6 daddr {plan.WORLD_NET6}")]
        return [("ip6" if ":" in address else "ip", f"{'ip6' if ':' in address else 'ip'} daddr {address}") for address in only]

    def attempts(self, port):
        """The addresses in the world that home has tried to reach on this port: one entry a connection."""
        found = []
        for name in ("tried4", "tried6"):
            text = self.isp.run("nft", "-n", "list", "set", "inet", "watch", name)
            found += re.findall(rf"(?:{{|,)\s*{port} \. ([0-9a-f.:]+) \. \d+", text)
        return found

    def forget_attempts(self):
        self.isp.run("nft", "-f", "-", text="flush set inet watch tried4\nflush set inet watch tried6\n")
