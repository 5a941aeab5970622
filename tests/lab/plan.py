"""Who is where: addresses, domains and accounts. Only addresses set aside for documentation (RFC 5737, RFC 3849)."""
from dataclasses import dataclass

HOME_NET, HOME_NET6 = "192.0.2.0/24", "2001:db8:1::/64"
ISP_NET, ISP_NET6 = "203.0.113.0/24", "2001:db8:2::/64"
WORLD_NET, WORLD_NET6 = "198.51.100.0/24", "2001:db8:3::/64"


@dataclass(frozen=True)
class Host:
    name: str
    place: str
    v4: str
    what: str

    @property
    def v6(self):
        """The same last number in its place's network: 198.51.100.11 is also 2001:db8:3::11."""
        return {"home": "2001:db8:1::", "isp": "2001:db8:2::"}.get(self.place, "2001:db8:3::") + self.v4.rsplit(".", 1)[1]


HOME = Host("host10.pppoe.isp.example", "home", "192.0.2.10", "the machine at home, where Sidegate runs")
GATEWAY = Host("", "home", "192.0.2.1", "the router at home, with its poor DNS proxy; it has no name")
RELAY = Host("smtp.isp.example", "isp", "203.0.113.25", "the ISP's relay: Postfix, Cyrus SASL; 25, 587, 465; also MX of isp.example")
FILTER = Host("filter.isp.example", "isp", "203.0.113.26", "what answers in place of all others when port 25 is intercepted")
OLD_RELAY = Host("old.isp.example", "isp", "203.0.113.27", "a relay of the ISP from the last century, started by who wants it: 465, AUTH=LOGIN alone")
RESOLVER = Host("resolver.isp.example", "isp", "203.0.113.53", "the ISP's resolver: Unbound, validating")
UPLINK = Host("gw.isp.example", "world", "198.51.100.1", "the ISP's router, seen from the world")
BORDER = Host("border.example", "world", "198.51.100.2", "the world's own router")
NAMES = Host("ns.example", "world", "198.51.100.53", "Knot: the root, .example and all below, reverse zones")
OPEN_RESOLVER = Host("dns.example", "world", "198.51.100.8", "a resolver open to all: Unbound, validating")
PROVIDER = Host("smtp.provider.example", "world", "198.51.100.20",
                "a second provider: Dovecot submission 587, 465, 2525; Postfix behind it; 25 is MX of provider.example")
DANE = Host("mail.dane.example", "world", "198.51.100.11", "MX: Postfix, a certificate that TLSA names (DANE)")
STS = Host("mail.sts.example", "world", "198.51.100.12", "MX: Postfix, a certificate of the lab's CA, MTA-STS")
PLAIN = Host("mail.plain.example", "world", "198.51.100.13", "MX: Postfix without TLS")
RENTED = Host("vps.own.example", "rented", "198.51.100.30", "a server that the people at home have rented, with a place of its own; nothing runs there")
POLICY = Host("mta-sts.sts.example", "world", "198.51.100.80", "the HTTPS server of the MTA-STS policy")
# Addresses that belong to nobody: what is sent there is answered by "host unreachable" after a few seconds.
NOBODY = "198.51.100.99"

HOSTS = (HOME, GATEWAY, RELAY, FILTER, OLD_RELAY, RESOLVER, UPLINK, BORDER, NAMES, OPEN_RESOLVER, PROVIDER, DANE, STS, PLAIN, RENTED, POLICY)
EXCHANGERS = {"dane": DANE, "sts": STS, "plain": PLAIN}

# Which exchanger takes mail for which domain; anybody there has a mailbox, except unknown@.
ACCEPTS = {
    "dane": ("dane.example", "equal.example"),
    "sts": ("sts.example", "equal.example"),
    "plain": ("plain.example", "equal.example", "implicit.example", "fallback.example", "v6only.example", "mxalias.example", "second.example",
              "news.chain.example", "bogus.example", "home.example", "own.example"),
}


@dataclass(frozen=True)
class Account:
    user: str
    password: str


TARO = Account("taro@isp.example", "taro no himitsu")
HANAKO = Account("hanako@isp.example", "hanako no himitsu")
ME = Account("me@provider.example", "s3cret word")
ISP_ACCOUNTS, PROVIDER_ACCOUNTS = (TARO, HANAKO), (ME,)

DOMAINS = (
    ("dane.example", "signed; MX with TLSA"),
    ("sts.example", "not signed; MX with MTA-STS (enforce)"),
    ("plain.example", "not signed; MX without TLS"),
    ("isp.example", "signed; the ISP's own, SRV for submission, mailboxes of its customers"),
    ("provider.example", "signed; the second provider's own, SRV for submission"),
    ("home.example", "signed; the domain of the people at home: SPF admits both providers"),
    ("own.example", "signed; another domain of theirs: SPF admits their rented server alone, DMARC rejects"),
    ("equal.example", "three MX: two of equal preference (dane, sts), then plain"),
    ("implicit.example", "no MX, an address: RFC 5321 section 5.1"),
    ("null.example", "takes no mail: null MX (RFC 7505)"),
    ("news.chain.example", "a CNAME to a CNAME to a name with MX plain"),
    ("loop.chain.example", "a CNAME that leads back to itself"),
    ("mxalias.example", "its MX is a CNAME (against RFC 5321 section 5.1, and seen)"),
    ("fallback.example", "the first MX is nobody's address, the second is plain"),
    ("v6only.example", "its MX has an IPv6 address alone (of plain)"),
    ("private.example", "its MX are in private space and on loopback"),
    ("self.example", "its best MX is the machine at home, then plain"),
    ("second.example", "its best MX is dane, then plain"),
    ("twins.example", "two MX of equal preference: the machine at home under another name, and plain"),
    ("doubtful.example", "its best MX cannot be looked up (SERVFAIL), the other one is the machine at home"),
    ("addressless.example", "its MX has no address"),
    ("bogus.example", "its signatures do not fit: a validating resolver answers SERVFAIL"),
)
