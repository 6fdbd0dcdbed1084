"""Stands between a client and an aggregator, and makes what happens between two pages of a scan happen: pages are small, and before
the answer to each goes back, a test may do something, or hold it back."""
import threading

import msgpack
import zmq
from harness import CONTEXT, DEADLINE, free_port


class BetweenPages:
    """`endpoint` answers as `aggregator` does. `before_page(number)` is called in a thread of its own before page `number` (1, 2 …) of a
    scan goes back; `change(number, answer)` may change it."""

    def __init__(self, aggregator, page_rows=None):
        self.page_rows = page_rows
        self.before_page = lambda number: None
        self.change = lambda number, answer: None
        self.pages = 0
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        self.front = CONTEXT.socket(zmq.ROUTER)
        self.back = CONTEXT.socket(zmq.DEALER)
        for socket in (self.front, self.back):
            socket.setsockopt(zmq.LINGER, 0)
        self.front.bind(self.endpoint)
        self.back.connect(aggregator)
        self.is_closed = False
        self.failure = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.is_closed:
                if self.front.poll(50):
                    self.pass_on(self.front.recv_multipart())
        except Exception as error:  # the test is told at its end
            self.failure = error
        finally:
            self.front.close(0)
            self.back.close(0)

    def pass_on(self, frames):
        request = msgpack.unpackb(frames[-1])
        is_page = request["query"] == "scan"
        if is_page and self.page_rows:
            request["limit"] = min(request["limit"], self.page_rows)
        self.back.send_multipart([*frames[1:-1], msgpack.packb(request)])
        assert self.back.poll(int(DEADLINE * 1000)), f"no answer to {request}"
        answer = msgpack.unpackb(self.back.recv_multipart()[-1])
        if is_page:
            self.pages += 1
            self.before_page(self.pages)
            self.change(self.pages, answer)
        self.front.send_multipart([*frames[:-1], msgpack.packb(answer)])

    def close(self):
        self.is_closed = True
        self.thread.join(DEADLINE)
        assert self.failure is None, self.failure
