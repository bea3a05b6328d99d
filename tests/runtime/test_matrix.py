"""Which runs a sweep comes to, and what their folders are called."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.errors import UserError
from fedray.runtime.matrix import LONGEST_NAME, build_matrix, folder_name, split


def names(scenario: Path, *vary: str, seeds: str | None = None, settings: Sequence[str] = ()) -> list[str]:
    return [cell.name for cell in build_matrix([scenario], settings, vary, seeds).cells]


def test_cells_are_the_product_of_all_values_and_seeds(plain: Path) -> None:
    assert names(plain, "method.rank=1,2", "training.local_steps=3,1", seeds="1,2") == [
        f"method.rank={rank},training.local_steps={steps},seed={seed}"
        for rank in (1, 2)
        for steps in (3, 1)
        for seed in (1, 2)
    ]
    assert names(plain, "method.rank=1,2") == ["method.rank=1,seed=3", "method.rank=2,seed=3"]
    assert names(plain, seeds="4,5") == ["seed=4", "seed=5"]


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


@given(st.text(max_size=300))
def test_a_folder_name_is_safe_and_short_whatever_was_set(settings) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._=,-]+", folder_name(f"a={settings},seed=1"))
    assert len(folder_name(settings)) <= LONGEST_NAME


@given(st.lists(st.text("a1=,-{}: '/", max_size=12), unique=True, max_size=30))
def test_different_settings_have_different_folders(settings) -> None:
    assert len({folder_name(text) for text in settings}) == len(settings)


def test_a_folder_name_is_readable_and_cut_with_a_digest() -> None:
    assert folder_name("method.name=legend,seed=1") == "method.name=legend,seed=1"
    whole = folder_name("method={name: fedit, rank: 8},seed=1")
    assert re.fullmatch(r"method=name=fedit,rank=8,seed=1-[0-9a-f]{8}", whole)
    long = folder_name("x=" + "y" * 200)
    assert len(long) == LONGEST_NAME
    assert long != folder_name("x=" + "y" * 199)


def test_equal_values_have_one_name_however_they_are_written(plain: Path) -> None:
    rate = "training.optimiser.learning_rate"
    assert names(plain, f"{rate}=1e-3") == names(plain, f"{rate}=0.001") == [f"{rate}=0.001,seed=3"]
    assert names(plain, "method={rank: 2, name: fedit}") == names(plain, "method={name: fedit,   rank: 2}")
