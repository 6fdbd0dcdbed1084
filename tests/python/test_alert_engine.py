"""From verdicts to announcements, in made time: once per cause, whatever comes and goes."""
import pytest
from till.alert.engine import ENDED, FIRING, PENDING, Patience, cause_id, step, without_rule
from till.alert.finding import fine, not_judged, off
from till.alert.ini import Place, Section, Value
from till.alert.rules import rule_of

MINUTE, HOUR = 60_000, 3_600_000
KEY = (("edge", "uk"),)
OFF, FINE, UNKNOWN = off(KEY, "uk is off"), fine(KEY), not_judged(KEY, "no data")


def rule(**options):
    place = Place("test.conf", 1)
    return rule_of("r", Section("rule.r", place, {name: Value(text, place) for name, text in {
        "type": "threshold", "view": "v", "measure": "n", "above": "1", **options}.items()}))


class Story:
    """A rule's causes over time; `tell` gives a minute's finding."""

    def __init__(self, flap=HOUR, keep=48 * HOUR, **options):
        self.rule, self.patience, self.causes, self.now, self.silenced = rule(**options), Patience(flap, keep), [], 0, False
        self.said = []

    def tell(self, finding, minutes=1):
        for _ in range(minutes):
            self.now += MINUTE
            self.causes, notices = step(self.rule, self.causes, [finding] if finding else [], self.now, self.patience,
                                        lambda _: self.silenced)
            self.said += [(self.now // MINUTE, each.type) for each in notices]
            self.ids = [*getattr(self, "ids", []), *(each.id for each in notices)]
        return self

    @property
    def phase(self):
        return self.causes[0].phase if self.causes else None


def test_it_is_announced_once_when_it_has_held_and_once_when_it_ended():
    story = Story().tell(OFF, 5)
    assert (story.said, story.phase) == ([], PENDING)  # held for four minutes
    story.tell(OFF, 20)
    assert (story.said, story.phase) == ([(6, "begin")], FIRING)
    story.tell(FINE, 5)
    assert len(story.said) == 1
    story.tell(FINE, 20)
    assert story.said == [(6, "begin"), (31, "end")]
    assert len(set(story.ids)) == 2
    assert story.tell(FINE, 60).causes == []  # nothing is kept of it for ever


def test_what_is_off_for_a_moment_is_never_announced():
    story = Story()
    for _ in range(20):
        story.tell(OFF, 4).tell(FINE)
    assert (story.said, story.causes) == ([], [])


def test_with_no_time_to_hold_it_begins_and_ends_at_once():
    assert Story(**{"for": "0"}).tell(OFF).tell(FINE).said == [(1, "begin"), (2, "end")]


@pytest.mark.parametrize("gone", [UNKNOWN, None])
def test_what_can_not_be_judged_stays_as_it_is(gone):
    story = Story().tell(OFF, 6).tell(gone, 47 * 60)
    assert (story.said, story.phase) == ([(6, "begin")], FIRING)
    story.tell(OFF).tell(gone, 48 * 60)
    assert [kind for _, kind in story.said] == ["begin", "end"]
    pending = Story().tell(OFF, 2).tell(gone, 49 * 60)
    assert (pending.said, pending.causes) == ([], [])


def test_reminders_come_as_often_as_asked():
    story = Story(remind="1h").tell(OFF, 6 + 150)
    assert story.said == [(6, "begin"), (66, "remind"), (126, "remind")]
    assert len(set(story.ids)) == 3
    assert [kind for _, kind in Story().tell(OFF, 5000).said] == ["begin"]


def test_what_flaps_is_announced_less_and_less():
    """Off for six minutes and fine for six, by turns, for a day: it ends once, for the next time it must be fine for longer than it is."""
    story = Story()
    for _ in range(120):
        story.tell(OFF, 6).tell(FINE, 6)
    assert story.said == [(6, "begin"), (12, "end"), (18, "begin")]
    assert [kind for _, kind in story.tell(FINE, 10).said] == ["begin", "end", "begin", "end"]


def test_damping_is_forgotten_after_a_while():
    story = Story()
    for _ in range(3):
        story.tell(OFF, 6).tell(FINE, 6 + 70)
    assert [kind for _, kind in story.said] == ["begin", "end"] * 3


def test_silenced_is_not_announced_but_lives_and_is_announced_if_it_still_holds():
    story = Story()
    story.silenced = True
    story.tell(OFF, 30)
    assert (story.said, story.phase) == ([], FIRING)
    story.silenced = False
    assert story.tell(OFF, 5).said == [(31, "begin")]


def test_silenced_from_begin_to_end_is_never_announced():
    story = Story()
    story.silenced = True
    story.tell(OFF, 30).tell(FINE, 10)
    assert (story.said, story.phase) == ([], ENDED)
    story.silenced = False
    assert story.tell(FINE, 5).said == []


def test_an_end_is_told_although_it_was_silenced_meanwhile():
    story = Story(remind="10min").tell(OFF, 6)
    story.silenced = True
    assert story.tell(OFF, 60).tell(FINE, 6).said == [(6, "begin"), (72, "end")]


def test_a_clock_that_is_set_back_neither_repeats_nor_forgets():
    story = Story(remind="1h").tell(OFF, 100)
    begun = story.said[:]
    story.now = 10 * MINUTE
    story.tell(OFF, 30)
    assert story.said == begun
    story.tell(FINE, 6)
    assert [kind for _, kind in story.said] == ["begin", "remind", "end"]


def test_each_key_is_a_cause_of_its_own():
    other = (("edge", "fr"),)
    causes, notices = step(rule(**{"for": "0"}), [], [OFF, off(other, "fr is off")], MINUTE, Patience(HOUR, HOUR), lambda _: False)
    assert {cause.id for cause in causes} == {cause_id("r", KEY), cause_id("r", other)}
    assert len({each.id for each in notices}) == 2


def test_a_rule_that_is_gone_ends_its_causes():
    story = Story().tell(OFF, 6)
    notices = without_rule(story.causes, story.now)
    assert [(each.type, "no longer configured" in each.body["text"]) for each in notices] == [("end", True)]
    assert without_rule(Story().tell(OFF, 2).causes, 0) == []
