"""Reporter: has a process of its own make reports on a worker, one at a time, and starts a new one where it died."""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, NamedTuple

from .batch import unpack

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
            [sys.executable, "-m", "where_to_run.hot"],
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


def run(packed: bytes, job: Job) -> float:
    """Run one notebook in the process this worker keeps for it; returns the seconds it took.

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
    return float(told["seconds"])


def stop() -> None:
    """End the process this worker keeps, if there is one and it has nothing to do."""
    if _one_at_a_time.acquire(blocking=False):
        try:
            while _kept:
                _kept.pop().end()
        finally:
            _one_at_a_time.release()
