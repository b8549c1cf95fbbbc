"""Take it away: an answer as files to keep, and a file a visitor gives."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from . import report, scenario, sharing
from .evaluate import Answer
from .scenario import ScenarioError

TITLES = {"report": "Report (HTML)", "answer": "Answer (JSON)", "lines": "Lines (CSV)", "scenario": "Scenario (YAML)"}
"""The files there are."""

PATIENCE = 300
"""Time after which a report is given up [second]."""


def make(name: str, answer: Answer, preset: str, files: Mapping[str, str]) -> tuple[str, str, bytes]:
    """A file of a one-scenario answer: its name, its type and what it holds.

    `files` names the parameters `facts_file` and `as_of` the facts were loaded with.
    """
    stem = f"where-to-run-{preset or 'default'}"
    if name == "report":
        return f"{stem}.html", "text/html", _report(answer, preset, files)
    if name == "answer":
        text = json.dumps(report.decision(answer), indent=1, ensure_ascii=False)
        return f"{stem}.json", "application/json", text.encode()
    if name == "lines":
        return f"{stem}-lines.csv", "text/csv", answer.lines.to_csv(index=False).encode()
    return (
        f"{stem}.yaml",
        "application/yaml",
        sharing.to_yaml(scenario.changed(answer.scenarios, preset), preset).encode(),
    )


def _report(answer: Answer, preset: str, files: Mapping[str, str]) -> bytes:
    """The report as the command line makes it, in a process of its own: this one is at work for a visitor."""
    settings = [f"--set={name}={value}" for name, value in scenario.changed(answer.scenarios, preset).items()]
    named = {"--preset": preset, "--facts": files.get("facts_file", ""), "--as-of": files.get("as_of", "")}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report"
        given = [f"{option}={value}" for option, value in named.items() if value]
        subprocess.run(
            [sys.executable, "-m", "where_to_run", "report", *given, *settings, f"--out={out}"],
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )
        return (out / "report.html").read_bytes()


def text(name: str, given: object) -> str:
    """The text of a file a visitor gave; refuses what was too large to be sent."""
    if not isinstance(given, str):
        raise ScenarioError(f"{str(name)[:60]} is larger than a scenario file can be ({sharing.LONGEST:,} characters)")
    return given
