"""What a device's process may use of a GPU; nothing here touches one."""

import os

import pytest

from fedray.wall.gpu import confine


@pytest.mark.parametrize(("share", "percentage"), [(0.0001, "1"), (0.2, "20"), (0.201, "21"), (3.0, "100")])
def test_a_share_of_the_threads_is_a_whole_percentage(
    share: float, percentage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "7")
    confine(share)
    assert os.environ["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == percentage
