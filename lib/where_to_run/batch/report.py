"""A scenario report: the report notebook run headless, as one HTML file, a notebook and a decision in JSON."""

import hashlib
import json
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import papermill
from IPython.core.interactiveshell import InteractiveShell
from nbconvert import HTMLExporter

from .. import views
from ..decision.answer import Answer
from ..decision.prices import prices
from ..inputs import question
from ..paths import NOTEBOOKS
from ..views import decide, order
from ..views.table import usd
from . import warm_engine
from .store import check_folder, write_files

TEMPLATES = Path(__file__).with_name("templates")


def folder_name(preset: str, changes: Mapping[str, Any]) -> str:
    """Name of a report's folder: the preset (or `default`), and a short hash of what was changed."""
    stem = re.sub(r"[^a-z0-9_-]", "_", (preset or "default").lower())
    if not changes:
        return stem
    return f"{stem}-{hashlib.sha256(json.dumps(changes, sort_keys=True, default=str).encode()).hexdigest()[:8]}"


FILES = ("decision.json", "report.ipynb", "report.html")
"""The files of a report in the order they are written: a page means a whole report."""


def check(folder: Path) -> None:
    """Refuse, before any work, a folder that holds other things than a report, or cannot be written (`OSError`)."""
    check_folder(folder, FILES, "a report")


def make(answer: Answer, parameters: Mapping[str, Any], folder: Path) -> Path:
    """Write report.html, report.ipynb and decision.json of a one-scenario answer into a folder; returns the folder.

    All is made in memory first, so that an older report stays until the new one is whole. Raises what `check` and
    `made` raise.
    """
    check(folder)
    return write_files(folder, made(answer, parameters))


def made(answer: Answer, parameters: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a report of a one-scenario answer; raises what the notebook raised."""
    if len(answer.scenarios) != 1:
        raise question.ScenarioError(f"a report is about one scenario; {len(answer.scenarios)} were asked")
    notebook = papermill.execute_notebook(
        str(NOTEBOOKS / "report.ipynb"),
        None,
        parameters=dict(parameters),
        progress_bar=False,
        log_output=False,
        kernel_name="python3",
        # a kernel has a shell already, and there is but one in a process
        **({} if InteractiveShell.initialized() else {"engine_name": warm_engine.NAME}),
    )
    page = _timeless(notebook)
    return {
        "decision.json": (json.dumps(decision(answer), indent=1, ensure_ascii=False) + "\n").encode(),
        "report.ipynb": nbformat.writes(page).encode(),
        "report.html": to_html(page, _title(parameters)).encode(),
    }


def _timeless(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A run notebook without times, paths and random names, so that the same question gives the same bytes."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{number}"
    return notebook


def _title(parameters: Mapping[str, Any]) -> str:
    story = question.presets().get(str(parameters.get("preset") or ""), {})
    return f"Where to run: {story.get('title', 'the model')}"


def to_html(notebook: Any, title: str) -> str:
    """A run notebook as one HTML page without code that loads nothing and prints well."""
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(TEMPLATES)],
        extra_template_paths=[str(Path(views.__file__).parent)],
    )
    page, _ = exporter.from_notebook_node(notebook, resources={"report_title": title})
    return str(page)


def decision(answer: Answer) -> dict[str, Any]:
    """The answer as plain data for other programs: recommendation, question, facts, options, lines, verdicts, why."""
    row = answer.scenarios.iloc[0]
    best = answer.options.loc[answer.options["recommended"], "option"]
    months = int(row["horizon_months"])
    lines = answer.lines.groupby(["option", "place", "line"], as_index=False, sort=False)["usd"].sum()
    return {
        "recommended": str(best.iloc[0]) if len(best) else None,
        "scenario": {name: _plain(row[name]) for name in question.BY_NAME},
        "facts": {"as_of": answer.facts.as_of, "overrides": _records(answer.facts.overrides)},
        "options": _records(answer.options.drop(columns=["scenario", "misfits"])),
        "usd_per_month_by_line": _records(lines.assign(usd_per_month=lines["usd"] / months).drop(columns="usd")),
        "verdicts": _records(answer.verdicts.drop(columns="scenario")),
        "drawbacks": _records(answer.drawbacks.drop(columns="scenario")),
        "price_of_rules": _records(prices(answer)),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    """A value JSON can hold; what is not a number becomes null."""
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if number == int(number) else number


def summary(answer: Answer) -> str:
    """What a terminal shows: the recommendation, and a line per option with its cost or the rule that struck it out."""
    first = decide.bottom_line(answer).words.replace("</p>", "\n").replace("<li>", "\n- ")
    first = unescape(re.sub(r"<[^>]+>", "", first))
    lines = [line.strip() for line in first.strip().splitlines()] + [""]
    struck = answer.verdicts[answer.verdicts["verdict"] == "blocked"].drop_duplicates("option").set_index("option")
    for row in order.best_first(answer):
        said = f"{usd(row['usd_per_month'])} a month, {row['verdict']}"
        if row["verdict"] == "blocked":
            said = f"struck out by {struck.at[row['option'], 'rule']}: {row['because']}"
        lines.append(f"  {row['title']}: {said}")
    return "\n".join(lines)
