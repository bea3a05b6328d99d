"""The command line as a user and as a script meet it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fedray.errors import UserError
from fedray.results import RoundRecord, RunDirectory, SummaryInputs, summarise
from tests.conftest import PROJECT, SCENARIOS, interrupt_after_a_round

QUICKSTART = SCENARIOS / "quickstart.yaml"
PLAN_KEYS = {"round", "round_seconds", "mean_waiting_seconds", "bytes_up", "bytes_down", "groups", "devices"}
GROUP_KEYS = {"id", "devices", "depth", "inner_rounds", "label_divergence"}
DEVICE_KEYS = set(
    [
        "id",
        "profile",
        "mode",
        "group",
        "depth",
        "ranks",
        "quantised_layers",
        "compute_seconds",
        "download_seconds",
        "upload_seconds",
        "waiting_seconds",
        "bytes_up",
        "bytes_down",
        "memory_bytes",
        "memory_limit_bytes",
        "joules",
        "fits",
    ]
)


def a_plan(fedray, *words: object) -> dict:
    result = fedray("plan", QUICKSTART, "--json", *words)
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.model
def test_plan_prints_the_contract(fedray) -> None:
    plan = a_plan(fedray)
    assert set(plan) == PLAN_KEYS
    assert set(plan["groups"][0]) == GROUP_KEYS
    assert set(plan["devices"][0]) == DEVICE_KEYS | {"outcome", "staleness"}
    assert len(plan["devices"]) == 80
    assert plan["round_seconds"] == pytest.approx(
        max(
            device["download_seconds"] + device["compute_seconds"] + device["upload_seconds"]
            for device in plan["devices"]
        )
    )


@pytest.mark.model
def test_legend_plans_a_shorter_round_than_fedit_and_spares_the_slow(fedray) -> None:
    """Slow devices train less deep, ranks never fall towards the output, the round is shorter."""
    legend = a_plan(fedray, "--round", 4)
    fedit = a_plan(fedray, "--round", 4, "--set", "method={name: fedit, rank: 8}")
    assert legend["round_seconds"] < 0.6 * fedit["round_seconds"]
    assert legend["mean_waiting_seconds"] < fedit["mean_waiting_seconds"]
    for device in legend["devices"]:
        assert device["ranks"] == sorted(device["ranks"])
        assert len(device["ranks"]) == device["depth"]
    # what the same device takes at full depth says how slow it is
    full = {
        device["id"]: device["download_seconds"] + device["compute_seconds"] + device["upload_seconds"]
        for device in fedit["devices"]
    }
    by_speed = sorted(legend["devices"], key=lambda device: full[device["id"]])
    fastest, slowest = by_speed[:20], by_speed[-20:]
    assert sum(device["depth"] for device in slowest) < sum(device["depth"] for device in fastest) / 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runn"], "No such command 'runn'. Did you mean 'run'?; see fedray --help"),
        (["run", "--sett", "a=1"], "No such option: --sett (Possible options: --quiet, --set); see fedray run --help"),
        (["plan"], "Missing argument 'SCENARIO'; see fedray plan --help"),
        (
            ["plan", QUICKSTART, "--round", "0"],
            "Invalid value for '--round': Input should be greater than or equal to 1",
        ),
    ],
)
def test_a_wrong_word_on_the_command_line_is_one_line(fedray, words, said) -> None:
    result = fedray(*words)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert result.err.startswith(said)


def test_brackets_in_a_path_are_no_markup(fedray, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("a[red]b[/x]")
    run = RunDirectory(folder)
    run.create("schema_version: 1\n")
    run.append_round(RoundRecord(1, 1.0, 1.0, 0.0, 0.5, 1.0, 1, 1, 1.0, 1, 0, 0, 1, 1.0, 1.0))
    run.write_summary(summarise(run.rounds(), SummaryInputs("x", "fedit", 1, 1.0, 1, "d", None), "completed"))
    result = fedray("compare", folder)
    assert result.code == 0
    assert "a[red]b[/x]" in result.out


@pytest.mark.model
def test_plan_for_people_names_every_profile(fedray) -> None:
    text = fedray("plan", QUICKSTART).out
    for word in ("jetson-tx2", "jetson-xavier-nx", "jetson-agx-xavier", "waiting", "not finished"):
        assert word in text


@pytest.mark.model
def test_validate_says_what_a_scenario_comes_to(fedray) -> None:
    assert "80 devices, 10 rounds" in fedray("validate", QUICKSTART).out
    assert json.loads(fedray("validate", QUICKSTART, "--json").out)["scenario"]["training"]["rounds"] == 10


@pytest.mark.parametrize("shelf", ["devices", "methods", "datasets", "backbones"])
def test_every_shelf_of_the_catalogue(shelf, fedray) -> None:
    assert fedray("catalog", shelf).code == 0
    assert len(json.loads(fedray("catalog", shelf, "--json").out)) >= 2


def test_one_device_of_the_catalogue_shows_its_modes_and_sources(fedray) -> None:
    page = fedray("catalog", "devices", "jetson-tx2").out
    assert "MAXP_CORE_ALL (default)" in page
    assert "FedAdapter" in page
    maxq = json.loads(fedray("catalog", "devices", "jetson-tx2", "--json").out)["modes"]["MAXQ"]
    assert (maxq["watts"], maxq["budget_watts"]) == (6.6, 7.5)
    wrong = fedray("catalog", "devices", "jetson-tx3")
    assert wrong.code == 2
    assert "did you mean 'jetson-tx2'" in wrong.err
    assert fedray("catalog", "methods", "legend").code == 2


def test_schema_is_json_schema_that_ready_scenarios_satisfy(fedray) -> None:
    """Oracle: the jsonschema package."""
    import jsonschema
    import yaml

    schema = json.loads(fedray("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in SCENARIOS.rglob("*.yaml"):
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema_version": 1, "method": {"name": "legend", "rnk": 3}}, schema)


@pytest.mark.model
def test_wrong_words_exit_2(fedray) -> None:
    assert fedray("plan", QUICKSTART, "--round", "0").code == 2
    assert "allowed: 1 to 10" in fedray("plan", QUICKSTART, "--round", "11").err
    assert "not a writable folder" in fedray("run", QUICKSTART, "--run-dir", QUICKSTART / "x").err
    assert fedray("catalog", "phones").code == 2
    assert fedray("fly").code == 2
    assert fedray("run").code == 2
    assert fedray("jobs", "--address", "http://127.0.0.1:9").code == 2


def test_help_costs_no_heavy_import() -> None:
    code = "import sys, fedray.cli; print(sorted({'torch', 'ray', 'transformers'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_an_interrupted_run_says_what_is_kept_and_exits_130(tmp_path: Path) -> None:
    """A real process, a real Ctrl-C, a real resume on Ray's own embedded cluster."""
    words = [
        QUICKSTART,
        "--set",
        "fleet.groups=[{profile: jetson-tx2, count: 4}]",
        "--set",
        "task.eval.max_examples=16",
    ]
    command = [sys.executable, "-m", "fedray", "run", *map(str, words), "--run-dir", str(tmp_path / "run")]
    err = interrupt_after_a_round([*command, "--set", "training.rounds=500"], tmp_path / "run")
    assert "--resume" in err
    done = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert done["status"] == "stopped"

    more = done["rounds_completed"] + 1
    resumed = subprocess.run(
        [
            sys.executable,
            "-m",
            "fedray",
            "run",
            "--resume",
            str(tmp_path / "run"),
            "--set",
            f"training.rounds={more}",
            "--json",
        ],
        capture_output=True,
        text=True,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["rounds_completed"] == more
    assert json.loads(resumed.stdout)["status"] == "completed"


def test_a_wrong_scenario_is_refused_before_torch_and_ray_are_imported(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("schema_version: 1\nmethod: {name: legend, rnk: 4}\n")
    code = (
        "import sys\nfrom fedray.cli import main\ntry:\n    main()\n"
        "except SystemExit as leaving:\n    heavy = {'torch', 'ray', 'transformers'} & set(sys.modules)\n"
        "    sys.exit(f'imported {heavy}' if heavy else leaving.code)\n"
    )
    for command in ("validate", "plan", "run"):
        answer = subprocess.run([sys.executable, "-c", code, command, scenario], capture_output=True, text=True)
        assert answer.returncode == 2, answer.stderr
        assert "method.rnk: unknown key" in answer.stderr


@pytest.mark.model
def test_init_writes_a_scenario_that_plans_and_replaces_nothing(fedray, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert fedray("init", "fleet").out == "wrote fleet.yaml; next: fedray validate fleet.yaml, fedray run fleet.yaml\n"
    assert len(json.loads(fedray("plan", "fleet.yaml", "--json").out)["devices"]) == 12
    before = (tmp_path / "fleet.yaml").read_text()
    again = fedray("init", "fleet.yaml")
    assert (again.code, again.err) == (2, "init: fleet.yaml exists; allowed: another name\n")
    assert (tmp_path / "fleet.yaml").read_text() == before
    for wrong in ("a/b", "no name", "", " x ", '"q"', "..", "a\nb", "x" * 65):
        refused = fedray("init", wrong)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "allowed: at most 64 letters" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.yaml"]


PLAIN = ("--set", "task=none", "--set", "fleet.groups=[{profile: jetson-tx2, count: 2}]")


@pytest.mark.model
def test_verbose_shows_what_modules_log_on_standard_error(fedray) -> None:
    plain, told = fedray("plan", QUICKSTART, *PLAIN), fedray("--verbose", "plan", QUICKSTART, *PLAIN)
    assert (plain.err, told.out) == ("", plain.out)
    assert told.err.startswith("fedray.experiment.experiment: quickstart is prepared: 2 devices")


@pytest.mark.ray
def test_run_warns_on_standard_error_unless_quiet(fedray, monkeypatch, tmp_path: Path) -> None:
    def no_ray(*_: object) -> None:
        raise UserError("no Ray in this test")

    monkeypatch.setattr("fedray.runtime.driver.execute", no_ray)
    words = ("run", QUICKSTART, *PLAIN, "--set", "costs={twin: {backbone: bert-base, local_steps: 99}}")
    assert "\nwarning: costs.twin.local_steps: 2 steps trained / 99" in fedray(*words, "--run-dir", tmp_path / "a").err
    assert fedray(*words, "--run-dir", tmp_path / "b", "--quiet").err == "no Ray in this test\n"


def test_the_version_is_printed(fedray) -> None:
    from fedray import __version__

    assert fedray("--version").out == f"fedray {__version__}\n"
