"""What a run needs to go on when its process has died: safetensors and JSON, complete or not there at all."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fedray.adapters import AdapterSpec
from fedray.adapters.spec import Form, LoraFactor
from fedray.arrays import Floats, Values
from fedray.emulation import InFlightUpdates
from fedray.errors import UserError
from fedray.protocol import ServerState
from fedray.runtime.in_flight import in_flight_facts, in_flight_tensors, load_in_flight

FORMAT = 5


@dataclass(frozen=True)
class Checkpoint:
    """The state after a completed round; `heads` are the local heads, (devices, head floats), or None; `charge` is the
    joules in every device's battery, (devices,); `in_flight` are the updates in flight.

    `fingerprint` is that of the data, the architecture and the boards; a resumed run must have the same.
    """

    round: int
    spec: AdapterSpec
    values: Values
    heads: Values | None
    charge: Floats
    in_flight: InFlightUpdates | None
    method: dict[str, Any]
    wall_seconds: float
    peak_memory_bytes: int
    fingerprint: str


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `folder/round-N` under a temporary name, rename it, then remove older ones."""
    final = folder / f"round-{checkpoint.round:06}"
    temporary = folder / f".{final.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    tensors: dict[str, NDArray[Any]] = {
        "values": checkpoint.values,
        "charge": checkpoint.charge,
        **in_flight_tensors(checkpoint.in_flight),
    }
    if checkpoint.heads is not None:
        tensors["heads"] = checkpoint.heads
    save_file(tensors, temporary / "state.safetensors")
    facts = {
        "format": FORMAT,
        "round": checkpoint.round,
        "spec": asdict(checkpoint.spec),
        "in_flight": in_flight_facts(checkpoint.in_flight),
        "method": checkpoint.method,
        "wall_seconds": checkpoint.wall_seconds,
        "peak_memory_bytes": checkpoint.peak_memory_bytes,
        "fingerprint": checkpoint.fingerprint,
    }
    (temporary / "state.json").write_text(json.dumps(facts))
    shutil.rmtree(final, ignore_errors=True)
    os.replace(temporary, final)
    for older in folder.glob("round-*"):
        if older != final:
            shutil.rmtree(older)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The latest complete checkpoint, or None; UserError if it cannot be read."""
    complete = sorted(folder.glob("round-*"))
    if not complete:
        return None
    try:
        facts = json.loads((complete[-1] / "state.json").read_text())
        tensors = load_file(complete[-1] / "state.safetensors")
        if facts["format"] != FORMAT:
            raise UserError(f"{complete[-1]}: checkpoint format {facts['format']}; this fedray reads {FORMAT}")
        spec = _spec(**facts["spec"])
        return Checkpoint(
            round=int(facts["round"]),
            spec=spec,
            values=tensors["values"],
            heads=tensors.get("heads"),
            charge=tensors["charge"],
            in_flight=load_in_flight(facts["in_flight"], tensors, ServerState(spec, tensors["values"])),
            method=facts["method"],
            wall_seconds=float(facts["wall_seconds"]),
            peak_memory_bytes=int(facts["peak_memory_bytes"]),
            fingerprint=facts["fingerprint"],
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"{complete[-1]}: not a checkpoint: {error}") from None


def _spec(
    ranks: list[int],
    trained: list[int],
    scaling: float,
    module_ranks: list[list[int]] | None,
    form: Form,
    fixed: Sequence[LoraFactor] = (),
) -> AdapterSpec:
    modules = None if module_ranks is None else tuple(tuple(row) for row in module_ranks)
    return AdapterSpec(tuple(ranks), tuple(trained), float(scaling), modules, form, tuple(fixed))
