"""Write the question anew into the parameters cell of every notebook. Run it with `make parameters`."""

import nbformat

from where_to_run.inputs import question
from where_to_run.paths import NOTEBOOKS

OTHERS = {NOTEBOOKS / "sweep.ipynb", NOTEBOOKS / "6_your_usage.ipynb"}  # about a folder of results, and about a log

for path in sorted(set(NOTEBOOKS.glob("*.ipynb")) - OTHERS):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = question.parameters_cell()
    nbformat.write(notebook, path)
