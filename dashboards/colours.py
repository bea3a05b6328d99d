"""Colours that carry a meaning: Okabe and Ito's palette, which colour-blind eyes can tell apart.

Source: M. Okabe and K. Ito, Color Universal Design, 2008.
"""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from fedray.telemetry.snapshot import OUTCOMES, PHASES

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PINK, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"

OUTCOME_COLOURS = dict(zip(OUTCOMES, (GREEN, SKY, ORANGE, GREY, PINK, YELLOW, VERMILION), strict=True))
PHASE_COLOURS = dict(zip(PHASES, (SKY, BLUE, ORANGE, GREY), strict=True))
DIRECTION_COLOURS = {"up": ORANGE, "down": SKY}


def outcomes() -> model.ValueMap:
    """The codes of `fedray_device_outcome` as words in their colours."""
    return model.ValueMap(
        {
            str(code): model.ValueMappingResult(text=name, color=colour, index=code)
            for code, (name, colour) in enumerate(OUTCOME_COLOURS.items())
        }
    )


def fixed(colour: str) -> model.DynamicConfigValue:
    """A series' own colour."""
    return model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def scheme(mode: model.FieldColorModeId) -> build.FieldColor:
    return build.FieldColor().mode(mode)


def steps(first: str, *others: tuple[float, str]) -> build.ThresholdsConfig:
    """A colour from minus infinity on, and others each from a value on."""
    thresholds = [model.Threshold(None, first), *(model.Threshold(value, colour) for value, colour in others)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(thresholds)
