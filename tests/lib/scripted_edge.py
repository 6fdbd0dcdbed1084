"""An edge by hand: speaks to a bridge what PROTOCOL.md, section 4, says, and gives out whatever certificates it is told to."""
import msgpack
import zmq
from harness import CONTEXT, DEADLINE, wait_until

HELLO, WELCOME, BATCH, ACK, NACK, STATE, BYE = 1, 2, 3, 4, 5, 6, 7
NOT_READY = 7
LANE_ORDER = 0


class ScriptedEdge:
    def __init__(self, endpoint, edge, run, session):
        self.edge, self.run, self.session, self.number = edge, run, session, 0
        self.socket = CONTEXT.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)
        wait_until(self.is_welcome, "WELCOME")

    def is_welcome(self):
        """A bridge that has not reached Kafka yet says so."""
        self.socket.send(msgpack.packb([HELLO, 1, self.edge, self.run, self.session, "scripted edge"]))
        answer = self.receive()
        assert answer[0] == WELCOME or (answer[0] == BYE and answer[2] == NOT_READY), answer
        return answer[0] == WELCOME

    def receive(self):
        if not self.socket.poll(int(DEADLINE * 1000)):
            raise TimeoutError("the bridge says nothing")
        return msgpack.unpackb(self.socket.recv())

    def event(self, seq, product):
        return msgpack.packb({
            "kind": "order", "ts": 1291191960000, "order_id": f"o-{seq}", "product_id": product, "quantity": 1,
            "unit_price": "2.50", "currency": "XXX", "user_id": "u1", "edge": self.edge, "run": self.run, "seq": seq})

    def send(self, seqs, product):
        """One batch of orders; waits for its acknowledgement."""
        events = [self.event(seq, product) for seq in seqs]
        self.send_batch(events)
        acknowledged = 0
        while acknowledged < self.number:
            frame = self.receive()
            assert frame[0] in (ACK, NACK, STATE), frame
            if frame[0] == ACK and frame[2]:
                acknowledged = frame[2][-1]
            elif frame[0] == NACK:  # while Kafka makes the topic: again, in a while, under the next number
                self.socket.poll(frame[4])
                self.send_batch(events)

    def send_batch(self, events):
        self.number += 1
        self.socket.send(msgpack.packb([BATCH, self.session, self.number, LANE_ORDER, len(events), b"".join(events)]))

    def close(self):
        self.socket.close(0)
