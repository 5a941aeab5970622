"""The cables between the places, addresses and routes, and the three states of IPv6 at home."""
from . import plan


def lay(home, isp, world, rented):
    isp.run("ip", "link", "add", "name", "home", "type", "veth", "peer", "name", "uplink", "netns", str(home.pid))
    isp.run("ip", "link", "add", "name", "world", "type", "veth", "peer", "name", "uplink", "netns", str(world.pid))
    isp.run("ip", "link", "add", "name", "rented", "type", "veth", "peer", "name", "uplink", "netns", str(rented.pid))
    for place in (isp, world):
        place.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for place in (home, isp, world, rented):
        # An address that is used from the first moment, and nothing that comes by itself.
        place.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
                  "net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.all.accept_dad=0",
                  "net.ipv6.conf.default.accept_dad=0")
    batch(home, addresses("uplink", [plan.HOME]) + ["link set uplink up", f"route add default via {plan.GATEWAY.v4}",
                                                    f"route add default via {plan.GATEWAY.v6} dev uplink"])
    own = [host for host in plan.HOSTS if host.place == "isp"]
    batch(isp, addresses("home", [plan.GATEWAY]) + addresses("world", [plan.UPLINK]) + addresses("lo", own, 32, 128) +
          ["link set home up", "link set world up", "link set rented up", "address add fe80::1/64 dev rented nodad",
           f"route add {plan.RENTED.v4}/32 dev rented", f"route add {plan.RENTED.v6}/128 dev rented"])
    batch(rented, addresses("uplink", [plan.RENTED], 32, 128) + [
        "link set uplink up", f"route add default via {plan.UPLINK.v4} dev uplink onlink", "route add default via fe80::1 dev uplink"])
    others = [host for host in plan.HOSTS if host.place == "world" and host not in (plan.UPLINK, plan.BORDER)]
    batch(world, addresses("uplink", [plan.BORDER, *others]) + ["link set uplink up", f"route add default via {plan.UPLINK.v4}",
                                                                f"route add default via {plan.UPLINK.v6} dev uplink",
                                                                f"route add {plan.RENTED.v4}/32 via {plan.UPLINK.v4}",
                                                                f"route add {plan.RENTED.v6}/128 via {plan.UPLINK.v6}"])


def addresses(interface, hosts, size=24, size6=64):
    lines = []
    for host in hosts:
        lines += [f"address add {host.v4}/{size} dev {interface}", f"address add {host.v6}/{size6} dev {interface} nodad"]
    return lines


def batch(place, lines):
    place.run("ip", "-batch", "-", text="\n".join(lines) + "\n")


def ipv6_at_home(home, present):
    """Whether the machine at home has IPv6 at all: without it there is no address, not even on loopback."""
    off = home.run("sysctl", "-n", "net.ipv6.conf.all.disable_ipv6").strip() == "1"
    if off and present:
        home.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0")
        batch(home, [f"address replace {plan.HOME.v6}/64 dev uplink nodad", f"route replace default via {plan.GATEWAY.v6} dev uplink"])
    elif not off and not present:
        home.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
