"""Targets: fixed beforehand, a share of a plateau, held, and never below the majority baseline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.analysis import Criteria, compare
from fedray.analysis.targets import plateau
from fedray.errors import UserError
from tests.analysis.conftest import FEDIT, LEGEND, Run


def test_a_plateau_is_the_mean_of_the_last_third_and_of_three_at_least() -> None:
    assert plateau([0.1, 0.2]) is None
    assert plateau([0.1, 0.2, 0.3]) == pytest.approx(0.2)
    assert plateau([0.0] * 6 + [0.5, 0.6, 0.7]) == pytest.approx(0.6)
    assert plateau([0.0] * 6 + [0.4, 0.5, 0.6, 0.7]) == pytest.approx(0.55)  # a third of ten, rounded up, is four


@given(st.lists(st.floats(0, 1), min_size=3, max_size=40))
def test_a_plateau_lies_between_the_scores(scores) -> None:
    level = plateau(scores)
    assert min(scores) - 1e-12 <= level <= max(scores) + 1e-12


def test_without_a_target_there_is_no_cost_to_one(four, fedray) -> None:
    comparison = compare(four)
    assert (comparison.protocol, comparison.target) == ("summary", None)
    assert [run.target for run in comparison.runs] == [None] * 4
    assert all(one.to_target is None for row in comparison.rows for one in row.against)
    text = fedray("compare", *[run.path for run in four]).out
    assert "cost of the whole run" in text
    assert "speed-up" not in text


def test_a_target_is_reached_at_the_first_of_the_evaluations_that_hold_it(a_run: Run) -> None:
    run = a_run("one", 0.5, 0.7, 0.6, 0.7, 0.8, None, 0.7, 0.6)
    for hold, round_ in ((1, 2), (2, 4), (3, 4)):
        attempt = compare([run], Criteria(target=0.7, hold=hold)).runs[0].target
        assert (attempt.reached, attempt.spent.round, attempt.spent.emulated_seconds) == (True, round_, 10.0 * round_)
        assert (attempt.spent.bytes, attempt.spent.joules) == (150 * round_, 5.0 * round_)
    assert not compare([run], Criteria(target=0.7, hold=4)).runs[0].target.reached
    assert compare([run], Criteria(target=0.7)).target.hold == 3


def test_a_missed_target_would_have_cost_at_least_what_was_spent(a_run: Run) -> None:
    """A run that ended while it held the target may have reached it where it began to hold it."""
    missed, held = a_run("missed", 0.5, 0.7, 0.6), a_run("held", 0.5, 0.7, None, 0.8, None, scenario=LEGEND)
    attempts = [run.target for run in compare([missed, held], Criteria(target=0.7, hold=3)).runs]
    assert [(one.reached, one.spent.round) for one in attempts] == [(False, 3), (False, 2)]


def test_the_target_of_a_row_is_a_share_of_its_plateau_by_seed(four, a_run: Run) -> None:
    long = [
        a_run("e", 0.9, seed=3, scenario=LEGEND),
        a_run("f", 0.2, 0.6, 0.6, 0.6, seed=1, scenario="method: {name: hetlora}"),
    ]
    comparison = compare([*four, *long], Criteria(target_of="hetlora", share=0.5, hold=1))
    fedit, legend, _ = comparison.rows
    assert (comparison.target.of, comparison.target.share, comparison.target.score) == ("hetlora", 0.5, None)
    assert [run.target and run.target.score for run in fedit.runs] == [pytest.approx(0.3), None]
    assert [run.target and run.target.score for run in legend.runs] == [pytest.approx(0.3), None, None]
    assert compare([*four, *long], Criteria(target_of="hetlora")).target.share == 0.97
    with pytest.raises(UserError, match="legend has fewer than 3 evaluations, so it has no plateau"):
        compare(four, Criteria(target_of="legend"))
    with pytest.raises(UserError, match="--target-of: given 'fedprox'"):
        compare(four, Criteria(target_of="fedprox"))


def test_the_runs_own_target_counts_if_all_agree(a_run: Run) -> None:
    stop = "\ntraining: {{stop: {{target: {}, hold: 2}}}}"
    runs = [
        a_run("a", 0.6, 0.7, scenario=FEDIT + stop.format(0.6)),
        a_run("b", 0.7, 0.7, scenario=LEGEND + stop.format(0.6)),
    ]
    comparison = compare(runs)
    assert (comparison.protocol, comparison.target.score, comparison.target.hold) == ("cost-to-target", 0.6, 2)
    other = a_run("c", 0.7, scenario=LEGEND + stop.format(0.5))
    assert compare([*runs, other]).protocol == "summary"
    assert compare(runs, Criteria(target=0.7, hold=1)).target.score == 0.7
    with pytest.raises(UserError, match="--protocol cost-to-target: needs a target"):
        compare([*runs, other], Criteria(protocol="cost-to-target"))


@pytest.mark.parametrize("target", [0.3, 0.2])
def test_there_are_no_speed_ups_to_what_the_majority_baseline_reaches(target, a_run: Run, fedray) -> None:
    runs = [a_run("a", 0.5, majority=0.3), a_run("b", 0.6, majority=0.25, scenario=LEGEND)]
    comparison = compare(runs, Criteria(target=target, hold=1))
    assert comparison.majority_accuracy == 0.3
    assert f"the target {target:.3f} is not above 0.300" in comparison.no_ratios
    assert comparison.rows[1].against[0].to_target is None
    text = fedray("compare", *[run.path for run in runs], "--target", target, "--hold", "1").out
    assert "no speed-ups" in text
    assert "speed-up = " not in text
    above = compare(runs, Criteria(target=0.31, hold=1))
    assert above.no_ratios is None
    assert above.rows[1].against[0].to_target is not None


def test_runs_from_before_there_were_scores_have_no_target(a_run: Run, fedray) -> None:
    run = a_run("old", 0.5, scores=False)
    assert fedray("compare", run.path).code == 0
    result = fedray("compare", run.path, "--target", "0.4")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "rounds.jsonl has no scores" in result.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--target", "70"], "--target: given 70; allowed: above 0, at most 1"),
        (["--target", "0.5", "--target-of", "fedit"], "not together with --target-of"),
        (["--share", "0.5"], "--share: only together with --target-of"),
        (["--target-of", "fedit", "--share", "2"], "--share: given 2; allowed: above 0, at most 1"),
        (["--target", "0.5", "--hold", "0"], "--hold: given 0; allowed: an integer ≥ 1"),
        (["--target", "0.5", "--budget", "seconds=5"], "--protocol: with a target and a budget"),
        (["--protocol", "speed"], "--protocol: given 'speed'; allowed: summary | cost-to-target"),
        (["--protocol", "quality-under-budget"], "needs a budget"),
        (["--protocol", "robustness", "--budget", "seconds=5"], "--budget: only with --protocol quality-under-budget"),
        (["--protocol", "robustness"], "only the method varies"),
        (["--budget", "hours=5"], "--budget hours=5: allowed: seconds=600 | bytes=500MB | joules=3kJ"),
        (["--budget", "seconds=5parsec"], "--budget seconds=5parsec: allowed: a number above 0, and one of s | min"),
        (["--budget", "seconds=0"], "a number above 0"),
        (["--baselines", "fedprox"], "--baselines: given 'fedprox'"),
    ],
)
def test_wrong_words_are_one_plain_line(words, told, a_run: Run, fedray) -> None:
    result = fedray("compare", a_run("run", 0.5).path, *words)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert told in result.err
