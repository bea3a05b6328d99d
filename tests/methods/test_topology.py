"""Groups for any method: who is in which, when they change, and what a scenario may ask for."""

from dataclasses import replace

import numpy as np
import pytest

from fedray.costs import Pricing
from fedray.errors import UserError
from fedray.experiment.experiment import prepare
from fedray.methods import METHODS, MethodContext
from fedray.methods.grouping import group_divergences
from fedray.methods.topology import Grouped, StandingGroups
from fedray.protocol import DeviceReport, View
from fedray.scenario import ScenarioError
from fedray.scenario.schema import Topology
from tests.shapes import shape

pytestmark = pytest.mark.model

PRICING = Pricing(shape(layers=6), batch_size=2, sequence_length=16, head="shared")


def view(count: int = 12) -> View:
    """Devices that hold one of three labels each; the later, the faster."""
    labels = np.zeros((count, 3), np.int64)
    labels[np.arange(count), np.arange(count) % 3] = 10
    return View(
        round=1,
        devices=np.arange(count),
        examples=np.full(count, 10),
        label_histograms=labels,
        memory_bytes=np.full(count, 1e9),
        declared_flops_per_second=np.linspace(1e6, 3e6, count),
        declared_mbps=np.full(count, 10.0),
    )


def grouped(name: str = "fedit", **words) -> Grouped:
    context = MethodContext(PRICING.shape, PRICING, 12, local_steps=4, rounds=5, seed=1)
    topology = Topology(**words)
    return Grouped(METHODS[name](METHODS[name].section(name=name), context), topology, topology.groups or 1)


def test_groups_are_near_iid_unless_told_otherwise() -> None:
    plan = grouped(groups=4).plan(view())
    numbers = np.array([a.group for a in plan.assignments])
    assert np.bincount(numbers).tolist() == [3, 3, 3, 3]
    assert group_divergences(view().label_histograms, numbers, 4) == pytest.approx(0, abs=1e-9)
    random = [a.group for a in grouped(groups=4, formation="random").plan(view()).assignments]
    assert sorted(random) == sorted(numbers)
    assert group_divergences(view().label_histograms, np.array(random), 4).sum() > 0.1


def test_groups_of_one_speed_stand_together() -> None:
    plan = grouped(groups=3, formation="speed", inner_rounds=2).plan(view())
    assert [a.group for a in plan.assignments] == [2] * 4 + [1] * 4 + [0] * 4  # the fastest group first
    assert [(group.id, group.inner_rounds) for group in plan.groups] == [(0, 2), (1, 2), (2, 2)]


def test_the_method_plans_as_without_groups() -> None:
    method = grouped("legend", groups=3)
    plain = method.method.plan(view())
    assert [replace(a, group=0) for a in method.plan(view()).assignments] == list(plain.assignments)


def test_groups_stand_until_estimates_move_or_others_take_part() -> None:
    standing = StandingGroups(3, 1.0)
    seconds = np.linspace(1.0, 3.0, 12)
    first = standing.of(view(), seconds)
    assert (standing.of(view(), seconds * 1.2) == first).all()
    assert standing.seconds == seconds.tolist()  # still those they were formed with
    standing.of(view(), seconds * 1.5)
    assert standing.seconds == (seconds * 1.5).tolist()
    assert len(standing.of(view(6), seconds[:6])) == 6


def test_a_grouped_methods_state_survives() -> None:
    first, second = grouped("legend", groups=3), grouped("legend", groups=3)
    plan = first.plan(view())
    first.observe([DeviceReport(a.device, 0.1 * (a.device + 1), 5.0, 4.0) for a in plan.assignments])
    second.load_state_dict(first.state_dict())
    assert second.standing.numbers == [a.group for a in plan.assignments]
    later = replace(view(), round=2)
    assert second.plan(later) == first.plan(later)


def twin(words: str) -> tuple[str, ...]:
    return (f"costs={{twin: {{backbone: roberta-base,{words}}}}}",)


WRONG = {
    (
        "method={name: hierfedlora}",
        "topology={groups: 4}",
    ): "topology.groups: given 4; allowed: null: hierfedlora forms",
    (
        "method={name: fedara}",
        "topology={groups: 4,inner_rounds: 2}",
    ): "topology.inner_rounds: given 2; allowed: 1: fedara",
    ("topology={groups: 4,inner_rounds: 3}",): "a divisor of training.local_steps (4)",
    ("topology.inner_rounds=2",): "inner_rounds: given 2; allowed: 1 without topology.groups",
    ("topology.formation=speed",): "formation: given speed; allowed: near-iid without topology.groups",
    (
        "method={name: hetlora,weights: uniform}",
    ): "method.weights: given 'uniform' (did you mean 'norm'?); allowed: 'norm'",
    ("topology={groups: 0}",): "topology.groups: given 0",
    ("topology={formation: label}",): "allowed: 'near-iid' | 'speed' | 'random'",
    ("method={name: fedara,final_rank: 13.0}",): "method.final_rank: given 13.0; allowed: a number ≤ rank (12)",
    ("method={name: fedara,warmup: 0.5,final: 0.5}",): "method.final: given 0.5; allowed: below 1 - warmup (0.5)",
    ("method={name: hetlora,min_rank: 13}",): "method.min_rank: given 13; allowed: an integer ≤ rank (8)",
    ("method={name: hetlora,aggregation: holders}",): "method.aggregation: given 'holders'; allowed: 'zero-pad'",
    ("method={name: fedara,aggregation: zero-pad}",): "method.aggregation: given 'zero-pad'; allowed: 'holders'",
    (
        "method={name: legend,rank_budget: 0.3}",
    ): "method.min_rank: given 3; allowed: an integer ≤ 2, rank_budget × rank",
    ("method={name: legend,rank_budget: 0.1}",): "method.rank_budget: given 0.1; allowed: at least 1 / rank (0.125)",
    ("method={name: legend,rank_budget: 1.1}",): "method.rank_budget: given 1.1; allowed: a number > 0 and ≤ 1",
    ("method={name: fedquad,bits: 3}",): "method.bits: given 3; allowed: 2 | 4 | 8",
    ("method={name: fedquad,bits: 2}",): "method.bits: given 2; allowed: 4 or 8, or 2 with model.attention: eager",
    ("method={name: fedadapter,first_depth: 7}",): "method.first_depth: given 7; allowed: an integer ≤ 6",
    ("method={name: fedadapter,first_rank: 9}",): "method.first_rank: given 9; allowed: an integer ≤ rank (8)",
    ("costs={twin: {backbone: roberta-bse}}",): "cannot load roberta-bse: unknown (did you mean 'roberta-base'?)",
    ("costs={twin: {backbone: /nowhere}}",): "costs.twin.backbone: cannot load /nowhere",
    ("costs={twin: {}}",): "costs.twin.backbone: missing",
    twin("max_length: 600"): "costs.twin.max_length: given 600; allowed: at most",
    twin("batch_size: 0"): "costs.twin.batch_size: given 0",
    twin("target_modules: [wquery]"): "costs.twin.target_modules: given 'wquery'",
    twin("target_modules: [query]"): "costs.twin.target_modules: given ['attention.self.query']",
}


@pytest.mark.parametrize("settings", WRONG)
def test_what_does_not_fit_together_is_said_in_one_line(settings, scenario) -> None:
    with pytest.raises(UserError) as raised:
        prepare(scenario("schema_version: 1\ntask: none\n", *settings))
    assert WRONG[settings] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_twin_has_to_be_as_deep_as_what_it_stands_for(scenario, two_layers) -> None:
    text = f"schema_version: 1\ntask: none\ncosts: {{twin: {{backbone: {two_layers}}}}}\n"
    with pytest.raises(ScenarioError, match=r"costs.twin.backbone: .* at least 6 layers"):
        prepare(scenario(text))


def test_a_twin_may_be_any_folder_with_a_configuration(scenario, two_layers, tmp_path) -> None:
    folder = tmp_path / "only-config"
    folder.mkdir()
    (folder / "config.json").write_text(
        (two_layers / "config.json").read_text().replace('"hidden_size": 384', '"hidden_size": 768')
    )
    text = (
        f"schema_version: 1\ntask: none\nmodel: {{backbone: {two_layers}}}\ncosts: {{twin: {{backbone: {folder}}}}}\n"
    )
    experiment = prepare(scenario(text))
    assert (experiment.backbone.shape.hidden, experiment.pricing.shape.hidden) == (384, 768)
    assert experiment.pricing.steps_scale == 1.0
    assert experiment.twin == str(folder)
