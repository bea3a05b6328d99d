"""Which runs a sweep comes to: every combination of the varied values, under every seed."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from fedray.errors import UserError
from fedray.methods import resolved
from fedray.scenario import LoadedScenario, load_scenario
from fedray.scenario.source import parse_source

OF_NO_CONSEQUENCE = ("name", "runtime", "telemetry")  # what no result depends on
LONGEST_NAME = 100  # characters of a folder
DIGEST = 8  # of them, where the name alone may stand for something else, too


@dataclass(frozen=True)
class Variation:
    """One `--vary KEY=a,b,c`: the values as they were written, and as YAML reads them."""

    key: str
    texts: tuple[str, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Cell:
    """One run of a sweep; `name`, its folder's, says what sets it apart and stays the same when values are added.

    `options` gives, for every place `--set KEY=VALUE` that the scenario names, the option that the user wrote.
    """

    name: str
    loaded: LoadedScenario
    options: Mapping[str, str]


@dataclass(frozen=True)
class Matrix:
    """All runs of a sweep: the first key varies slowest, the seed fastest."""

    variations: tuple[Variation, ...]
    cells: tuple[Cell, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(cell.loaded.scenario.seed for cell in self.cells))


def build_matrix(scenario: Path, settings: Sequence[str], vary: Sequence[str], seeds: str | None) -> Matrix:
    """The valid scenario of every cell; without `seeds`, each has its scenario's own.

    Raises
    ------
    UserError
        for what is no variation and no list of seeds, a cell that is no valid scenario, and two cells that would be
        the same experiment.
    """
    variations = tuple(_variation(word) for word in vary)
    numbers = _seeds(seeds) if seeds is not None else [None]
    if not variations and seeds is None:
        raise UserError("nothing to sweep over: give --vary KEY=A,B or --seeds 1,2,3")
    keys = [variation.key for variation in variations]
    if repeated := _repeated(keys):
        raise UserError(f"--vary {repeated}: given twice; allowed: once, with all its values")
    cells: list[Cell] = []
    for choices in product(*(range(len(variation.texts)) for variation in variations)):
        chosen = [(v.key, v.texts[choice], v.values[choice]) for v, choice in zip(variations, choices, strict=True)]
        chosen.sort(key=lambda one: one[0])  # whole sections before their parts
        cells += [_cell(scenario, settings, chosen, seed) for seed in numbers]
    _require_different(cells)
    return Matrix(variations, tuple(cells))


def _variation(word: str) -> Variation:
    place = f"--vary {word}"
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
    if repeated := _repeated([_canonical(value) for value in values]):
        raise UserError(f"{place}: {repeated} is given twice")
    return Variation(key, texts, values)


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


def _seeds(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not re.fullmatch("[0-9]{1,19}", word):
            raise UserError(f"--seeds {text}: given {word!r}; allowed: integers ≥ 0 separated by commas")
    seeds = [int(word) for word in words]
    if repeated := _repeated([str(seed) for seed in seeds]):
        raise UserError(f"--seeds {text}: {repeated} is given twice")
    return seeds


def _cell(scenario: Path, settings: Sequence[str], chosen: Sequence[tuple[str, str, Any]], seed: int | None) -> Cell:
    """The cell of some values, each with its key and as written and read."""
    options = {f"--set {key}={text}": f"--vary {key}={text}" for key, text, _ in chosen}
    if seed is not None:
        options[f"--set seed={seed}"] = f"--seeds {seed}"
    with as_written(options):
        words = (*settings, *(place.removeprefix("--set ") for place in options))
        loaded = resolved(load_scenario(scenario, words))
    values = [f"{key}={_canonical(value)}" for key, _, value in chosen]
    return Cell(folder_name(",".join([*values, f"seed={loaded.scenario.seed}"])), loaded, options)


@contextmanager
def as_written(options: Mapping[str, str]) -> Iterator[None]:
    """Errors name the run and the options that the user wrote."""
    try:
        yield
    except UserError as error:
        message = str(error)
        for place, option in options.items():
            message = message.replace(place, option)
        separator = "\n" if "\n" in message else " "
        raise UserError(f"in the run with {' '.join(options.values())}:{separator}{message}") from None


def folder_name(settings: str) -> str:
    """A readable folder name for settings; with a digest where the same name could be that of others."""
    plain = re.sub(r"""[\s{}\[\]'"]""", "", settings).replace(":", "=")
    name = re.sub(r"[^A-Za-z0-9._=,-]+", "-", plain)
    if name == settings and len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - DIGEST - 1]}-{hashlib.sha256(settings.encode()).hexdigest()[:DIGEST]}"


def _canonical(value: object) -> str:
    """A value as YAML in one line: equal values, however written, give equal text."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9)
    return text.removesuffix("...\n").strip()


def _repeated(words: Sequence[str]) -> str | None:
    return next((word for number, word in enumerate(words) if word in words[:number]), None)


def _require_different(cells: Sequence[Cell]) -> None:
    """Two cells of one experiment would count as two samples of it."""
    known: dict[str, Cell] = {}
    for cell in cells:
        experiment = cell.loaded.scenario.model_dump_json(exclude=set(OF_NO_CONSEQUENCE))
        if experiment in known:
            raise UserError(f"--vary: {known[experiment].name} and {cell.name} are the same experiment")
        known[experiment] = cell
