"""The runs of a sweep: every scenario with every combination of the varied values, under every seed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from fedray.analysis.settings import SETTING, flattened
from fedray.errors import UserError
from fedray.experiment.cell_names import CellSettings, canonical, cell_names
from fedray.experiment.sections import load_resolved
from fedray.scenario import LoadedScenario
from fedray.scenario.loading import Origin
from fedray.scenario.source import Key, parse_source, show

OF_NO_CONSEQUENCE = ("name", "runtime", "telemetry", "tuning")  # what no result depends on


@dataclass(frozen=True)
class Choice:
    """A value of a key: the text that `--set` takes, the value that YAML reads, and the option that the user wrote."""

    key: str
    text: str
    value: Any
    option: str

    @property
    def setting(self) -> str:
        return f"{self.key}={self.text}"


@dataclass(frozen=True)
class Variation:
    """One `--vary KEY=a,b,c`."""

    key: str
    choices: tuple[Choice, ...]

    @property
    def values(self) -> tuple[Any, ...]:
        return tuple(choice.value for choice in self.choices)


@dataclass(frozen=True)
class Draft:
    """A cell to be loaded: its scenario, if several files are swept what they are told apart by, and its choices."""

    scenario: Origin
    stem: str | None
    choices: tuple[Choice, ...]
    seed: int | None


@dataclass(frozen=True)
class Cell:
    """One run of a sweep; `name`, its folder's, says what sets it apart and stays the same when values are added.

    `options` gives, for every place `--set KEY=VALUE` that the scenario names, the option that the user wrote.
    """

    name: str
    draft: Draft
    loaded: LoadedScenario
    options: Mapping[str, str]


@dataclass(frozen=True)
class Matrix:
    """All runs of a sweep: the scenario varies slowest, then the first key, the seed fastest.

    `scenarios` are what several scenarios are told apart by; one alone is not named.
    """

    scenarios: tuple[str, ...]
    variations: tuple[Variation, ...]
    cells: tuple[Cell, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(cell.loaded.scenario.seed for cell in self.cells))


def build_matrix(
    scenarios: Sequence[Origin], settings: Sequence[str], vary: Sequence[str], seeds: str | None
) -> Matrix:
    """The valid scenario of every cell; without `seeds`, each has its scenario's own.

    Raises
    ------
    UserError
        for what is no variation and no list of seeds, a cell that is no valid scenario, two cells that would be the
        same experiment, and several scenarios that differ in more than their method and what tuning chose.
    """
    variations = tuple(parse_variation("--vary", word) for word in vary)
    numbers = parse_seeds(seeds) if seeds is not None else [None]
    if not variations and seeds is None and len(scenarios) == 1:
        raise UserError("nothing to sweep over: give --vary KEY=A,B or --seeds 1,2,3, or several scenarios")
    require_different_keys("--vary", variations)
    stems = _stems(scenarios)
    drafts = [
        Draft(scenario, stem, choices, seed)
        for scenario, stem in zip(scenarios, stems or [None], strict=True)
        for choices in product(*(variation.choices for variation in variations))
        for seed in numbers
    ]
    cells = load_cells(drafts, settings)
    own = sorted({cell.loaded.scenario.seed for cell in cells})
    if seeds is None and len(own) > 1:
        given = ", ".join(map(str, own))
        raise UserError(f"SCENARIO: their seeds differ ({given}); give --seeds 1,2,3, which all of them run with")
    require_different(cells)
    _require_one_setting(cells, [variation.key for variation in variations])
    return Matrix(stems, variations, cells)


def load_cells(drafts: Sequence[Draft], settings: Sequence[str]) -> tuple[Cell, ...]:
    """The cells of some drafts, valid and named; UserError, with the options that the user wrote, otherwise."""
    loaded = [_load(draft, settings) for draft in drafts]
    names = cell_names(
        [
            CellSettings(
                draft.stem,
                sorted(((choice.key, choice.value) for choice in draft.choices), key=lambda one: one[0]),
                one.scenario.seed,
            )
            for draft, (one, _) in zip(drafts, loaded, strict=True)
        ]
    )
    return tuple(
        Cell(name, draft, one, options) for name, draft, (one, options) in zip(names, drafts, loaded, strict=True)
    )


def parse_variation(option: str, word: str) -> Variation:
    """`KEY=A,B` as it was given to an option; UserError for anything else."""
    place = f"{option} {word}"
    key, separator, text = word.partition("=")
    key = key.strip()
    if not key or not separator:
        raise UserError(f"{place}: expected KEY=A,B, for example method.rank=4,8,16")
    section = key.partition(".")[0]
    if section == "seed":
        raise UserError(f"{place}: give seeds with --seeds")
    if section in OF_NO_CONSEQUENCE:
        raise UserError(f"{place}: no result depends on {section}; allowed: any other key of a scenario")
    texts = tuple(split(text))
    if "" in texts:
        raise UserError(f"{place}: an empty value; allowed: values separated by commas (null for none)")
    values = tuple(parse_source(place, f"value: {text}").data["value"] for text in texts)
    if repeated := _repeated([canonical(value) for value in values]):
        raise UserError(f"{place}: {repeated} is given twice")
    choices = (Choice(key, text, value, f"{option} {key}={text}") for text, value in zip(texts, values, strict=True))
    return Variation(key, tuple(choices))


def require_different_keys(option: str, variations: Sequence[Variation]) -> None:
    """UserError if two options vary the same key."""
    if repeated := _repeated([variation.key for variation in variations]):
        raise UserError(f"{option} {repeated}: given twice; allowed: once, with all its values")


def split(text: str) -> Iterator[str]:
    """The parts of a text between its commas, save those inside brackets, braces and quotes; blanks are trimmed."""
    depth, quote, part = 0, "", ""
    for letter in text:
        if letter == "," and not depth and not quote:
            yield part.strip()
            part = ""
            continue
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and (not part.strip() or part.rstrip()[-1] in "{[,:"):  # elsewhere it is an apostrophe
            quote = letter
        else:
            depth += (letter in "{[") - (letter in "}]")
        part += letter
    yield part.strip()


def parse_seeds(text: str) -> list[int]:
    """The seeds of `--seeds 1,2,3`; UserError for anything else."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not re.fullmatch("[0-9]{1,19}", word):
            raise UserError(f"--seeds {text}: given {word!r}; allowed: integers ≥ 0 separated by commas")
    seeds = [int(word) for word in words]
    if repeated := _repeated([str(seed) for seed in seeds]):
        raise UserError(f"--seeds {text}: {repeated} is given twice")
    return seeds


def _stems(scenarios: Sequence[Origin]) -> tuple[str, ...]:
    """What several scenarios are told apart by: the names of their files; UserError if two have the same."""
    if len(scenarios) == 1:
        return ()
    stems = [scenario.stem for scenario in scenarios if isinstance(scenario, Path)]
    if len(stems) < len(scenarios):
        raise UserError("several scenarios: allowed: their files, whose names tell the runs apart; or one, and --vary")
    if repeated := _repeated(stems):
        raise UserError(f"SCENARIO: two files are called {repeated}; allowed: a different name for each")
    return tuple(stems)


def _load(draft: Draft, settings: Sequence[str]) -> tuple[LoadedScenario, Mapping[str, str]]:
    """The scenario of a draft, and the options that its places stand for; whole sections are set before their parts."""
    choices = sorted(draft.choices, key=lambda choice: choice.key)
    options = {f"--set {choice.setting}": choice.option for choice in choices}
    if draft.seed is not None:
        options[f"--set seed={draft.seed}"] = f"--seeds {draft.seed}"
    with as_written(options):
        words = (*settings, *(place.removeprefix("--set ") for place in options))
        return load_resolved(draft.scenario, words), options


@contextmanager
def as_written(options: Mapping[str, str]) -> Iterator[None]:
    """Errors name the run and the options that the user wrote."""
    try:
        yield
    except UserError as error:
        if not options:
            raise
        message = str(error)
        for place, option in options.items():
            message = message.replace(place, option)
        separator = "\n" if "\n" in message else " "
        raise UserError(f"in the run with {' '.join(options.values())}:{separator}{message}") from None


def require_different(cells: Sequence[Cell]) -> None:
    """UserError for two cells of one experiment, which would count as two samples of it."""
    known: dict[str, Cell] = {}
    for cell in cells:
        experiment = cell.loaded.scenario.model_dump_json(exclude=set(OF_NO_CONSEQUENCE))
        if experiment in known:
            raise UserError(f"the runs {known[experiment].name} and {cell.name} are the same experiment; leave one out")
        known[experiment] = cell


def _require_one_setting(cells: Sequence[Cell], varied: Sequence[str]) -> None:
    """UserError if scenarios differ in task, fleet, model, costs or training, save in varied keys and tuned ones."""
    first = cells[0]
    for cell in cells:
        if cell.draft.choices != first.draft.choices:
            continue
        tuned = [key for one in (first, cell) if one.loaded.scenario.tuning for key in one.loaded.scenario.tuning.keys]
        free = tuple(f"{key}." for key in (*varied, *tuned))
        here, there = (flattened(one.loaded.scenario, "").values for one in (first, cell))
        for key in sorted(here.keys() | there.keys()):
            if key.startswith(SETTING) and here.get(key) != there.get(key) and not f"{key}.".startswith(free):
                allowed = (
                    f"{show(here.get(key))}, as in {first.draft.scenario}: only the method and tuned keys may differ"
                )
                place: Key = tuple(int(part) if part.isdigit() else part for part in key.split("."))
                raise cell.loaded.source.error(place, there.get(key), allowed)


def _repeated(words: Sequence[str]) -> str | None:
    return next((word for number, word in enumerate(words) if word in words[:number]), None)
