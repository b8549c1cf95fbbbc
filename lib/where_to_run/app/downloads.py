"""Downloads: an answer as files to keep, and a file a visitor gives."""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..batch import kit, report
from ..decision.answer import Answer
from ..inputs import log_hours, question, share
from ..inputs.log_formats import UsageError
from ..inputs.question import ScenarioError
from ..inputs.usage import Usage, usage

TITLES = {
    "report": "Report (HTML)",
    "kit": "Kit to start work with (ZIP)",
    "answer": "Answer (JSON)",
    "lines": "Lines (CSV)",
    "scenario": "Scenario (YAML)",
}
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
    if name == "kit":
        return f"{stem}-kit.zip", "application/zip", kit.packed(answer)
    if name == "answer":
        text = json.dumps(report.decision(answer), indent=1, ensure_ascii=False)
        return f"{stem}.json", "application/json", text.encode()
    if name == "lines":
        return f"{stem}-lines.csv", "text/csv", answer.lines.to_csv(index=False).encode()
    return (
        f"{stem}.yaml",
        "application/yaml",
        share.to_yaml(question.changed(answer.scenarios, preset), preset).encode(),
    )


def _report(answer: Answer, preset: str, files: Mapping[str, str]) -> bytes:
    """The report as the command line makes it, in a process of its own: this one is at work for a visitor."""
    settings = [f"--set={name}={value}" for name, value in question.changed(answer.scenarios, preset).items()]
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
        raise ScenarioError(f"{str(name)[:60]} is larger than a scenario file can be ({share.LONGEST:,} characters)")
    return given


log = logging.getLogger(__name__)

LARGEST = 100_000_000
"""Bytes of a log that can be uploaded."""

FAILED = "The log could not be read. What went wrong is written to the log of the server."


class Upload:
    """Logs from a visitor, one at a time; `done` is called in the loop with what each says, or None and why not."""

    def __init__(self, done: Callable[[Usage | None, str], None]) -> None:
        self.done = done
        self._parts = bytearray()
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="upload")

    def take(self, message: Mapping[str, Any], buffers: Sequence[Any]) -> str:
        """Take a part of a log, and have the log read when it is whole; says how far it is."""
        size, at, name = int(message["size"]), int(message["at"]), str(message["name"])[:60]
        if size > LARGEST:
            raise UsageError(f"{name} has {size:,} bytes; at most {LARGEST:,} can be uploaded. Pack it with gzip")
        self._parts = self._parts if at else bytearray()
        if at != len(self._parts) or not size:
            raise UsageError(f"{name} is empty, or did not come whole; choose it again")
        self._parts += buffers[0]
        if len(self._parts) < size:
            return f"Taking {name}: {len(self._parts) / size:.0%}"
        given, self._parts = bytes(self._parts), bytearray()
        columns = {str(role): str(text).strip()[:200] for role, text in dict(message["columns"]).items()}
        zone = str(message["zone"]).strip() or "UTC"
        self._aside.submit(self._read, asyncio.get_running_loop(), given, columns, zone)
        return f"Reading {name}"

    def _read(self, loop: asyncio.AbstractEventLoop, given: bytes, columns: dict[str, str], zone: str) -> None:
        found, words = None, ""
        try:
            found = usage(log_hours.read(given, columns, zone))
        except UsageError as error:
            words = f"The log could not be read: {error}"
        except Exception:
            log.exception("a log could not be read")
            words = FAILED
        loop.call_soon_threadsafe(self.done, found, words)
