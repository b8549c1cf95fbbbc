"""Sweep: has the scenarios of a plan answered and reported on, part by part; what is done already is not done again."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from . import batch, choosing, cluster, identity, planfile, reporter
from .batch import Part
from .facts import Facts
from .lined import Lined
from .plan import Plan
from .results import Results
from .scenario import ScenarioError
from .stores import Store

OURS = {"manifest.json", "results.parquet", "reports", "summary.html"}
"""What a sweep writes into its folder."""

FAILED = 1
"""Exit code where a scenario or a report failed and the rest was done."""


@dataclass
class Sweep:
    """One run of a sweep: what is asked, where it goes, and what came of it."""

    plan: Plan
    facts: Facts
    sheet: Lined
    store: Store
    quiet: bool = False
    failures: dict[str, str] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = identity.key(self.plan, self.facts)
        self.packed = batch.pack(self.plan, self.facts, self.key)

    def manifest(self, state: str) -> dict[str, Any]:
        """What the sweep says of itself: inputs, facts, software, results, timings, and what failed and why."""
        return {
            "state": state,
            "key": self.key,
            "file": self.sheet.path.name,
            "inputs": self.plan.told | {"preset": self.plan.preset, "fields": dict(self.plan.given)},
            "text": self.sheet.text,
            "facts": identity.facts_told(self.facts),
            "software": identity.software(),
            "scenarios": self.plan.size,
            "parts": self.plan.parts,
            "swept": self.plan.swept,
            "reports": self.reports,
            "failures": [{"what": what, "why": why} for what, why in self.failures.items()],
            "runs": self.runs,
        }

    def write_manifest(self, state: str) -> None:
        """Write manifest.json anew."""
        told = json.dumps(self.manifest(state), indent=1, ensure_ascii=False, default=str)
        self.store.write("manifest.json", told.encode())


def run(file: Path, out: str, scheduler: str = "", workers: int = 0, quiet: bool = False) -> int:
    """Answer a sweep file into a folder; returns 0, or 1 where something failed and the rest was done.

    Refuses, before any work, a file that cannot be answered, a folder that cannot be written or holds something
    else, and a scheduler that does not answer. Run again it does what is missing.
    """
    plan, facts, sheet = planfile.read(file)
    sweep = Sweep(plan, facts, sheet, Store(out), quiet)
    _recognise(sweep)
    sweep.store.check()
    with cluster.client(scheduler, workers) as client, sweep.store.taken():
        return _work(sweep, client)


def _recognise(sweep: Sweep) -> None:
    """Take up what an earlier run of the same sweep left; refuse a folder with anything else."""
    written = sweep.store.read("manifest.json")
    if written is None:
        others = sorted(name for name in sweep.store.names("") if not name.startswith("."))
        if others:
            raise ScenarioError(
                f"{sweep.store.address} holds {', '.join(others[:3])} and no sweep of this kind; name a new folder"
            )
        return
    try:
        before = json.loads(written)
        sweep.runs = list(before["runs"])
        same = before["key"] == sweep.key
    except (ValueError, KeyError, TypeError):
        raise ScenarioError(
            f"{sweep.store.address} has a manifest.json that is no sweep's; name a new folder"
        ) from None
    if not same:
        now = sweep.manifest("")
        kinds = {"inputs": "the file", "facts": "the facts", "software": "the software"}
        differ = [
            words for name, words in kinds.items() if before.get(name) != json.loads(json.dumps(now[name], default=str))
        ]
        raise ScenarioError(
            f"{sweep.store.address} holds another sweep: {' and '.join(differ) or 'something'} changed since. "
            "Its results stay as they are; name a new folder"
        )


def _work(sweep: Sweep, client: Any) -> int:
    start, begun = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    sweep.write_manifest("unfinished")
    missing = _missing(sweep)
    answered = _answer(sweep, client, missing)
    seconds = time.perf_counter() - start
    made = _report(sweep, client)
    sweep.runs.append(
        {
            "started": begun,
            "threads": sum(client.nthreads().values()),
            "scenarios answered": answered,
            "seconds for scenarios": round(seconds, 3),
            "reports made": made,
            "seconds in all": round(time.perf_counter() - start, 3),
        }
    )
    sweep.write_manifest("finished" if not sweep.failures else "finished with failures")
    if missing or made or "summary.html" not in sweep.store.names(""):
        _summarise(sweep, client)
    with suppress(OSError):
        client.run(reporter.stop)
    _tell(sweep, answered, seconds, made)
    return FAILED if sweep.failures else 0


def _missing(sweep: Sweep) -> list[int]:
    """Numbers of the parts that are not there, or in which a scenario failed."""
    there = sweep.store.names(batch.RESULTS) if sweep.plan.parts > 1 else sweep.store.names("")
    found = []
    for number in range(sweep.plan.parts):
        file = batch.file_of(sweep.plan, number)
        whole = file.rsplit("/", 1)[-1] in there and batch.state(sweep.store, file, sweep.key) == []
        if not whole:
            found.append(number)
    return found


def _parts(sweep: Sweep, numbers: list[int]) -> Iterator[Part]:
    for number in numbers:
        here = range(*sweep.plan.span(number))
        columns = sweep.plan.columns(here)
        names = sweep.plan.names and [sweep.plan.names[row] for row in sweep.plan.table_rows(here)]
        yield Part(number, columns, names, sweep.store.address, batch.file_of(sweep.plan, number))


def _answer(sweep: Sweep, client: Any, missing: list[int]) -> int:
    """Have the missing parts answered; returns the number of scenarios. What fails is noted and the rest goes on."""
    left = sum(stop - first for first, stop in map(sweep.plan.span, missing))
    answered = 0
    with _bar(sweep, "scenarios", sweep.plan.size, sweep.plan.size - left) as bar:
        for part, done, error in cluster.each(client, batch.answer_part, sweep.packed, _parts(sweep, missing)):
            if error:
                if cluster.refused(error):
                    raise error
                sweep.failures[f"part {part.number}"] = _words(error)
            else:
                answered += done.scenarios
                sweep.failures |= {f"scenario {number}": why for number, why in done.failures}
            bar.update(len(part.columns))
    for number in _missing(sweep) if answered else ():
        told = f"part {number} was written where this machine does not see it; name a folder all workers share"
        if batch.state(sweep.store, batch.file_of(sweep.plan, number), sweep.key) is None:
            sweep.failures.setdefault(f"part {number}", told)
    return answered


def _report(sweep: Sweep, client: Any) -> int:
    """Have the missing reports made; returns their number."""
    if sweep.plan.reports.kind == "none" or "results.parquet" not in sweep.store.names(""):
        return 0
    numbers = choosing.chosen(sweep.plan, Results(sweep.store.address))
    folders = {number: f"reports/{sweep.plan.name(number)}" for number in numbers}
    there = {f"reports/{name}" for name in sweep.store.names("reports")}
    left = [n for n, f in folders.items() if f not in there or "report.html" not in sweep.store.names(f)]
    jobs = (reporter.Job("report", n, sweep.plan.parameters(n), sweep.store.address, folders[n]) for n in left)
    made = 0
    with _bar(sweep, "reports", len(numbers), len(numbers) - len(left)) as bar:
        for job, _, error in cluster.each(client, reporter.run, sweep.packed, jobs):
            if error and cluster.refused(error):
                raise error
            if error:
                sweep.failures[f"report {job.number}"] = _words(error)
            made += error is None
            bar.update()
    failed = {n for n in numbers if f"report {n}" in sweep.failures}
    sweep.reports = [{"scenario": n, "folder": folders[n]} for n in sorted(set(numbers) - failed)]
    return made


def _summarise(sweep: Sweep, client: Any) -> None:
    """Have summary.html made; where that fails the results stay, and the manifest tells."""
    if "results.parquet" not in sweep.store.names(""):
        return
    job = reporter.Job("summary", 0, {}, sweep.store.address)
    for _, _, error in cluster.each(client, reporter.run, sweep.packed, [job]):
        if error:
            sweep.failures["summary"] = _words(error)
            sweep.write_manifest("finished with failures")


def _bar(sweep: Sweep, unit: str, total: int, done: int) -> Any:
    """A progress bar with rate and time left."""
    return tqdm(total=total, initial=done, unit=f" {unit}", desc=unit, disable=sweep.quiet, mininterval=0.5)


def _words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _tell(sweep: Sweep, answered: int, seconds: float, made: int) -> None:
    address = sweep.store.address.rstrip("/")
    rate = f", {answered / seconds:,.0f} a second" if answered else ""
    print(f"{sweep.plan.size:,} scenarios, {answered:,} of them answered now in {seconds:.1f} s{rate}.")
    print(f"{len(sweep.reports):,} reports, {made:,} of them made now.")
    for what, why in list(sweep.failures.items())[:5]:
        print(f"FAILED  {what}: {why}", file=sys.stderr)
    if sweep.failures:
        print(f"{len(sweep.failures):,} failed; {address}/manifest.json lists them. Run it again to try these again.")
    print(f"{address}/summary.html")
