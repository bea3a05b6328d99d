"""How far the first rounds move the weights in each parametrisation: why a method declares a learning-rate multiplier.

    python -m benchmarks.learning_rate [DATA_FOLDER] [--devices 4] [--rounds 5] [--steps 4] [--multipliers 1,3,10]

LoRA is dW = s * B A, A uniform with standard deviation 1 / sqrt(3 * in), B zero. The SVD form is dW = s * B diag(E) A,
A and B normal with standard deviation 0.02, E zero. AdamW moves every entry by about its learning rate a step. Real
local training on MiniLM-L6, without Ray: every device trains its shard, the means of the factors are the next round's.
FedARA trains as it does before its ranks fall. The losses are the devices' means over a round. DATA_FOLDER holds
train.jsonl.gz and test.jsonl.gz (keys: text, label), and is Python's standard library where none is given.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fedray.adapters import AdapterSpec, BackboneShape, initial_values, layout_of
from fedray.adapters.state import as_lora
from fedray.arrays import Values
from fedray.experiment.experiment import Experiment, prepare
from fedray.learning.local_trainer import LocalTrainer
from fedray.protocol import ServerState
from fedray.scenario import load_scenario

QUICKSTART = Path(__file__).parent.parent / "scenarios" / "quickstart.yaml"


@dataclass(frozen=True)
class Trial:
    """The norm of dW after every round, and the mean training loss of every round."""

    norms: tuple[float, ...]
    losses: tuple[float, ...]


def norm_of_change(shape: BackboneShape, spec: AdapterSpec, values: Values) -> float:
    """Frobenius norm of dW over all adapted modules together."""
    plain, factors = as_lora(shape, spec, values)
    layout = layout_of(shape, plain)
    tensors = {(entry.module, entry.factor): layout.tensor(factors, entry) for entry in layout.entries}
    squares = [
        np.square(plain.scaling * tensors[module, "B"] @ tensors[module, "A"]).sum()
        for module, factor in tensors
        if factor == "A"
    ]
    return float(np.sqrt(np.sum(squares)))


def measure(experiment: Experiment, rounds: int) -> Trial:
    """Train `rounds` rounds of the experiment's whole fleet on this process alone."""
    method = experiment.build_method()
    spec = method.adapter()
    assets = experiment.assets(spec)
    if assets is None:
        raise ValueError("a task without data trains nothing")
    trainer = LocalTrainer(assets)
    state = ServerState(spec, initial_values(layout_of(assets.shape, spec), assets.seed))
    fleet_state = experiment.fleet.first_state()
    norms: list[float] = []
    losses: list[float] = []
    for round_ in range(1, rounds + 1):
        plan = method.plan(experiment.view(round_, fleet_state, []))
        trained = [trainer.train(assignment, round_, state.values) for assignment in plan.assignments]
        weights = [assignment.weight for assignment in plan.assignments]
        mean = np.average([result.values for result in trained], axis=0, weights=weights)
        state = ServerState(spec, mean.astype(np.float32))
        norms.append(norm_of_change(assets.shape, spec, state.values))
        losses.append(float(np.mean([result.loss for result in trained])))
    return Trial(tuple(norms), tuple(losses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--methods", default="fedit,fedsvd,fedara")
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3, help="training.optimiser.learning_rate")
    parser.add_argument("--multipliers", default="1,3,10")
    words = parser.parse_args()
    torch.set_num_threads(1)
    settings = [
        f"fleet.groups=[{{profile: jetson-tx2, count: {words.devices}}}]",
        "task.partition={kind: iid}",
        "task.max_length=48",
        f"training={{rounds: 100, local_steps: {words.steps}, batch_size: 8}}",  # before FedARA's ranks fall
        f"training.optimiser.learning_rate={words.rate}",
    ]
    if words.data:
        folder = words.data.resolve()
        files = f"{{kind: files, data_dir: {folder}, train: train.jsonl.gz, test: test.jsonl.gz}}"
        settings.append(f"task.dataset={files}")
    rounds = "  ".join(f"|dW| {n + 1}" for n in range(words.rounds))
    print(f"{'method':8}  multiplier  {rounds}  loss 1  loss {words.rounds}")
    for name in words.methods.split(","):
        for multiplier in map(float, words.multipliers.split(",")):
            method = f"method={{name: {name}, learning_rate_multiplier: {multiplier}}}"
            trial = measure(prepare(load_scenario(QUICKSTART, [*settings, method])), words.rounds)
            norms = "  ".join(f"{norm:6.3f}" for norm in trial.norms)
            print(f"{name:8}  {multiplier:10g}  {norms}  {trial.losses[0]:6.2f}  {trial.losses[-1]:6.2f}", flush=True)


if __name__ == "__main__":
    main()
