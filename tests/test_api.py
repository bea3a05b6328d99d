"""`import fedray` as a script and a notebook meet it."""

import ast
import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pandas
import pytest

import fedray as api
from tests.conftest import PROJECT
from tests.ray_session import PLAIN

pytestmark = pytest.mark.ray

PLAIN_DATA = {
    "schema_version": 1,
    "name": "plain",
    "seed": 3,
    "task": "none",
    "model": {"target_modules": ["query"]},
    "method": {"name": "fedit", "rank": 1, "lora_alpha": 2.0},
    "fleet": {"groups": [{"profile": "jetson-tx2", "count": 4}]},
    "training": {"rounds": 2},
    "runtime": {"hosts": 1},
}


@dataclass
class Rounds(api.RunCallback):
    """Keeps the rounds; what a user's own callback looks like."""

    numbers: list[int] = field(default_factory=list)

    def completed(self, record: api.RoundRecord) -> None:
        self.numbers.append(record.round)


def test_importing_fedray_imports_none_of_its_modules() -> None:
    code = "import sys, typing; before = set(sys.modules); import fedray; print(sorted(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert ast.literal_eval(found.stdout) == ["fedray"]


def test_loading_a_scenario_imports_neither_torch_nor_ray_nor_pandas() -> None:
    code = (
        "import sys, fedray\nfedray.load_scenario({'schema_version': 1})\n"
        "print(sorted({'torch', 'ray', 'transformers', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert found.stdout.strip() == "[]"


def test_every_public_name_exists_says_what_it_is_and_is_known_to_type_checkers() -> None:
    tree = ast.parse(Path(api.__file__).read_text())
    typed = {
        (alias.asname, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fedray.")
        for alias in node.names
    }
    assert typed == {(name, home) for home, names in api.HOMES.items() for name in names}
    for home, names in api.HOMES.items():
        for name in names:
            assert getattr(api, name) is getattr(import_module(home), name)
            assert getattr(api, name).__doc__
    assert set(api.__all__) - {"__version__"} == {name for name, _ in typed}
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        api.rum  # noqa: B018


def test_a_wrong_scenario_raises_its_plain_message() -> None:
    with pytest.raises(api.UserError, match=r"^scenario: training\.rouns: unknown key \(did you mean 'rounds'\?\)"):
        api.load_scenario({"schema_version": 1, "training": {"rouns": 1}})
    with pytest.raises(api.UserError, match=r"^overrides\['training\.rounds'\]: training\.rounds: given 0"):
        api.run(PLAIN_DATA, {"training.rounds": 0})
    with pytest.raises(api.UserError, match="not a run directory"):
        api.open_run("nowhere")


def test_a_plan_is_that_of_the_command_line(fedray, tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN)
    planned = api.plan(PLAIN_DATA, round=2)
    printed = json.loads(fedray("plan", path, "--round", 2, "--json").out)
    assert json.loads(json.dumps(planned.as_json())) == printed
    table = pandas.DataFrame(planned.devices)
    assert list(table["id"]) == [0, 1, 2, 3]
    with pytest.raises(api.UserError, match="allowed: 1 to 2"):
        api.plan(PLAIN_DATA, round=3)


def test_a_run_and_its_tables(ray_address: str, tmp_path: Path, capsys) -> None:
    seen = Rounds()
    done = api.run(PLAIN_DATA, run_dir=tmp_path / "run", address=ray_address, callbacks=[seen, api.RunPrinter()])
    assert done == api.open_run(str(tmp_path / "run"))
    assert seen.numbers == [1, 2]
    printed = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in printed[-2:]] == ["round 1/2", "round 2/2"]
    rounds, devices = done.rounds(), done.devices()
    assert list(rounds["round"]) == [1, 2]
    assert rounds["bytes_up"].sum() == done.summary.bytes_up == devices["bytes_up"].sum()
    assert list(devices.groupby("round").size()) == [4, 4]
    assert done.scenario.scenario == api.load_scenario(PLAIN_DATA).scenario.model_copy(
        update={"task": done.scenario.scenario.task}
    )
    with pytest.raises(api.UserError, match="no adapter"):
        done.load_model()

    again = api.run(resume=done.path, overrides={"training.rounds": 3}, address=ray_address, callbacks=[seen])
    assert (again.path, again.summary.rounds_completed, seen.numbers) == (done.path, 3, [1, 2, 3])
    with pytest.raises(api.UserError, match="already holds something"):
        api.run(PLAIN_DATA, run_dir=done.path, address=ray_address)


def test_a_sweep_goes_over_values_that_words_cannot_say_simply(ray_address: str, tmp_path: Path, capsys) -> None:
    methods = [{"name": "fedit", "rank": rank, "lora_alpha": 2.0} for rank in (1, 2)]
    swept = api.sweep(
        PLAIN_DATA,
        {"method": methods},
        seeds=[7],
        overrides={"training.rounds": 1},
        run_dir=tmp_path / "sweep",
        address=ray_address,
        callbacks=[api.SweepPrinter()],
    )
    assert (len(swept.runs), swept.failed) == (2, ())
    assert [one.scenario.scenario.method["rank"] for one in swept.runs] == [1, 2]
    assert {one.scenario.scenario.seed for one in swept.runs} == {7}
    assert {one.summary.rounds_completed for one in swept.runs} == {1}
    assert "a sweep of 2 runs" in capsys.readouterr().out

    compared = api.compare(swept)
    assert len(compared.rows) == 2
    table = compared.frame()
    assert list(table["seed"]) == [7, 7]
    assert list(table["bytes_up"]) == [one.summary.bytes_up for one in swept.runs]
    assert api.compare(swept.path).rows == api.compare(list(swept.runs)).rows == compared.rows
    assert api.compare(swept.runs[0]).rows[0].runs[0].run == str(swept.runs[0].path)
    budgeted = api.compare(swept, budgets={"bytes": 5e8, "seconds": "2h"})
    assert [one.budget.amount for one in budgeted.rows[0].within] == [5e8, 7200.0]
    with pytest.raises(api.UserError, match=r"vary\['method.rank'\]: given 4; allowed: a list"):
        api.sweep(PLAIN_DATA, {"method.rank": 4})


def test_one_ray_carries_several_runs_where_an_event_loop_runs_and_outside_the_main_thread(
    ray_address: str, tmp_path: Path
) -> None:
    """A notebook calls from within a running event loop; a web server from a thread."""
    import ray

    async def notebook() -> list[api.Run]:
        with api.session(ray_address):
            first = api.run(PLAIN_DATA, run_dir=tmp_path / "first")
            assert ray.is_initialized()
            return [first, await asyncio.to_thread(api.run, PLAIN_DATA, run_dir=tmp_path / "second")]

    first, second = asyncio.run(notebook())
    assert not ray.is_initialized()
    assert first.summary.result_digest == second.summary.result_digest


def test_a_second_address_is_refused_while_a_ray_is_in_use(ray_address: str) -> None:
    with api.session(ray_address), pytest.raises(api.UserError, match="connected to a Ray; allowed: none"):
        api.run(PLAIN_DATA, address=ray_address)


def test_a_session_ships_the_methods_of_its_scenarios(monkeypatch) -> None:
    from fedray.runtime import session as sessions

    asked: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(sessions, "_connect", lambda address, methods: asked.append((address, list(methods))))
    monkeypatch.setattr(sessions, "_resources", lambda: None)
    with api.session("head:6379", [PLAIN_DATA, {**PLAIN_DATA, "method": {"name": "legend"}}]):
        assert asked == [("head:6379", ["fedit", "legend"])]


def test_the_trained_model_answers_as_the_run_says(run, small_scenario: Path, tmp_path: Path) -> None:
    """The test accuracy of the loaded model, computed here, is that of summary.json."""
    import torch

    summary = run()
    done = api.open_run(tmp_path / "run")
    model, tokenizer, labels = done.load_model()
    rows = [json.loads(line) for line in (small_scenario.parent / "test.jsonl").read_text().splitlines()]
    length = done.scenario.scenario.task.max_length
    right = 0
    for row in rows:
        tokens = tokenizer(row["text"], truncation=True, max_length=length, return_tensors="pt")
        with torch.no_grad():
            right += labels[int(model(**tokens).logits.argmax())] == row["label"]
    assert right / len(rows) == pytest.approx(summary.final_accuracy)


def test_warnings_and_progress_are_logged(ray_address: str, tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO", "fedray")
    api.run(
        PLAIN_DATA,
        {"costs.twin": {"backbone": "bert-base", "local_steps": 3, "target_modules": ["query"]}},
        run_dir=tmp_path / "run",
        address=ray_address,
    )
    said = {(record.name, record.levelname): record.getMessage() for record in caplog.records}
    assert "steps priced a round" in said["fedray.api", "WARNING"]
    assert "completed after round 2" in said["fedray.runtime.driver", "INFO"]
    assert "joining the Ray cluster" in said["fedray.runtime.session", "INFO"]
