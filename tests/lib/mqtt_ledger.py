"""Starts mqtt_publisher.py and judges: what the broker acknowledged to a publisher, against how often it was counted."""
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pypi
from harness import DEADLINE, wait_until

PROGRAM = Path(__file__).with_name("mqtt_publisher.py")


class Publisher:
    """One publishing process. `plan`: the fields of mqtt_publisher.Plan beside those that are given here."""

    def __init__(self, folder, port, name, **plan):
        self.name = name
        self.plan = {"name": name, "client": "paho", "host": "127.0.0.1", "port": port, "topic": "stores/{name}/orders",
                     "ledger": str(Path(folder) / f"{name}.ledger"), **plan}
        self.ledger = Path(self.plan["ledger"])
        self.log = Path(folder) / f"{name}.log"
        # mosquitto_pub's runs on Debian's packages alone
        interpreter = pypi.python() if self.plan["client"] == "paho" else sys.executable
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(interpreter), str(PROGRAM), json.dumps(self.plan)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def entries(self, what):
        """Numbers with such a line, in order."""
        text = self.ledger.read_text() if self.ledger.exists() else ""
        return [int(n) for n in re.findall(rf"^{what} (\d+)\b.*\n", text, re.M)]

    def published(self):
        return set(self.entries("P"))

    def acknowledged(self):
        return set(self.entries("A"))

    def wait_acknowledged(self, count, deadline=DEADLINE):
        wait_until(lambda: self.running() and len(self.entries("A")) >= count, f"{count} acknowledged to {self.name}", deadline)

    def running(self):
        assert self.process.poll() in (None, 0), f"{self.name} ended with {self.process.returncode}: {self.log.read_text()}"
        return True

    def finish(self, deadline=DEADLINE):
        """Nothing new; until all that was published is acknowledged."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(deadline)

    def wait(self, deadline=DEADLINE):
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired as error:
            left = len(self.published()) - len(self.acknowledged())
            raise AssertionError(f"{self.name}: {left} still unacknowledged after {deadline:.0f} s") from error
        assert code == 0, f"{self.name} ended with {code}: {self.log.read_text()}"
        assert not self.entries("R") and not self.entries("N"), f"{self.name}: the broker refused, or knew no subscriber"
        return self

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)


@dataclass
class Verdict:
    """How a publisher's numbers were counted."""
    published: int
    acknowledged: int
    lost: list  # acknowledged, and in no total
    foreign: list  # in a total, and never published
    repeated: dict  # number -> how often, where it is more than once

    @property
    def surplus(self):
        return sum(times - 1 for times in self.repeated.values())

    def __str__(self):
        return (f"{self.published} published, {self.acknowledged} acknowledged, {len(self.lost)} lost, "
                f"{self.surplus} counted again")


def counted(client):
    """{publisher's name: {number: times}} of an aggregator: each number is a product of its own."""
    numbers = {}
    for row in client.scan("products"):
        name, _, number = row["product_id"].rpartition("/")
        numbers.setdefault(name, Counter())[int(number)] += row["order_count"]
    return numbers


def judge(publisher, numbers):
    times = numbers.get(publisher.name, {})
    published, acknowledged = publisher.published(), publisher.acknowledged()
    return Verdict(len(published), len(acknowledged), sorted(acknowledged - set(times)), sorted(set(times) - published),
                   {number: count for number, count in times.items() if count > 1})
