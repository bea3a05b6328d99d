"""As much gain per second as possible without much waiting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.methods.round_time import select_round_time


@st.composite
def menus(draw):
    parties, choices = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seconds = rng.integers(1, 9, (parties, choices)).astype(float)
    seconds[rng.random((parties, choices)) < 0.2] = np.inf
    seconds[:, 0] = np.where(np.isinf(seconds).all(axis=1), 1.0, seconds[:, 0])
    return seconds, rng.uniform(0, 1, (parties, choices))


@settings(deadline=None)
@given(menus(), st.floats(0, 1))
def test_best_pace_is_the_best_of_all_round_times(menu, bound) -> None:
    """Against the definition written out party by party."""
    seconds, gains = menu

    def worth(pick: list[int]) -> tuple[bool, float]:
        taken = [seconds[i, k] for i, k in enumerate(pick)]
        waiting = (max(taken) - np.mean(taken)) / max(taken)
        calm = bool(waiting <= bound + 1e-12)
        return calm, sum(gains[i, k] for i, k in enumerate(pick)) / max(taken) if calm else -waiting

    def pick_within(limit: float) -> list[int]:
        picked = []
        for mine, worths in zip(seconds.tolist(), gains.tolist(), strict=True):
            within = [k for k, time in enumerate(mine) if time <= limit]
            best = max(within, key=lambda k: (worths[k], -mine[k])) if within else int(np.argmin(mine))
            picked.append(best)
        return picked

    scores = [worth(pick_within(limit)) for limit in np.unique(seconds[np.isfinite(seconds)])]
    found = worth(select_round_time(seconds, gains, bound).tolist())
    assert found[0] == max(scores)[0]
    assert found[1] == pytest.approx(max(scores)[1])


def test_best_pace_by_hand() -> None:
    # party 0: 1 s for gain 1, 4 s for 2; party 1: 2 s for gain 1, 8 s for 5
    seconds, gains = np.array([[1.0, 4.0], [2.0, 8.0]]), np.array([[1.0, 2.0], [1.0, 5.0]])
    # T = 2: (1, 1) 2 / 2 s; waiting 0.25. T = 4: (2, 1) 3 / 4. T = 8: (2, 5) 7 / 8; waiting 0.25
    assert select_round_time(seconds, gains, 0.25).tolist() == [0, 0]
    # T = 4: waiting 1 of 4, also 0.25; with a bound below, the least waiting is taken, the first of the equal ones
    assert select_round_time(seconds, gains, 0.1).tolist() == [0, 0]
    assert select_round_time(seconds, gains * [1.0, 2.0], 0.25).tolist() == [1, 1]  # 14 / 8 beats 2 / 2
