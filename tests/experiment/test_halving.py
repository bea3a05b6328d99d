"""Successive halving: how many trials, for how long, and which survive."""

from itertools import pairwise
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.experiment.halving import Rung, Score, edges, rungs, score, survivors
from fedray.results import RoundRecord


def test_rungs_by_hand() -> None:
    assert rungs(5, 8, 2, 1) == (Rung(2, 5), Rung(4, 3), Rung(8, 2))
    assert rungs(9, 9, 3, 1) == (Rung(3, 9), Rung(9, 3))
    assert rungs(4, 8, 2, 1) == (Rung(4, 4), Rung(8, 2))
    assert rungs(1, 5, 2, 1) == (Rung(5, 1),)
    assert rungs(8, 10, 2, 4) == (Rung(4, 8), Rung(8, 4), Rung(10, 2))  # 2.5, 5, 10: evaluated every 4 rounds
    assert rungs(5, 2, 2, 1) == (Rung(1, 5), Rung(2, 2))  # 0.5, 1, 2: the second would see nothing new


@given(st.integers(1, 500), st.integers(1, 200), st.integers(2, 6), st.integers(1, 10))
def test_rungs_grow_to_the_full_length_and_end_where_a_round_is_evaluated(trials, rounds, eta, every) -> None:
    found = rungs(trials, rounds, eta, every)
    assert found[0].trials == trials
    assert found[-1].rounds == rounds
    for rung, following in pairwise(found):
        assert rung.rounds < following.rounds
        assert following.trials <= ceil(rung.trials / eta)
        assert rung.rounds % every == 0
    assert found[-1].trials >= min(trials, 2)


finite = st.floats(-5, 5)


@given(st.lists(finite | st.just(-inf), max_size=30), st.integers(0, 30))
def test_survivors_are_the_best_and_never_a_failed_one(scores, count) -> None:
    found = survivors(scores, count)
    assert len(found) == min(count, sum(value > -inf for value in scores))
    assert list(found) == sorted(set(found))
    kept, dropped = [scores[index] for index in found], [s for i, s in enumerate(scores) if i not in found]
    assert -inf not in kept
    assert not kept or max([*dropped, -inf]) <= min(kept) or len(found) < count


@given(st.lists(finite, min_size=1, max_size=20, unique=True), st.randoms())
def test_survivors_do_not_depend_on_the_order_of_the_trials(scores, random) -> None:
    order = list(range(len(scores)))
    random.shuffle(order)
    count = ceil(len(scores) / 2)
    shuffled = survivors([scores[index] for index in order], count)
    assert {order[index] for index in shuffled} == set(survivors(scores, count))


def test_of_equal_scores_the_first_survives() -> None:
    assert survivors([0.5, 0.7, 0.7, 0.5], 1) == (1,)
    assert survivors([0.5, 0.7, 0.7, 0.5], 3) == (0, 1, 2)


def a_round(number: int, value: float | None, loss: float | None = 1.0, rejected: int = 0) -> RoundRecord:
    return RoundRecord(number, 1.0, 1.0, 0.0, value, loss, 0, 0, 0.0, 4, 1, rejected, 1, 1.0, 1.0, score=value)


def test_the_score_is_the_mean_of_the_last_two_evaluations_of_the_first_rounds() -> None:
    rounds = [a_round(1, 0.5), a_round(2, None), a_round(3, 0.25), a_round(4, 0.75)]
    assert score(rounds, 2) == Score(0.5)
    assert score(rounds, 3) == Score(0.375)
    assert score(rounds, 4) == Score(0.5)
    assert score(rounds[1:2], 4) == Score(-inf, "no round was evaluated")


def test_a_run_that_falls_back_loses_to_one_that_holds_its_score() -> None:
    unstable = [a_round(number, value) for number, value in enumerate((0.7, 0.9, 0.4, 0.3), 1)]
    steady = [a_round(number, value) for number, value in enumerate((0.6, 0.7, 0.7, 0.7), 1)]
    scores = [score(run, 4).value for run in (unstable, steady)]
    assert survivors(scores, 1) == (1,)


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (a_round(2, 0.9, loss=float("nan")), "diverged: the loss is nan"),
        (a_round(2, 0.9, loss=inf), "diverged: the loss is inf"),
        (a_round(2, 0.9, rejected=3), "diverged: every update of round 2 was refused"),  # of 4, one dropped out
    ],
)
def test_a_run_that_diverged_has_no_score(last, why) -> None:
    assert score([a_round(1, 0.9), last], 2) == Score(-inf, why)
    assert score([a_round(1, 0.9), last], 1) == Score(0.9)


def test_a_value_at_the_edge_of_the_grid_is_named() -> None:
    tried = [{"rate": rate, "kind": kind} for rate in (0.1, 0.2, 0.3) for kind in ("a", "b")]
    assert edges({"rate": 0.1, "kind": "a"}, tried) == {"rate": "smallest"}
    assert edges({"rate": 0.3, "kind": "a"}, tried) == {"rate": "largest"}
    assert edges({"rate": 0.2, "kind": "a"}, tried) == {}
    assert edges({"rate": 0.2}, [{"rate": 0.2}]) == {}
