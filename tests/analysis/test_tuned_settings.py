"""Scenarios that were tuned each for its method are one setting, and their rows are named by the method alone."""

import pytest

from fedray.analysis.naming import names
from fedray.analysis.settings import Settings, differing_sections, flattened
from fedray.errors import UserError

TUNED = "tuning: {keys: [training.optimiser.learning_rate], seeds: [1001], rounds: 4, score: 0.5}"


def labels(rows: list[Settings]) -> list[str]:
    return [name.label for name in names(rows, None)]


@pytest.fixture
def settings(scenario):
    def make(method: str, rate: float, tuning: str = TUNED) -> Settings:
        training = f"training: {{optimiser: {{learning_rate: {rate}}}}}"
        text = f"schema_version: 1\nmethod: {{name: {method}}}\n{training}\n{tuning}\n"
        return flattened(scenario(text).scenario, method)

    return make


def test_values_that_were_tuned_for_each_method_are_no_difference(settings) -> None:
    both = [settings("fedit", 0.01), settings("legend", 0.003)]
    assert labels(both) == ["fedit", "legend"]
    assert differing_sections(both) == ()
    assert both[0].values.keys().isdisjoint({"tuning", "tuning.score"})


def test_a_value_that_was_not_tuned_is_one(settings) -> None:
    mixed = [settings("fedit", 0.01), settings("legend", 0.003, tuning="")]
    assert differing_sections(mixed) == ("training",)
    assert labels(mixed)[1] == "legend training.optimiser.learning_rate=0.003"


def test_two_tunings_of_one_method_are_two_rows(settings) -> None:
    assert labels([settings("fedit", 0.01), settings("fedit", 0.003)]) == [
        "fedit training.optimiser.learning_rate=0.01",
        "fedit training.optimiser.learning_rate=0.003",
    ]


@pytest.mark.parametrize("seed", [7, 9])
def test_a_seed_that_chose_the_values_is_refused_wherever_the_scenario_is_read(scenario, seed) -> None:
    text = "schema_version: 1\ntuning: {keys: [method.rank], seeds: [7, 9], rounds: 4, score: 0.5}\n"
    with pytest.raises(UserError, match=rf"--set seed={seed}: seed: given {seed}; allowed: any but 7, 9: the values"):
        scenario(text, f"seed={seed}")
    assert scenario(text, "seed=8").scenario.tuning.rounds == 4
