"""What a corrupted update is, by hand."""

import numpy as np
import pytest

from fedray.emulation import corrupted
from fedray.scenario.schema import Corruption

RECEIVED, TRAINED = np.array([1.0, 2.0], np.float32), np.array([1.5, 1.0], np.float32)


@pytest.mark.parametrize(
    ("kind", "sent"), [("scaled", [6.0, -8.0]), ("sign-flipped", [0.5, 3.0]), ("stale", [1.0, 2.0])]
)
def test_a_change_is_multiplied_turned_round_or_left_out(kind: str, sent: list[float]) -> None:
    values = corrupted(Corruption(share=1.0, kind=kind, factor=10.0), RECEIVED, TRAINED)
    assert values.tolist() == sent
    assert values.dtype == np.float32


def test_no_numbers() -> None:
    assert np.isnan(corrupted(Corruption(share=1.0, kind="nan"), RECEIVED, TRAINED)).all()
