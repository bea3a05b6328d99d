"""Convergence: what the global model has learned against the wall, emulated time and bytes, one run beside another."""

from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from dashboards.page import Row, page
from dashboards.panels import Column, PanelSpec, Query, lines, table
from dashboards.xy import against

RUN = '{run=~"$run"}'
ACCURACY = f"max by (run) (fedray_accuracy_ratio{RUN})"
EMULATED = f"max by (run) (fedray_emulated_seconds{RUN})"
TRAFFIC = f"sum by (run) (fedray_traffic_bytes_total{RUN})"


def convergence() -> model.Dashboard:
    return page(
        "Convergence",
        "fedray-convergence",
        "What the global model has learned, and at what price in time and traffic. Choose runs to compare them.",
        (
            Row("Runs side by side", (_runs(),)),
            Row(
                "Accuracy",
                (
                    lines(
                        PanelSpec(
                            "Accuracy against wall time",
                            "Share of the evaluated test examples that the global model gets right.",
                            units.PercentUnit,
                        ),
                        Query(ACCURACY),
                    )
                    .min(0)
                    .max(1),
                    lines(
                        PanelSpec(
                            "Loss against wall time", "Mean cross-entropy of the global model on the same examples."
                        ),
                        Query(f"max by (run) (fedray_loss{RUN})"),
                    ),
                    against(
                        PanelSpec(
                            "Accuracy against emulated time",
                            "What the devices would have reached by then; a point is a scrape, a curve a run.",
                            units.PercentUnit,
                            height=10,
                        ),
                        x=EMULATED,
                        x_title="Emulated time",
                        x_unit=units.Seconds,
                        y=ACCURACY,
                        y_title="Accuracy",
                    ),
                    against(
                        PanelSpec(
                            "Accuracy against traffic",
                            "Accuracy against adapter bytes, up and down together.",
                            units.PercentUnit,
                            height=10,
                        ),
                        x=TRAFFIC,
                        x_title="Traffic",
                        x_unit=units.BytesSI,
                        y=ACCURACY,
                        y_title="Accuracy",
                    ),
                ),
            ),
            Row(
                "Rounds",
                (
                    lines(
                        PanelSpec("Emulated time", "Time in the emulated world since the run began.", units.Seconds, 8),
                        Query(EMULATED),
                    ),
                    lines(
                        PanelSpec("Length of a round", "Emulated duration of the last round.", units.Seconds, 8),
                        Query(f"max by (run) (fedray_round_seconds{RUN})"),
                    ),
                    lines(
                        PanelSpec(
                            "Rounds done", "Rounds completed, of those the scenario asks for.", units.PercentUnit, 8
                        ),
                        Query(f"max by (run) (fedray_round{RUN} / fedray_rounds_planned{RUN})"),
                    )
                    .min(0)
                    .max(1),
                ),
            ),
        ),
    )


def _runs() -> tables.Panel:
    def best(metric: str) -> str:
        return f"max by (run, method) ({metric})"

    def total(metric: str) -> str:
        return f"sum by (run, method) ({metric})"

    return table(
        PanelSpec("Runs", "Where every chosen run stands now.", width=24, height=7),
        (
            Column("accuracy", best(f"fedray_accuracy_ratio{RUN}"), units.PercentUnit, 1),
            Column("best in range", best(f"max_over_time(fedray_accuracy_ratio{RUN}[$__range])"), units.PercentUnit, 1),
            Column("loss", best(f"fedray_loss{RUN}"), decimals=3),
            Column("round", best(f"fedray_round{RUN}"), decimals=0),
            Column("of", best(f"fedray_rounds_planned{RUN}"), decimals=0),
            Column("emulated time", best(f"fedray_emulated_seconds{RUN}"), units.Seconds),
            Column("traffic", total(f"fedray_traffic_bytes_total{RUN}"), units.BytesSI),
            Column("energy", total(f"fedray_energy_joules_total{RUN}"), "joule"),
            Column("mean waiting", best(f"fedray_waiting_seconds{RUN}"), units.Seconds),
        ),
        keys=("run", "method"),
        sort_by="run",
    )
