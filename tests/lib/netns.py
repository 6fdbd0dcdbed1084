"""Network namespaces: a program in a host of its own, joined to this one by two cables (veth pairs). The cable is what
tests break: unplugged, without a route, losing packets, or passing one way only. The test's own cable is left alone.

    host = Namespace()                    host.there: this machine as the program sees it over the cable
    Program(…, wrap=host.wrap)            host.here: the program as this machine sees it, by the test's own cable
    host.lose(percent), .drop_incoming(), .drop_outgoing(), .unplug(), .blackhole(), .mend()
"""
import functools
import itertools
import os
import re
import shutil
import subprocess

import pytest

_numbers = itertools.count(1)


def run(*args, check=True, **more):
    return subprocess.run([str(arg) for arg in args], check=check, capture_output=True, text=True, timeout=60, **more)


@functools.lru_cache
def why_not():
    """Why there can be no namespaces here, or "" where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    name = f"till-{os.getpid()}-probe"
    if run("ip", "netns", "add", name, check=False).returncode != 0:
        return "this kernel gives no network namespaces"
    rules = run("ip", "netns", "exec", name, "nft", "add table inet till", check=False)
    run("ip", "netns", "del", name)
    return "" if rules.returncode == 0 else "this kernel has no nftables"


def need_namespaces():
    if why_not():
        pytest.skip(why_not())


class Namespace:
    def __init__(self):
        need_namespaces()
        number = next(_numbers)
        self.name = f"till-{os.getpid()}-{number}"
        subnet = self.free_subnet(number)
        self.there, self.here = f"10.213.{subnet}.1", f"10.214.{subnet}.2"
        self.cable = f"tl{os.getpid()}d{number}"
        run("ip", "netns", "add", self.name)
        self.lay(self.cable, "cable", f"10.213.{subnet}.")
        self.lay(f"tl{os.getpid()}m{number}", "test", f"10.214.{subnet}.")
        self.inside("ip", "link", "set", "lo", "up")

    @staticmethod
    def free_subnet(number):
        """Other tests may run on this machine at the same time."""
        taken = run("ip", "-o", "addr").stdout
        first = os.getpid() * 7 + number
        return next(each % 250 for each in range(first, first + 250) if f"10.213.{each % 250}." not in taken)

    def lay(self, name, inside, net):
        run("ip", "link", "add", name, "type", "veth", "peer", "name", inside, "netns", self.name)
        run("ip", "addr", "add", f"{net}1/30", "dev", name)
        run("ip", "link", "set", name, "up")
        self.inside("ip", "addr", "add", f"{net}2/30", "dev", inside)
        self.inside("ip", "link", "set", inside, "up")

    @property
    def wrap(self):
        return ["ip", "netns", "exec", self.name]

    def inside(self, *args, **more):
        return run(*self.wrap, *args, **more)

    def rules(self, *chains):
        """`chains`: (input or output, what happens on the cable)."""
        text = "".join(f"chain {hook} {{ type filter hook {hook} priority 0; {'iif' if hook == 'input' else 'oif'}name "
                       f'"cable" {verdict}; }}\n' for hook, verdict in chains)
        self.inside("nft", "-f", "-", input=f"table inet till {{}}\ndelete table inet till\ntable inet till {{\n{text}}}\n")

    def lose(self, percent):
        loss = f"numgen random mod 100 < {percent} counter drop"
        self.rules(("input", loss), ("output", loss))

    def lost(self):
        """Packets that `lose` dropped so far."""
        rules = self.inside("nft", "list", "table", "inet", "till").stdout
        return sum(int(count) for count in re.findall(r"counter packets (\d+)", rules))

    def drop_incoming(self):
        self.rules(("input", "drop"))

    def drop_outgoing(self):
        self.rules(("output", "drop"))

    def unplug(self):
        run("ip", "link", "set", self.cable, "down")

    def blackhole(self):
        self.inside("ip", "route", "add", "blackhole", f"{self.there}/32")

    def mend(self):
        self.rules()
        run("ip", "link", "set", self.cable, "up")
        self.inside("ip", "route", "del", "blackhole", f"{self.there}/32", check=False)

    def remove(self):
        run("ip", "netns", "del", self.name, check=False)  # its ends of the cables go, and so both ends
