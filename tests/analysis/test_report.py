"""The report: one page that needs nothing but itself, says what is computed, and believes no name."""

import base64
import hashlib
import html
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.analysis import Budget, Criteria
from fedray.analysis.report import write_report
from fedray.analysis.report.markup import data_script, document
from fedray.analysis.report.style import escaped
from fedray.errors import UserError
from fedray.results import RunDirectory, TrainedDeviceRecord
from tests.analysis.pages import a_device, a_round, a_run, read
from tests.trained import trained

TAGS = re.findall(
    r"\w+",
    "html head meta title style body header section div h1 h2 h3 p b span figure figcaption label select option "
    "script table thead tbody tr th td details summary pre noscript",
)


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    page = read([a_run(tmp_path / "run", shards=[[5, 5]] * 8)])
    assert not [name for _, name, _ in page.attributes if name in ("src", "srcset", "href", "action", "data")]
    assert not re.search(r"(src|href)\s*=\s*[\"'`]?\s*(https?:)?//", page.raw)
    assert "@import" not in page.raw.split("</style>")[0]
    assert "url(" not in page.raw.split("</style>")[0]
    assert page.raw.count("* plotly.js v") == 1
    assert ("html", "lang", "en") in page.attributes


def test_only_the_pages_own_scripts_may_run_and_nothing_may_be_fetched(tmp_path: Path) -> None:
    page = read([a_run(tmp_path / "run")])
    (policy,) = [value for _, name, value in page.attributes if name == "content" and "default-src" in value]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts]
    assert rules["script-src"].split() == [f"'sha256-{value}'" for value in hashes]


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def test_no_name_becomes_markup(tmp_path: Path) -> None:
    devices = [
        a_device(i, profile=f"<svg onload=alert(3)>{i % 2}", mode="</figcaption><iframe>", quantised_layers=1)
        for i in range(4)
    ]
    run = a_run(
        tmp_path / "<img src=x onerror=alert(1)>",
        devices=devices,
        scenario="schema_version: 1  # </pre></details><script>alert(4)</script>\n",
        labels=(EVIL, "<a href='javascript:alert(5)'>b</a>"),
        shards=[[3, 1]] * 4,
        method="<b>bold</b>",
        twin="<u>twin</u>",
    )
    page = read([run, a_run(tmp_path / "other", method="<i>other</i>")])
    assert page.tags <= set(TAGS)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert len(page.scripts) == 2
    assert "alert" not in page.scripts[1]
    for text in ("Run <img src=x onerror=alert(1)>", "<u>twin</u>", "<b>bold</b>", "</pre></details><script>alert(4)"):
        assert text in page.text
    drawn = json.dumps([figure.views for figure in page.figures])
    assert set(re.findall(r"</?\w+", drawn)) <= {"<br", "<extra", "</extra"}
    assert "&lt;svg onload=alert(3)&gt;0" in drawn
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in drawn


def test_data_cannot_end_its_own_script() -> None:
    page = document("title", "", [data_script(json.dumps({"label": EVIL}))], [])
    assert page.count("<script") == page.count("</script") == 1
    assert json.loads(re.findall(r"json\">(.*)</script>", page)[0]) == {"label": EVIL}


@given(st.text())
def test_words_of_a_figure_are_the_users_and_no_markup(text: str) -> None:
    shown = escaped(text)
    assert not set(shown) & set("<>$")
    unescaped = html.unescape(shown)
    assert text == unescaped or (unescaped.endswith("…") and text.startswith(unescaped[:-1]))


def test_a_name_that_is_no_text_is_still_a_name(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/run-\xff"))
    page = read([a_run(folder, labels=("\ud800", "b"), shards=[[1, 1]] * 8)])
    assert "Run run-" in page.text


def test_without_shards_the_page_says_why_there_are_no_label_mixes(tmp_path: Path) -> None:
    page = read([a_run(tmp_path / "run")])
    assert "wrote no shards.jsonl" in page.text
    assert not [figure for figure in page.figures if "Label mix" in figure.caption]


def test_what_is_computed_stands_in_the_header_and_under_every_figure(tmp_path: Path) -> None:
    page = read([a_run(tmp_path / "plain")])
    assert "time is computed, not measured" in page.text.split("Results")[0]
    assert all("Time is computed, not measured" in figure.caption for figure in page.figures)
    assert "twin" not in page.text


def test_a_twin_stands_in_the_header_and_under_every_figure(tmp_path: Path) -> None:
    plain, stand_in = a_run(tmp_path / "plain"), a_run(tmp_path / "stand-in", twin="roberta-base")
    page = read([stand_in])
    assert "every cost" in page.text.split("Results")[0]
    assert all("costs are those of roberta-base" in figure.caption for figure in page.figures)
    both = read([plain, stand_in])
    assert "stand-in trained a small stand-in" in both.text.split("Results")[0]
    told = ["roberta-base" in figure.caption for figure in both.figures]
    assert told == [True] * 3 + [False] * 3 + [True] * 3  # of both runs, of the plain one, of the stand-in
    assert "costs are of stand-in, those of roberta-base" in both.figures[0].caption


def test_the_table_says_what_every_run_came_to(tmp_path: Path) -> None:
    first = a_run(tmp_path / "first", rounds=[a_round(1, 8, 0.4), a_round(2, 8, 0.8)])
    second = a_run(tmp_path / "second", rounds=[a_round(1, 8, 0.9), a_round(2, 8, 0.7)], method="fedit")
    page = read([first, second])
    (head, row, other), cells = page.rows[:3], 12
    assert len(head) == len(row) == cells
    assert [cell.split() for cell in row] == [
        ["first", "d1ge57"],
        ["legend"],
        ["0"],
        ["2"],
        ["accuracy", "0.800", "0.800"],
        ["20.0", "s"],
        ["16.0", "kB", "32.0", "kB"],
        ["2.0", "s"],
        ["0.0", "kJ"],
        ["3.0", "GB"],
        ["–"],
        ["0"],
    ]
    assert other[4].split() == ["accuracy", "0.700", "0.900"]
    assert "No target was given" in page.text
    aimed = read([first, second], Criteria(target=0.8, hold=1))
    assert [row[-2].split() for row in aimed.rows[1:3]] == [
        ["20.0", "s", "48.0", "kB", "round", "2"],
        ["10.0", "s", "24.0", "kB", "round", "1"],
    ]
    assert "Target: 0.800." in aimed.text
    assert [row[-2].split() for row in read([first, second], Criteria(target=0.85, hold=2)).rows[1:3]] == [
        ["missed"]
    ] * 2


def test_the_page_has_the_tables_of_the_comparison(tmp_path: Path) -> None:
    first = a_run(tmp_path / "first", rounds=[a_round(1, 8, 0.4), a_round(2, 8, 0.8)], majority=0.3)
    second = a_run(tmp_path / "second", rounds=[a_round(1, 8, 0.9), a_round(2, 8, 0.7)], method="fedit")
    page = read([first, second], Criteria(target=0.8, hold=1))
    for word in ("cost to the target", "against legend", "per round × rounds", "has accuracy 0.300"):
        assert word in page.text
    (row,) = [row for row in page.rows if row[0].startswith("fedit") and "2.00×" in " ".join(row)]
    assert row[2].split() == ["1.00", "×", "2.00"]
    assert "quality under a budget" in read([first, second], Criteria(budgets=(Budget("seconds", 10),))).text
    low = read([first, second], Criteria(target=0.3, hold=1)).text
    assert "no speed-ups to it are shown" in low
    assert "per round × rounds" not in low


def test_controls_can_be_reached_without_a_mouse(tmp_path: Path) -> None:
    page = read([a_run(tmp_path / "run")])
    assert {"select", "details", "summary", "label"} <= page.tags
    assert ("div", "tabindex", "0") in page.attributes
    assert ("div", "role", "region") in page.attributes


def test_what_was_written_about_devices_and_shards_is_read_back(tmp_path: Path) -> None:
    record = TrainedDeviceRecord(1, a_device(3, inner_rounds=4, ranks=(2.5, 7.0)), None, "not finite")
    for fleet in (8, 2000):
        run = RunDirectory(tmp_path / str(fleet))
        run.create("schema_version: 1\n")
        run.append_devices(trained([record, replace(record, device=a_device(5))]), fleet)
        run.append_devices(trained([replace(record, round=2)]), fleet)
        assert [row for one in run.devices() for row in one.rows()] == [
            record,
            replace(record, device=a_device(5)),
            replace(record, round=2),
        ]
        assert run.shards() is None
        (run.path / "shards.jsonl").write_text('{"device": 3, "labels": [12, 0, 5]}\n')
        assert run.shards() == {3: (12, 0, 5)}
        run.write_labels(["a", "b", "c"])
        assert run.labels() == ("a", "b", "c")


def test_lines_from_before_inner_rounds_and_twins_are_read(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    for name, key in (("devices.jsonl", "inner_rounds"), ("summary.json", "twin")):
        text = (run.path / name).read_text()
        (run.path / name).write_text(re.sub(rf",?\s*\"{key}\": \w+", "", text))
        assert key not in (run.path / name).read_text()
    assert "One row per device" in read([run]).text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("devices.jsonl", '{"round": 1}\n'),
        ("devices.jsonl", '{"round": 1, "id": "x", "ranks": 3, "loss": null, "rejected": null}\n'),
        ("devices.jsonl", "[]\n"),
        ("labels.json", '{"a": 1}'),
        ("labels.json", "nonsense"),
        ("labels.json", '["one"]'),
        ("shards.jsonl", '{"device": 1}\n'),
        ("shards.jsonl", '{"device": 1, "labels": [1, 2]}\n'),
        ("scenario.yaml", "schema_version: 99\n"),
    ],
)
def test_files_that_are_not_ours_are_one_plain_error(name, content, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", shards=[[1, 1]] * 8)
    (run.path / name).write_text(content)
    with pytest.raises(UserError, match=re.escape(str(run.path))):
        write_report([run], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_the_command_writes_into_the_run_or_where_it_is_told(tmp_path: Path, fedray) -> None:
    one, two = a_run(tmp_path / "one"), a_run(tmp_path / "two")
    result = fedray("report", one.path)
    assert (result.code, result.err) == (0, "")
    assert str(one.path / "report.html") in result.out
    assert "<!doctype html>" in (one.path / "report.html").read_text()[:20]
    assert fedray("report", one.path, two.path, "-o", tmp_path / "both.html", "--target", "0.7").code == 0
    assert "2 runs compared" in (tmp_path / "both.html").read_text()
    assert not list(tmp_path.glob("**/.*.tmp"))


def test_wrong_words_are_one_plain_line(tmp_path: Path, fedray) -> None:
    run, empty = a_run(tmp_path / "run"), a_run(tmp_path / "empty", rounds=[])
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for told, words_ in {
        "is this a finished run": [tmp_path / "nowhere"],
        "no round was completed": [empty.path],
        "needs a file to go to": [run.path, empty.path],
        "this is a folder": [run.path, "-o", tmp_path],
        "no plain file": [run.path, "-o", tmp_path / "pipe"],
        "No such file": [run.path, "-o", tmp_path / "no" / "page.html"],
        "Not a directory": [run.path, "-o", tmp_path / "file" / "page.html"],
        "above 0, at most 1": [run.path, "--target", "70"],
    }.items():
        result = fedray("report", *words_)
        assert result.code == 2, told
        assert told in result.err
        assert len(result.err.strip().splitlines()) == 1
    assert not (run.path / "report.html").exists()
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_to_a_page_stays_a_link(tmp_path: Path, fedray) -> None:
    run = a_run(tmp_path / "run")
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "page.html")
    assert fedray("report", run.path, "-o", link).code == 0
    assert link.is_symlink()
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_a_page_is_replaced_only_by_a_whole_one(tmp_path: Path, monkeypatch) -> None:
    run = a_run(tmp_path / "run")
    path = tmp_path / "page.html"
    path.write_text("the old page")

    def full(*_: object) -> None:
        assert path.read_text() == "the old page"
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UserError, match="No space left"):
            write_report([run], path)
    assert path.read_text() == "the old page"
    assert [child.name for child in tmp_path.iterdir() if child.name.startswith(".")] == []
    write_report([run], path)
    assert path.read_text().startswith("<!doctype html>")
