"""Whatever is wrong with a scenario: one readable message with the place, exit code 2, nothing written."""

from pathlib import Path

import pytest

from fedray.experiment.sections import scenario_schema

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

# what is wrong: the YAML, and what the message must say
BROKEN = {
    "unknown key": ("schema_version: 1\ntrainin:\n  rounds: 3\n", [":2: trainin", "unknown key", "'training'"]),
    "unknown nested key": ("schema_version: 1\ntraining:\n  round: 3\n", [":3: training.round", "'rounds'"]),
    "wrong type": ("schema_version: 1\ntraining:\n  rounds: many\n", [":3: training.rounds", "'many'", "integer"]),
    "float for integer": ("schema_version: 1\ntraining: {rounds: 2.5}\n", [":2: training.rounds", "2.5"]),
    "negative count": (
        "schema_version: 1\nfleet:\n  groups:\n    - {profile: jetson-tx2, count: -3}\n",
        [":4: fleet.groups.0.count", "-3", "≥ 1"],
    ),
    "zero rounds": ("schema_version: 1\ntraining: {rounds: 0}\n", ["training.rounds", "given 0", "≥ 1"]),
    "not a number": (
        "schema_version: 1\ntraining:\n  optimiser: {learning_rate: .nan}\n",
        [":3: training.optimiser.learning_rate", "nan"],
    ),
    "infinity": ("schema_version: 1\ntraining: {optimiser: {weight_decay: .inf}}\n", ["weight_decay", "inf"]),
    "target above 1": (
        "schema_version: 1\ntraining:\n  stop: {target: 1.5}\n",
        [":3: training.stop.target", "1.5", "≤ 1"],
    ),
    "missing version": ("name: x\n", ["schema_version", "missing"]),
    "wrong version": ("schema_version: 2\n", [":1: schema_version", "given 2", "allowed: 1"]),
    "unknown device": (
        "schema_version: 1\nfleet:\n  groups:\n    - profile: jetson-tx3\n      count: 2\n",
        [":4: fleet.groups.0.profile", "jetson-tx3", "jetson-tx2"],
    ),
    "a device by a part of its name": (
        "schema_version: 1\nfleet:\n  groups:\n    - {profile: xavier, count: 2}\n",
        [":4: fleet.groups.0.profile", "(did you mean 'jetson-agx-xavier' or 'jetson-xavier-nx'?)"],
    ),
    "a device by words in another order": (
        "schema_version: 1\nfleet:\n  groups:\n    - {profile: Pi 5, count: 2}\n",
        [":4: fleet.groups.0.profile: given 'Pi 5'", "(did you mean 'raspberry-pi-5'?)"],
    ),
    "a section that is a word": (
        "schema_version: 1\nfleet: jetson-tx2\n",
        [":2: fleet: given 'jetson-tx2'; allowed: a mapping with keys of catalogue, groups", "for example {groups: [{"],
    ),
    "groups that are a word": (
        "schema_version: 1\nfleet: {groups: jetson-tx2}\n",
        [":2: fleet.groups: given 'jetson-tx2'; allowed: a list", "for example {count: 4, profile: jetson-tx2}"],
    ),
    "a section without an example of its own": (
        "schema_version: 1\ntraining: 5\n",
        [":2: training: given 5; allowed: a mapping with keys of rounds", "for example {rounds: "],
    ),
    "a method's parameter outside it": (
        "schema_version: 1\nrank: 8\nmethod: {name: legend}\n",
        [":2: rank: unknown key, which is a key of method;"],
    ),
    "a method's parameter in another section": (
        "schema_version: 1\ntraining: {lora_alpha: 8.0}\n",
        [":2: training.lora_alpha: unknown key, which is a key of method;"],
    ),
    "unknown power mode": (
        "schema_version: 1\nfleet: {groups: [{profile: jetson-tx2, count: 1, modes: {kind: fixed, mode: MAX}}]}\n",
        ["fleet.groups.0.modes.mode", "'MAX'", "MAXN"],
    ),
    "method as text": ("schema_version: 1\nmethod: legend\n", [":2: method: given 'legend'", "{name: legend}"]),
    "method as a list": ("schema_version: 1\nmethod: [a]\n", [":2: method", "a mapping with a name", "{name: fedit}"]),
    "key of another section": (
        "schema_version: 1\ntraining: {learning_rate: 0.1}\n",
        [":2: training.learning_rate", "a key of training.optimiser"],
    ),
    "key of two other sections": (
        "schema_version: 1\nlocal_steps: 3\n",
        [":2: local_steps", "a key of training and of costs.twin"],
    ),
    "unknown method": ("schema_version: 1\nmethod: {name: legnd}\n", [":2: method.name", "legnd", "'legend'"]),
    "unknown method parameter": (
        "schema_version: 1\nmethod:\n  name: legend\n  rnk: 4\n",
        [":4: method.rnk", "unknown key", "'rank'"],
    ),
    "method parameter that does not suit": (
        "schema_version: 1\nmethod: {name: fedit, depth: 7}\n",
        ["method.depth", "given 7", "≤ 6"],
    ),
    "unknown kind": (
        "schema_version: 1\ntask:\n  partition: {kind: dirichlett}\n",
        [":3: task.partition", "dirichlett", "'dirichlet'"],
    ),
    "missing kind": ("schema_version: 1\ntask: {partition: {alpha: 1.0}}\n", ["task.partition", "'kind'", "iid"]),
    "missing file": (
        "schema_version: 1\ntask:\n  dataset: {kind: files, train: no.jsonl, test: no.jsonl}\n",
        [":3: task.dataset.train", "no.jsonl", "an existing file"],
    ),
    "no backbone": ("schema_version: 1\nmodel: {backbone: ./nowhere}\n", [":2: model.backbone", "nowhere"]),
    "no such module": (
        "schema_version: 1\nmodel: {target_modules: [qurey]}\n",
        [":2: model.target_modules", "'qurey'", "'query'"],
    ),
    "longer than the backbone": ("schema_version: 1\ntask: {max_length: 1024}\n", ["task.max_length", "1024", "512"]),
    "rank wider than the module": ("schema_version: 1\nmethod: {name: fedit, rank: 1000}\n", ["method.rank", "384"]),
    "no groups": ("schema_version: 1\nfleet: {groups: []}\n", [":2: fleet.groups", "at least 1"]),
    "a group's link of no kind": (
        "schema_version: 1\nfleet: {groups: [{profile: jetson-tx2, count: 1, link: {kind: wfi}}]}\n",
        [":2: fleet.groups.0.link", "did you mean 'wifi'", "constant | lognormal"],
    ),
    "a link that is a word": (
        "schema_version: 1\nfleet: {link: wifi}\n",
        [":2: fleet.link: given 'wifi'; allowed: a map"],
    ),
    "a factor without effect": (
        "schema_version: 1\nfleet: {faults: {corruption: {share: 0.5, kind: stale, factor: 3.0}}}\n",
        [":2: fleet.faults.corruption", "only with kind: scaled"],
    ),
    "no such catalogue": ("schema_version: 1\nfleet: {catalogue: nope}\n", [":2: fleet.catalogue", "existing folder"]),
    "too many examples": (
        "schema_version: 1\ntask: {dataset: {kind: none, examples_per_device: 10000000}}\n",
        [":2: task.dataset", "800,000,000 examples"],
    ),
    "duplicate key": ("schema_version: 1\nname: a\nname: b\n", [":3:", "name", "twice"]),
    "tab": ("schema_version: 1\ntraining:\n\trounds: 3\n", [":3", "tabs"]),
    "alias bomb": (BOMB, ["values once aliases are expanded"]),
    "python tag": ("schema_version: 1\nname: !!python/name:os.system x\n", [":2", "not allowed"]),
    "a list": ("- schema_version: 1\n", [":1", "a scenario is a mapping"]),
    "empty": ("", ["a scenario is a mapping"]),
    "unclosed": ("schema_version: [1\n", ["not valid YAML"]),
    "huge": ("# " + "x" * 1_000_001 + "\nschema_version: 1\n", ["bytes"]),
    "crossed link": (
        "schema_version: 1\nfleet:\n  link: {kind: uniform, low_mbps: 9.0, high_mbps: 2.0}\n",
        [":3: fleet.link", "low_mbps must not exceed high_mbps"],
    ),
    "hosts twice": ("schema_version: 1\nruntime: {hosts: 2, devices_per_host: 1}\n", ["runtime", "not both"]),
    "target without data": (
        "schema_version: 1\ntask: none\ntraining: {stop: {target: 0.5}}\n",
        ["training.stop.target", "without data"],
    ),
    "more asked than there are": (
        "schema_version: 1\ntraining:\n  participants: 81\n",
        [":3: training.participants", "given 81", "at most 80"],
    ),
    "a buffer that never fills": (
        "schema_version: 1\ntraining:\n  participants: 8\n  schedule: {kind: buffered}\n",
        [":4: training.schedule.buffer", "given 10", "at most 8, the devices in flight"],
    ),
    "more groups than devices": (
        "schema_version: 1\ntopology: {groups: 9}\ntraining: {participants: 8}\n",
        [":2: topology.groups", "given 9", "at most 8"],
    ),
    "more than any machine holds": ("schema_version: 1\ntraining: {rounds: 10000000000}\n", ["≤ 1000000000"]),
    "batteries that never suffice": (
        "schema_version: 1\nfleet:\n  battery: {capacity_wh: 1.0, start_share: 0.1}\n",
        [":3: fleet.battery", "start_share of at least reserve_share"],
    ),
    "no device ever online": (
        "schema_version: 1\nfleet:\n  groups: [{profile: jetson-tx2, count: 1}]\n"
        "  availability: {kind: bernoulli, share: 0.000001}\n",
        [":4: fleet.availability", "ever online"],
    ),
    "name that is a path": ("schema_version: 1\nname: ../../etc\n", [":2: name", "matching"]),
}

# what only reading the boards, the data or the backbone can tell
PREPARED = (
    "a device by a part of its name",
    "a device by words in another order",
    "unknown device",
    "a device by a part of its name",
    "a device by words in another order",
    "unknown power mode",
    "method parameter that does not suit",
    "missing file",
    "no backbone",
    "no such module",
    "longer than the backbone",
    "rank wider than the module",
    "no such catalogue",
    "too many examples",
    "target without data",
    "batteries that never suffice",
    "no device ever online",
)


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=pytest.mark.model) if what in PREPARED else what for what in BROKEN]
)
def test_a_broken_scenario_gives_one_readable_message(what, fedray, tmp_path: Path) -> None:
    text, said = BROKEN[what]
    path = tmp_path / "broken.yaml"
    path.write_text(text)

    result = fedray("validate", path)

    assert result.code == 2
    assert result.err.startswith(str(path))
    assert len(result.err.splitlines()) == 1
    for words in said:
        assert words in result.err
    assert "Traceback" not in result.err + result.out


def test_every_number_has_a_highest_value() -> None:
    """A slip of the finger must not overflow somewhere later."""

    def unbounded(node: object, key: str) -> list[str]:
        if isinstance(node, list):
            return [found for item in node for found in unbounded(item, key)]
        if not isinstance(node, dict):
            return []
        bounds = {"maximum", "exclusiveMaximum", "const", "enum"}
        open_above = node.get("type") in ("integer", "number") and not bounds & node.keys()
        inside = [found for name, child in node.items() for found in unbounded(child, f"{key}.{name}")]
        return [key, *inside] if open_above else inside

    assert unbounded(scenario_schema(), "scenario") == []


def test_every_problem_is_reported_at_once(fedray, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("schema_version: 1\ntraining: {rounds: 0, batch_size: -1}\nseed: x\n")

    lines = fedray("validate", path).err.splitlines()

    assert len(lines) == 3


@pytest.mark.model
def test_a_missing_label_column_names_the_columns_there_are(fedray, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("text,lable\nhello,1\n")
    path = tmp_path / "broken.yaml"
    path.write_text("schema_version: 1\ntask:\n  dataset: {kind: files, train: train.csv, test: test.csv}\n")

    result = fedray("validate", path)

    assert result.code == 2
    assert "task.dataset.label" in result.err
    assert "lable" in result.err


def test_a_scenario_that_is_not_there(fedray, tmp_path: Path) -> None:
    result = fedray("run", tmp_path / "none.yaml")
    assert result.code == 2
    assert "cannot read the scenario" in result.err


def test_a_broken_setting_is_placed_at_the_command_line(fedray, tmp_path: Path) -> None:
    path = tmp_path / "fine.yaml"
    path.write_text("schema_version: 1\n")
    assert fedray("validate", path, "--set", "training.rounds=0").err.startswith("--set training.rounds=0")
    assert "KEY=VALUE" in fedray("validate", path, "--set", "training.rounds").err
    assert "there is no" in fedray("validate", path, "--set", "fleet.groups.0.count=3", "--set", "name.x=3").err


def test_a_broken_scenario_writes_nothing(fedray, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("schema_version: 1\ntraining: {rounds: 0}\n")
    assert fedray("run", path, "--run-dir", tmp_path / "run").code == 2
    assert list(tmp_path.iterdir()) == [path]
