"""Where the project keeps its data, its notebooks and its reports, and how its YAML is read."""

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT / "data"
NOTEBOOKS = PROJECT / "notebooks"
REPORTS = PROJECT / "reports"


def check_plain(path: Path) -> None:
    """Refuse a pipe, a device or a folder where a file is to be read: reading it might never end (`OSError`)."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no plain file; save what is in it to one")


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, by the quicker of the safe loaders there are."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
