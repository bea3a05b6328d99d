"""FedAdapter: sizes grow by trials."""

from dataclasses import replace

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
