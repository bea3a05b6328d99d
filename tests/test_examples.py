"""The notebooks in examples/: committed without outputs, and they run."""

import json
from pathlib import Path

import pytest

from tests.conftest import PROJECT

NOTEBOOKS = sorted((PROJECT / "examples").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def test_an_example_is_found() -> None:
    assert [path.name for path in NOTEBOOKS] == ["fleet.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_and_its_cells_are_python(path: Path) -> None:
    for cell in code_cells(path):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        compile("".join(cell["source"]), str(path), "exec")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_a_kernel(path: Path, tmp_path: Path) -> None:
    """Ray starts and ends within the kernel, both runs complete, and every cell that ends in a value shows it."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=800, resources={"metadata": {"path": tmp_path}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    printed = "".join(output.text for cell in cells for output in cell.outputs if output.output_type == "stream")
    assert printed.count("round 2/2") == 2
    shown = [output for cell in cells for output in cell.outputs if output.output_type != "stream"]
    assert sum("text/html" in output.data for output in shown) >= 2
    assert sum("application/vnd.plotly.v1+json" in output.data for output in shown) == 2
    assert not list(tmp_path.iterdir())
