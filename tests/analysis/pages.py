"""Runs made by hand, and a reader of the pages that report on them."""

import base64
import json
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from fedray.analysis import Criteria
from fedray.analysis.report import write_report
from fedray.results import DeviceRecord, RoundRecord, RunDirectory, SummaryInputs, TrainedDeviceRecord, summarise
from tests.trained import trained

NOTHING = Criteria()


def a_device(number: int, **changes: object) -> DeviceRecord:
    device = DeviceRecord(
        id=number,
        profile="jetson-tx2" if number % 2 else "jetson-xavier-nx",
        mode="MAXN",
        group=number % 2,
        depth=1 + number % 4,
        ranks=tuple(float(4 + layer) for layer in range(1 + number % 4)),
        quantised_layers=0,
        compute_seconds=3.0 + number / 100,
        download_seconds=1.0,
        upload_seconds=2.0,
        waiting_seconds=0.5,
        bytes_up=1000,
        bytes_down=2000,
        memory_bytes=10**9,
        memory_limit_bytes=2 * 10**9,
        joules=5.0,
        fits=True,
    )
    return replace(device, **changes)


def spent(down: float, compute: float, up: float) -> dict[str, float]:
    return {"download_seconds": down, "compute_seconds": compute, "upload_seconds": up}


def a_round(number: int, devices: int, accuracy: float | None = None) -> RoundRecord:
    reached = 0.5 + number / 10 if accuracy is None else accuracy
    return RoundRecord(
        number, 10.0 * number, 10.0, 2.0, reached, 1.0, 1000 * devices, 2000 * devices, 9.0, devices, 0, 0, 2, 2.5, 5.0,
        score=reached,
    )  # fmt: skip


def a_run(
    folder: Path,
    *,
    devices: list[DeviceRecord] | None = None,
    rounds: list[RoundRecord] | None = None,
    scenario: str = "schema_version: 1\n",
    labels: tuple[str, ...] = ("yes", "no"),
    shards: list[list[int]] | None = None,
    method: str = "legend",
    twin: str | None = None,
    majority: float | None = None,
) -> RunDirectory:
    """Three rounds of eight devices in two groups, or as given."""
    devices = [a_device(number) for number in range(8)] if devices is None else devices
    rounds = [a_round(number, len(devices)) for number in (1, 2, 3)] if rounds is None else rounds
    run = RunDirectory(folder)
    run.create(scenario)
    run.write_labels(labels)
    if shards is not None:
        lines = [{"device": device.id, "labels": row} for device, row in zip(devices, shards, strict=True)]
        (folder / "shards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for record in rounds:
        run.append_devices(
            trained([TrainedDeviceRecord(record.round, one, 0.5, None) for one in devices]), len(devices)
        )
        run.append_round(record)
    inputs = SummaryInputs(
        "run", method, len(devices), 60.0, 3 * 10**9, "d1ge57", None, majority_accuracy=majority, twin=twin
    )
    run.write_summary(summarise(rounds, inputs, "completed"))
    return run


@dataclass
class Figure:
    """One figure as a reader gets it."""

    caption: str = ""
    options: list[str] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)

    def traces(self, view: int = -1) -> dict[str, dict[str, Any]]:
        return {trace.get("name", str(i)): trace for i, trace in enumerate(self.views[view]["data"])}


class Page(HTMLParser):
    """What a browser makes of a page: its elements, attributes, texts, scripts and figures."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.raw = text
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.figures: list[Figure] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._open: list[str] = []
        self._data_script = False
        self.feed(text)
        assert self._open == [], "an element was left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "meta":
            return
        self._open.append(tag)
        self._data_script = dict(attrs).get("type") == "application/json"
        if tag == "script" and not self._data_script:
            self.scripts.append("")
        elif tag == "figure":
            self.figures.append(Figure())
        elif tag == "option":
            self.figures[-1].chosen += [len(self.figures[-1].options)] if dict(attrs).get("selected") else []
            self.figures[-1].options.append("")
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            if self._data_script:
                self.figures[-1].views = json.loads(data)
            else:
                self.scripts[-1] += data
            return
        if "style" in self._open:
            return
        self.text += data
        if "figcaption" in self._open:
            self.figures[-1].caption += data
        if "option" in self._open:
            self.figures[-1].options[-1] += data
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data + " "

    def figure(self, word: str) -> Figure:
        """The figure whose caption holds a word."""
        (found,) = [figure for figure in self.figures if word in figure.caption]
        return found


def read(runs: list[RunDirectory], criteria: Criteria = NOTHING) -> Page:
    path = runs[0].path.parent / "page.html"
    write_report(runs, path, criteria)
    return Page(path.read_text())


def numbers(values: Any) -> list[Any]:
    """An array as plotly's script reads it: plain, or base64 of a typed array."""
    if isinstance(values, list):
        return values
    flat = np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"]))
    return flat.reshape([int(extent) for extent in values.get("shape", str(len(flat))).split(",")]).tolist()
