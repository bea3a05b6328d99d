"""What scenarios can name."""

from collections.abc import Iterable

from rich.table import Table

from fedray.display.words import table
from fedray.fleet import Profile
from fedray.results.quantities import size


def profile_table(profiles: Iterable[Profile]) -> Table:
    """The devices of the catalogue, one row per power mode."""
    rows = table(None, ("profile", "title", "mode"), ("effective GFLOP/s", "watts", "training memory"))
    for profile in profiles:
        for number, (name, mode) in enumerate(profile.modes.items()):
            board, title = ("", "") if number else (profile.name, profile.title)
            memory = "" if number else size(profile.training_memory_bytes)
            marked = f"{name} (default)" if name == profile.default_mode else name
            speed = f"{profile.flops_per_second(name) / 1e9:.0f}"
            rows.add_row(board, title, marked, speed, f"{mode.watts:g}", memory)
    return rows
