"""Power losses and damaged files, a sample; bench/long power and bench/long flips try many more. What it means is said in tests/power/README.md."""
import random

import power
import pytest

pytestmark = pytest.mark.plain_only
FRESH = random.SystemRandom().randrange(2**32)


def sample(subject, **options):
    for seed in (1, FRESH):
        figures = power.run(subject, seed=seed, **options)
        print(subject, seed, figures)
        yield figures


def test_what_an_edge_acknowledged_is_there_once_after_a_power_loss():
    assert sum(figures["images"] for figures in sample("edge", images=300)) > 300


def test_a_store_is_the_fold_of_the_log_up_to_its_offsets_after_a_power_loss():
    assert sum(figures["images"] for figures in sample("store", images=300)) > 300


@pytest.mark.parametrize("weakness", ["nosync", "nometasync"])
@pytest.mark.parametrize("subject", power.SUBJECTS)
def test_without_syncs_a_power_loss_is_seen_to_lose(subject, weakness):
    """The test can see what it looks for: with LMDB's syncs taken out it finds losses."""
    assert power.run(subject, seed=FRESH, weak=weakness, images=100)["wrong"] > 0


def test_no_flipped_bit_of_a_spool_is_taken_for_truth():
    assert sum(figures["flips"] for figures in sample("edge", flips=300)) > 500


def test_no_flipped_bit_of_a_store_is_taken_for_truth():
    assert sum(figures["flips"] for figures in sample("store", flips=300)) > 500
