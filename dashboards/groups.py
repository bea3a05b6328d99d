"""Groups: devices aggregated together before the global aggregation."""

from grafana_foundation_sdk.models import dashboard as model

from dashboards.page import Row, page
from dashboards.panels import AnyPanel, PanelSpec, Query, lines, number, ranking, stack

RUN = '{run=~"$run"}'
GROUP = "{{run}} group {{group}}"
ABSENT = "Empty with buffered and asynchronous schedules."
LABELS = f"Needs labelled data. {ABSENT}"
NATS = "suffix: nats"


def groups() -> model.Dashboard:
    return page(
        "Groups",
        "fedray-groups",
        "How devices are grouped, how often groups aggregate, and how far their labels are from the fleet's.",
        (Row("Now", _now()), Row("Sizes and paces", _sizes()), Row("Labels", _labels())),
    )


def _now() -> tuple[AnyPanel, ...]:
    weighted = f"fedray_group_label_divergence_nats{RUN} * fedray_group_devices{RUN}"
    return (
        number(
            PanelSpec("Groups", "Groups of the last round.", width=8, height=4),
            Query(f"max by (run) (fedray_groups{RUN})"),
        ),
        number(
            PanelSpec("Mean divergence", f"Of groups' label mixes from the fleet's, by devices. {LABELS}", NATS, 8, 4),
            Query(f"sum by (run) ({weighted}) / sum by (run) (fedray_group_devices{RUN})"),
        ),
        number(
            PanelSpec(
                "Largest over smallest",
                f"Devices of the largest group over those of the smallest. {ABSENT}",
                "suffix:×",
                8,
                4,
            ),
            Query(f"max by (run) (fedray_group_devices{RUN}) / min by (run) (fedray_group_devices{RUN})"),
        ),
    )


def _sizes() -> tuple[AnyPanel, ...]:
    return (
        stack(
            PanelSpec("Devices of each group", f"In the last round. {ABSENT}"),
            Query(f"max by (run, group) (fedray_group_devices{RUN})", GROUP),
        ),
        lines(
            PanelSpec("Aggregations inside each group", f"Before the global one of the last round. {ABSENT}"),
            Query(f"max by (run, group) (fedray_group_inner_rounds{RUN})", GROUP),
        ).min(0),
    )


def _labels() -> tuple[AnyPanel, ...]:
    divergence = f"max by (run, group) (fedray_group_label_divergence_nats{RUN})"
    return (
        lines(
            PanelSpec(
                "Divergence of each group",
                f"Kullback-Leibler divergence of its label mix from the fleet's; 0 is the same mix. {LABELS}",
                NATS,
            ),
            Query(divergence, GROUP),
        ).min(0),
        ranking(
            PanelSpec("Most divergent groups", f"The ten that are furthest from the fleet's mix now. {LABELS}", NATS),
            Query(f"topk(10, {divergence})", GROUP),
        ),
    )
