"""Where the project keeps its data, its notebooks and its reports."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT / "data"
NOTEBOOKS = PROJECT / "notebooks"
REPORTS = PROJECT / "reports"
