"""FedAdapter: sizes grow by trials."""

from dataclasses import replace

import numpy as np

from fedray.methods.fedadapter import FedAdapter, best_size
from fedray.protocol import DeviceReport
from tests.methods.fleets import build, small_boards


def test_fedadapter_grows_by_what_paid_in_a_trial() -> None:
    method = build("fedadapter", 6, trial_every=2)
    view = small_boards()

    def losses(deeper: float, wider: float):
        by_size = {(2, 4): deeper, (1, 6): wider}
        return [DeviceReport(d, 0.1, 1.0, 1.0, by_size.get(size, 1.0)) for d, size in method.tried.items()]

    assert {(a.spec.depth, a.spec.ranks[-1]) for a in method.plan(view).assignments} == {(1, 4)}
    method.observe(losses(1.0, 1.0))
    trial = method.plan(replace(view, round=2))
    assert sorted({(a.spec.depth, a.spec.ranks[-1]) for a in trial.assignments}) == [(1, 4), (1, 6), (2, 4)]
    method.observe(losses(0.2, 0.9))
    assert {(a.spec.depth, a.spec.ranks[-1]) for a in method.plan(replace(view, round=3)).assignments} == {(2, 4)}


CURRENT, DEEPER, WIDER = (1, 4), (2, 4), (1, 6)
SECONDS = {CURRENT: 10.0, DEEPER: 20.0, WIDER: 12.0}


def test_of_sizes_that_lower_the_loss_the_largest_drop_per_second_is_taken() -> None:
    # 0.2 / 10 s = 0.02, 0.5 / 20 s = 0.025, 0.24 / 12 s = 0.02
    assert best_size({CURRENT: 0.8, DEEPER: 0.5, WIDER: 0.76}, SECONDS, 1.0) == DEEPER
    # 0.2 / 10 s = 0.02, 0.3 / 20 s = 0.015
    assert best_size({CURRENT: 0.8, DEEPER: 0.7, WIDER: 0.9}, SECONDS, 1.0) == CURRENT
    # one that lowers the loss a little is preferred to those that raise it
    assert best_size({CURRENT: 1.1, DEEPER: 0.999, WIDER: 1.0}, SECONDS, 1.0) == DEEPER


def test_where_every_loss_rises_the_lowest_is_taken_and_no_slow_size_gains_by_its_seconds() -> None:
    # as a signed drop per second: -0.1 / 10 s = -0.01, -0.18 / 20 s = -0.009 (the slow one would win), -0.3 / 12 s
    assert best_size({CURRENT: 1.1, DEEPER: 1.18, WIDER: 1.3}, SECONDS, 1.0) == CURRENT
    assert best_size({CURRENT: 1.3, DEEPER: 1.18, WIDER: 1.1}, SECONDS, 1.0) == WIDER


def test_of_equal_sizes_the_current_one_stays() -> None:
    assert best_size({CURRENT: 1.0, DEEPER: 1.0, WIDER: 1.0}, SECONDS, 1.0) == CURRENT
    assert best_size({CURRENT: 1.2, DEEPER: 1.2, WIDER: 1.2}, SECONDS, 1.0) == CURRENT
    assert best_size({CURRENT: 0.5, DEEPER: 0.0, WIDER: 0.4}, SECONDS, 1.0) == CURRENT  # 0.05 a second, each of them


def test_a_size_without_a_report_is_not_chosen() -> None:
    method = build("fedadapter", 6, trial_every=1)
    assert isinstance(method, FedAdapter)
    method.plan(small_boards())
    method.observe([DeviceReport(0, 0.1, 1.0, 1.0, 1.0)])
    method.plan(replace(small_boards(), round=2))
    of_deeper = [device for device, size in method.tried.items() if size == DEEPER]
    method.observe([DeviceReport(of_deeper[0], 0.1, 1.0, 1.0, 3.0), DeviceReport(of_deeper[1], 0.1, 1.0, 1.0, np.nan)])
    assert method.size == DEEPER
