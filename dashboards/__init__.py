"""Grafana dashboards as code: what each shows, written out as JSON by `generate`."""
