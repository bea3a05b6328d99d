"""Coordinator and Ray health: is the run going on, what takes the wall's time, is the cluster well."""

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from dashboards import colours
from dashboards.page import Row, page
from dashboards.panels import AnyPanel, PanelSpec, Query, lines, number, stack

RUN = '{run=~"$run"}'
TENTHS = colours.steps(colours.GREEN, (0.7, colours.ORANGE), (0.9, colours.VERMILION))
NEVER = colours.steps(colours.GREEN, (1, colours.VERMILION))
ALERT_COLOURS = {"pending": colours.ORANGE, "firing": colours.VERMILION}
WALL = "Only under runtime.clock: wall."


def health() -> model.Dashboard:
    return page(
        "Coordinator and Ray health",
        "fedray-health",
        "Whether runs go on and the cluster is well. A Ray that a run starts for itself exports nothing.",
        (
            Row("Now", _now()),
            Row("Coordinator", _coordinator()),
            Row("Wall clock", _wall()),
            Row("Scraping and alerts", _scraping()),
            Row("Ray: nodes", _nodes()),
            Row("Ray: actors, tasks, objects", _inside_ray()),
        ),
    )


def _now() -> tuple[AnyPanel, ...]:
    return (
        number(
            PanelSpec("Exporters up", "Scraped runs that answer; a run answers while it goes on.", width=6, height=4),
            Query('sum(up{job="fedray"})', "up"),
        ),
        number(
            PanelSpec("Current round", "Trainings done, of those planned.", units.PercentUnit, 6, 4),
            Query(f"sum by (run) (fedray_trainings_done{RUN}) / (sum by (run) (fedray_trainings_planned{RUN}) > 0)"),
        ),
        number(
            PanelSpec("Hosts lost", "Host actors that died and were replaced, since the run began.", width=6, height=4),
            Query(f"sum by (run) (fedray_hosts_lost_total{RUN})"),
            thresholds=NEVER,
        ),
        number(
            PanelSpec("Ray nodes", "Nodes that are alive.", width=6, height=4),
            Query("sum(ray_cluster_active_nodes)", "nodes"),
        ),
    )


def _coordinator() -> tuple[AnyPanel, ...]:
    return (
        stack(
            PanelSpec(
                "What takes the time",
                "Shares of coordinators' wall seconds since they took up their runs; chosen runs together.",
                units.Seconds,
            ),
            Query(f"sum by (phase) (fedray_coordinator_seconds_total{RUN})", "{{phase}}"),
            percent=True,
        ),
        lines(
            PanelSpec("Rounds per hour", "Rounds completed in the last ten minutes, times six."),
            Query(f"6 * max by (run) (delta(fedray_round{RUN}[10m]))"),
        ).min(0),
        lines(
            PanelSpec("Trainings", "Completed trainings of the current round, and all that are planned."),
            Query(f"max by (run) (fedray_trainings_done{RUN})", "{{run}} done"),
            Query(f"max by (run) (fedray_trainings_planned{RUN})", "{{run}} planned"),
        ).min(0),
        lines(
            PanelSpec("Host restarts", "Host actors that died and were replaced, since the run began."),
            Query(f"max by (run) (fedray_hosts_lost_total{RUN})"),
        ).min(0),
    )


def _wall() -> tuple[AnyPanel, ...]:
    return (
        lines(
            PanelSpec("Dilation", f"Seconds on the wall per emulated second in the last round. {WALL}", "suffix:×"),
            Query(f"max by (run) (fedray_dilation_ratio{RUN})"),
        ).min(0),
        lines(
            PanelSpec(
                "Overloads", f"Transfers and steps that the machine could not end in time, since the start. {WALL}"
            ),
            Query(f"max by (run) (fedray_overloads_total{RUN})"),
        ).min(0),
    )


def _scraping() -> tuple[AnyPanel, ...]:
    return (
        lines(
            PanelSpec("Scrapes", "How long Prometheus waits for what runs and Ray's nodes export.", units.Seconds),
            Query('max by (job, instance) (scrape_duration_seconds{job=~"fedray|ray"})', "{{job}} {{instance}}"),
        ),
        stack(
            PanelSpec("Alerts", "Alerts of dashboards/rules that are pending or firing; empty while all is well."),
            Query('sum by (alertname, alertstate) (ALERTS{alertname=~"Fedray.*"})', "{{alertname}} {{alertstate}}"),
            tints=ALERT_COLOURS,
        ),
    )


def _nodes() -> tuple[AnyPanel, ...]:
    by_node = "max by (ip)"
    return (
        lines(
            PanelSpec("CPU", "Share of each node's CPUs in use.", units.Percent, 8),
            Query(f"{by_node} (ray_node_cpu_utilization)", "{{ip}}"),
        )
        .min(0)
        .max(100),
        lines(
            PanelSpec("Memory", "Share of each node's memory in use.", units.PercentUnit, 8),
            Query(f"{by_node} (ray_node_mem_used / ray_node_mem_total)", "{{ip}}"),
        )
        .min(0)
        .max(1)
        .thresholds(TENTHS),
        lines(
            PanelSpec("Disk", "Share of the disk under each node's Ray folder in use.", units.Percent, 8),
            Query(f"{by_node} (ray_node_disk_utilization_percentage)", "{{ip}}"),
        )
        .min(0)
        .max(100),
        lines(
            PanelSpec(
                "Network of the nodes", "Ray's own traffic and all else: what each node sends and receives.", "Bps"
            ),
            Query(f"{by_node} (ray_node_network_send_speed)", "{{ip}} up"),
            Query(f"{by_node} (ray_node_network_receive_speed)", "{{ip}} down"),
            tints=colours.DIRECTION_COLOURS,
        ),
        stack(
            PanelSpec(
                "Memory by process", "Resident memory of Ray's processes, hosts and coordinators among them.", "bytes"
            ),
            Query('sum by (Component) (ray_component_rss_bytes{Component!="agent"})', "{{Component}}"),
        ),
    )


def _inside_ray() -> tuple[AnyPanel, ...]:
    return (
        stack(
            PanelSpec(
                "Actors by state", "Coordinators, hosts and others, as Ray's control store counts them.", width=8
            ),
            Query('sum by (State) (ray_actors{Source="gcs"})', "{{State}}"),
        ),
        stack(
            PanelSpec("Tasks by state", "Tasks and calls of actors, finished ones included.", width=8),
            Query("sum by (State) (ray_tasks)", "{{State}}"),
        ),
        stack(
            PanelSpec("Logical CPUs", "What Ray has promised to actors and tasks, and what is free.", width=8),
            Query('sum by (State) (ray_resources{Name="CPU"})', "{{State}}"),
        ),
        stack(
            PanelSpec("Object store", "Bytes of objects by where they lie; on disk or spilled is slow.", "bytes", 8),
            Query('sum by (Location) (ray_object_store_memory{Component="raylet"})', "{{Location}}"),
        ),
        lines(
            PanelSpec("Spilling", "Bytes of objects pinned, spilled, or on their way.", "bytes", 8),
            Query("sum by (State) (ray_spill_manager_objects_bytes)", "{{State}}"),
        ),
        lines(
            PanelSpec(
                "Event loops",
                "How long work waits in the control store and the raylets; above 1 s is trouble.",
                "ms",
                8,
            ),
            Query("max by (Component) (ray_io_context_event_loop_lag_ms)", "{{Component}}"),
        ),
    )
