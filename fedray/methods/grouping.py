"""Near-IID groups (HierFedLoRA, arXiv 2503.21213): each mixes labels as the fleet does, of devices alike in speed.

From the paper: groups of devices whose joint data is nearly IID. The objective, the seeds and the search are
reconstructed: the paper's text could not be had.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fedray.arrays import Floats, Ints
from fedray.divergence import divergence_from, log_mix

_TOLERANCE = 1e-6  # nats: gaining less changes no training, and chasing it would take most of the search
_COMPARED_AT_ONCE = 2**11  # exchanges; with six labels the arrays stay in a core's cache
_COMPARED_AT_MOST = 2**24  # exchanges, some seconds; 1,000 devices are done after 2 to 9 million
_COMPARED_WHEN_SHAKEN = 2**18  # exchanges, a tenth of a second; 80 devices are shaken through after 120 to 220 thousand


def near_iid_groups(label_histograms: Ints, seconds: Floats, groups: int, spread_weight: float) -> Ints:
    """Group number of every device, (devices,), small in `grouping_objective`.

    `label_histograms[i, k]` counts device i's examples of label k, (devices, labels); `seconds` estimates its round,
    (devices,). No group has more than ceil(devices / groups) members and none is empty; of fewer devices than groups
    each stands alone, and fewer groups are numbered. Groups are numbered in the order of their lowest device.

    Two seeds follow the devices from fastest to slowest (ties: the lower id first): each is let in where the objective
    grows least, or equal blocks are cut; the better is kept. Then two devices of different groups are exchanged, or
    one moves to a group with room, until nothing lowers the objective by more than 1e-6 (1 + spread_weight). A small
    fleet is shaken and improved again. The search ends when 2**24 exchanges were compared: above some 1,000 devices
    the result is a seed improved by a bounded search. It depends on the arguments alone, and where all seconds differ
    not on how the devices are numbered.

    Raises
    ------
    ValueError
        if the shapes differ, `groups` is below 1, or a number is negative or not finite.
    """
    _check(label_histograms, seconds, groups, spread_weight)
    if not len(seconds):
        return np.empty(0, np.int64)
    order = np.argsort(seconds, kind="stable")
    objective = _Objective.of(label_histograms[order], seconds[order], spread_weight)
    search = _Search(objective, min(groups, len(seconds)))
    search.seed()
    search.improve()
    search.shake()
    group_of = np.empty(len(seconds), np.int64)
    group_of[order] = search.group_of
    return _numbered_by_lowest_device(group_of)


def grouping_objective(
    label_histograms: Ints, seconds: Floats, assignment: Ints, groups: int, spread_weight: float
) -> float:
    """Sum over the groups with members of KL(group mix || global mix) + spread_weight * spread / mean of their seconds.

    The spread is the population standard deviation, in seconds; `assignment` holds the devices' groups, (devices,).
    """
    sizes = np.bincount(assignment, minlength=groups).clip(1)
    means = np.bincount(assignment, seconds, groups) / sizes
    variances = np.bincount(assignment, (seconds - means[assignment]) ** 2, groups) / sizes
    spreads = _relative_spread(variances, means)
    return float((group_divergences(label_histograms, assignment, groups) + spread_weight * spreads).sum())


def group_divergences(label_histograms: Ints, assignment: Ints, groups: int) -> Floats:
    """KL(group mix || global mix) in nats, (groups,); 0 for a group without members.

    A group's mix is that of all examples of its members (`fedray.divergence`).
    """
    examples = np.zeros((groups, label_histograms.shape[1]))
    np.add.at(examples, assignment, label_histograms)
    divergences = divergence_from(examples.T, log_mix(label_histograms.sum(axis=0)))
    return np.where(np.bincount(assignment, minlength=groups) > 0, np.maximum(divergences, 0.0), 0.0)


@dataclass(frozen=True)
class _Objective:
    """The devices from fastest to slowest, then a vacancy: a device that moves alone is exchanged for it."""

    examples: Floats  # (labels, devices + 1)
    seconds: Floats  # (devices + 1,)
    present: Floats  # (devices + 1,): 1, and 0 for the vacancy
    log_global_mix: Floats  # (labels,)
    spread_weight: float

    @classmethod
    def of(cls, label_histograms: Ints, seconds: Floats, spread_weight: float) -> "_Objective":
        examples = np.pad(label_histograms.T.astype(np.float64), ((0, 0), (0, 1)))
        present = np.append(np.ones(len(seconds)), 0.0)
        log_global_mix = log_mix(label_histograms.sum(axis=0))
        return cls(examples, np.append(seconds, 0.0), present, log_global_mix, spread_weight)

    @property
    def vacancy(self) -> int:
        return len(self.seconds) - 1

    @property
    def tolerance(self) -> float:
        return _TOLERANCE * (1 + self.spread_weight)

    def cost(self, examples: Floats, sizes: Floats, means: Floats, squares: Floats) -> Floats:
        """What groups add to the objective, (...), as are all arguments but `examples`, (labels, ...)."""
        divergence = divergence_from(examples, self.log_global_mix)
        return divergence + self.spread_weight * _relative_spread(squares / sizes, means)


class _Search:
    """A grouping that is seeded and then improved, with what every group's cost depends on."""

    def __init__(self, objective: _Objective, groups: int) -> None:
        self.objective = objective
        self.vacancy = objective.vacancy
        self.groups = groups
        self.capacity = -(-self.vacancy // groups)
        self.compared = 0
        self.group_of: Ints = np.full(self.vacancy, -1)
        self.examples = np.zeros((len(objective.examples), groups))
        self.sizes = np.zeros(groups)
        self.means = np.zeros(groups)  # seconds
        self.squares = np.zeros(groups)  # summed squared deviations from the mean
        self.costs = np.zeros(groups)

    def seed(self) -> None:
        """Let every device in where the objective grows least; cut equal blocks instead where that is better."""
        everywhere = np.arange(self.groups)[None]
        for device in range(self.vacancy):
            growth = self._costs_after(everywhere, np.array([[self.vacancy]]), np.array([[device]]))[0] - self.costs
            empty = self.sizes == 0
            if empty.sum() >= self.vacancy - device:  # those left are needed there
                growth[~empty] = np.inf
            group = int(growth.argmin())
            self._let_in(device, group)
            self.costs[group] += growth[group]
        inserted, cost = self.group_of, self.costs.sum()
        self._regroup(np.arange(self.vacancy) * self.groups // self.vacancy)
        if cost <= self.costs.sum():
            self._regroup(inserted)

    def improve(self) -> None:
        """Exchange the devices of each group, the costliest first, for others' until a round of it gains nothing."""
        step, round_began = 1, 0
        changed = np.ones(self.groups, np.int64)  # the step of a group's last change
        settled = np.zeros((self.groups, self.groups), np.int64)  # the step from which two groups were compared
        np.fill_diagonal(settled, np.iinfo(np.int64).max)
        while step > round_began:
            round_began = step
            for group in np.argsort(-self.costs, kind="stable"):
                partners = np.flatnonzero(np.maximum(changed, changed[group]) > settled[group])
                settled[group, partners] = settled[partners, group] = step
                for others, other_groups in self._outsiders(partners, int(self.sizes[group])):
                    if self.compared > _COMPARED_AT_MOST:
                        return
                    other_group = self._exchange(int(group), others, other_groups)
                    if other_group is not None:
                        step += 1
                        changed[[group, other_group]] = step

    def shake(self) -> None:
        """Let every group hand its k-th fastest device to the next, improve, keep what is better; k after k."""
        for place in range(self.capacity):
            if self.compared > _COMPARED_WHEN_SHAKEN:
                return
            kept, cost = self.group_of.copy(), self.costs.sum()
            members = [np.flatnonzero(kept == group) for group in range(self.groups)]
            ring = np.array([devices[place] for devices in members if len(devices) > place])
            self.group_of[ring] = np.roll(kept[ring], 1)
            self._regroup(self.group_of)
            self.improve()
            if self.costs.sum() > cost - self.objective.tolerance:
                self._regroup(kept)

    def _outsiders(self, partners: Ints, members: int) -> Iterator[tuple[Ints, Ints]]:
        """The devices of the groups `partners`, then a vacancy of each with room; and their groups; some at a time."""
        devices = np.flatnonzero(np.isin(self.group_of, partners))
        roomy = partners[self.sizes[partners] < self.capacity]
        device_groups = np.append(self.group_of[devices], roomy)
        devices = np.append(devices, np.full(len(roomy), self.vacancy))
        at_once = max(1, _COMPARED_AT_ONCE // members)
        for first in range(0, len(devices), at_once):
            yield devices[first : first + at_once], device_groups[first : first + at_once]

    def _exchange(self, group: int, others: Ints, other_groups: Ints) -> int | None:
        """Make the best exchange between `group` and `others`: the other's group, or None where nothing is gained."""
        members = np.flatnonzero(self.group_of == group)
        if self.sizes[group] < self.capacity:
            members = np.append(members, self.vacancy)
        ours, theirs = members[:, None], others[None]
        growth = self._costs_after(np.array([[group]]), ours, theirs) - self.costs[group]
        growth += self._costs_after(other_groups[None], theirs, ours) - self.costs[other_groups]
        self.compared += growth.size
        row, column = divmod(int(growth.argmin()), len(others))
        if growth[row, column] >= -self.objective.tolerance:
            return None
        member, other, other_group = int(members[row]), int(others[column]), int(other_groups[column])
        before = self.costs[group] + self.costs[other_group]
        self._swap(member, group, other, other_group)
        if self.costs[group] + self.costs[other_group] >= before:  # all it gained was rounding
            self._swap(member, other_group, other, group)
            return None
        return other_group

    def _costs_after(self, group: Ints, leaving: Ints, entering: Ints) -> Floats:
        """What `group` would cost, infinite where empty or too large; three (rows, columns) that broadcast."""
        objective, mean = self.objective, self.means[group]
        examples = objective.examples[:, entering] - objective.examples[:, leaving] + self.examples[:, group]
        size = self.sizes[group] + objective.present[entering] - objective.present[leaving]
        allowed = (size >= 1) & (size <= self.capacity)
        size = np.maximum(size, 1)
        added = objective.present[entering] * (objective.seconds[entering] - mean)
        removed = objective.present[leaving] * (objective.seconds[leaving] - mean)
        shift = (added - removed) / size
        squares = self.squares[group] + added**2 - removed**2 - shift**2 * size
        return np.where(allowed, objective.cost(examples, size, mean + shift, squares), np.inf)

    def _let_in(self, device: int, group: int) -> None:
        """Add a device to what a group's cost depends on (Welford): summing all members up each time is quadratic."""
        self.group_of[device] = group
        deviation = self.objective.seconds[device] - self.means[group]
        self.examples[:, group] += self.objective.examples[:, device]
        self.sizes[group] += 1
        self.means[group] += deviation / self.sizes[group]
        self.squares[group] += deviation * (self.objective.seconds[device] - self.means[group])

    def _swap(self, member: int, group: int, other: int, other_group: int) -> None:
        """Send `member` of `group` to `other_group` for `other`."""
        if member != self.vacancy:
            self.group_of[member] = other_group
        if other != self.vacancy:
            self.group_of[other] = group
        self._sum_up(np.array([group, other_group]))

    def _regroup(self, group_of: Ints) -> None:
        self.group_of = group_of
        self._sum_up(np.arange(self.groups))

    def _sum_up(self, groups: Ints) -> None:
        """What these groups' costs depend on, from their members: adding and subtracting would gather rounding."""
        for group in groups:
            members = np.flatnonzero(self.group_of == group)
            seconds = self.objective.seconds[members]
            self.examples[:, group] = self.objective.examples[:, members].sum(axis=1)
            self.sizes[group] = len(members)
            self.means[group] = seconds.mean()
            self.squares[group] = ((seconds - self.means[group]) ** 2).sum()
        sums = self.examples[:, groups], self.sizes[groups], self.means[groups], self.squares[groups]
        self.costs[groups] = self.objective.cost(*sums)


def _relative_spread(variances: Floats, means: Floats) -> Floats:
    """Standard deviation over mean; 0 where the mean is. Rounding may have left a variance below 0."""
    spread = np.sqrt(np.maximum(variances, 0))
    return np.divide(spread, means, out=np.zeros_like(spread), where=means > 0)


def _numbered_by_lowest_device(group_of: Ints) -> Ints:
    _, lowest, inverse = np.unique(group_of, return_index=True, return_inverse=True)
    numbers = np.empty(len(lowest), np.int64)
    numbers[np.argsort(lowest)] = np.arange(len(lowest))
    return numbers[inverse]


def _check(label_histograms: Ints, seconds: Floats, groups: int, spread_weight: float) -> None:
    if label_histograms.ndim != 2 or seconds.shape != label_histograms.shape[:1]:
        raise ValueError(f"{label_histograms.shape} label_histograms and {seconds.shape} seconds are not of one fleet")
    if groups < 1:
        raise ValueError(f"groups must be at least 1, not {groups}")
    if (label_histograms < 0).any():
        raise ValueError("label_histograms must not be negative")
    if not (np.isfinite(seconds).all() and (seconds >= 0).all()):
        raise ValueError("seconds must be finite and not negative")
    if not 0 <= spread_weight < np.inf:
        raise ValueError(f"spread_weight must be finite and not negative, not {spread_weight}")
