"""Adds generated pages and pictures to the site; named by mkdocs.yml."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.generate.api_page import api_page
from docs.generate.cli_page import cli_page
from docs.generate.devices_page import devices_page
from docs.generate.metrics_page import metrics_page
from docs.generate.records_page import results_page
from docs.generate.schema_page import scenario_page
from fedray.methods import scenario_schema

PROJECT = Path(__file__).parents[2]
PICTURES = ("figure.png", "watch.png")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Append the reference, and the pictures that `benchmarks/` draws."""
    pages = {
        "scenario": scenario_page(scenario_schema()),
        "cli": cli_page(),
        "results": results_page(),
        "metrics": metrics_page(),
        "devices": devices_page(),
        "api": api_page(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for name in PICTURES:
        files.append(File.generated(config, f"pictures/{name}", abs_src_path=str(PROJECT / "benchmarks" / name)))
    return files
