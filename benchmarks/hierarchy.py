"""Which part of HierFedLoRA acts, and when: traffic allowed, local steps, label skew, and what the groups are made of.

    python -m benchmarks.hierarchy DATA_FOLDER --output FOLDER [--seeds 1,2,3] [--devices 32] [--rounds 6]

Trains MiniLM-L6 on DATA_FOLDER (train.jsonl.gz and test.jsonl.gz, keys text and label; TREC), priced as RoBERTa-base
with batches of 16 x 128 tokens. Every variant meets every number of local steps, every Dirichlet alpha and every seed:

    budget 1, budget 4     hierfedlora; bytes of a device per round, in exchanges of the whole adapter
    near-iid, random       fedit at four aggregations inside groups of that formation
    flat                   fedit without groups

Each run is a `fedray run` of its own below FOLDER/runs, and leaves FOLDER/NAME.json. A run whose file exists is not
done again, and one that was interrupted is resumed. The table is of all runs that this call names: `tau` and `depth`
are means over devices and rounds, `seconds` the emulated seconds of all rounds, accuracies the mean over the seeds.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

INNER_ROUNDS = 4


@dataclass(frozen=True)
class Sizes:
    """What all runs of a table have in common."""

    data: Path
    devices: int
    groups: int
    rounds: int
    batch_size: int
    evaluated: int

    def variants(self) -> dict[str, tuple[str, ...]]:
        """What sets the variants apart, by name."""

        def hierarchical(budget: float) -> str:
            words = f"groups: {self.groups}, max_inner_rounds: {INNER_ROUNDS}, traffic_budget: {budget}"
            return f"method={{name: hierfedlora, {words}}}"

        def grouped(formation: str) -> str:
            return f"topology={{groups: {self.groups}, formation: {formation}, inner_rounds: {INNER_ROUNDS}}}"

        return {
            "budget-1": (hierarchical(1.0),),
            "budget-4": (hierarchical(4.0),),
            "near-iid": ("method.name=fedit", grouped("near-iid")),
            "random": ("method.name=fedit", grouped("random")),
            "flat": ("method.name=fedit",),
        }


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    variant: str
    local_steps: int
    alpha: float

    def name(self, seed: int) -> str:
        return f"{self.variant}-steps{self.local_steps}-alpha{self.alpha:g}-seed{seed}"

    def settings(self, sizes: Sizes, seed: int) -> list[str]:
        """The run as `fedray run --set` takes it."""
        files = f"data_dir: {sizes.data}, train: train.jsonl.gz, test: test.jsonl.gz"
        tx2, xavier = sizes.devices // 2, sizes.devices - sizes.devices // 2
        training = f"rounds: {sizes.rounds}, local_steps: {self.local_steps}, batch_size: {sizes.batch_size}"
        return [
            f"seed={seed}",
            f"task.dataset={{kind: files, {files}}}",
            f"task.partition={{kind: dirichlet, alpha: {self.alpha}}}",
            "task.max_length=64",
            f"task.eval.max_examples={sizes.evaluated}",
            f"fleet.groups=[{{profile: jetson-tx2, count: {tx2}}}, {{profile: jetson-xavier-nx, count: {xavier}}}]",
            "costs.twin={backbone: roberta-base, batch_size: 16, max_length: 128}",
            f"training={{{training}}}",
            *sizes.variants()[self.variant],
        ]


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves in its file; `accuracies` are by round."""

    variant: str
    local_steps: int
    alpha: float
    seed: int
    settings: tuple[str, ...]
    mean_inner_rounds: float
    mean_depth: float
    emulated_seconds: float
    bytes_up: int
    accuracies: tuple[float, ...]


def json_lines(path: Path) -> Iterator[dict[str, float]]:
    return map(json.loads, path.read_text().splitlines())


def outcome_of(cell: Cell, sizes: Sizes, seed: int, output: Path) -> Outcome:
    """The outcome of a run, from its file, or from running or resuming it.

    SystemExit, with the reason, if the file is of a run with other settings or the run fails.
    """
    settings, file = cell.settings(sizes, seed), output / f"{cell.name(seed)}.json"
    if file.exists():
        known = json.loads(file.read_text())
        if known["settings"] != settings:
            raise SystemExit(f"{file}: of a run with other settings; give another --output, or remove it")
        return Outcome(**{**known, "settings": tuple(settings), "accuracies": tuple(known["accuracies"])})
    run = output / "runs" / cell.name(seed)
    where = ["--resume", str(run)] if (run / "scenario.yaml").exists() else ["--run-dir", str(run)]
    scenario = output / "scenario.yaml"
    scenario.write_text("schema_version: 1\nname: hierarchy\n")
    words = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "fedray", "run", str(scenario), *words, *where, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{run}: exit code {done.returncode}\n{done.stderr}")
    rounds, devices = list(json_lines(run / "rounds.jsonl")), list(json_lines(run / "devices.jsonl"))
    outcome = Outcome(
        **asdict(cell),
        seed=seed,
        settings=tuple(settings),
        mean_inner_rounds=statistics.fmean(device["inner_rounds"] for device in devices),
        mean_depth=statistics.fmean(device["depth"] for device in devices),
        emulated_seconds=rounds[-1]["emulated_seconds"],
        bytes_up=int(sum(record["bytes_up"] for record in rounds)),
        accuracies=tuple(record["accuracy"] for record in rounds),
    )
    file.write_text(json.dumps(asdict(outcome), indent=1) + "\n")
    return outcome


def row(cell: Cell, outcomes: Sequence[Outcome]) -> str:
    finals = [outcome.accuracies[-1] for outcome in outcomes]
    spread = f"{statistics.stdev(finals):5.3f}" if len(finals) > 1 else "    -"
    by_round = (statistics.fmean(column) for column in zip(*(o.accuracies for o in outcomes), strict=True))
    return (
        f"{cell.variant:8}  {cell.local_steps:5}  {cell.alpha:5g}  {len(outcomes):5}"
        f"  {statistics.fmean(o.mean_inner_rounds for o in outcomes):4.2f}"
        f"  {statistics.fmean(o.mean_depth for o in outcomes):5.2f}"
        f"  {statistics.fmean(o.emulated_seconds for o in outcomes):7.0f}"
        f"  {statistics.fmean(o.bytes_up for o in outcomes) / 1e6:7.1f}"
        f"  {statistics.fmean(finals):5.3f}  {spread}  {' '.join(f'{mean:.3f}' for mean in by_round)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--variants", default="budget-1,budget-4,near-iid,random,flat")
    parser.add_argument("--local-steps", default="4,16")
    parser.add_argument("--alphas", default="0.1,1.0")
    parser.add_argument("--devices", type=int, default=32)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--evaluated", type=int, default=500, help="test examples")
    words = parser.parse_args()
    sizes = Sizes(words.data.resolve(), words.devices, words.groups, words.rounds, words.batch_size, words.evaluated)
    seeds, variants = [int(seed) for seed in words.seeds.split(",")], words.variants.split(",")
    if unknown := set(variants) - sizes.variants().keys():
        parser.error(f"--variants: given {', '.join(sorted(unknown))}; allowed: {', '.join(sizes.variants())}")
    words.output.mkdir(parents=True, exist_ok=True)
    print("variant   steps  alpha  seeds   tau  depth  seconds    MB up  final    std  accuracy by round")
    steps, alphas = map(int, words.local_steps.split(",")), map(float, words.alphas.split(","))
    for local_steps, alpha, variant in product(steps, alphas, variants):
        cell = Cell(variant, local_steps, alpha)
        print(row(cell, [outcome_of(cell, sizes, seed, words.output) for seed in seeds]), flush=True)


if __name__ == "__main__":
    main()
