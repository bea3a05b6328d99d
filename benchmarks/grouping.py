"""How near to IID the groups of HierFedLoRA are, and how long it takes to find them.

    python benchmarks/grouping.py [--fleets 5]

80 devices in 8 groups, 8,000 examples divided by fedray's own Dirichlet(0.1) partition (flwr-datasets'), three boards
whose rounds take about 1, 2 and 5 seconds. Divergence: mean KL(group mix || global mix) of the groups, as a share of
that of random groups of the same sizes. Spread: the mean over groups of standard deviation over mean of the seconds.
"""

import argparse
import time

import numpy as np

from fedray.arrays import Floats, Ints
from fedray.learning.partitions import Dirichlet, Pool
from fedray.methods.grouping import group_divergences, grouping_objective, near_iid_groups
from fedray.scenario import Source

DEVICES, GROUPS, EXAMPLES = 80, 8, 8_000
LABELS = (2, 3, 6, 20)
WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0)
RANDOM_GROUPINGS = 50
TIMED = ((80, 8), (1_000, 20), (10_000, 20))  # devices, groups
TIMED_LABELS, TIMED_WEIGHT = 6, 0.5


def partitioned(labels: int, seed: int) -> Ints:
    """Label histograms of the devices, (devices, labels)."""
    pool = Pool(np.arange(EXAMPLES) % labels, None)
    shards = Dirichlet(kind="dirichlet", alpha=0.1).divide(pool, DEVICES, seed, Source("benchmark", {}, {}))
    return np.stack([np.bincount(pool.strata[shard], minlength=labels) for shard in shards])


def three_boards(devices: int, rng: np.random.Generator) -> Floats:
    """Seconds of a round, (devices,)."""
    return rng.choice([1.0, 2.0, 5.0], devices) * rng.uniform(0.8, 1.25, devices)


def divergence_against_random(histograms: Ints, found: Ints, rng: np.random.Generator) -> float:
    at_random = [group_divergences(histograms, rng.permutation(found), GROUPS) for _ in range(RANDOM_GROUPINGS)]
    return float(group_divergences(histograms, found, GROUPS).mean() / np.mean(at_random))


def relative_spread(seconds: Floats, found: Ints) -> float:
    groups = [seconds[found == group] for group in range(GROUPS)]
    return float(np.mean([group.std() / group.mean() for group in groups]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fleets", type=int, default=5)
    fleets = range(parser.parse_args().fleets)
    print("labels  spread_weight  divergence: mean  worst fleet  spread")
    for labels in LABELS:
        histograms = [partitioned(labels, seed) for seed in fleets]
        for weight in WEIGHTS:
            ratios, spreads = [], []
            for seed in fleets:
                rng = np.random.default_rng(seed)
                seconds = three_boards(DEVICES, rng)
                found = near_iid_groups(histograms[seed], seconds, GROUPS, weight)
                ratios.append(divergence_against_random(histograms[seed], found, rng))
                spreads.append(relative_spread(seconds, found))
            print(f"{labels:6}  {weight:13}  {np.mean(ratios):16.3f}  {max(ratios):11.3f}  {np.mean(spreads):6.2f}")
    print("\ndevices  groups  CPU seconds  objective")
    for devices, groups in TIMED:
        rng = np.random.default_rng(0)
        mixes = rng.dirichlet(np.full(TIMED_LABELS, 0.1), devices)
        counts, seconds = rng.multinomial(100, mixes), three_boards(devices, rng)
        started = time.process_time()
        found = near_iid_groups(counts, seconds, groups, TIMED_WEIGHT)
        took = time.process_time() - started
        objective = grouping_objective(counts, seconds, found, groups, TIMED_WEIGHT)
        print(f"{devices:7,}  {groups:6}  {took:11.2f}  {objective:9.3f}")


if __name__ == "__main__":
    main()
