"""reference/devices.md: the catalogue of boards and phones, with the source of every number."""

from docs.generate.markdown import code, page, table
from fedray.fleet import load_catalogue
from fedray.fleet.catalogue import Profile


def devices_page() -> str:
    """A table of all profiles, then the modes and sources of each."""
    profiles = load_catalogue().profiles.values()
    rows = [
        (code(one.board.name), one.board.title, f"{one.board.memory_gb:g}", str(len(one.board.modes)))
        for one in profiles
    ]
    overview = table(("profile", "device", "memory, GiB", "power modes"), rows)
    return page("Devices", "the catalogue", [overview, *map(_profile, profiles)])


def _profile(profile: Profile) -> str:
    board = profile.board
    modes = [
        (code(name), f"{mode.fp32_tflops:g}", f"{mode.memory_gbs:g}", f"{mode.watts:g}")
        for name, mode in board.modes.items()
    ]
    sources = [(code(key), text) for key, text in board.sources.items()]
    return "\n".join(
        [
            f"## {board.name}\n\n{board.title}; chip family `{board.family}`; default mode `{board.default_mode}`.\n",
            table(("mode", "peak TFLOP/s (fp32)", "peak GB/s", "watts"), modes),
            table(("number", "source"), sources),
        ]
    )
