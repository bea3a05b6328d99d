"""How long Ray's own objects take through each link class of a testbed, both ways.

    testbed.py run --link slow=5/5 --link lte=20/8 -- python cluster/testbed/probe.py slow=5/5 lte=20/8 [--megabytes 1]

Exits 1 if a transfer takes more than `--bound` longer or shorter than its bytes over its rate.
"""

import argparse
import os
import sys
import time

import ray
from testbed import Link, parse_link


@ray.remote(num_cpus=0)
def fetch(box: list[ray.ObjectRef]) -> float:
    """Seconds until an object from elsewhere is here."""
    began = time.monotonic()
    ray.get(box[0])
    return time.monotonic() - began


@ray.remote(num_cpus=0)
def make(size: int) -> list[ray.ObjectRef]:
    """An object that stays here."""
    return [ray.put(os.urandom(size))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("links", type=parse_link, nargs="+", metavar="NAME=DOWN/UP")
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--bound", type=float, default=0.1)
    words = parser.parse_args()
    ray.init(log_to_driver=False, logging_level="error")
    size = round(words.megabytes * 1e6)
    worst = 0.0
    for link in words.links:
        for direction, rate, seconds in measured(link, size):
            ideal = 8e-6 * size / rate
            worst = max(worst, abs(seconds / ideal - 1))
            print(
                f"{link.name} {direction}: {size / 1e6:g} MB at {rate:g} Mb/s in {seconds:.3f} s, ideal {ideal:.3f} s"
            )
    sys.exit(worst > words.bound)


def measured(link: Link, size: int) -> list[tuple[str, float, float]]:
    """Each way: Mb/s and seconds. A small transfer first starts the worker and opens the connections."""
    there = {"resources": {f"link_{link.name}": 1}}
    for bytes_sent in (200_000, size):
        down = ray.get(fetch.options(**there).remote([ray.put(os.urandom(bytes_sent))]))
        (made,) = ray.get(make.options(**there).remote(bytes_sent))
        began = time.monotonic()
        ray.get(made)
        up = time.monotonic() - began
    return [("down", link.down_mbps, down), ("up", link.up_mbps, up)]


if __name__ == "__main__":
    main()
