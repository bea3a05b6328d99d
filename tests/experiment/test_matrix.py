"""Which runs a sweep comes to, and what their folders are called."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.errors import UserError
from fedray.experiment.cell_names import LONGEST_NAME, CellSettings, cell_names
from fedray.experiment.matrix import build_matrix, split


def names(scenario: Path, *vary: str, seeds: str | None = None, settings: Sequence[str] = ()) -> list[str]:
    return [cell.name for cell in build_matrix([scenario], settings, vary, seeds).cells]


def test_cells_are_the_product_of_all_values_and_seeds(plain: Path) -> None:
    assert names(plain, "method.rank=1,2", "training.local_steps=3,1", seeds="1,2") == [
        f"rank{rank}-local_steps{steps}-seed{seed}" for rank in (1, 2) for steps in (3, 1) for seed in (1, 2)
    ]
    assert names(plain, "method.rank=1,2") == ["rank1-seed3", "rank2-seed3"]
    assert names(plain, seeds="4,5") == ["seed4", "seed5"]


def test_a_part_of_a_section_keeps_the_rest_and_a_whole_one_replaces_it(plain: Path) -> None:
    def methods(*vary: str) -> list[tuple[object, ...]]:
        cells = build_matrix([plain], (), vary, None).cells
        written = [cell.loaded.scenario.method for cell in cells]
        return [(method["name"], method["rank"], method["lora_alpha"], method.get("rho")) for method in written]

    assert methods("method.name=fedit,legend") == [("fedit", 1, 2.0, None), ("legend", 1, 2.0, 0.8)]
    assert methods("method.rank=4,8", "method={name: fedit},{name: legend, rho: 0.5}") == [
        ("fedit", 4, 16.0, None),
        ("legend", 4, 16.0, 0.5),
        ("fedit", 8, 16.0, None),
        ("legend", 8, 16.0, 0.5),
    ]


def test_a_default_written_out_is_the_same_experiment(plain: Path) -> None:
    with pytest.raises(UserError, match="are the same experiment"):
        build_matrix([plain], (), ["method={name: fedit},{name: fedit, rank: 8}"], None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (" a , b ", ["a", "b"]),
        ("{name: fedit, rank: 8},{name: legend}", ["{name: fedit, rank: 8}", "{name: legend}"]),
        ("[1, [2, 3]],4", ["[1, [2, 3]]", "4"]),
        ("'a,b',\"c,d\"", ["'a,b'", '"c,d"']),
        ("{a: '},'},b", ["{a: '},'}", "b"]),
        ("don't,can't", ["don't", "can't"]),
        ("a,", ["a", ""]),
        ("", [""]),
    ],
)
def test_values_are_split_at_top_level_commas_only(text, parts) -> None:
    assert list(split(text)) == parts


def named(*cells: dict[str, object], seed: int = 1) -> list[str]:
    return cell_names([CellSettings(None, sorted(cell.items()), seed) for cell in cells])


@given(st.text(max_size=300))
def test_a_folder_name_is_safe_and_short_whatever_was_set(text) -> None:
    (name,) = named({"a.b": text})
    assert re.fullmatch(r"[A-Za-z0-9._=,-]+", name)
    assert len(name) <= LONGEST_NAME


values = st.one_of(
    st.none(), st.booleans(), st.integers(-20, 20), st.floats(allow_nan=False), st.text("a1=,-{}: '/", max_size=8)
)


@given(st.lists(st.tuples(values, values), unique_by=repr, max_size=20))
def test_different_settings_have_different_folders(pairs) -> None:
    assert len(set(named(*({"x.a": one, "y.b": two} for one, two in pairs)))) == len(pairs)


@given(values, values)
def test_a_name_does_not_depend_on_values_that_are_added(one, other) -> None:
    (alone,) = named({"x.a": one})
    both = named({"x.a": one}, {"x.a": other})
    assert repr(one) == repr(other) or alone == both[0]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"method": {"name": "fedit", "rank": 8}}, "fedit-seed1"),  # 8 is fedit's default
        ({"method": {"name": "legend", "rank": 4, "depth": "fixed"}}, "legend-depth-fixed-rank4-seed1"),
        ({"method.name": "fedit", "method.rank": 8}, "fedit-rank8-seed1"),
        ({"costs.twin": None, "method.name": "fedit"}, "fedit-twin-null-seed1"),  # the method first
        ({"task.partition.alpha": 0.1}, "alpha0.1-seed1"),
        ({"training.optimiser.learning_rate": 1e-5}, "learning_rate1.0e-05-seed1"),
        ({"fleet.link": {"kind": "constant", "mbps": 10.0}}, "link-constant-mbps10.0-seed1"),
        ({"fleet.groups.0.count": 8, "fleet.groups.1.count": 4}, "groups.0.count8-groups.1.count4-seed1"),
        ({"model.target_modules": ["query", "value"]}, "target_modules-query,value-seed1"),
    ],
)
def test_a_folder_name_is_the_method_then_the_last_part_of_each_key(settings, name) -> None:
    assert named(settings) == [name]


def test_a_name_that_is_too_long_or_says_less_than_the_settings_ends_with_a_digest() -> None:
    (long,) = named({"a.x": "y" * 200})
    assert len(long) == LONGEST_NAME
    assert [long] != named({"a.x": "y" * 199})
    assert re.fullmatch(r"x-a-b-seed1-[0-9a-f]{8}", *named({"a.x": "a b"}))
    same = named({"q.a": "x-b-y", "q.b": "z"}, {"q.a": "x", "q.b": "y-b-z"})
    assert all(re.fullmatch(r"a-x-b-y-b-z-seed1-[0-9a-f]{8}", one) for one in same)
    assert same[0] != same[1]


def test_equal_values_have_one_name_however_they_are_written(plain: Path) -> None:
    rate = "training.optimiser.learning_rate"
    assert names(plain, f"{rate}=1e-3") == names(plain, f"{rate}=0.001") == ["learning_rate0.001-seed3"]
    assert names(plain, "method={rank: 2, name: fedit}") == names(plain, "method={name: fedit,   rank: 2}")


# several scenarios


def copies(plain: Path, **changes: str) -> list[Path]:
    """The plain scenario under other names, each with a line of its own in place of the method's."""
    method = next(line for line in plain.read_text().splitlines() if line.startswith("method:"))
    paths = []
    for name, line in changes.items():
        paths.append(plain.with_name(f"{name}.yaml"))
        paths[-1].write_text(plain.read_text().replace(method, line))
    return paths


def test_cells_of_several_scenarios_are_named_by_their_files(plain: Path) -> None:
    both = copies(plain, fedit="method: {name: fedit}", legend="method: {name: legend, rank: 4}")
    matrix = build_matrix(both, (), (), "1,2")
    assert [cell.name for cell in matrix.cells] == ["fedit-seed1", "fedit-seed2", "legend-seed1", "legend-seed2"]
    assert matrix.scenarios == ("fedit", "legend")
    assert [cell.name for cell in build_matrix(both, (), (), None).cells] == ["fedit-seed3", "legend-seed3"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("task: {dataset: {kind: none, labels: 9}}", r"b.yaml:\d+: task.dataset.labels: given 9; allowed: \d+, as in "),
        (
            "training: {rounds: 3}",
            r"b.yaml:\d+: training.rounds: given 3; allowed: 2, as in .*only the method and tune",
        ),
        ("seed: 8", r"their seeds differ \(3, 8\); give --seeds"),
        ("method: {name: fedit, rank: 1, lora_alpha: 2.0}", r"the runs a-seed3 and b-seed3 are the same experiment"),
    ],
)
def test_several_scenarios_share_all_but_the_method_and_what_tuning_chose(plain: Path, line, message) -> None:
    a, b = plain.with_name("a.yaml"), plain.with_name("b.yaml")
    a.write_text(plain.read_text())
    key = line.partition(":")[0]
    b.write_text("".join(row for row in plain.read_text().splitlines(True) if not row.startswith(f"{key}:")) + line)
    with pytest.raises(UserError, match=message):
        build_matrix([a, b], (), (), None)


def test_tuned_values_may_differ_between_scenarios_and_tuning_seeds_are_refused(plain: Path) -> None:
    tuning = "tuning: {keys: [training.optimiser.learning_rate], seeds: [1003], rounds: 1, score: 0.5}"
    rates = ("optimiser: {learning_rate: 0.001}", "optimiser: {learning_rate: 0.003}")
    both = copies(plain, a="method: {name: fedit}", b="method: {name: legend}")
    for path, rate in zip(both, rates, strict=True):
        path.write_text(path.read_text().replace("rounds: 2}", f"rounds: 2, {rate}}}") + tuning)
    matrix = build_matrix(both, (), (), "1")
    assert [cell.loaded.scenario.training.optimiser.learning_rate for cell in matrix.cells] == [0.001, 0.003]
    with pytest.raises(
        UserError, match=r"--seeds 1003: seed: given 1003; allowed: any but 1003: the values were tuned"
    ):
        build_matrix(both, (), (), "1,1003")


def test_two_files_of_one_name_are_refused(plain: Path) -> None:
    with pytest.raises(UserError, match="two files are called plain"):
        build_matrix([plain, plain], (), (), "1")
