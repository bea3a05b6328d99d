"""reference/metrics.md: every Prometheus metric, from where it is declared."""

from docs.generate.markdown import code, page, table
from fedray.telemetry.metrics import METRICS


def metrics_page() -> str:
    """One row per metric, as it is scraped: counters end in `_total`."""
    rows = [
        (code(metric.name + "_total" * (metric.kind == "counter")), metric.kind, ", ".join(metric.labels), metric.help)
        for metric in METRICS
    ]
    intro = "All series also carry `run` and `method`. [Watching](../how-to/watching.md) says how to scrape them.\n"
    return page(
        "Metrics", "`fedray.telemetry.metrics`", [intro, table(("metric", "kind", "labels", "what it is"), rows)]
    )
