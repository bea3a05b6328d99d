"""Network and traffic: what goes through the links, how long it takes, what was sent in vain."""

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from dashboards import colours
from dashboards.page import Row, page
from dashboards.panels import AnyPanel, PanelSpec, Query, heat_buckets, lines, number, ranking, stack

RUN = '{run=~"$run"}'
CHOSEN = '{run=~"$run",profile=~"$profile"}'
TRAFFIC = f"sum by (run) (fedray_traffic_bytes_total{RUN})"
WASTED = f"sum by (run) (fedray_wasted_bytes_total{RUN})"


def network() -> model.Dashboard:
    return page(
        "Network and traffic",
        "fedray-network",
        "Adapter bytes between server and devices, and the emulated time that they take.",
        (Row("Now", _now()), Row("Traffic", _traffic()), Row("Transfers", _transfers())),
        by_profile=True,
    )


def _now() -> tuple[AnyPanel, ...]:
    vain = colours.steps(colours.GREEN, (0.1, colours.ORANGE), (0.3, colours.VERMILION))
    return (
        number(
            PanelSpec("Sent up", "Adapter bytes from devices since the run began.", units.BytesSI, 6, 4),
            Query(f"sum by (run) (fedray_traffic_bytes_total{_way('up')})"),
        ),
        number(
            PanelSpec("Sent down", "Adapter bytes to devices since the run began.", units.BytesSI, 6, 4),
            Query(f"sum by (run) (fedray_traffic_bytes_total{_way('down')})"),
        ),
        number(
            PanelSpec(
                "Sent in vain", "Traffic of devices that did not finish, since the run began.", units.BytesSI, 6, 4
            ),
            Query(WASTED),
        ),
        number(
            PanelSpec("Share in vain", "That traffic over all traffic.", units.PercentUnit, 6, 4),
            Query(f"{WASTED} / ({TRAFFIC} > 0)"),
            thresholds=vain,
        ),
    )


def _traffic() -> tuple[AnyPanel, ...]:
    return (
        lines(
            PanelSpec("Traffic", "Adapter bytes since the run began, by direction.", units.BytesSI),
            Query(f"sum by (run, direction) (fedray_traffic_bytes_total{CHOSEN})", "{{run}} {{direction}}"),
            tints=colours.DIRECTION_COLOURS,
        ),
        lines(
            PanelSpec("Bytes of a round", "Mean traffic of a round since the run began, up and down.", units.BytesSI),
            Query(f"{TRAFFIC} / (max by (run) (fedray_round{RUN}) > 0)"),
        ),
        lines(
            PanelSpec(
                "Traffic in emulated time",
                "Mean bytes per emulated second at the server since the run began, up and down.",
                units.BytesPerSecondSI,
            ),
            Query(f"{TRAFFIC} / (max by (run) (fedray_emulated_seconds{RUN}) > 0)"),
        ),
        ranking(
            PanelSpec("Traffic by profile", "Adapter bytes since the run began.", units.BytesSI),
            Query(
                f"sum by (run, profile, direction) (fedray_traffic_bytes_total{CHOSEN})",
                "{{run}} {{profile}} {{direction}}",
            ),
        ),
    )


def _transfers() -> tuple[AnyPanel, ...]:
    shares = f"sum by (phase) (fedray_phase_seconds_sum{CHOSEN})"
    return (
        stack(
            PanelSpec(
                "Where devices' time goes",
                "Shares of the rounds that devices finished, since runs began; chosen runs together.",
                units.Seconds,
                width=24,
            ),
            Query(shares, "{{phase}}"),
            tints=colours.PHASE_COLOURS,
            percent=True,
        ),
        *(
            lines(
                PanelSpec(
                    f"{name} seconds by profile",
                    f"Median and nine tenths of all {phase}s since the run began, as far as the buckets tell.",
                    units.Seconds,
                ),
                *(
                    Query(
                        f"histogram_quantile({share}, sum by (run, profile, le) "
                        f"(fedray_phase_seconds_bucket{_phase(phase)}))",
                        f"{{{{run}}}} {{{{profile}}}} {word}",
                    )
                    for share, word in ((0.5, "median"), (0.9, "nine tenths"))
                ),
            )
            for name, phase in (("Download", "download"), ("Upload", "upload"))
        ),
        *(
            heat_buckets(
                PanelSpec(
                    f"{name}s over time",
                    f"How many {phase}s took how long, as rounds ended; chosen runs together.",
                    units.Seconds,
                ),
                Query(
                    f"sum by (le) (increase(fedray_phase_seconds_bucket{_phase(phase)}[$__rate_interval]))", "{{le}}"
                ),
            )
            for name, phase in (("Download", "download"), ("Upload", "upload"))
        ),
    )


def _way(direction: str) -> str:
    return f'{{run=~"$run",profile=~"$profile",direction="{direction}"}}'


def _phase(phase: str) -> str:
    return f'{{run=~"$run",profile=~"$profile",phase="{phase}"}}'
