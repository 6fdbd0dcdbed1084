"""The libFuzzer targets, those first that were run least so far (by the ledger), a minute each, as many at a time as there are
processors. A target's turns go to the build under ASan and UBSan and to a faster one, so that each makes half of the executions;
the ledger says how many the fast one made. Corpora lie in the build folder and are minimised at the end. What is found lies beside
them, and the failure names the file. FUZZ_TARGETS="csv json" in the environment: only these."""
import concurrent.futures
import os
import random
import time

import fuzzing
import ledger
import suites

SLICE_S = 60
SLICE_S_MIN = 5
MINIMISE_FROM = 1000  # inputs in a corpus
SIZE_MAX = 8192  # of an input: the few larger ones are the suite's to run


class Target:
    def __init__(self, slow, fast, figures):
        self.name = fuzzing.noun(slow)
        self.builds = {False: slow, True: fast}
        made_by_fast = figures.get(f"fast runs of {self.name}", 0)
        self.runs = {False: figures.get(f"runs of {self.name}", 0) - made_by_fast, True: made_by_fast}

    def run(self, seconds, seed):
        """The build that ran it less has its turn."""
        is_fast = self.runs[True] < self.runs[False]
        runs, failure = fuzzing.run(self.builds[is_fast], [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={SIZE_MAX}"],
                                    suites.SANITIZER_ENV)
        if failure is not None:
            raise AssertionError(failure)
        self.runs[is_fast] += runs
        return {"rounds": runs, f"runs of {self.name}": runs, f"fast runs of {self.name}": runs if is_fast else 0}


def all_targets():
    figures = ledger.sums().get("fuzz", {})
    wanted = os.environ.get("FUZZ_TARGETS", "").split()
    pairs = zip(fuzzing.targets(suites.build("fuzz")), fuzzing.targets(suites.build("fuzz-fast")))
    return [Target(slow, fast, figures) for slow, fast in pairs if not wanted or fuzzing.noun(slow) in wanted]


def rounds(seed, deadline):
    chance = random.Random(seed)
    targets, touched = all_targets(), {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        while (seconds := int(min(SLICE_S, deadline - time.monotonic()))) >= SLICE_S_MIN:
            least = sorted(targets, key=lambda target: sum(target.runs.values()))[:os.cpu_count() or 1]
            touched.update((target.name, target) for target in least)
            yield from pool.map(lambda target: target.run(seconds, chance.randrange(1, 2**31)), least)
    for target in touched.values():
        if sum(1 for _ in fuzzing.gathered(target.builds[False]).iterdir()) >= MINIMISE_FROM:
            fuzzing.minimise(target.builds[False], suites.SANITIZER_ENV)
