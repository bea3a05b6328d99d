"""`kind: trace`."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from fedray.environment.links.base import LinkSection
from fedray.environment.links.timed import TimedLinks
from fedray.environment.members import Members
from fedray.environment.recordings import RecordingError
from fedray.environment.traces import read_traces
from fedray.sections import FilePath, SectionError
from fedray.seeds import Purpose


class TraceLink(LinkSection):
    """Recorded bandwidth over time: every device follows one trace from a place of its own, and again from its start.

    Read are mahimahi packet traces (NAME.down, NAME.up or NAME.pps; a line is the millisecond at which 1,500 bytes can
    pass), JSON objects of named series {"NAME": {"dt": seconds, "mbps": [...]}}, and folders of them, also gzipped.
    NAME.down and NAME.up are one link's two directions; any other trace serves both.
    """

    kind: Literal["trace"] = Field(description="Recorded bandwidth over time.")
    path: FilePath = Field(description="A file or a folder, relative to the scenario.")
    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of the trace's.")

    def open(self, members: Members) -> TimedLinks:
        try:
            recorded = read_traces(Path(self.path))
        except RecordingError as error:
            raise SectionError("path", f"a trace file or a folder of them: {error}") from None
        rng = members.generator(Purpose.TRACE)
        order = rng.permutation(np.arange(members.count) % len(recorded))  # every trace as often as any other
        chosen = tuple(recorded[index] for index in order)
        offsets = rng.uniform(0.0, [pair.down.period for pair in chosen])
        mean = float(np.mean([pair.down.mean_mbps for pair in recorded]))
        return TimedLinks(self, chosen, offsets, mean, self.up_share)
