"""What commands have in common, without any of them."""
import argparse

import pytest
from till import NotReached, Refused, command


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("5min", 300), ("2h", 7200), ("7d", 604800)])
def test_spans_are_read(text, seconds):
    assert command.span_s(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "30", "s", "-1s", "1.5h", "1w ", "99999999999s"])
def test_what_is_no_span_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="30s"):
        command.span_s(text)


@pytest.mark.parametrize(("error", "code"), [
    (command.UsageError("what?"), command.USAGE), (NotReached("tcp://x:1", 1), command.NOT_REACHED),
    (Refused("bad_key", "no"), command.FAILED), (command.NotInstalled("pyarrow", "arrow"), command.FAILED),
    (FileNotFoundError(2, "No such file", "x"), command.FAILED)])
def test_each_end_has_its_code_and_a_sentence(error, code, capsys):
    def fail(_):
        raise error
    assert command.run("export", fail, []) == code
    said = capsys.readouterr().err
    assert said.startswith("till export: ")
    assert said.count("\n") == 1


def test_rounds_go_from_start_to_start_and_end_when_asked():
    class Stop:
        def __init__(self):
            self.waits = []

        def __bool__(self):
            return False

        def wait(self, seconds):
            self.waits.append(seconds)
            return len(self.waits) == 3

    clock, stop, rounds = iter([0.0, 4.0, 10.0, 25.0, 25.0, 30.0]), Stop(), []
    code = command.repeat(10.0, stop, lambda: rounds.append(1) or len(rounds), now=lambda: next(clock))
    assert (code, len(rounds), stop.waits) == (3, 3, [6.0, -5.0, 5.0])
