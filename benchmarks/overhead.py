"""What the runtime costs beside the training it carries.

    python benchmarks/overhead.py [--repeats 5]

1. A round without training: 1,000 devices, adapters of about 4 kB, on the hosts of this machine.
2. A round of real training against a bare PyTorch loop that does the same steps on the same batches in as many
   processes, without Ray, adapters going in and out, checks, folds, or records. The two alternate, so that both meet
   the same noise; evaluation is left out of both.
"""

import fedray.runtime  # noqa: F401  (sets Ray's switches, so before ray)

# isort: split
import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import ray
import torch
from ray.actor import ActorHandle

from fedray.adapters import initial_values
from fedray.experiment.experiment import Experiment, prepare
from fedray.learning.adapted import AdaptedModel
from fedray.learning.batches import draw_batches
from fedray.learning.classifier import build, load_weights
from fedray.learning.local_trainer import TrainingAssets
from fedray.results import RunDirectory
from fedray.runtime.coordinator_actor import CoordinatorActor
from fedray.runtime.execution.host_pool import host_resources
from fedray.runtime.session import session
from fedray.scenario import load_scenario
from fedray.seeds import Purpose, generator

NO_OP = """
schema_version: 1
name: no-op
task: none
model: {target_modules: [query]}
fleet: {groups: [{profile: jetson-tx2, count: 1000}]}
method: {name: fedit, rank: 1, depth: 1}
training: {rounds: 1000}
"""  # A and B of one 384 x 384 module at rank 1 are 3,072 bytes, the head of two labels 3,080

TRAINING = """
schema_version: 1
name: training
task: {max_length: 48, eval: {max_examples: 1, every: 1000}}
fleet: {groups: [{profile: jetson-tx2, count: 80}]}
method: {name: fedit}
training: {rounds: 1000, local_steps: 2, batch_size: 4}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder, session(None) as cluster:
        no_op = _experiment(NO_OP, Path(folder))
        coordinator = _coordinator(no_op, Path(folder) / "no-op", cluster.cpus)
        seconds = [_round(coordinator) for _ in range(repeats + 2)][2:]
        ray.kill(coordinator)
        print(f"round without training, 1,000 devices: {statistics.median(seconds):.3f} s (bound: 1 s)")

        training = _experiment(TRAINING, Path(folder))
        resources = host_resources(training.scenario.runtime, 80, cluster.cpus, cluster.gpus)
        coordinator = _coordinator(training, Path(folder) / "training", cluster.cpus)
        bare = BareLoop(training, resources.hosts)
        _round(coordinator)
        bare.round(1)
        pairs = [(_round(coordinator), bare.round(round_)) for round_ in range(2, repeats + 2)]
        bare.close()
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"round of training, 80 devices x 2 steps x 4 texts, {resources.hosts} processes: {ours:.2f} s")
        print(f"the same steps in a bare PyTorch loop: {theirs:.2f} s")
        ratios = sorted(mine / other for mine, other in pairs)
        spread = f"{repeats} pairs from {ratios[0]:.3f} to {ratios[-1]:.3f}"
        print(f"ratio {statistics.median(ratios):.3f} (aim: at most 1.1; {spread})")


def _experiment(text: str, folder: Path) -> Experiment:
    path = folder / "scenario.yaml"
    path.write_text(text)
    return prepare(load_scenario(path))


def _coordinator(experiment: Experiment, folder: Path, cpus: float) -> ActorHandle:
    resources = host_resources(experiment.scenario.runtime, len(experiment.fleet), cpus, 0)
    actor = ray.remote(num_cpus=0, concurrency_groups={"watch": 2})(CoordinatorActor)
    coordinator = actor.remote()
    ray.get(coordinator.open.remote(experiment, RunDirectory(folder), resources, False))
    return coordinator


def _round(coordinator: ActorHandle) -> float:
    started = time.perf_counter()
    ray.get(coordinator.run_round.remote())
    return time.perf_counter() - started


class BareLoop:
    """Processes that only train: batch, forward, backward, AdamW."""

    def __init__(self, experiment: Experiment, processes: int) -> None:
        assets = experiment.assets(experiment.build_method().adapter())
        assert assets is not None
        context = multiprocessing.get_context("spawn")
        self.devices = len(experiment.fleet)
        self.steps = experiment.scenario.training.local_steps
        self.pipes = []
        self.processes = []
        for number in range(processes):
            ours, theirs = context.Pipe()
            devices = range(number, self.devices, processes)
            process = context.Process(target=_bare_process, args=(theirs, assets, devices, self.steps))
            process.start()
            self.pipes.append(ours)
            self.processes.append(process)
        for pipe in self.pipes:
            pipe.recv()

    def round(self, round_: int) -> float:
        started = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(round_)
        for pipe in self.pipes:
            pipe.recv()
        return time.perf_counter() - started

    def close(self) -> None:
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.send(None)
            process.join()


def _bare_process(pipe: Connection, assets: TrainingAssets, devices: Sequence[int], steps: int) -> None:
    torch.set_num_threads(1)
    model = AdaptedModel(load_weights(build(assets.recipe), assets.weights), assets.shape, assets.spec)
    model.load_adapter(assets.spec, initial_values(model.layout, assets.seed))
    lora, head = model.trainable()
    optimiser = assets.optimiser
    pipe.send("ready")
    while (round_ := pipe.recv()) is not None:
        for device in devices:
            rng = generator(assets.seed, Purpose.BATCHES, round_, device)
            adamw = torch.optim.AdamW(
                [{"params": lora, "lr": optimiser.learning_rate}, {"params": head, "lr": optimiser.head_learning_rate}],
                weight_decay=optimiser.weight_decay,
            )
            for indices in draw_batches(assets.shards[device], assets.train.lengths, steps, assets.batch_size, rng):
                batch = assets.train.batch(indices)
                torch.nn.functional.cross_entropy(model.peft(**batch.inputs).logits, batch.labels).backward()
                adamw.step()
                adamw.zero_grad(set_to_none=True)
        pipe.send("done")


if __name__ == "__main__":
    main()
