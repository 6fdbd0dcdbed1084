"""The client for asyncio: the same methods, answers and changes."""
import asyncio
import inspect
from decimal import Decimal

import pytest
import till
from harness import DEADLINE, Sender

LINES = [{"order_id": f"o{number}", "product_id": f"p{number % 3}", "quantity": 1 + number, "unit_price": "1.05", "currency": "EUR",
          "ts": 1_291_193_160_000 + number} for number in range(7)]
TWINS = ((till.Client, till.AsyncClient), (till.Subscription, till.AsyncSubscription))


def public(kind):
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize(("plain", "twin"), TWINS)
def test_both_have_the_same_methods(plain, twin):
    assert public(plain) == public(twin)
    for name in public(plain) | {"__init__"}:
        of_plain, of_twin = getattr(plain, name), getattr(twin, name)
        if not callable(of_plain):
            assert not callable(of_twin), name
            continue
        first, second = inspect.signature(of_plain), inspect.signature(of_twin)
        assert first.parameters == second.parameters, name
        if name not in ("scan_pages", "subscribe"):
            assert first.return_annotation == second.return_annotation, name
        assert of_plain.__doc__ or name == "__init__", name


@pytest.fixture
def pipe(pipeline):
    made = pipeline()
    made.start_aggregator()
    return made


def sell(pipe, lines):
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask(lines)["ok"]
    sender.close()
    pipe.wait_settled()


def test_both_answer_alike(pipe):
    sell(pipe, LINES)
    endpoint = pipe.aggregator.ready["listen"][0]

    async def ask():
        async with till.AsyncClient(endpoint) as client:
            several = await asyncio.gather(*(client.top("products", "total_revenue", 2) for _ in range(5)))
            pages = [page async for page in client.scan_pages("products", page_rows=2)]
            with pytest.raises(till.Refused, match="products"):
                await client.scan("prodcts")
            assert (await client.bridges())[0]["state"] == "ok"
            return several, await client.scan("products"), pages, await client.bands("products", "total_revenue", count=2)
    several, scanned, pages, bands = asyncio.run(ask())
    with till.Client(endpoint) as client:
        assert several == [client.top("products", "total_revenue", 2)] * 5
        assert list(scanned) == list(client.scan("products")) == [row for page in pages for row in page]
        assert list(bands) == list(client.bands("products", "total_revenue", count=2))
    assert sum(row["total_revenue"] for row in scanned) == sum(Decimal("1.05") * line["quantity"] for line in LINES)


def test_nobody_there_and_a_close_end_in_time(pipe):
    async def ask():
        async with till.AsyncClient("tcp://127.0.0.1:9", timeout=0.2) as nobody:
            with pytest.raises(till.NotReached):
                await nobody.status()
        client = till.AsyncClient("tcp://127.0.0.1:9", timeout=DEADLINE)
        waiting = asyncio.create_task(client.status())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(till.Closed):
            await waiting
        with pytest.raises(till.Closed):
            await client.status()
        async with till.AsyncClient(pipe.aggregator.ready["listen"][0]) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.get("products", "x", max_lag=0, after=[{"edge": "x", "run": 1, "kind": "order", "seq": 1}],
                                                  timeout_ms=2000), 0.1)
            assert (await client.status())["state"] == "serving"  # the late answer is not taken for this one's
    asyncio.run(asyncio.wait_for(ask(), DEADLINE))


@pytest.mark.kill
def test_changes_come_and_outlive_a_kill(pipe):
    sell(pipe, LINES[:3])

    async def follow():
        rows, whys = {}, []
        async with till.AsyncClient(pipe.aggregator.ready["listen"][0], timeout=2) as client, client.subscribe("products") as changes:
            async for change in changes:
                if change.kind == "snapshot":
                    rows = {}
                    whys.append(change.why)
                    if len(whys) == 1:
                        await asyncio.to_thread(pipe.aggregator.restart)
                    elif len(whys) == 2:
                        await asyncio.to_thread(sell, pipe, LINES[3:])
                rows |= {row["product_id"]: row["order_count"] for row in change.rows}
                if sum(rows.values()) == len(LINES):
                    break
        return whys
    assert asyncio.run(asyncio.wait_for(follow(), DEADLINE))[:2] == [None, "stream"]
