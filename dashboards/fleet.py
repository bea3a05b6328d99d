"""Fleet: what each device does, how long it waits, what it carries, what it spends."""

from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from dashboards import colours
from dashboards.page import Row, page
from dashboards.panels import (
    AnyPanel,
    Column,
    PanelSpec,
    Query,
    heat_rows,
    lines,
    number,
    outcome_rows,
    ranking,
    stack,
    table,
)

RUN = '{run=~"$run"}'
CHOSEN = '{run=~"$run",profile=~"$profile"}'
WAITING = '{run=~"$run",profile=~"$profile",phase="waiting"}'
DEVICE = "{{run}} {{device}} {{profile}}"
ROWS = 40  # devices on a page: 80 are two pages of rows that can be read
ABSENT = "Empty for a fleet larger than telemetry.device_series (1,000 unless the scenario says otherwise)."


def fleet() -> model.Dashboard:
    return page(
        "Fleet",
        "fedray-fleet",
        "What the devices do, and what they wait for. Panels by device are empty above telemetry.device_series.",
        (
            Row("Now", _now()),
            Row("How rounds end", _endings()),
            Row("Time", _time()),
            Row("Adapters", _adapters()),
            Row("Memory, energy, loss", _burdens()),
            Row("Every device", (_devices(),)),
        ),
        by_profile=True,
    )


def _now() -> tuple[AnyPanel, ...]:
    ratio = colours.steps(colours.GREEN, (0.1, colours.ORANGE), (0.3, colours.VERMILION))
    straggling = colours.steps(colours.GREEN, (5, colours.ORANGE), (10, colours.VERMILION))
    waiting = colours.steps(colours.GREEN, (0.75, colours.ORANGE), (0.9, colours.VERMILION))
    return (
        number(
            PanelSpec("Participants", "Devices planned in the last round.", width=6, height=4),
            Query(f"sum by (run) (fedray_participants{RUN})"),
        ),
        number(
            PanelSpec("Drop-outs, 15 min", "Share of devices whose work came to nothing.", units.PercentUnit, 6, 4),
            Query(f"run:fedray_dropouts:ratio15m{RUN}"),
            thresholds=ratio,
        ),
        number(
            PanelSpec("Waiting", "Share of the last round that a device waited, in the mean.", units.PercentUnit, 6, 4),
            Query(f"run:fedray_waiting:ratio{RUN}"),
            thresholds=waiting,
        ),
        number(
            PanelSpec("Stragglers", f"The busiest device's seconds over the median's. {ABSENT}", "suffix:×", 6, 4),
            Query(f"run:fedray_stragglers:ratio{RUN}"),
            thresholds=straggling,
        ),
    )


def _endings() -> tuple[AnyPanel, ...]:
    return (
        outcome_rows(
            PanelSpec(
                "How each device ended", f"How the last round ended for every device. {ABSENT}", width=24, height=22
            ),
            Query(f"fedray_device_outcome{CHOSEN}", DEVICE),
            ROWS,
        ),
        stack(
            PanelSpec("Did not finish", "Times a device did not finish a round since the run began, by how it ended."),
            Query(f"sum by (run, outcome) (fedray_devices_dropped_total{RUN})", "{{run}} {{outcome}}"),
            tints=colours.OUTCOME_COLOURS,
        ),
        stack(
            PanelSpec(
                "Updates refused", "Updates that were refused as unsound since the run began, by what was wrong."
            ),
            Query(f"sum by (run, reason) (fedray_updates_rejected_total{RUN})", "{{run}} {{reason}}"),
        ),
        stack(
            PanelSpec("Devices by profile", "Devices planned in the last round."),
            Query(f"sum by (run, profile) (fedray_devices{CHOSEN})", "{{run}} {{profile}}"),
        ),
        lines(
            PanelSpec(
                "Time lost", "Seconds of devices spent on what came to nothing, since the run began.", units.Seconds
            ),
            Query(f"sum by (run) (fedray_wasted_seconds_total{RUN})"),
        ),
    )


def _time() -> tuple[AnyPanel, ...]:
    seconds = f"sum by (phase) (fedray_phase_seconds_sum{CHOSEN})"
    finished = f"sum by (phase) (fedray_phase_seconds_count{CHOSEN})"
    mine = f"sum by (run, profile) (fedray_phase_seconds_sum{WAITING})"
    times = f"sum by (run, profile) (fedray_phase_seconds_count{WAITING})"
    return (
        stack(
            PanelSpec(
                "A device's round",
                "Mean seconds of each part of a round that a device finished, since runs began; chosen runs together.",
                units.Seconds,
            ),
            Query(f"{seconds} / ({finished} > 0)", "{{phase}}"),
            tints=colours.PHASE_COLOURS,
        ),
        lines(
            PanelSpec(
                "Waiting by profile",
                "Mean waiting of a round since the run began, for a fleet of any size.",
                units.Seconds,
            ),
            Query(f"{mine} / ({times} > 0)", "{{run}} {{profile}}"),
        ),
        lines(
            PanelSpec(
                "Waiting of devices",
                f"Least, median, nine tenths and longest waiting in the last round. {ABSENT}",
                units.Seconds,
            ),
            *_spread("fedray_device_waiting_seconds"),
        ),
        ranking(
            PanelSpec(
                "Slowest devices", f"The ten that were busy for longest in their last round. {ABSENT}", units.Seconds
            ),
            Query(f"topk(10, fedray_device_busy_seconds{CHOSEN})", DEVICE),
        ),
    )


def _adapters() -> tuple[AnyPanel, ...]:
    mean = "{{run}} mean"
    return (
        heat_rows(
            PanelSpec("LoRA depth", f"Layers that each device tunes; the darker, the more. {ABSENT}", height=22),
            Query(f"fedray_device_depth{CHOSEN}", DEVICE),
            ROWS,
        ),
        heat_rows(
            PanelSpec(
                "LoRA rank", f"Mean rank of each device's tuned layers; the darker, the larger. {ABSENT}", height=22
            ),
            Query(f"fedray_device_rank{CHOSEN}", DEVICE),
            ROWS,
        ),
        lines(
            PanelSpec("Depth by profile", "Mean LoRA depth of the last round, for a fleet of any size."),
            Query(f"avg by (run, profile) (fedray_profile_depth{CHOSEN})", "{{run}} {{profile}}"),
            Query(f"max by (run) (fedray_adapter_depth{RUN})", mean),
        ),
        lines(
            PanelSpec("Rank by profile", "Mean LoRA rank of the last round's tuned layers, for a fleet of any size."),
            Query(f"avg by (run, profile) (fedray_profile_rank{CHOSEN})", "{{run}} {{profile}}"),
            Query(f"max by (run) (fedray_adapter_rank{RUN})", mean),
        ),
    )


def _burdens() -> tuple[AnyPanel, ...]:
    room = colours.steps(colours.VERMILION, (0.0, colours.ORANGE), (0.1, colours.BLUE))
    return (
        lines(
            PanelSpec(
                "Memory headroom by profile",
                f"Share of its memory that the tightest device of a profile had left; below 0 it failed. {ABSENT}",
                units.PercentUnit,
            ),
            Query(f"1 - max by (run, profile) (fedray_device_memory_ratio{CHOSEN})", "{{run}} {{profile}}"),
        ),
        ranking(
            PanelSpec(
                "Tightest devices",
                f"The ten with the least memory left in their last round. {ABSENT}",
                units.PercentUnit,
            ),
            Query(f"bottomk(10, 1 - fedray_device_memory_ratio{CHOSEN})", DEVICE),
            thresholds=room,
        ),
        stack(
            PanelSpec("Energy by profile", "Joules of compute and radio since the run began.", "joule", 8),
            Query(f"sum by (run, profile) (fedray_energy_joules_total{CHOSEN})", "{{run}} {{profile}}"),
        ),
        lines(
            PanelSpec("Energy lost", "Joules of work that came to nothing, since the run began.", "joule", 8),
            Query(f"sum by (run) (fedray_wasted_joules_total{RUN})"),
        ),
        ranking(
            PanelSpec(
                "Hungriest devices", f"The ten that spent the most energy in their last round. {ABSENT}", "joule", 8
            ),
            Query(f"topk(10, fedray_device_energy_joules{CHOSEN})", DEVICE),
        ),
        lines(
            PanelSpec(
                "Training loss of devices",
                f"Least, median, nine tenths and largest in the last round. {ABSENT}",
                width=24,
            ),
            *_spread("fedray_device_loss"),
        ),
    )


def _spread(metric: str) -> tuple[Query, ...]:
    """Four lines for a fleet, where one for each device would be a thicket."""
    return tuple(
        Query(f"quantile by (run) ({share}, {metric}{CHOSEN})", f"{{{{run}}}} {name}")
        for share, name in ((0, "least"), (0.5, "median"), (0.9, "nine tenths"), (1, "most"))
    )


def _devices() -> tables.Panel:
    def mine(metric: str) -> str:
        return f"max by (run, device, profile) (fedray_device_{metric}{CHOSEN})"

    panel = table(
        PanelSpec(
            "Devices", f"Every device's last round; sort and filter by any column. {ABSENT}", width=24, height=16
        ),
        (
            Column("outcome", mine("outcome")),
            Column("depth", mine("depth")),
            Column("rank", mine("rank"), decimals=1),
            Column("busy", mine("busy_seconds"), units.Seconds),
            Column("waiting", mine("waiting_seconds"), units.Seconds),
            Column("memory used", mine("memory_ratio"), units.PercentUnit, 0),
            Column("energy", mine("energy_joules"), "joule"),
            Column("loss", mine("loss"), decimals=3),
        ),
        keys=("run", "device", "profile"),
        sort_by="device",
    )
    return panel.override_by_name("outcome", [model.DynamicConfigValue("mappings", [colours.outcomes()])])
