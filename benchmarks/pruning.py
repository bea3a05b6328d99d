"""What FedARA's pruning saves on the machine that really trains: CPU seconds of a step, first adapter against last.

    python -m benchmarks.pruning [--repeats 20]

MiniLM-L6, 8 texts of 48 tokens. The second adapter is the one that a run of FedARA left on TREC (80 devices, 12 rounds,
mean rank 12 to 3): its lowest layer is empty, so back-propagation ends one layer higher. The third is the same number
of triplets on the two layers next to the output, which is what a run gains if importance gathers there.
"""

import argparse

import numpy as np

from benchmarks.depth import BATCH_SIZE, TOKENS, embedded_model, random_batch, step_seconds
from fedray.adapters import AdapterSpec
from fedray.costs import Pricing
from fedray.fleet import load_catalogue

FIRST = AdapterSpec.of_modules(((12, 12),) * 6, 16 / 12, "svd")
LAST = AdapterSpec.of_modules(((0, 0), (0, 3), (0, 9), (1, 12), (6, 5), (0, 0)), 16 / 12, "svd")
NEAR_OUTPUT = AdapterSpec.of_modules(((0, 0),) * 4 + ((9, 9), (9, 9)), 16 / 12, "svd")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    model = embedded_model(FIRST)
    specs = {"rank 12 everywhere": FIRST, "as a run ended": LAST, "two layers next to output": NEAR_OUTPUT}
    steps = step_seconds(model, list(specs.values()), random_batch(), parser.parse_args().repeats)
    pricing = Pricing(model.shape, BATCH_SIZE, TOKENS, "shared")
    board = load_catalogue().profiles["raspberry-pi-5"]  # trains on its CPU, as this machine does
    rates = board.flops_per_second("STOCK"), board.bytes_per_second("STOCK"), board.launch_seconds
    priced = [float(pricing.work(spec, 1).compute_seconds(*map(np.array, rates))) for spec in specs.values()]
    print(f"{'adapter':26}  CPU s a step  against first  Raspberry Pi 5 by the cost model")
    for name, step, seconds in zip(specs, steps, priced, strict=True):
        print(f"{name:26}  {step:12.3f}  {step / steps[0]:13.2f}  {seconds / priced[0]:32.2f}")


if __name__ == "__main__":
    main()
