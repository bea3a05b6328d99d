"""A device's part of a GPU: of its threads where NVIDIA's MPS divides them. From its documentation; not run so far."""

import os
from math import ceil
from pathlib import Path

MOST_CLIENTS = 48  # of one MPS daemon's GPU (docs.nvidia.com/deploy/mps: 60 from CUDA 13.1 on)


def mps_is_there() -> bool:
    """Whether an MPS daemon listens on this machine."""
    return (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")) / "control").exists()


def confine(share: float) -> None:
    """Let this process, which must not have touched CUDA yet, use only a share of the GPU's threads."""
    os.environ["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = str(min(100, max(1, ceil(100 * share))))
