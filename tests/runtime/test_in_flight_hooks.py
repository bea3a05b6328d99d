"""Hooks of updates in flight survive a checkpoint, whatever class they are; a class that is no hook is refused."""

import json
from dataclasses import dataclass, replace

import pytest

from fedray.methods.fedara import TripletSelection
from fedray.methods.fedquad import GradientNorms
from fedray.methods.hetlora import TailDecay
from fedray.protocol import LocalHook
from fedray.runtime.in_flight import in_flight_facts, in_flight_tensors, load_in_flight
from tests.emulation.test_in_flight import BASE, in_flight


@dataclass(frozen=True)
class Foreign(LocalHook):
    """A hook that fedray does not know."""

    layers: tuple[int, ...]
    word: str


HOOKS = [GradientNorms(), TailDecay(3, 0.1), TripletSelection(4, 0.0, 0.85), Foreign((1, 2), "x"), None]


def round_trip(updates, change=lambda text: text):
    facts = json.loads(change(json.dumps(in_flight_facts(updates))))
    return load_in_flight(facts, in_flight_tensors(updates), BASE)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: type(hook).__name__)
def test_a_hook_in_flight_comes_back_equal_and_of_its_class(hook) -> None:
    updates = in_flight([3.0, 1.0, 2.0])
    updates = replace(updates, assignments=tuple(replace(one, hook=hook) for one in updates.assignments))
    back = round_trip(updates)
    assert back is not None
    assert back.assignments == updates.assignments
    assert [type(one.hook) for one in back.assignments] == [type(hook)] * 3


def test_a_class_that_is_no_hook_or_is_missing_is_refused() -> None:
    updates = in_flight([3.0, 1.0, 2.0])
    updates = replace(updates, assignments=tuple(replace(one, hook=TailDecay(3, 0.1)) for one in updates.assignments))
    with pytest.raises(ValueError, match="not a local hook"):
        round_trip(updates, lambda text: text.replace("TailDecay", "HetLoRA"))
    with pytest.raises(ValueError, match="no_such_package"):
        round_trip(updates, lambda text: text.replace("fedray.methods.hetlora", "no_such_package"))
