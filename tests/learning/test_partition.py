"""Who holds which training examples, and what becomes of devices with too few."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from fedray.errors import UserError
from fedray.learning.partition import Shards, partition
from fedray.learning.partitions import Partition, Pool
from fedray.learning.replacement import draw_by_label_mix, draw_evenly
from fedray.learning.tasks.classification import ClassificationSection
from fedray.scenario import Source

SOURCE = Source("scenario.yaml", {}, {})
PARTITIONS = [
    {"kind": "iid"},
    {"kind": "dirichlet", "alpha": 0.1},
    {"kind": "pathological", "labels_per_device": 2},
    {"kind": "shard", "shards_per_device": 2},
    {"kind": "size-skewed", "growth": "linear"},
    {"kind": "natural-id"},
]


def some_texts(count: int = 600, owners: int = 15) -> Pool:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, count)
    return Pool(labels, [f"owner-{number}" for number in rng.integers(0, owners, count)])


def dealt(words: dict[str, Any], devices: int = 20, texts: Pool | None = None, seed: int = 3, **task: Any) -> Shards:
    section = TypeAdapter(Partition).validate_python(words)
    return partition(texts or some_texts(), ClassificationSection(partition=section, **task), devices, seed, SOURCE)


@pytest.mark.parametrize("words", PARTITIONS, ids=lambda words: words["kind"])
def test_every_example_goes_to_one_device(words) -> None:
    shards = dealt(words)
    assert len(shards.own) == 20
    assert sorted(np.concatenate(shards.own).tolist()) == list(range(600))
    assert not any(map(len, shards.copies))
    again = dealt(words)
    assert all((a == b).all() for a, b in zip(shards.own, again.own, strict=True))


UNBOUNDED = [words for words in PARTITIONS if words["kind"] in ("iid", "dirichlet", "natural-id")]  # of any fleet


@settings(deadline=None, max_examples=40)
@given(
    words=st.sampled_from(UNBOUNDED),
    devices=st.integers(1, 40),
    least=st.integers(1, 12),
    rule=st.sampled_from(["sit-out", "top-up"]),
    seed=st.integers(0, 2**31),
)
def test_copies_are_others_and_top_up_to_the_minimum_only(words, devices, least, rule, seed) -> None:
    shards = dealt(words, devices, some_texts(480), seed, min_examples=least, too_few=rule)
    held = np.concatenate(shards.own)
    assert len(np.unique(held)) == len(held)
    for device, (own, copies) in enumerate(zip(shards.own, shards.copies, strict=True)):
        assert not set(own.tolist()) & set(copies.tolist())
        assert (np.diff(shards.trained(device)) > 0).all()
        size = shards.dealt[device]
        if size == 0 or (rule == "sit-out" and size < least):
            assert len(shards.trained(device)) == 0
        else:
            assert len(own) == size
            assert len(copies) == max(0, least - size)


def test_a_device_without_examples_is_never_topped_up() -> None:
    """80 devices at alpha 0.05 on 600 examples: many hold next to nothing."""
    skewed = {"kind": "dirichlet", "alpha": 0.05}
    topped, seated = (dealt(skewed, 80, min_examples=8, too_few=rule) for rule in ("top-up", "sit-out"))
    empty = topped.dealt == 0
    assert empty.sum() > 5
    assert all(len(topped.trained(device)) == 0 for device in np.flatnonzero(empty))
    assert all(len(topped.trained(device)) >= 8 for device in np.flatnonzero(~empty))
    assert {len(own) for own in seated.own if len(own) < 8} == {0}
    assert sum(map(len, topped.own)) == 600  # copies count nowhere


def test_by_default_the_smallest_shard_takes_part_and_nothing_is_copied() -> None:
    shards = dealt({"kind": "dirichlet", "alpha": 0.05}, 80)
    assert min(len(own) for own in shards.own if len(own)) == 1
    assert [len(own) for own in shards.own] == shards.dealt.tolist()
    assert sum(map(len, shards.copies)) == 0


def test_pathological_devices_hold_few_labels() -> None:
    texts = some_texts()
    shards = dealt({"kind": "pathological", "labels_per_device": 2}, texts=texts)
    assert max(len(set(texts.strata[own])) for own in shards.own) == 2


def test_sizes_of_a_size_skewed_partition_do_not_follow_the_device_id() -> None:
    """Ids follow boards: 1/210, 2/210 … 20/210 of 600 examples, on devices in an order that the seed draws."""
    sizes = [len(own) for own in dealt({"kind": "size-skewed"}).own]
    assert sorted(sizes)[:-1] == [600 * number // 210 for number in range(1, 20)]  # the last gets what is left
    assert abs(np.corrcoef(sizes, range(20))[0, 1]) < 0.5
    assert sizes != [len(own) for own in dealt({"kind": "size-skewed"}, seed=4).own]


@settings(deadline=None, max_examples=40)
@given(owners=st.integers(1, 60), devices=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_natural_id_drops_nothing_and_keeps_owners_together(owners, devices, seed) -> None:
    texts = some_texts(200, owners)
    shards = dealt({"kind": "natural-id"}, devices, texts, seed)
    assert sorted(np.concatenate(shards.own).tolist()) == list(range(200))
    homes: dict[str, set[int]] = {}
    for device, own in enumerate(shards.own):
        for example in own:
            homes.setdefault(texts.owners[example], set()).add(device)
    assert {len(devices) for devices in homes.values()} == {1}
    assert sum(len(own) == 0 for own in shards.own) == max(0, devices - len(homes))


def test_owners_are_dealt_so_that_devices_hold_about_as_much() -> None:
    """Owners of 6, 5, 4, 3, 2, 1 examples on 3 devices: 6 + 1, 5 + 2, 4 + 3."""
    owners = [name for name, size in zip("abcdef", (6, 5, 4, 3, 2, 1), strict=True) for _ in range(size)]
    texts = Pool(np.arange(21) % 2, owners)
    shards = dealt({"kind": "natural-id"}, 3, texts)
    assert sorted("".join(sorted({owners[example] for example in own})) for own in shards.own) == ["af", "be", "cd"]
    firsts = {int(np.argmax([0 in own for own in dealt({"kind": "natural-id"}, 3, texts, s).own])) for s in range(9)}
    assert firsts == {0, 1, 2}  # the largest owner is on any board


def test_more_devices_than_owners_leaves_devices_empty_without_copies() -> None:
    shards = dealt({"kind": "natural-id"}, 40, some_texts(600, 30), min_examples=8, too_few="top-up")
    assert (shards.dealt == 0).sum() == 10
    assert not any(map(len, shards.copies))


@given(st.integers(1, 30), st.integers(1, 100), st.integers(0, 2**31))
def test_an_example_comes_twice_only_if_there_are_too_few(pool, wanted, seed) -> None:
    drawn = draw_evenly(np.arange(pool), wanted, np.random.default_rng(seed))
    counts = np.bincount(drawn, minlength=pool)
    assert counts.sum() == wanted
    assert np.ptp(counts) <= 1


@given(st.floats(1e-9, 1e9), st.integers(1, 60), st.integers(0, 2**31))
def test_a_label_mix_draws_as_many_as_wanted(alpha, wanted, seed) -> None:
    by_label = [np.arange(0, 5), np.arange(5, 40), np.arange(40, 100)]
    drawn = draw_by_label_mix(by_label, alpha, wanted, np.random.default_rng(seed))
    assert len(drawn) == wanted
    for pool in by_label:
        counts = np.bincount(drawn, minlength=100)[pool]
        assert np.ptp(counts) <= 1  # evenly, so none twice that can be avoided


@pytest.mark.parametrize("words", [{"kind": "iid"}, {"kind": "dirichlet", "alpha": 0.5}], ids=lambda w: w["kind"])
def test_more_devices_than_examples_hold_data_with_replacement(words) -> None:
    shards = dealt({**words, "examples_per_device": 12}, 1000)
    assert {len(own) for own in shards.own} == {12}
    uses = np.bincount(np.concatenate(shards.own), minlength=600)
    assert uses.min() > 0
    assert uses.mean() == 20  # 1,000 devices of 12 on 600 examples
    few = dealt({**words, "examples_per_device": 12}, 3)
    assert all((a == b).all() for a, b in zip(few.own, shards.own[:3], strict=True))  # keyed by device


def test_alpha_says_how_skewed_a_drawn_label_mix_is() -> None:
    """Total variation from the shares 0.1, 0.3, 0.6: small for large alpha; one label alone for tiny alpha."""
    by_label = [np.arange(0, 1000), np.arange(1000, 4000), np.arange(4000, 10000)]

    def mixes(alpha: float) -> np.ndarray:
        draws = (draw_by_label_mix(by_label, alpha, 200, np.random.default_rng(seed)) for seed in range(200))
        return np.array([np.histogram(drawn, [0, 1000, 4000, 10000])[0] / 200 for drawn in draws])

    even, skewed = mixes(1e6), mixes(1e-3)
    assert even.mean(axis=0) == pytest.approx([0.1, 0.3, 0.6], abs=0.02)
    assert even.std(axis=0).max() < 0.05
    assert skewed.mean(axis=0) == pytest.approx([0.1, 0.3, 0.6], abs=0.12)
    assert skewed.max(axis=1).mean() > 0.98


def test_what_no_machine_holds_is_refused() -> None:
    with pytest.raises(UserError, match=r"examples_per_device: given 1000000; allowed: at most 500 on 100,000 devices"):
        dealt({"kind": "iid", "examples_per_device": 1_000_000}, 100_000)


def test_a_partition_that_cannot_be_is_one_plain_error() -> None:
    with pytest.raises(UserError, match=r"task.partition: pathological cannot divide"):
        dealt({"kind": "pathological", "labels_per_device": 9})
    with pytest.raises(UserError, match="every device would sit out"):
        dealt({"kind": "iid"}, min_examples=500)
    with pytest.raises(UserError, match="natural_id: missing"):
        dealt({"kind": "natural-id"}, texts=Pool(np.array([0, 1]), None))
