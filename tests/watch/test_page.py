"""The live page in a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedray.results import Progress, RoundUnderWay, RunDirectory, TrainedDeviceRecord
from tests.analysis.pages import a_device, a_round, a_run
from tests.trained import trained

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian package chromium)"),
]

BOARDS = "#fleet .board"
EIGHT = """
schema_version: 1
name: eight
fleet: {groups: [{profile: jetson-tx2, count: 4}, {profile: jetson-xavier-nx, count: 6}]}
training: {rounds: 5}
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium) -> Iterator[Callable]:
    """Opens an address in a fresh browser; whatever the page complains of fails the test."""
    pages, complaints = [], []

    def open_page(address: str, **browser: object):
        page = chromium.new_context(**{"viewport": {"width": 1200, "height": 900}, **browser}).new_page()
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.wait_for_selector(BOARDS)
        pages.append(page)
        return page

    open_page.complaints = complaints
    yield open_page
    for page in pages:
        page.context.close()
    assert complaints == []


def until(page, condition: str) -> None:
    """Playwright's own waiting evaluates text in the page, which the page forbids."""
    deadline = time.monotonic() + 120
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


def activities(page) -> dict[str, int]:
    """How many boards do what."""
    found = page.eval_on_selector_all(BOARDS, "boards => boards.map(board => board.dataset.activity)")
    return {activity: found.count(activity) for activity in set(found)}


def test_a_finished_run_is_shown_whole(watching, visit, tmp_path: Path) -> None:
    page = visit(watching(a_run(tmp_path / "run", scenario=EIGHT).path))
    until(page, "document.getElementById('by-time').data?.length === 1")
    assert page.evaluate("document.getElementById('by-time').data[0].y") == [0.6, 0.7, 0.8]
    assert page.evaluate("document.getElementById('by-bytes').data[0].x") == [24, 48, 72]  # kB
    assert activities(page) == {"wait": 8}
    assert "not in this round 2" in page.inner_text("#legend")
    assert "completed" in page.inner_text("#runs")
    assert "round 3/5  accuracy 0.800" in page.text_content("#log")
    assert page.inner_text("#groups tbody tr:first-child td:nth-child(2)") == "4"


def test_a_moment_of_a_round_can_be_chosen_and_replayed(watching, visit, tmp_path: Path) -> None:
    """Devices download for 1 s, train for 3 s, upload for 2 s; the round takes 10."""
    page = visit(watching(a_run(tmp_path / "run").path))
    until(page, "document.querySelector('#fleet .board').dataset.activity")
    for moment, activity in ((50, "download"), (200, "train"), (450, "upload"), (900, "wait")):
        page.locator("#moment").fill(str(moment))
        until(page, f"document.querySelector('#fleet .board').dataset.activity === '{activity}'")
    page.locator("#round").fill("2")
    until(page, "document.getElementById('round-note').textContent.startsWith('Round 2 is complete')")
    page.click("#play")
    until(page, "document.querySelector('#fleet .board').dataset.activity === 'train'")


def test_pointing_and_arrow_keys_tell_what_a_board_is(watching, visit, tmp_path: Path) -> None:
    page = visit(watching(a_run(tmp_path / "run", scenario=EIGHT).path))
    page.hover(f"{BOARDS}[data-id='3']")
    tip = page.locator("#tip")
    assert "jetson-tx2 in MAXN, wifi link, group 1" in tip.inner_text()
    assert "depth 4, ranks 4 5 6 7" in tip.inner_text()
    assert "memory 1.0 GB of 2.0 GB" in tip.inner_text()
    page.focus(f"{BOARDS}[tabindex='0']")
    page.keyboard.press("ArrowRight")
    assert "device 2" in tip.inner_text()  # the next of its profile
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.mouse.move(0, 0)
    box = page.locator("#gantt").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 3)
    assert "device" in tip.inner_text()


def test_runs_are_overlaid_switched_and_left_out(watching, visit, tmp_path: Path) -> None:
    a_run(tmp_path / "runs" / "one", scenario=EIGHT)
    a_run(tmp_path / "runs" / "two", scenario=EIGHT.replace("count: 4", "count: 9"), method="fedit")
    page = visit(watching(tmp_path / "runs"))
    until(page, "document.getElementById('by-time').data?.length === 2")
    page.get_by_role("button", name="two", exact=True).click()
    until(page, "document.getElementById('now-run').textContent.startsWith('two:')")
    assert "15 devices" in page.inner_text("#now-title")
    page.get_by_label("show one among the curves").uncheck()
    until(page, "document.getElementById('by-time').data.length === 1")


def test_a_round_under_way_fills_in_and_counts_when_it_is_complete(watching, visit, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", scenario=EIGHT)
    (run.path / "summary.json").unlink()
    lock = run.lock()
    devices = [a_device(number) for number in range(8)]
    run.write_current(RoundUnderWay(4, time.time(), 30.0, 10.0, None, tuple(devices)))
    page = visit(watching(run.path))
    until(page, "document.getElementById('round-note').textContent.includes('is in progress')")
    assert activities(page) == {"download": 8}
    run.write_progress(Progress(4, 2, 8, 0))  # a quarter of 10 s: all train
    until(page, "document.querySelectorAll('#fleet [data-activity=train]').length === 8")
    page.locator("#moment").fill("900")
    until(page, "document.querySelectorAll('#fleet [data-activity=wait]').length === 8")
    run.write_progress(Progress(4, 4, 8, 0))
    until(page, "document.getElementById('facts').textContent.includes('4 of 8')")
    assert activities(page) == {"wait": 8}  # news do not move a moment that was chosen
    page.click("#latest")
    until(page, "document.querySelectorAll('#fleet [data-activity=upload]').length === 8")
    run.append_devices(trained([TrainedDeviceRecord(4, device, 0.25, None) for device in devices]), 8)
    run.append_round(a_round(4, 8, 0.95))
    until(page, "document.querySelectorAll('#fleet [data-activity=wait]').length === 8")
    until(page, "document.getElementById('by-time').data[0].y.at(-1) === 0.95")
    os.close(lock)


def test_names_are_text_wherever_they_stand(watching, visit, tmp_path: Path) -> None:
    evil = "<img src=x onerror=document.title='taken'>$x$"
    devices = [a_device(number, profile=evil, mode=evil) for number in range(2)]
    runs = [a_run(tmp_path / "runs" / f"{number}{evil}", devices=devices, method=evil) for number in (1, 2)]
    page = visit(watching(runs[0].path.parent))
    until(page, "document.getElementById('by-time').data?.length === 2")
    page.hover(BOARDS)
    box = page.locator("#by-time").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert evil in page.inner_text("#runs")
    assert page.title() == "fedray watch"
    assert page.locator("img").count() == 0


def test_it_fits_a_phone_and_follows_the_readers_theme(watching, visit, tmp_path: Path) -> None:
    address = watching(a_run(tmp_path / ("a-run-with-a-name-that-is-long-" * 4), scenario=EIGHT).path)
    phone = visit(address, viewport={"width": 360, "height": 740}, color_scheme="dark")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    desk = visit(address, color_scheme="light")
    colours = [page.evaluate("getComputedStyle(document.body).backgroundColor") for page in (phone, desk)]
    assert colours[0] != colours[1]


def test_a_thousand_devices_have_a_board_each(watching, visit, tmp_path: Path) -> None:
    devices = [a_device(number, group=number % 20) for number in range(1_000)]
    page = visit(watching(a_run(tmp_path / "run", devices=devices, rounds=[a_round(1, 1_000)]).path))
    assert page.locator(BOARDS).count() == 1_000
    assert page.evaluate("document.getElementById('gantt').clientHeight") < 2_000


def test_it_comes_back_when_the_server_does(visit, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fedray", "watch", str(a_run(tmp_path / "run").path), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    page = visit(server.stdout.readline().split()[-1])
    server.terminate()
    server.communicate(timeout=30)
    until(page, "document.getElementById('connection').textContent.includes('lost')")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    until(page, "document.getElementById('connection').textContent === 'live'")
    server.terminate()
    server.communicate(timeout=30)
    visit.complaints[:] = [text for text in visit.complaints if "ERR_CONNECTION_REFUSED" not in text]


def test_a_real_run_is_watched_from_its_first_round_to_its_end(
    watching, visit, small_scenario: Path, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "runs" / "live")
    run.path.parent.mkdir()
    address = watching(run.path.parent)
    words = ["run", small_scenario, "--run-dir", run.path, "--set", "training.local_steps=12", "--quiet"]
    with subprocess.Popen([sys.executable, "-m", "fedray", *map(str, words)]) as process:
        deadline = time.monotonic() + 120
        while not (run.path / "current.json").is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        page = visit(address)
        until(page, "document.getElementById('runs').textContent.includes('running')")
        until(page, "document.getElementById('runs').textContent.includes('completed')")
        assert process.wait(60) == 0
    summary = run.summary()
    shown = page.inner_text("#runs tbody tr")
    assert f"{summary.final_accuracy:.3f}" in shown
    assert "3/3" in shown
    until(page, "document.getElementById('by-time').data?.[0].y.length === 3")
