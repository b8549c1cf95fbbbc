"""Hot: a process that runs one notebook after the other, its libraries loaded and its converter of charts started.

It reads a job a line and answers a line, so whoever asks sees a notebook that takes the process down with it.
"""

import json
import os
import queue
import sys
import tempfile
import threading
import time
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any

import papermill
from papermill.exceptions import PapermillExecutionError

from . import evaluate, facts, report, scenario, warm
from .paths import NOTEBOOKS
from .stores import Store


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
    answer = evaluate(scenario.grid(given["preset"], **changes), known)
    parameters = {**given, "as_of": job["as_of"], "facts_file": path}
    store = Store(job["address"])
    with tempfile.TemporaryDirectory() as aside:
        made = report.make(answer, parameters, Path(aside) / "report")
        for name in ("decision.json", "report.ipynb", "report.html"):
            store.write(f"{job['folder']}/{name}", (made / name).read_bytes())


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
            engine_name=warm.NAME,
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
    """Do jobs until standard input ends: a JSON object a line in, one with `seconds` or `error` out."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    lines = _jobs()
    while True:
        job, start = json.loads(lines.get()), time.perf_counter()
        try:
            JOBS[job["do"]](job)
            told: dict[str, Any] = {"seconds": time.perf_counter() - start}
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
