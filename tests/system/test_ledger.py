"""The ledger of long runs adds up."""
import ledger


def entry(**more):
    return {"what": "kill", "seed": 1, "commit": "c0ffee", "day": "2026-01-02", "rounds": 10, "seconds": 5, "figures": {}, **more}


def test_figures_of_runs_are_added_and_maxima_kept(tmp_path):
    path = tmp_path / "ledger.ndjson"
    ledger.append(entry(figures={"resends": 3, "rss_max": 7, "worst": "a"}), path)
    ledger.append(entry(rounds=5, figures={"resends": 4, "rss_max": 5, "worst": "b"}), path)
    ledger.append(entry(what="sim", rounds=2), path)
    assert ledger.sums(path) == {
        "kill": {"runs": 2, "failed": 0, "rounds": 15, "seconds": 10, "resends": 7, "rss_max": 7, "worst": "b"},
        "sim": {"runs": 1, "failed": 0, "rounds": 2, "seconds": 5}}


def test_a_run_that_failed_counts_as_one(tmp_path):
    path = tmp_path / "ledger.ndjson"
    ledger.append(entry(failed="totals differ"), path)
    assert ledger.sums(path)["kill"]["failed"] == 1
    assert ledger.sums(tmp_path / "none") == {}


def test_what_is_kept_can_be_read():
    for kept in ledger.entries():
        assert {"what", "seed", "commit", "day", "rounds", "seconds"} <= set(kept)
        assert "failed" not in kept or "explained" in kept, f"a run failed, and nobody has said why: {kept}"
