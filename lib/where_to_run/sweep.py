"""Sweep: has the scenarios of a plan answered and reported on, part by part; what is done already is not done again."""

import json
import sys
import time
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
        self.packed = batch.pack(self.plan, self.facts, self.key, self.store.address)

    def manifest(self, state: str) -> bytes:
        """What the sweep says of itself: inputs, facts, software, results, timings, and what failed and why."""
        told = {
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
        return json.dumps(told, indent=1, ensure_ascii=False, default=str).encode()

    def write_manifest(self, state: str) -> None:
        """Write manifest.json anew."""
        self.store.write("manifest.json", self.manifest(state))

    def failed(self, what: str, error: BaseException) -> None:
        """Note what failed and why; raises what would fail everywhere."""
        if cluster.refused(error):
            raise error
        self.failures[what] = " ".join(f"{type(error).__name__}: {error}".split())[:500]


def run(file: Path, out: str, scheduler: str = "", workers: int = 0, quiet: bool = False) -> int:
    """Answer a sweep file into a folder; returns 0, or 1 where something failed and the rest was done.

    Refuses, before any work, a file that cannot be answered, a folder that cannot be written or holds something
    else, and a scheduler that does not answer. Run again it does what is missing.
    """
    plan, facts, sheet = planfile.read(file)
    sweep = Sweep(plan, facts, sheet, Store(out), quiet)
    _recognise(sweep)
    missing = _missing(sweep)
    sweep.store.check()
    with cluster.client(scheduler, workers) as client, sweep.store.taken():
        work(sweep, client, missing)
    _tell(sweep)
    return FAILED if sweep.failures else 0


def _recognise(sweep: Sweep) -> None:
    """Take up what an earlier run of the same sweep left; refuse a folder with anything else."""
    address, written = sweep.store.address, sweep.store.read("manifest.json")
    if written is None:
        others = sorted(name for name in sweep.store.names("") - OURS if not name.startswith("."))
        if others:
            raise ScenarioError(f"{address} holds {', '.join(others[:3])} and no sweep of this kind; name a new folder")
        return
    try:
        before = json.loads(written)
        sweep.runs, same = list(before["runs"]), before["key"] == sweep.key
    except (ValueError, KeyError, TypeError):
        raise ScenarioError(
            f"the manifest.json in {address} is no sweep's, or damaged. Name a new folder, or move that file away: "
            "parts of this sweep are known without it"
        ) from None
    if not same:
        now = json.loads(sweep.manifest(""))
        kinds = {"inputs": "the file", "facts": "the facts", "software": "the software"}
        differ = [words for name, words in kinds.items() if before.get(name) != now[name]]
        raise ScenarioError(
            f"{address} holds another sweep: {' and '.join(differ) or 'something'} changed since. "
            "Its results stay as they are; name a new folder"
        )


def work(sweep: Sweep, client: Any, missing: list[int]) -> None:
    """Do the missing parts of a sweep, its reports and its summary; its failures, reports and last run tell of it."""
    start, begun = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    sweep.write_manifest("unfinished")
    if missing:
        sweep.store.remove("summary.html")
    answered, part_seconds = _answer(sweep, client, missing)
    seconds = time.perf_counter() - start
    made = _report(sweep, client)
    sweep.runs.append(
        {
            "started": begun,
            "threads": sum(client.nthreads().values()),
            "scenarios answered": answered,
            "seconds for scenarios": round(seconds, 3),
            "least seconds for a part": round(min(part_seconds, default=0), 3),
            "reports made": len(made),
            "least seconds for a report": round(min(made, default=0), 3),
            "seconds in all": round(time.perf_counter() - start, 3),
        }
    )
    sweep.write_manifest("finished with failures" if sweep.failures else "finished")
    _summarise(sweep, client)
    with suppress(OSError):
        client.run(reporter.stop)


def _there(sweep: Sweep) -> set[int]:
    """Numbers of the parts that are in the folder."""
    names = sweep.store.names(batch.RESULTS) if sweep.plan.parts > 1 else sweep.store.names("")
    files = [batch.file_of(sweep.plan, number).rsplit("/", 1)[-1] for number in range(sweep.plan.parts)]
    return {number for number, file in enumerate(files) if file in names}


def _missing(sweep: Sweep) -> list[int]:
    """Numbers of the parts that are not there, or not whole, or in which a scenario failed."""
    states = {n: batch.state(sweep.store, batch.file_of(sweep.plan, n), sweep.key) for n in sorted(_there(sweep))}
    return [number for number in range(sweep.plan.parts) if states.get(number) != []]


def _answer(sweep: Sweep, client: Any, missing: list[int]) -> tuple[int, list[float]]:
    """Have the missing parts answered; the number of scenarios, and seconds by part. What fails is noted."""
    spans = {number: range(*sweep.plan.span(number)) for number in missing}
    parts = (Part(n, sweep.plan.columns(here), batch.file_of(sweep.plan, n)) for n, here in spans.items())
    answered, seconds = 0, []
    with _bar(sweep, "scenarios", sweep.plan.size, sum(map(len, spans.values()))) as bar:
        for part, done, error in cluster.each(client, batch.answer_part, sweep.packed, parts):
            if error:
                sweep.failed(f"part {part.number}", error)
            else:
                failures, took = done
                answered += len(part.columns) - len(failures)
                seconds.append(took)
                sweep.failures |= {f"scenario {number}": why for number, why in failures}
            bar.update(len(part.columns))
    for number in set(missing) - _there(sweep):
        told = f"part {number} was written where this machine does not see it; name a folder all workers share"
        sweep.failures.setdefault(f"part {number}", told)
    return answered, seconds


def _report(sweep: Sweep, client: Any) -> list[float]:
    """Have the missing reports made; returns the seconds each took."""
    if sweep.plan.reports.kind == "none" or batch.RESULTS not in sweep.store.names(""):
        return []
    numbers = choosing.chosen(sweep.plan, Results(sweep.store.address))
    folders = {number: f"reports/{sweep.plan.name(number)}" for number in numbers}
    there = {f"reports/{name}" for name in sweep.store.names("reports")}
    left = [n for n, f in folders.items() if f not in there or "report.html" not in sweep.store.names(f)]
    if left:
        sweep.store.remove("summary.html")
    jobs = (reporter.Job("report", n, sweep.plan.parameters(n), folders[n]) for n in left)
    made = []
    with _bar(sweep, "reports", len(numbers), len(left)) as bar:
        for job, took, error in cluster.each(client, reporter.run, sweep.packed, jobs):
            if error:
                sweep.failed(f"report {job.number}", error)
            else:
                made.append(took)
            bar.update()
    sweep.reports = [
        {"scenario": n, "folder": folders[n]} for n in sorted(numbers) if f"report {n}" not in sweep.failures
    ]
    return made


def _summarise(sweep: Sweep, client: Any) -> None:
    """Have summary.html made where it is not there; where that fails the results stay, and the manifest tells."""
    there = sweep.store.names("")
    if "summary.html" in there or batch.RESULTS not in there:
        return
    for _, _, error in cluster.each(client, reporter.run, sweep.packed, [reporter.Job("summary")]):
        if error:
            sweep.failed("summary", error)
            sweep.write_manifest("finished with failures")


def _bar(sweep: Sweep, unit: str, total: int, left: int) -> Any:
    """A progress bar with rate and time left."""
    return tqdm(total=total, initial=total - left, unit=f" {unit}", desc=unit, disable=sweep.quiet, mininterval=0.5)


def _tell(sweep: Sweep) -> None:
    run, address = sweep.runs[-1], sweep.store.address.rstrip("/")
    answered, seconds = run["scenarios answered"], run["seconds for scenarios"]
    rate = f", {answered / seconds:,.0f} a second" if answered else ""
    print(f"{sweep.plan.size:,} scenarios, {answered:,} of them answered now in {seconds:.1f} s{rate}.")
    print(f"{len(sweep.reports):,} reports, {run['reports made']:,} of them made now.")
    for what, why in list(sweep.failures.items())[:5]:
        print(f"FAILED  {what}: {why}", file=sys.stderr)
    if sweep.failures:
        print(f"{len(sweep.failures):,} failed; {address}/manifest.json lists them. Run it again to try these again.")
    print(f"{address}/summary.html")
