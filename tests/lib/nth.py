"""The Nth call of some kind fails in one program, which starts, takes or counts twenty orders, answers and stops. Then it is
started again in peace: every order that anybody was told is kept must be counted, none twice. Used for a sample in the suite and
for every N by bench/long_nth.py."""
import json
import os
import shutil
import signal
import subprocess

import zmq
from faults import Faults, place_of_death
from harness import Client, Pipeline, Sender, program, wait_until

FRAMES, FRAME_ORDERS = 4, 5
PATIENCE_S = 3.0  # what is not answered by then is asked again in peace
STOP_S = 40.0  # the aggregator's last commit may take 20 s
DRAIN_S = 90.0
# What each kind of call fails with.
ERRNO = {"alloc": "ENOMEM", "mmap": "ENOMEM", "write": "EIO", "pwrite": "ENOSPC", "writev": "EIO", "sync": "EIO",
         "open": "EMFILE", "epoll_ctl": "ENOMEM", "eventfd": "EMFILE", "socket": "EMFILE", "accept": "EMFILE"}


def order(number, product):
    return {"order_id": f"o-{number}", "product_id": product, "quantity": 1, "unit_price": "2.50", "user_id": "u1",
            "ts": "2010-12-01T08:26:00Z"}


class Wrong(AssertionError):
    pass


def is_library_death(code, place):
    """A library that dies where it has no memory or no descriptor does as it documents: libzmq and librdkafka abort, libpgm
    beneath libzmq follows a null pointer. Our own code never does."""
    return code < 0 and place is not None and ".so" in place[1]


class Rig:
    """A pipeline whose `victim` fails; subclasses say what it does while it does so."""

    name = None  # of the victim

    def __init__(self, pipe, folder):
        self.pipe, self.folder = pipe, folder
        self.product = f"nth-{self.name}"
        self.sent = 0
        self.frames = 0
        self.faults = None  # of the last round
        self.wrap = []
        self.log = folder / f"{self.name}.nth.log"
        folder.mkdir(exist_ok=True)

    # -- what subclasses do

    def victim(self):
        """The Program, not running."""
        raise NotImplementedError

    def work(self, victim):
        """While calls fail. Raises nothing for what is not answered."""

    def recover(self, victim):
        """In peace again, the victim running."""

    # -- orders

    def new_frames(self):
        frames = []
        for _ in range(FRAMES):
            self.frames += 1
            frames.append((self.frames, [order(self.sent + number, self.product) for number in range(FRAME_ORDERS)]))
            self.sent += FRAME_ORDERS
        return frames

    def header(self, frame):
        return {"producer": self.product, "n": frame}

    def counted(self):
        answer = self.pipe.client.ask("get", view="products", key=[self.product, "XXX"])
        if not answer["ok"]:
            return None
        return answer["rows"][0]["order_count"] if answer["rows"] else 0

    def assert_exact(self):
        wait_until(lambda: (self.counted() or 0) >= self.sent, f"{self.sent} orders of {self.product} counted", DRAIN_S)
        counted = self.counted()
        if counted != self.sent:
            raise Wrong(f"{counted} orders are counted of {self.sent}")

    # -- one round

    def start_failing(self, plan):
        victim = self.victim()
        self.log.unlink(missing_ok=True)
        self.peaceful = victim.log, victim.env
        faults = Faults(self.folder, plan)
        victim.log, victim.env, victim.wrap = self.log, faults.environment, self.wrap
        victim.start(wait_ready=False)
        try:
            victim.wait_ready(20)
        except AssertionError:
            os.close(victim.ready_fd)  # it ended, or was ended: both are seen below
        return victim, faults

    def end(self, victim):
        """How it ended: its exit code, or "hangs"."""
        if victim.running():
            victim.signal(signal.SIGTERM)
        try:
            return victim.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            victim.kill()
            return "hangs"

    def judge(self, code, faults, plan):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        tail = "\n".join(text.splitlines()[-30:])
        if code in (0, 1):
            if code == 1 and not text.strip():
                raise Wrong(f"{self.name} with {plan}: ended with 1 without a word")
            return "survived" if code == 0 else "ended with a word"
        if code == 127 and "error while loading shared libraries" in text:
            return "not loaded"
        if code == 2 and "nofile" in plan and "files" in text:
            return "names the limit"
        place = place_of_death(text)
        if isinstance(code, int) and is_library_death(code, place):
            return f"died in {place[1].split('.so')[0]}"
        raise Wrong(f"{self.name} with {plan} (failed in {faults.site}): ended with {code}, {place}\n{tail}")

    def round(self, plan, wrap=()):
        """(whether a call failed, how many calls there were, how the program took it). `wrap` is a command that runs it."""
        self.wrap = list(wrap)
        victim, faults = self.start_failing(plan)
        if victim.running() and victim.ready is not None:
            self.work(victim)
        code = self.end(victim)
        self.faults = faults
        victim.log, victim.env = self.peaceful
        victim.wrap = []
        victim.start()
        self.recover(victim)
        self.assert_exact()
        return faults.injected > 0, faults.matched, self.judge(code, faults, f"{plan} {' '.join(wrap)}")


class EdgeRig(Rig):
    name = "till-edge"

    def __init__(self, pipe, folder):
        super().__init__(pipe, folder)
        self.edge = pipe.start_edge("nth")
        self.unanswered = []
        self.rounds = 0

    def victim(self):
        self.edge.stop()
        self.rounds += 1
        if self.rounds % 4 == 0:  # now and then a spool that is made anew; it was drained
            data = next(arg.split("=", 1)[1] for arg in self.edge.args if arg.startswith("edge.data="))
            shutil.rmtree(data)
            self.product = f"nth-{self.name}-{self.rounds}"
            self.sent = 0
        return self.edge

    def work(self, victim):
        self.unanswered = self.new_frames()
        sender = Sender(victim.ready["listen"][0])
        for frame, events in self.unanswered:
            sender.send(events, self.header(frame))
        while self.unanswered and passes_in(PATIENCE_S, lambda: sender.socket.poll(0), victim):
            if not sender.receive()["ok"]:
                break
            self.unanswered.pop(0)
        sender.close()
        try:
            victim.http("/metrics", 1)
        except OSError:
            pass

    def recover(self, victim):
        sender = Sender(victim.ready["listen"][0])
        for frame, events in self.unanswered:
            reply = sender.ask(events, self.header(frame))
            if not reply["ok"] or (reply["accepted"] != FRAME_ORDERS and not reply["repeated"]):
                raise Wrong(f"sent again in peace, frame {frame} hears {reply}")
        self.unanswered = []
        sender.close()


class FedRig(Rig):
    """An edge that is well has the orders; the victim works behind it."""

    def feed(self):
        sender = Sender(self.pipe.endpoint("feeder"))
        for frame, events in self.new_frames():
            reply = sender.ask(events, self.header(frame))
            if not reply["ok"]:
                raise Wrong(f"the feeding edge says {reply}")
        sender.close()

    def edge_is_empty(self):
        return self.pipe.edges["feeder"].metric("till_edge_spool_events") == 0


def passes_in(seconds, condition, victim):
    """Whether the condition came true before the victim ended or the time was up."""
    try:
        wait_until(lambda: condition() or not victim.running(), "", seconds, every=0.005)
    except AssertionError:
        return False
    return bool(condition())


class BridgeRig(FedRig):
    name = "till-bridge"

    def victim(self):
        self.pipe.bridges[0].stop()
        self.feed()
        return self.pipe.bridges[0]

    def work(self, victim):
        passes_in(PATIENCE_S, self.edge_is_empty, victim)
        try:
            victim.http("/readyz", 1)
        except OSError:
            pass


class AggregatorRig(FedRig):
    name = "till-aggregator"

    def __init__(self, pipe, folder):
        super().__init__(pipe, folder)
        self.rounds = 0

    def victim(self):
        aggregator = self.pipe.aggregator
        aggregator.stop()
        self.feed()
        self.rounds += 1
        if self.rounds % 4 == 0:  # now and then a store that is made anew
            shutil.rmtree(self.pipe.folder / "store")
            (self.pipe.folder / "store").mkdir()
        return aggregator

    def work(self, victim):
        asker = zmq.Context.instance().socket(zmq.DEALER)
        asker.setsockopt(zmq.LINGER, 0)
        asker.connect(victim.ready["listen"][0])

        def answered():
            asker.send_multipart([b"", b'{"query":"top","view":"products","by":"order_count"}'])
            return asker.poll(300) and b'"ok":true' in asker.recv_multipart()[-1]
        passes_in(PATIENCE_S, answered, victim)
        asker.close()

    def recover(self, victim):
        self.pipe.client.close()
        self.pipe.client = Client(victim.ready["listen"][0])


class TillRig(FedRig):
    """`till send` fails at the Nth call; run again, nothing is lost or doubled. Then `till query` fails, and must say so."""

    name = "till"

    def __init__(self, pipe, folder):
        super().__init__(pipe, folder)
        self.file = folder / "orders.ndjson"

    def run(self, plan, *arguments):
        faults = Faults(self.folder, plan) if plan else None
        with open(self.log, "ab") as log:
            done = subprocess.run([str(program("till")), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=60, check=False, env=faults.environment if faults else None)
        return done.returncode, faults

    def check(self, code, faults, plan, what):
        text = self.log.read_text(errors="replace")
        place = place_of_death(text)
        if code != 0 and not text.strip():
            raise Wrong(f"till {what} with {plan}: ended with {code} without a word")
        if code in (0, 1, 3) or (code == 2 and "open" in plan):
            return "survived" if code == 0 else "ended with a word"
        if is_library_death(code, place):
            return f"died in {place[1].split('.so')[0]}"
        raise Wrong(f"till {what} with {plan} (failed in {faults.site}): ended with {code}, {place}\n{text[-2000:]}")

    def round(self, plan):
        self.log.unlink(missing_ok=True)
        first = self.sent
        self.sent += FRAMES * FRAME_ORDERS
        self.file.write_text("".join(json.dumps(order(number, self.product)) + "\n" for number in range(first, self.sent)))
        send = ("send", "--to", self.pipe.endpoint("feeder"), "--ndjson", "--producer", f"{self.product}-{first}",
                "--timeout", "5s", str(self.file))
        code, faults = self.run(plan, *send)
        outcome = self.check(code, faults, plan, "send")
        calls, injected, self.faults = faults.matched, faults.injected, faults
        if code != 0:
            again, _ = self.run(None, *send)
            if again != 0:
                raise Wrong(f"sent again in peace it ends with {again}: {self.log.read_text()[-1000:]}")
        self.assert_exact()
        code, faults = self.run(plan, "top", self.pipe.aggregator.ready["listen"][0], "-n", "3")
        self.check(code, faults, plan, "top")
        return injected + faults.injected > 0, max(calls, faults.matched), outcome


RIGS = {rig.name: rig for rig in (EdgeRig, BridgeRig, AggregatorRig, TillRig)}
# What each program calls at all; accept is what a peer makes it do.
CALLS = {"till-edge": tuple(ERRNO), "till-bridge": tuple(ERRNO), "till-aggregator": tuple(ERRNO),
         "till": ("alloc", "mmap", "write", "open", "epoll_ctl", "eventfd", "socket")}


def plan_of(call, number):
    return f"calls={call} nth={number} errno={ERRNO[call]}"


class Rigs:
    """One pipeline, and a rig for each program in it."""

    def __init__(self, folder, bootstrap, prefix):
        self.folder = folder
        self.pipe = Pipeline(folder, bootstrap, prefix, edges=("feeder",), partitions=1)
        self.pipe.start_aggregator()
        self.rigs = {}

    def count(self, name):
        """How often it makes each kind of call, in peace."""
        self.round(name, "accept", 10**9)
        return {call: self.rig(name).faults.calls(call) for call in CALLS[name]}

    def rig(self, name):
        if name not in self.rigs:
            self.rigs[name] = RIGS[name](self.pipe, self.folder / "nth")
        return self.rigs[name]

    def round(self, name, call, number):
        return self.rig(name).round(plan_of(call, number))

    def round_limited(self, name, limit):
        """`limit` as prlimit wants it: --nofile=20:20. How the program took it."""
        return self.rig(name).round(plan_of("accept", 10**9), ("prlimit", limit))[2]

    def stop(self):
        self.pipe.stop()
