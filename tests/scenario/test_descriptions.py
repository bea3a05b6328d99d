"""An editor shows what a key means where it is typed."""

from collections.abc import Iterator

from fedray.experiment.sections import scenario_schema


def undescribed(node: object, key: str) -> Iterator[str]:
    """Keys of sections whose own description is missing; that of the section they hold does not count."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from undescribed(item, f"{key}.{index}")
    elif isinstance(node, dict):
        properties = node.get("properties")
        for name, child in properties.items() if isinstance(properties, dict) else ():
            if not child.get("description"):
                yield f"{key}.{name}"
        for name, child in node.items():
            yield from undescribed(child, f"{key}.{name}")


def test_every_key_of_a_scenario_has_a_description() -> None:
    assert list(undescribed(scenario_schema(), "scenario")) == []


def test_a_key_without_a_description_is_found() -> None:
    section = {"properties": {"group": {"$ref": "#/$defs/Group"}, "mode": {"description": "A mode."}}}
    assert list(undescribed({"$defs": [section]}, "scenario")) == ["scenario.$defs.0.group"]
