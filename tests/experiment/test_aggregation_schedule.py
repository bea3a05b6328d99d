"""Semi-asynchronous and asynchronous runs of real training on a real Ray."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from fedray.adapters import layout_of
from fedray.arrays import Values
from fedray.errors import RunInterruptedError, UserError
from fedray.experiment.aggregation_schedule import AsynchronousSchedule, RoundStart, RoundStep
from fedray.experiment.dry_run import dry_run
from fedray.experiment.experiment import prepare
from fedray.experiment.round_step import RoundPlanner
from fedray.fleet import FleetState
from fedray.protocol import Cohort, Plan, ServerState, Update
from fedray.results import RunDirectory
from fedray.scenario import load_scenario
from fedray.scenario.schema import Asynchronous, Buffered
from tests.methods.fleets import PRICING, build
from tests.ray_session import Watching

pytestmark = pytest.mark.model

BUFFERED = "training.schedule={kind: buffered, buffer: 2}"
ASYNCHRONOUS = "training.schedule={kind: asynchronous}"
FEDIT = "method={name: fedit, rank: 4, weights: uniform}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "weights"),
    [
        (FEDIT, "uniform"),
        ("method={name: legend, rank: 4}", "examples"),  # devices of different depths
        ("method={name: hetlora, rank: 4}", "uniform"),  # weighed by norm, zero-padded
    ],
)
def test_a_buffer_of_full_buffer_is_the_synchronous_run(method, weights, run, tmp_path: Path) -> None:
    """Oracle: the mean of six fresh updates is FedAvg's, float by float."""
    lockstep = run(method, name="lockstep")
    schedule = f"training.schedule={{kind: buffered, buffer: 6, weights: {weights}}}"
    full_buffer = run(method, schedule, name="full_buffer")
    assert full_buffer.emulated_seconds == pytest.approx(lockstep.emulated_seconds)
    assert full_buffer.bytes_up == lockstep.bytes_up
    one, other = (
        load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in ("lockstep", "full_buffer")
    )
    for name, tensor in one.items():
        assert other[name] == pytest.approx(tensor, abs=1e-6), name


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [BUFFERED, ASYNCHRONOUS])
def test_steps_are_the_same_bits_on_more_hosts_and_after_an_interruption(schedule, run, tmp_path: Path) -> None:
    settings = (
        FEDIT,
        schedule,
        "training.rounds=6",
        "fleet.faults={dropout: 0.15, corruption: {share: 0.2, kind: nan}}",
    )

    def interrupt(record) -> None:
        if record.round == 3:
            raise RunInterruptedError

    whole = run(*settings, name="whole")
    assert run(*settings, "runtime.hosts=3", name="spread").result_digest == whole.result_digest
    with pytest.raises(RunInterruptedError):
        run(*settings, name="broken", watching=Watching(interrupt))
    assert run(*settings, name="broken", resume=True).result_digest == whole.result_digest
    rounds = RunDirectory(tmp_path / "whole").rounds()
    assert RunDirectory(tmp_path / "broken").rounds() == rounds
    ends = [record.emulated_seconds for record in rounds]
    assert ends == sorted(ends)
    assert all(record.participants - record.dropped <= (2 if schedule is BUFFERED else 1) for record in rounds)


def own_time(method_name: str, schedule: Buffered | Asynchronous, **words) -> AsynchronousSchedule:
    return AsynchronousSchedule(schedule, build(method_name, 6, **words))


def server_step(
    aggregation: AsynchronousSchedule, round_: int, state: ServerState, versions: dict[int, tuple[Values, list[Update]]]
):
    """The state after a step in which these updates came back, by the version that their devices started from."""
    folds = {}
    for version, (_, updates) in versions.items():
        folds[Cohort(0, version)] = aggregation.method.fold()
        for update in updates:
            folds[Cohort(0, version)].add(update, 1)
    bases = {version: ServerState(state.spec, base) for version, (base, _) in versions.items()}
    start = RoundStart(round_, state, FleetState(0.0, np.zeros(0)), None)
    step = RoundStep(start, Plan((), ()), None, bases, None)  # type: ignore[arg-type]
    return aggregation.merged(step, folds)


@pytest.mark.parametrize("schedule", [Buffered(kind="buffered"), Asynchronous(kind="asynchronous")])
def test_a_layer_that_no_device_held_keeps_its_value_whatever_its_base_was(schedule) -> None:
    """Round 4 takes in an update that started from version 0, where every float was 0; the global adapter is at 1."""
    aggregation = own_time("legend", schedule)
    spec = aggregation.method.adapter()
    whole, top = (layout_of(PRICING.shape, one) for one in (spec, spec.deepest(2)))
    update = Update(0, top, np.full(top.size, 2.0, np.float32))
    now, old = (np.full(whole.size, value, np.float32) for value in (1.0, 0.0))
    after = server_step(aggregation, 4, ServerState(spec, now), {0: (old, [update])}).values
    moved = np.isin(np.arange(whole.size), whole.positions_of(top))
    # staleness 3 counts a half: FedBuff adds half of the change of 2, FedAsync goes 0.3 of the way from 1 to 2
    assert after[moved] == pytest.approx(2.0 if isinstance(schedule, Buffered) else 1.3)
    assert 0 < moved.sum() < whole.size
    assert (after[~moved] == 1.0).all()


def test_a_step_of_two_versions_moves_each_layer_by_its_holders() -> None:
    aggregation = own_time("legend", Buffered(kind="buffered"))
    spec = aggregation.method.adapter()
    whole, top = (layout_of(PRICING.shape, one) for one in (spec, spec.deepest(2)))
    at = {value: np.full(whole.size, value, np.float32) for value in (0.0, 1.0, 3.0)}
    deep, shallow = Update(0, whole, at[3.0]), Update(1, top, np.full(top.size, 4.0, np.float32))
    after = server_step(
        aggregation, 4, ServerState(spec, at[1.0]), {3: (at[1.0], [deep]), 0: (at[0.0], [shallow])}
    ).values
    moved = np.isin(np.arange(whole.size), whole.positions_of(top))
    assert after[~moved] == pytest.approx(1 + 2)  # the one holder's change, fresh
    assert after[moved] == pytest.approx(1 + (2 + 0.5 * 4) / 2)


def test_hetlora_weighs_by_norm_and_pads_on_its_own_time_too() -> None:
    """Oracle: its fold over both updates, because both started from the global adapter and staleness is constant."""
    aggregation = own_time("hetlora", Buffered(kind="buffered", staleness="constant"))
    spec = aggregation.method.adapter()
    rng = np.random.default_rng(1)
    layouts = [layout_of(PRICING.shape, spec.truncated_to(rank)) for rank in (2, 6)]
    updates = [Update(i, one, rng.normal(0, 0.1 + i, one.size).astype(np.float32)) for i, one in enumerate(layouts)]
    state = ServerState(spec, rng.normal(0, 1, layout_of(PRICING.shape, spec).size).astype(np.float32))
    together = aggregation.method.fold()
    for update in updates:
        together.add(update, 1)
    expected = aggregation.method.apply(state, together.result()).values
    found = server_step(
        aggregation, 4, state, {2: (state.values, [updates[0]]), 3: (state.values, [updates[1]])}
    ).values
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_step_in_which_every_update_was_refused_changes_nothing() -> None:
    aggregation = own_time("fedit", Buffered(kind="buffered"))
    state = ServerState(aggregation.method.adapter(), np.ones(3, np.float32))
    assert server_step(aggregation, 4, state, {}) is state


def test_a_buffer_weighs_updates_alike_or_by_examples(small_scenario: Path) -> None:
    for weights, word in ((False, "uniform"), (True, "examples")):
        schedule = f"training.schedule={{kind: buffered, buffer: 6, weights: {word}}}"
        experiment = prepare(load_scenario(small_scenario, ("method={name: fedit, rank: 4}", schedule)))
        method, fleet_state = experiment.build_method(), experiment.fleet.first_state()
        state = ServerState(method.adapter(), np.zeros(0, np.float32))
        step = RoundPlanner(experiment, method).step(1, state, fleet_state, None)
        expected = experiment.examples[[one.device for one in step.plan.assignments]].tolist() if weights else [1] * 6
        assert [one.weight for one in step.plan.assignments] == expected
        assert not weights or len(set(expected)) > 1


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("{kind: buffered, hinge_delay: 2}", "hinge_delay: given 2; allowed: none unless staleness is hinge"),
        ("{kind: asynchronous, staleness: hinge, staleness_exponent: 1.0}", "none unless staleness is polynomial"),
        ("{kind: asynchronous, staleness: constant, hinge_slope: 1.0}", "hinge_slope: given 1; allowed: none unless"),
        ("{kind: asynchronous, staleness: linear}", "given 'linear'; allowed: 'polynomial' | 'hinge' | 'constant'"),
        ("{kind: asynchronous, weights: examples}", "unknown key"),
    ],
)
def test_a_parameter_of_another_staleness_is_refused(schedule, said, small_scenario: Path) -> None:
    with pytest.raises(UserError, match=r"training\.schedule") as raised:
        load_scenario(small_scenario, [f"training.schedule={schedule}"])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_plan_shows_the_devices_of_a_server_step(small_scenario: Path) -> None:
    planned_round = dry_run(prepare(load_scenario(small_scenario, (FEDIT, BUFFERED, "training.rounds=4"))), 4)
    assert len(planned_round.devices) == 2
    assert [group.id for group in planned_round.groups] == [0]


def test_a_device_on_its_own_time_has_the_mode_in_which_it_began(small_scenario: Path) -> None:
    restless = "fleet.groups=[{profile: jetson-tx2, count: 8, modes: {kind: random, redraw_every: 1}}]"
    experiment = prepare(load_scenario(small_scenario, (FEDIT, BUFFERED, restless, "training.rounds=6")))
    planned_rounds = {round_: dry_run(experiment, round_).devices for round_ in (4, 5, 6)}
    devices = [device for found in planned_rounds.values() for device in found]
    assert {device.staleness for device in devices} != {0}
    for round_, found in planned_rounds.items():
        began = [experiment.fleet.modes(round_ - device.staleness)[device.id] for device in found]
        assert [device.mode for device in found] == began
    per_layer = {(device.mode, round(device.compute_seconds / device.depth, 9)) for device in devices}
    assert len(per_layer) == len({device.mode for device in devices}) > 1  # a mode has one speed: it is the true one


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["method={name: hierfedlora, rank: 4, groups: 2}"], "groups meet at the end of a round"),
        (["topology={groups: 2}"], "groups meet at the end of a round"),
        (["method={name: fedara, rank: 4}"], "fedara's adapter changes its shape"),
        (["fleet.link={kind: wifi, devices_per_cell: 2}"], "share their air only if they begin together"),
        (["training.policy={deadline_seconds: 3.0}"], "none unless schedule.kind is synchronous"),
    ],
)
def test_what_needs_lockstep_is_refused_with_the_reason(settings, said, small_scenario: Path) -> None:
    with pytest.raises(UserError, match=said):
        prepare(load_scenario(small_scenario, [BUFFERED, *settings]))
