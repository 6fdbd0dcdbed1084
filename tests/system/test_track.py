"""till track and till monitor on real programs: what they say is what was sent, and the terminal is given back as it was."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest
from harness import DEADLINE, Sender, program, till, wait_until
from test_spine import order

EVENTS = 30


@pytest.fixture(scope="module")
def shop(broker, tmp_path_factory):
    """Two edges that have sold, and all of it counted."""
    from harness import Pipeline
    pipe = Pipeline(tmp_path_factory.mktemp("track"), broker.bootstrap, f"track{os.getpid()}-", edges=("berlin", "oslo"),
                    options={"till-edge": ["edge.telemetry_interval=1s"], "till-bridge": ["bridge.telemetry_interval=1s"]})
    pipe.start_aggregator()
    for edge, count in (("berlin", EVENTS), ("oslo", 1)):
        sender = Sender(pipe.endpoint(edge))
        assert sender.ask([order(number) for number in range(count)])["ok"]
        sender.close()
    pipe.wait_settled()
    wait_until(lambda: len(pipe.client.ask("edges")["reports"]) == 2, "both edges' reports")
    wait_until(lambda: [each["events"] for each in pipe.client.ask("bridges")["bridges"]] == [EVENTS + 1], "the bridge's report of all of it")
    wait_until(lambda: pipe.client.ask("vitals")["vitals"]["summary"]["latency_count"] == EVENTS + 1, "every latency")
    yield pipe
    pipe.stop()


def endpoint_of(pipe):
    return pipe.aggregator.ready["listen"][0]


def test_track_says_what_was_sent_and_where_everything_is(shop):
    done = till("track", endpoint_of(shop), "--json", "--last", "1h")
    assert done.returncode == 0 and not done.stderr
    told = json.loads(done.stdout)
    assert (told["processed"], told["errors"], told["duplicates"], told["lag"]) == (EVENTS + 1, 0, 0, 0)
    assert told["latency_events"] == EVENTS + 1
    assert 0 <= told["avg_end_to_end_latency_ms"] <= DEADLINE * 1000
    assert 0 <= told["p50_end_to_end_latency_ms"] <= told["p99_end_to_end_latency_ms"] <= DEADLINE * 1000
    assert told["throughput_eps"] == pytest.approx((EVENTS + 1) * 1000 / told["window_ms"])
    ends = {place: end for place, end in shop.log_ends().items() if end > 0}
    assert {(each["topic"], each["partition"]): each["next"] for each in told["offsets"] if each["next"] > 0} == ends
    text = till("track", endpoint_of(shop), "--last", "1h")
    said = dict(re.findall(r"^(\w+) +(\S+)$", text.stdout, re.M))
    assert text.returncode == 0 and {name: said[name] for name in ("processed", "errors", "duplicates", "lag")} == {
        "processed": str(EVENTS + 1), "errors": "0", "duplicates": "0", "lag": "0"}
    assert {"avg_end_to_end_latency_ms", "p50_end_to_end_latency_ms", "p99_end_to_end_latency_ms", "throughput_eps", "window_ms"} <= set(said)
    for (topic, part), end in ends.items():
        assert f"offset {topic}/{part}  {end}  lag 0\n" in text.stdout


def test_track_goes_on_and_says_what_is_wrong(shop):
    done = till("track", endpoint_of(shop), "--json", "--every", "100ms", "--count", "3")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and [each["processed"] for each in lines] == [EVENTS + 1] * 3
    assert lines[0]["time_ms"] < lines[1]["time_ms"] < lines[2]["time_ms"]
    nowhere = till("track", "tcp://127.0.0.1:1", "--timeout", "1s")
    assert nowhere.returncode == 3 and not nowhere.stdout and "127.0.0.1:1" in nowhere.stderr
    for wrong in (["--last", "25h"], ["--evry", "1s"], ["a", "b"]):
        assert till("track", *wrong).returncode == 2
    assert till("monitor", "--sort", "colour").returncode == 2
    assert till("monitor", "tcp://127.0.0.1:1").returncode == 3


def test_monitor_in_a_pipe_is_a_line_each_time(shop):
    done = till("monitor", endpoint_of(shop), "--every", "250ms", "--count", "2")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 2 and not done.stderr
    for line in lines:
        assert re.search(rf"  serving  events/s \d+\.\d  lag 0  latency avg .* p99 \d+ ms  processed {EVENTS + 1}  errors 0  duplicates 0  edges 2  troubled 0  bridges 1  troubled_bridges 0$", line)


class Screen:
    """till monitor on a terminal of its own."""

    def __init__(self, *args, rows=40, columns=120):
        self.leader, follower = pty.openpty()
        self.resize(rows, columns)
        self.modes = termios.tcgetattr(follower)
        self.process = subprocess.Popen([program("till"), "monitor", *args], stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))  # so that a resize is told
        self.follower, self.text = follower, ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, shows, what):
        """Until the newest whole picture shows it: the picture's lines."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            pictures = self.text.split("\033[H\033[2J\033[3J")
            if pictures[-1].endswith("q quit") and shows(pictures[-1]):
                return pictures[-1].replace("\r", "").splitlines()
            if select.select([self.leader], [], [], 0.1)[0]:
                self.text += os.read(self.leader, 65536).decode()
        raise AssertionError(f"{what}: {self.text[-2000:]}")

    def press(self, key):
        os.write(self.leader, key.encode())

    def end(self):
        code = self.process.wait(DEADLINE)
        modes = termios.tcgetattr(self.follower)
        os.close(self.follower)
        os.close(self.leader)
        return code, modes == self.modes


def edges_of(lines):
    """The first column of the table of edges, from above."""
    at = next(number for number, line in enumerate(lines) if line.startswith("edge "))
    return [line.split()[0] for line in lines[at + 1:at + 3]]


def test_monitor_on_a_terminal_sorts_fits_and_gives_it_back(shop):
    screen = Screen(endpoint_of(shop), "--every", "1h")  # only keys and sizes draw
    lines = screen.wait(lambda text: "sort: state" in text, "the first picture")
    assert "serving" in lines[0] and f"processed {EVENTS + 1}" in "\n".join(lines) and edges_of(lines) == ["berlin", "oslo"]
    assert any(line.split()[:4] == [f"{shop.prefix}orders", str(part), str(end), "0"]
               for (topic, part), end in shop.log_ends().items() if topic == f"{shop.prefix}orders" and end for line in lines)
    bridge = shop.client.ask("bridges")["bridges"][0]
    at = next(number for number, line in enumerate(lines) if line.startswith("bridge "))
    assert lines[at + 1].split()[:2] == [bridge["bridge"], "well"] and lines[at + 1].split()[3:5] == ["2", "0"], lines[at:at + 2]
    screen.press("s")
    screen.wait(lambda text: "sort: edge " in text, "the next column")
    screen.press("r")
    assert edges_of(screen.wait(lambda text: "sort: edge, reversed" in text, "the order turned round")) == ["oslo", "berlin"]
    screen.press("+")
    screen.wait(lambda text: "every 1800.0 s" in text, "more often")
    screen.resize(14, 80)
    lines = screen.wait(lambda text: "and 1 more" in text, "a smaller window")
    assert "bridges 1, with trouble 0" in lines
    screen.press("q")
    assert screen.end() == (0, True)


def test_monitor_ends_by_a_signal_and_gives_the_terminal_back(shop):
    screen = Screen(endpoint_of(shop))
    screen.wait(lambda text: "sort: state" in text, "the first picture")
    screen.process.terminate()
    assert screen.end() == (0, True)
