"""The lab's DNS as text: zones with what is special about each. Who signs and serves them: names.py."""
import ipaddress

from . import plan

TTL = 60
SIGNED, PLAIN, BOGUS = "signed", "plain", "bogus"
KEYS = 'keys._domainkey TXT "none yet"\n'   # to be changed into a key for DKIM


def address(name, host):
    return f"{name} A {host.v4}\n{name} AAAA {host.v6}\n"


def mail(*exchangers):
    return "".join(f"@ MX {preference} {name}.\n" for preference, name in exchangers)


def submission(host):
    return f"_submissions._tcp SRV 0 1 465 {host.name}.\n_submission._tcp SRV 10 1 587 {host.name}.\n"


def zones(dane_tlsa):
    """{zone: (how it is signed, its records)}, without SOA, NS and what delegation needs."""
    dane, sts, plain = (host.name for host in (plan.DANE, plan.STS, plan.PLAIN))
    return {
        "dane.example.": (SIGNED, mail((10, dane)) + address("mail", plan.DANE) + f"_25._tcp.mail TLSA 3 1 1 {dane_tlsa}\n"
                          '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tlsrpt@dane.example"\n'),
        "sts.example.": (PLAIN, mail((10, sts)) + address("mail", plan.STS) + address("mta-sts", plan.POLICY) +
                         '_mta-sts TXT "v=STSv1; id=20260101T000000"\n_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tlsrpt@sts.example"\n'),
        "plain.example.": (PLAIN, mail((10, plain)) + address("mail", plan.PLAIN) + f"mail6 AAAA {plan.PLAIN.v6}\n"),
        "isp.example.": (SIGNED, mail((10, plan.RELAY.name)) + address("smtp", plan.RELAY) + address("filter", plan.FILTER) + address("old", plan.OLD_RELAY) +
                         address("resolver", plan.RESOLVER) + address("gw", plan.UPLINK) + address("host10.pppoe", plan.HOME) +
                         submission(plan.RELAY) + f'@ TXT "v=spf1 include:spf.isp.example -all"\n'
                         f'spf TXT "v=spf1 ip4:{plan.RELAY.v4} ip6:{plan.RELAY.v6} -all"\n'),
        "provider.example.": (SIGNED, mail((10, plan.PROVIDER.name)) + address("smtp", plan.PROVIDER) + submission(plan.PROVIDER) +
                              '@ TXT "v=spf1 include:spf.provider.example -all"\n'
                              f'spf TXT "v=spf1 ip4:{plan.PROVIDER.v4} ip6:{plan.PROVIDER.v6} -all"\n'),
        "home.example.": (SIGNED, mail((10, plain)) + '@ TXT "v=spf1 include:spf.isp.example include:spf.provider.example -all"\n'
                          '_dmarc TXT "v=DMARC1; p=quarantine"\n'),
        "own.example.": (SIGNED, mail((10, plain)) + address("vps", plan.RENTED) + '@ TXT "v=spf1 a:vps.own.example -all"\n'
                         '_dmarc TXT "v=DMARC1; p=reject"\n' + KEYS),
        # Addresses of customers' lines, as the lists of them have it that mail servers ask.
        "lines.example.": (SIGNED, '*.2.0.192 A 127.0.0.10\n*.2.0.192 TXT "an address of a line: send by your provider\'s relay"\n'
                           '*.1.0.0.0.8.b.d.0.1.0.0.2 A 127.0.0.10\n'),
        "equal.example.": (SIGNED, mail((10, dane), (10, sts), (20, plain))),
        "implicit.example.": (SIGNED, address("@", plan.PLAIN)),
        "null.example.": (SIGNED, "@ MX 0 .\n"),
        "chain.example.": (SIGNED, f"news CNAME first\nfirst CNAME second\nsecond MX 10 {plain}.\nloop CNAME pool\npool CNAME loop\n"),
        "mxalias.example.": (SIGNED, f"@ MX 10 mail\nmail CNAME {plain}.\n"),
        "fallback.example.": (SIGNED, f"@ MX 10 away\n@ MX 20 {plain}.\naway A {plan.NOBODY}\n"),
        "v6only.example.": (SIGNED, mail((10, "mail6.plain.example"))),
        "private.example.": (SIGNED, "@ MX 10 inside\n@ MX 20 loop\ninside A 10.20.30.40\ninside AAAA fd00::25\nloop A 127.0.0.1\nloop AAAA ::1\n"),
        "self.example.": (SIGNED, f"@ MX 10 {plan.HOME.name}.\n@ MX 20 {plain}.\n"),
        "second.example.": (SIGNED, mail((10, dane), (20, plain))),
        "twins.example.": (SIGNED, f"@ MX 10 alias\n@ MX 10 {plain}.\nalias A {plan.HOME.v4}\n"),
        "doubtful.example.": (SIGNED, f"@ MX 10 mail.bogus.example.\n@ MX 20 {plan.HOME.name}.\n"),
        "addressless.example.": (SIGNED, "@ MX 10 mail\nmail TXT \"no address\"\n"),
        "bogus.example.": (BOGUS, mail((10, plain))),
    }


def top(children):
    """The root, .example and the reverse zones; children: {zone: its DS records}, of every zone that is signed."""
    reverse = reverse_zones()
    server = f"{plan.NAMES.name}."
    delegated = sorted(name for name in zones("") if name.endswith(".example."))
    glue = address(server, plan.NAMES)

    def delegation(name):
        return f"{name} NS {server}\n" + "".join(f"{name} DS {ds}\n" for ds in children.get(name, ()))
    return {
        ".": (SIGNED, glue + delegation("example.") + "".join(delegation(name) for name in reverse)),
        "example.": (SIGNED, address("ns", plan.NAMES) + address("border", plan.BORDER) + address("dns", plan.OPEN_RESOLVER) +
                     "".join(delegation(name) for name in delegated)),
        **{name: (SIGNED, records) for name, records in reverse.items()},
    }


def reverse_zones():
    names = {network: ipaddress.ip_network(network).network_address for network in (plan.HOME_NET, plan.ISP_NET, plan.WORLD_NET)}
    found = {".".join(reversed(str(first).split(".")[:3])) + ".in-addr.arpa.": "" for first in names.values()}
    found["8.b.d.0.1.0.0.2.ip6.arpa."] = ""
    for host in plan.HOSTS:
        for text in (host.v4, host.v6) if host.name else ():   # the router at home has no name
            pointer = ipaddress.ip_address(text).reverse_pointer + "."
            zone = next(name for name in found if pointer.endswith("." + name))
            found[zone] += f"{pointer} PTR {host.name}.\n"
    return found


def text(zone, records, serial=1):
    server = f"{plan.NAMES.name}."
    return f"$ORIGIN {zone}\n$TTL {TTL}\n@ SOA {server} hostmaster.{server} {serial} 3600 600 86400 {TTL}\n@ NS {server}\n{records}"
