"""What scenarios can name."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table

from fedray.display.tables import table
from fedray.fleet import Profile
from fedray.results.quantities import size


def profile_table(profiles: Iterable[Profile]) -> Table:
    """The devices of the catalogue, one row each, in their default modes."""
    rows = table(None, ("profile", "title", "modes"), ("GFLOP/s", "GB/s", "watts", "training memory"))
    for profile in profiles:
        mode = profile.modes[profile.default_mode]
        others = f" + {len(profile.modes) - 1} more" if len(profile.modes) > 1 else ""
        rows.add_row(
            profile.name,
            profile.board.title,
            profile.default_mode + others,
            *_reached(profile, profile.default_mode),
            f"{mode.watts:g}",
            size(profile.training_memory_bytes),
        )
    return rows


def profile_page(profile: Profile) -> Iterator[RenderableType]:
    """One device: its modes, and where every number comes from."""
    board, family = profile.board, profile.family
    yield f"{board.title}: {size(profile.training_memory_bytes)} of {board.memory_gb:g} GiB for training"
    modes = table(None, ("mode",), ("peak GFLOP/s", "reached", "peak GB/s", "reached", "CPU cores", "watts", "budget"))
    for name, mode in profile.modes.items():
        flops, traffic = _reached(profile, name)
        marked = f"{name} (default)" if name == profile.default_mode else name
        peaks = f"{mode.fp32_tflops * 1e3:.0f}", f"{mode.memory_gbs:g}"
        budget = "" if mode.budget_watts is None else f"{mode.budget_watts:g}"
        modes.add_row(marked, peaks[0], flops, peaks[1], traffic, str(mode.cpu_cores), f"{mode.watts:g}", budget)
    yield modes
    sources = table(f"Sources; {family.title}", ("number", "value", "source"), ())
    for number, source in board.sources.items():
        sources.add_row(number, "" if number == "modes" else f"{getattr(board, number):g}", source)
    for number, source in family.sources.items():
        sources.add_row(number, f"{getattr(family, number):g}", source)
    yield sources


def _reached(profile: Profile, mode: str) -> tuple[str, str]:
    return f"{profile.flops_per_second(mode) / 1e9:.0f}", f"{profile.bytes_per_second(mode) / 1e9:.1f}"
