"""Which message makes the rows of pages those of one moment: the pure part."""
import pytest
from till import moment


def follower(read_up_to=5):
    made = moment.Follower(("k",))
    made.hear({"type": "hello", "stream": "s", "n": 3}, 10, False)
    made.hear({"type": "rows", "stream": "s", "n": 4, "rows": [{"k": "a", "v": 1}], "gone": []}, 10, False)
    made.hear({"type": "rows", "stream": "s", "n": 5, "rows": [{"k": "b", "v": 1}, {"k": "z", "v": 1}], "gone": []}, 10, False)
    made.take([{"k": "a", "v": 2}, {"k": "b", "v": 0}], {"stream": "s", "n": 4})
    made.take([{"k": "y", "v": 9}, {"k": "z", "v": 7}], {"stream": "s", "n": read_up_to})
    made.is_read = True
    return made


def rows(n, count=1, gone=()):
    return {"type": "rows", "stream": "s", "n": n, "rows": [{"k": f"n{number}", "v": n} for number in range(count)],
            "gone": [[key] for key in gone], "as_of": {"commit": n}}


def test_rows_that_are_newer_than_their_page_replace_it():
    made = follower()
    assert made.hear(rows(6, gone=["y"]), 100, False) == {"commit": 6}
    assert {row["k"]: row["v"] for row in made.settle()} == {"a": 2, "b": 1, "z": 7, "n0": 6}


@pytest.mark.parametrize(("message", "size", "is_after", "is_moment"), [
    (rows(6), 100, False, True), (rows(6, 999), 100, False, True), (rows(6, 1000), 100, False, False), (rows(6), 256 * 1024, False, False),
    (rows(6, 500, ["x"] * 500), 100, False, False),
    ({"type": "idle", "stream": "s", "n": 5, "as_of": {"commit": 9}}, 100, True, True),
    ({"type": "idle", "stream": "s", "n": 5, "as_of": {"commit": 9}}, 100, False, False),
    ({"type": "hello", "stream": "s", "n": 5, "as_of": {"commit": 9}}, 100, True, False)])
def test_a_moment_is_what_has_nothing_waiting_behind_it_and_was_made_after_the_last_page(message, size, is_after, is_moment):
    assert (follower().hear(message, size, is_after) is not None) == is_moment


def test_what_the_last_page_may_already_have_seen_is_no_moment():
    assert follower(read_up_to=6).hear(rows(6), 100, False) is None


@pytest.mark.parametrize("message", [rows(7), {**rows(6), "stream": "t"}, {"type": "idle", "stream": "s", "n": 6},
                                     {"type": "reset", "stream": "s", "n": 6}])
def test_a_gap_begins_anew(message):
    with pytest.raises(moment.Again):
        follower().hear(message, 100, True)


@pytest.mark.parametrize(("asked", "published", "wanted"), [
    ("tcp://shop:7172", "tcp://0.0.0.0:7173", "tcp://shop:7173"), ("tcp://shop:7172", "tcp://[::]:7173", "tcp://shop:7173"),
    ("tcp://shop:7172", "tcp://10.0.0.7:7173", "tcp://10.0.0.7:7173"), ("ipc:///run/q", "ipc:///run/p", "ipc:///run/p")])
def test_an_address_that_stands_for_all_is_reached_where_we_asked(asked, published, wanted):
    assert moment.publish_endpoint(asked, published) == wanted


def test_without_an_address_there_is_no_moment():
    with pytest.raises(moment.NoMoment, match="publish"):
        moment.publish_endpoint("tcp://shop:7172", None)


def test_pages_of_another_stream_or_of_none_begin_anew():
    made = follower()
    for live in ({"stream": "t", "n": 6}, None):
        with pytest.raises(moment.Again):
            made.take([], live)
