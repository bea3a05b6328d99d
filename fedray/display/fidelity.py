"""How well both clocks agree, and how fast a machine is, as tables."""

from collections.abc import Sequence

from rich.table import Table

from fedray.analysis import Fidelity
from fedray.analysis.fidelity import PHASES
from fedray.costs.machine import MachineSpeed
from fedray.display.tables import table, word_table


def fidelity_tables(found: Fidelity) -> list[Table]:
    """Errors per phase, seconds per device, and what else is to be known."""
    phases = table("planned against enforced seconds", ["phase"], ["mean error", "95th percentile", "measured"])
    for phase, accord in found.phases.items():
        phases.add_row(phase, f"{accord.mean_error:.2%}", f"{accord.p95_error:.2%}", str(accord.count))
    headings = [f"{phase} s" for phase in PHASES]
    devices = table("means of each device, planned → enforced", ["id", "profile"], [*headings, "mean error"])
    for one in found.devices:
        pairs = [f"{one.planned_seconds[phase]:.3f} → {one.enforced_seconds[phase]:.3f}" for phase in PHASES]
        devices.add_row(str(one.device), one.profile, *pairs, f"{one.mean_error:.2%}")
    least, most = f"{found.least_dilation:.2f}", f"{found.most_dilation:.2f}"
    words = [
        ("dilation", f"{least} to {most} wall seconds per emulated second" if least != most else least),
        ("overload", f"{found.overloads} transfers or steps that the machine could not end in time"),
        ("digests", "equal" if found.same_digest else "NOT equal: the clocks did not learn the same"),
        ("bound", f"mean errors of at most {found.bound:.1%}: {'kept' if found.holds else 'NOT kept'}"),
    ]
    return [devices, phases, word_table(words)]


def speed_table(speeds: Sequence[tuple[MachineSpeed, float]]) -> Table:
    """What each process reached while the others measured, too; with the seconds of a step."""
    shown = table(None, ["process"], ["product GFLOP/s", "copy GB/s", "launch µs", "step ms", "step / roofline"])
    for number, (speed, step) in enumerate(speeds, 1):
        shown.add_row(
            str(number),
            f"{speed.flops_per_second / 1e9:.1f}",
            f"{speed.bytes_per_second / 1e9:.1f}",
            f"{1e6 * speed.launch_seconds:.1f}",
            f"{1e3 * step:.1f}",
            f"{speed.step_factor:.2f}",
        )
    return shown
