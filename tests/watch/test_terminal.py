"""The fleet in a terminal, read back from what rich prints."""

import os
import time

from rich.console import Console

from fedray.results import Progress, RoundUnderWay
from fedray.watch import RunIndex
from fedray.watch.terminal import followed, picture
from tests.analysis.pages import a_device, a_run


def drawn(run_index: RunIndex, number: int) -> str:
    view = followed(list(run_index.views.values()))
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(picture(view, run_index.round(view.name, number)))
    return console.export_text()


def test_the_run_that_goes_on_is_followed_and_its_boards_move(tmp_path) -> None:
    """Devices download for 1 s, train for 3, upload for 2; after a quarter of 10 s all train."""
    a_run(tmp_path / "done")
    run = a_run(tmp_path / "going-on")
    lock = run.lock()
    devices = (*(a_device(number) for number in range(8)), a_device(8, fits=False, compute_seconds=0, upload_seconds=0))
    run.write_current(RoundUnderWay(4, time.time(), 30.0, 10.0, None, devices))
    run.write_progress(Progress(4, 2, 8, 0))
    run_index = RunIndex([tmp_path])
    run_index.poll()
    text = drawn(run_index, 4)
    os.close(lock)
    assert "going-on: fedit, 80 devices" in text
    assert "round 4: 2/8 devices trained" in text
    assert "■■■■" in text
    assert "train 8  ■ out of memory 1" in " ".join(text.split()).replace("8 ■", "8  ■")


def test_a_finished_run_waits_for_nothing(tmp_path) -> None:
    a_run(tmp_path / "done")
    run_index = RunIndex([tmp_path])
    run_index.poll()
    assert "wait 8" in drawn(run_index, 3)
    assert "completed" in drawn(run_index, 3)


def test_without_a_terminal_it_says_so(fedray, tmp_path) -> None:
    a_run(tmp_path / "run")
    refused = fedray("watch", tmp_path / "run", "--tui")
    assert refused.code == 2
    assert "--tui: needs a terminal" in refused.err
