"""Near-IID groups: their constraints, how close to the best they are, and how near to IID."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.arrays import Floats, Ints
from fedray.methods import grouping
from fedray.methods.grouping import group_divergences, grouping_objective, near_iid_groups

WEIGHTS = (0.0, 0.25, 5.0, 1e6)


def dirichlet_fleet(devices: int, labels: int, seed: int, alpha: float = 0.1) -> tuple[Ints, Floats]:
    """100 examples a device on average, each label divided by one Dirichlet draw (as flwr does); three boards."""
    rng = np.random.default_rng(seed)
    of_label = 100 * devices // labels
    cuts = (np.cumsum(rng.dirichlet(np.full(devices, alpha), labels), axis=1)[:, :-1] * of_label).astype(np.int64)
    histograms = np.diff(cuts, axis=1, prepend=0, append=of_label).T
    return histograms, rng.choice([1.0, 2.0, 5.0], devices) * rng.uniform(0.8, 1.25, devices)


def spreads(seconds: Floats, assignment: Ints) -> Floats:
    """Standard deviation over mean of every group's seconds."""
    groups = [seconds[assignment == group] for group in range(assignment.max() + 1)]
    return np.array([group.std() / group.mean() for group in groups])


def speed_blocks(seconds: Floats, groups: int) -> Ints:
    """Equal blocks along the speed order."""
    return np.argsort(np.argsort(seconds, kind="stable")) * groups // len(seconds)


def inserted(histograms: Ints, seconds: Floats, groups: int, weight: float) -> Ints:
    """The greedy seed, slowly: along the speed order, each device where the objective grows least."""
    devices = np.argsort(seconds, kind="stable")
    found = np.full(len(devices), groups)  # an extra group for those who wait

    def cost(group: int) -> float:
        members = found == group
        if not members.any():
            return 0.0
        divergence = group_divergences(histograms, found, groups + 1)[group]
        return divergence + weight * seconds[members].std() / seconds[members].mean()

    for place, device in enumerate(devices):
        sizes = np.bincount(found, minlength=groups + 1)[:groups]
        allowed = sizes < -(-len(devices) // groups)
        if (sizes == 0).sum() >= len(devices) - place:
            allowed = sizes == 0
        growth = np.full(groups, np.inf)
        for group in np.flatnonzero(allowed):
            before = cost(group)
            found[device] = group
            growth[group] = cost(group) - before
            found[device] = groups
        found[device] = growth.argmin()
    return found


def neighbours(found: Ints, capacity: int) -> Iterator[Ints]:
    """`found` itself, and every grouping one exchange or one allowed move away."""
    groups = found.max() + 1
    for a, b in itertools.combinations_with_replacement(range(len(found)), 2):
        other = found.copy()
        other[[a, b]] = other[[b, a]]
        yield other
    for device, group in itertools.product(range(len(found)), range(groups)):
        other = found.copy()
        other[device] = group
        sizes = np.bincount(other, minlength=groups)
        if sizes.min() >= 1 and sizes.max() <= capacity:
            yield other


@st.composite
def fleets(draw, least: int = 1, most: int = 24) -> tuple[Ints, Floats]:
    """Any histograms, empty shards and absent labels among them; seconds with ties."""
    devices, labels = draw(st.integers(least, most)), draw(st.integers(1, 5))
    counts = draw(st.lists(st.integers(0, 40), min_size=devices * labels, max_size=devices * labels))
    tenths = draw(st.lists(st.integers(5, 100), min_size=devices, max_size=devices))
    return np.array(counts).reshape(devices, labels), np.array(tenths) / 10


def test_the_divergence_of_a_mix_worked_by_hand() -> None:
    histograms = np.array([[3, 0], [0, 1], [1, 1], [2, 0]])  # globally 6 and 2
    first, second, empty = group_divergences(histograms, np.array([0, 0, 1, 1]), 3)
    assert first == pytest.approx(0.0, abs=1e-12)  # 3 and 1
    assert second == pytest.approx(0.0, abs=1e-12)
    assert empty == 0.0
    one_label = group_divergences(histograms, np.array([0, 1, 1, 1]), 2)[0]
    assert one_label == pytest.approx(math.log(4 / 3), abs=1e-4)
    even = group_divergences(histograms, np.array([1, 1, 0, 1]), 2)[0]
    assert even == pytest.approx(0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25), abs=1e-4)


def test_a_label_nobody_holds_and_a_group_without_examples_have_finite_divergences() -> None:
    divergences = group_divergences(np.array([[5, 0, 0], [0, 0, 0], [1, 4, 0]]), np.array([0, 1, 2]), 3)
    assert np.isfinite(divergences).all()
    uniform, absent = 1 / 3, 1e-6 / (1 + 3e-6)
    by_hand = sum(uniform * math.log(uniform / share) for share in (0.6, 0.4, absent))
    assert divergences[1] == pytest.approx(by_hand, rel=1e-4)


def test_the_objective_worked_by_hand() -> None:
    histograms, seconds = np.array([[1, 1]] * 4), np.array([1.0, 3.0, 4.0, 4.0])
    value = grouping_objective(histograms, seconds, np.array([0, 0, 1, 1]), 3, 0.5)
    assert value == pytest.approx(0.5 * (1.0 / 2.0 + 0.0))  # population deviation 1 around mean 2


@given(fleet=fleets(), groups=st.integers(1, 8), weight=st.sampled_from(WEIGHTS))
@settings(max_examples=80, deadline=None)
def test_groups_are_a_partition_within_bounds_no_worse_than_either_seed(fleet, groups, weight) -> None:
    histograms, seconds = fleet
    devices = len(seconds)
    found = near_iid_groups(histograms, seconds, groups, weight)
    sizes = np.bincount(found)
    assert found.shape == (devices,)
    assert len(sizes) == min(groups, devices)
    assert sizes.min() >= 1
    assert sizes.max() <= -(-devices // groups)
    assert (np.diff(np.unique(found, return_index=True)[1]) > 0).all()  # numbered in order of their lowest device
    assert (found == near_iid_groups(histograms.copy(), seconds.copy(), groups, weight)).all()
    if devices >= groups:
        cost = grouping_objective(histograms, seconds, found, groups, weight)
        for seed in (inserted(histograms, seconds, groups, weight), speed_blocks(seconds, groups)):
            assert cost <= grouping_objective(histograms, seconds, seed, groups, weight) + 1e-9 * (1 + weight)


@pytest.mark.parametrize(("devices", "groups"), [(12, 4), (13, 5), (22, 7)])  # full groups, and room for 2 and 6
@pytest.mark.parametrize("weight", [0.0, 0.5, 100.0])
def test_no_exchange_and_no_move_is_left_that_gains(devices, groups, weight, monkeypatch) -> None:
    monkeypatch.setattr(grouping, "_COMPARED_WHEN_SHAKEN", -1)  # shaking would make up for a search that ends early
    for seed in range(15):
        histograms, seconds = dirichlet_fleet(devices, 4, seed)
        found = near_iid_groups(histograms, seconds, groups, weight)
        cost = grouping_objective(histograms, seconds, found, groups, weight)
        near = neighbours(found, -(-devices // groups))
        best = min(grouping_objective(histograms, seconds, other, groups, weight) for other in near)
        assert best >= cost - 1.1e-6 * (1 + weight)


@given(fleet=fleets(), groups=st.integers(1, 6), weight=st.sampled_from(WEIGHTS), data=st.data())
@settings(max_examples=40, deadline=None)
def test_renumbering_devices_of_different_speeds_renumbers_the_groups(fleet, groups, weight, data) -> None:
    histograms, _ = fleet
    devices = len(histograms)
    seconds = 1.0 + np.array(data.draw(st.permutations(range(devices))))
    order = np.array(data.draw(st.permutations(range(devices))))
    found = near_iid_groups(histograms, seconds, groups, weight)
    renumbered = near_iid_groups(histograms[order], seconds[order], groups, weight)
    together = found[:, None] == found[None]
    assert ((renumbered[:, None] == renumbered[None]) == together[np.ix_(order, order)]).all()


@pytest.mark.parametrize(("groups", "most"), [(2, 7), (3, 6)])
@pytest.mark.parametrize("weight", [0.0, 0.5, 100.0])
def test_tiny_fleets_get_the_best_of_all_groupings(groups, most, weight) -> None:
    """On these 40 fleets; a local search promises it for none."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        devices = int(rng.integers(groups + 1, most + 1))
        histograms, seconds = dirichlet_fleet(devices, int(rng.integers(2, 5)), seed, alpha=0.5)
        words = np.array(list(itertools.product(range(groups), repeat=devices)))
        sizes = (words[..., None] == np.arange(groups)).sum(axis=1)
        allowed = words[(sizes >= 1).all(axis=1) & (sizes <= -(-devices // groups)).all(axis=1)]
        best = min(grouping_objective(histograms, seconds, word, groups, weight) for word in allowed)
        found = near_iid_groups(histograms, seconds, groups, weight)
        assert grouping_objective(histograms, seconds, found, groups, weight) == pytest.approx(best, abs=2e-6)


@pytest.mark.parametrize(
    ("labels", "weight", "bound"), [(2, 0.5, 0.25), (3, 0.5, 0.25), (6, 0.5, 0.25), (20, 0.0, 0.3)]
)
def test_groups_are_nearer_to_iid_than_random_ones_of_the_same_sizes(labels, weight, bound) -> None:
    """A quarter of the divergence; twenty labels over groups of ten cannot quite, even where speed does not count."""
    for seed in range(5):
        histograms, seconds = dirichlet_fleet(80, labels, seed)
        found = near_iid_groups(histograms, seconds, 8, weight)
        rng = np.random.default_rng(1000 + seed)
        at_random = [group_divergences(histograms, rng.permutation(found), 8).mean() for _ in range(20)]
        assert group_divergences(histograms, found, 8).mean() <= bound * np.mean(at_random)


def test_the_weight_trades_labels_against_speed() -> None:
    for seed in range(3):
        histograms, seconds = dirichlet_fleet(80, 6, seed)
        by_labels, both, by_speed = (near_iid_groups(histograms, seconds, 8, weight) for weight in (0.0, 0.5, 1e6))
        divergences = [group_divergences(histograms, found, 8).mean() for found in (by_labels, both, by_speed)]
        assert divergences == sorted(divergences)
        assert spreads(seconds, by_labels).mean() > spreads(seconds, both).mean() > spreads(seconds, by_speed).mean()
        blocks = spreads(seconds, speed_blocks(seconds, 8)).mean()
        assert spreads(seconds, by_speed).mean() <= blocks + 1e-5


def test_without_a_weight_only_the_order_of_the_seconds_counts() -> None:
    histograms, seconds = dirichlet_fleet(40, 6, 1)
    assert (near_iid_groups(histograms, seconds, 4, 0.0) == near_iid_groups(histograms, seconds**3, 4, 0.0)).all()


def test_devices_of_one_speed_are_grouped_by_labels_alone() -> None:
    histograms, _ = dirichlet_fleet(40, 6, 1)
    seconds = np.full(40, 7.3)
    assert (near_iid_groups(histograms, seconds, 4, 0.0) == near_iid_groups(histograms, seconds, 4, 5.0)).all()


def test_a_fleet_without_data_or_seconds_is_still_grouped() -> None:
    found = near_iid_groups(np.zeros((7, 3), np.int64), np.zeros(7), 3, 1.0)
    assert sorted(np.bincount(found)) in ([1, 3, 3], [2, 2, 3])
    assert near_iid_groups(np.zeros((0, 3), np.int64), np.zeros(0), 3, 1.0).shape == (0,)


def test_without_a_search_the_better_seed_is_left(monkeypatch) -> None:
    monkeypatch.setattr(grouping, "_COMPARED_AT_MOST", -1)
    monkeypatch.setattr(grouping, "_COMPARED_WHEN_SHAKEN", -1)
    better = []
    for seed, weight in itertools.product(range(4), (0.1, 5.0)):
        histograms, seconds = dirichlet_fleet(40, 6, seed)
        found = near_iid_groups(histograms, seconds, 4, weight)
        seeds = inserted(histograms, seconds, 4, weight), speed_blocks(seconds, 4)
        costs = [grouping_objective(histograms, seconds, word, 4, weight) for word in seeds]
        assert grouping_objective(histograms, seconds, found, 4, weight) == pytest.approx(min(costs))
        better.append(int(np.argmin(costs)))
    assert set(better) == {0, 1}


def test_a_search_that_is_cut_lies_between_the_seed_and_a_whole_one(monkeypatch) -> None:
    histograms, seconds = dirichlet_fleet(200, 6, 2)
    costs = []
    for most in (-1, 20_000, 2**24):
        monkeypatch.setattr(grouping, "_COMPARED_AT_MOST", most)
        found = near_iid_groups(histograms, seconds, 8, 0.5)
        assert (np.bincount(found) == 25).all()
        costs.append(grouping_objective(histograms, seconds, found, 8, 0.5))
    assert costs[0] > costs[1] > costs[2]


def test_shaking_helps(monkeypatch) -> None:
    shaken, plain = [], []
    for seed in range(5):
        histograms, seconds = dirichlet_fleet(80, 6, seed)
        for costs, most in ((shaken, 2**18), (plain, -1)):
            monkeypatch.setattr(grouping, "_COMPARED_WHEN_SHAKEN", most)
            found = near_iid_groups(histograms, seconds, 8, 0.5)
            costs.append(grouping_objective(histograms, seconds, found, 8, 0.5))
    assert all(after <= before for after, before in zip(shaken, plain, strict=True))
    assert sum(shaken) < 0.97 * sum(plain)


@pytest.mark.parametrize(
    ("histograms", "seconds", "groups", "weight", "message"),
    [
        (np.ones((3, 2), np.int64), np.ones(4), 2, 0.5, "not of one fleet"),
        (np.ones(3, np.int64), np.ones(3), 2, 0.5, "not of one fleet"),
        (np.ones((3, 2), np.int64), np.ones(3), 0, 0.5, "groups must be at least 1, not 0"),
        (-np.ones((3, 2), np.int64), np.ones(3), 2, 0.5, "label_histograms must not be negative"),
        (np.ones((3, 2), np.int64), np.array([1.0, np.nan, 1.0]), 2, 0.5, "seconds must be finite"),
        (np.ones((3, 2), np.int64), np.array([1.0, -1.0, 1.0]), 2, 0.5, "seconds must be finite and not negative"),
        (np.ones((3, 2), np.int64), np.ones(3), 2, math.nan, "spread_weight must be finite"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(histograms, seconds, groups, weight, message) -> None:
    with pytest.raises(ValueError, match=message):
        near_iid_groups(histograms, seconds, groups, weight)
