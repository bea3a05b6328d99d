"""What a run leaves behind, as pandas tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedray.results.run_directory import RunDirectory

if TYPE_CHECKING:
    from pandas import DataFrame


def rounds_frame(run: RunDirectory) -> DataFrame:
    """One row per round, with the keys of `RoundRecord`; a key of a mapping has a column of its own: `metrics.loss`.

    UserError if the folder holds no rounds of a run.
    """
    import pandas

    return pandas.json_normalize([record.as_json() for record in run.rounds()])


def devices_frame(run: RunDirectory) -> DataFrame:
    """One row per round and device, with the keys of `DeviceRecord`, `loss` and `rejected`.

    UserError if the folder holds no devices of a run.
    """
    import pandas

    return pandas.json_normalize([line for trained in run.devices() for line in trained.lines()])
