"""Notebook worker: a process that runs one notebook after the other, everything loaded.

It reads a job a line and answers a line, so whoever asks sees a notebook that takes the process down with it.
"""

import json
import os
import queue
import select
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import papermill
from papermill.exceptions import PapermillExecutionError

from ..decision.evaluate import evaluate
from ..inputs import facts, question
from ..paths import NOTEBOOKS
from . import report, warm_engine
from .results import unpack
from .store import Store


@lru_cache(maxsize=2)
def _file(overrides: str) -> str:
    """Path of a file with the overrides given as text, for the notebooks to read; empty where there are none."""
    if not overrides:
        return ""
    path = Path(tempfile.mkdtemp(prefix="where-to-run-")) / "overrides.csv"
    path.write_text(overrides, encoding="utf-8")
    return str(path)


def _report(job: dict[str, Any]) -> None:
    """Make one report in a folder of a store; its page comes last there, so a page means a whole report."""
    path = _file(job["overrides"])
    known = facts.load(job["as_of"], path or None)
    given = job["parameters"]
    changes = {name: value for name, value in given.items() if name != "preset"}
    answer = evaluate(question.grid(given["preset"], **changes), known)
    parameters = {**given, "as_of": job["as_of"], "facts_file": path}
    store = Store(job["address"])
    made = report.made(answer, parameters)
    for name in report.FILES:
        store.write(f"{job['folder']}/{name}", made[name])


def _summary(job: dict[str, Any]) -> None:
    """Make the summary of a sweep from its results and its manifest."""
    with tempfile.TemporaryDirectory() as aside:
        run = papermill.execute_notebook(
            str(NOTEBOOKS / "sweep.ipynb"),
            str(Path(aside) / "summary.ipynb"),
            parameters={"address": job["address"]},
            progress_bar=False,
            log_output=False,
            kernel_name="python3",
            engine_name=warm_engine.NAME,
        )
    Store(job["address"]).write("summary.html", report.to_html(run, job["title"]).encode())


JOBS = {"report": _report, "summary": _summary}


def _jobs() -> "queue.SimpleQueue[str]":
    """Lines of standard input as they come; where it ends, so does this process, whatever it is at."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return lines


def main() -> None:
    """Do jobs until standard input ends: a JSON object a line in, one out, with `error` where it failed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    lines = _jobs()
    while True:
        job: dict[str, Any] = json.loads(lines.get())
        told: dict[str, Any] = {}
        try:
            JOBS[job["do"]](job)
        except Exception as error:
            traceback.print_exc()
            told = {"error": _words(error), "errno": getattr(error, "errno", None)}
        answers.write(json.dumps(told) + "\n")
        answers.flush()


def _words(error: Exception) -> str:
    """What went wrong, in a line: the error of the cell where a notebook stopped."""
    told: Any = error
    stopped = isinstance(error, PapermillExecutionError)
    said = f"{told.ename}: {told.evalue}" if stopped else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:500]


if __name__ == "__main__":
    main()

PATIENCE = 600
"""Seconds a notebook may take."""

MOST = 100
"""Notebooks a process runs before a fresh one takes its place: what is kept by each stays bounded."""


class Job(NamedTuple):
    """A notebook to run: `report` or `summary`, for which scenario, with which parameters, and into which folder."""

    do: str
    number: int = 0
    parameters: Mapping[str, Any] = {}
    folder: str = ""


class ReportError(Exception):
    """A notebook that failed; the text says how."""


class Process:
    """A process that runs notebooks, and what goes to it and comes from it."""

    def __init__(self) -> None:
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this
        self.asked = 0
        self.running = subprocess.Popen(
            [sys.executable, "-m", "where_to_run.batch.notebook_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        )

    @property
    def fit(self) -> bool:
        """Whether it can take another notebook."""
        return self.running.poll() is None and self.asked < MOST

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a job; a process that dies or hangs is an error."""
        self.asked += 1
        assert self.running.stdin and self.running.stdout
        try:
            self.running.stdin.write(json.dumps(job).encode() + b"\n")
            self.running.stdin.flush()
            ready, _, _ = select.select([self.running.stdout], [], [], PATIENCE)
            line = self.running.stdout.readline() if ready else b""
        except BrokenPipeError:
            ready, line = [], b""
        if line:
            return dict(json.loads(line))
        hung = self.running.poll() is None and not ready
        self.end()
        words = f"took more than {PATIENCE} s" if hung else f"died with status {self.running.returncode}"
        raise ReportError(f"the notebook's process {words}{self._last_words()}")

    def _last_words(self) -> str:
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip().splitlines()
        return f"; its last words: {said[-1][:200]}" if said else ""

    def end(self) -> None:
        """End the process, if it has not ended by itself."""
        for pipe in (self.running.stdin, self.running.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()
        self.running.kill()
        self.running.wait()


_kept: list[Process] = []
_one_at_a_time = threading.Lock()


def run(packed: bytes, job: Job) -> None:
    """Run one notebook in the process this worker keeps for it.

    Raises ReportError, or an OSError where there was no room to write.
    """
    shared = unpack(packed)
    own = shared.facts.overrides
    asked = {
        **job._asdict(),
        "address": shared.address,
        "as_of": shared.facts.as_of,
        "overrides": own.to_csv(index=False) if len(own) else "",
        "title": "Where to run: a sweep",
    }
    with _one_at_a_time:
        if _kept and not _kept[0].fit:
            _kept.pop().end()
        if not _kept:
            _kept.append(Process())
        told = _kept[0].ask(asked)
    if told.get("errno"):
        raise OSError(told["errno"], told["error"])
    if "error" in told:
        raise ReportError(told["error"])


def stop() -> None:
    """End the process this worker keeps, if there is one and it has nothing to do."""
    if _one_at_a_time.acquire(blocking=False):
        try:
            while _kept:
                _kept.pop().end()
        finally:
            _one_at_a_time.release()
