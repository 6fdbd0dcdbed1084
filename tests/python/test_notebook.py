"""docs/notebook.ipynb, run from its first cell to its last."""
import json
import os
import sys
from decimal import Decimal
from pathlib import Path

import nbclient
import nbformat
from harness import BUILD, ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def test_the_notebook_s_cells_are_kept_without_outputs():
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_notebook_shows_what_the_file_holds(pipeline, retail, tmp_path, monkeypatch):
    pipe = pipeline()
    pipe.start_aggregator()
    kernels = tmp_path / "jupyter" / "kernels" / "python3"  # ours, whatever else the machine has
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps({"display_name": "Python 3", "language": "python", "argv": [
        sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]}))
    for name, value in (("JUPYTER_PATH", kernels.parents[1]), ("IPYTHONDIR", tmp_path / "ipython"), ("MPLBACKEND", "agg"),
                        ("TILL_EDGE", pipe.endpoint("store-1")), ("TILL_AT", pipe.aggregator.ready["listen"][0]), ("TILL_CSV", retail[0]),
                        ("PATH", f"{BUILD / 'cli'}:{Path(sys.executable).parent}:{os.environ['PATH']}")):
        monkeypatch.setenv(name, str(value))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    shown = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    truth = retail[1]
    assert f"{truth['rows']:,} lines are counted" in shown
    best = max(truth["products"], key=lambda product: Decimal(truth["products"][product][2]))
    assert f"{best:<12} {truth['products'][best][1]:>8,} {Decimal(truth['products'][best][2]):>14,.2f} GBP" in shown
    assert f"in all: {Decimal(truth['revenue']):.2f} GBP" in shown
    assert "of 2822 products bring 80 %" in shown
    assert "there are 22 finished days, and 35 are needed" in shown
