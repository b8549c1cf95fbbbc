"""Notebooks for the tests: one run from top to bottom by papermill, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import nbformat

from where_to_run.paths import NOTEBOOKS


def shown(folder: Path, notebook: str, *arguments: str) -> str:
    """The HTML that a notebook shows, run in a folder with papermill's arguments; fails where it fails or complains."""
    asked = [sys.executable, "-m", "papermill", str(NOTEBOOKS / f"{notebook}.ipynb"), "out.ipynb", *arguments]
    run = subprocess.run(asked, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    outputs = [o for cell in nbformat.read(folder / "out.ipynb", 4).cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    return "".join(o.get("data", {}).get("text/html", "") for o in outputs)
