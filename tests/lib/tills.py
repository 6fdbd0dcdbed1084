"""Tills that know what they were told: each numbers its frames, repeats one that got no reply, and keeps the sum of what
was accepted. The oracle of tests that break things: told ok = counted, to the cent."""
from decimal import Decimal

from harness import DEADLINE, Sender


def sale(number, cents=None):
    cents = 100 + number * 37 % 900 if cents is None else cents
    return {"order_id": f"o-{number}", "product_id": f"p{number % 7}", "quantity": 1, "user_id": f"u{number % 11}",
            "unit_price": f"{cents // 100}.{cents % 100:02}", "ts": "2010-12-01T08:26:00Z"}


class Till:
    def __init__(self, pipe, edge):
        self.pipe, self.edge = pipe, edge
        self.endpoint = pipe.endpoint(edge)
        self.sender = Sender(self.endpoint)
        self.frame, self.next, self.told, self.revenue = 0, 0, 0, Decimal(0)
        self.asked = 0  # how often for the frame that is asked now
        self.last = None  # the certificate of the last sale, as `after` of a question takes it

    @property
    def program(self):
        return self.pipe.edges[self.edge]

    def sell(self, count, patience=DEADLINE):
        """One frame of so many sales, told to be accepted."""
        self.frame += 1
        events = [sale(number) for number in range(self.next, self.next + count)]
        self.next += count
        reply = self.ask(events, {"producer": f"till of {self.edge}"[:64], "n": self.frame}, patience)
        assert reply["ok"] and reply["accepted"] == count, reply
        self.last = {"edge": reply["edge"], "run": reply["run"], "kind": "order", "seq": reply["seq"]["order"][1]}
        self.told += count
        self.revenue += sum(Decimal(event["unit_price"]) for event in events)

    def ask(self, events, header, patience):
        """A frame whose reply does not come is sent again under its number, by another connection."""
        for left in (2, 1, 0):
            self.asked = 3 - left
            self.sender.send(events, header)
            try:
                return self.sender.receive(patience)
            except TimeoutError:
                if not left:
                    raise
                self.sender.close()
                self.sender = Sender(self.endpoint)

    def close(self):
        self.sender.close()


def assert_told_is_counted(pipe, tills, deadline=3 * DEADLINE):
    """Nothing lost, nothing doubled, no cent changed, nothing set aside."""
    pipe.wait_settled(deadline)
    counted = {row["edge"]: (row["order_count"], Decimal(row["total_revenue"])) for row in pipe.client.scan("stores")}
    assert counted == {till.edge: (till.told, till.revenue) for till in tills if till.told}
    assert pipe.client.scan("dead_letters") == []
    assert pipe.books("rejected") == 0
