"""Sweep: has the scenarios of a plan answered and reported on, part by part; what is done already is not done again."""

import json
import os
import sys
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster, as_completed
from distributed.comm.core import CommClosedError
from scipy import ndimage
from tqdm import tqdm

from ..inputs.facts import Facts
from ..inputs.question import BY_NAME, ScenarioError
from ..units import Array
from . import notebook_worker, results, sweep_file
from .results import Part, Results
from .store import Store
from .sweep_file import Lined
from .sweep_plan import Plan

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
        self.key = results.key(self.plan, self.facts)
        self.packed = results.pack(self.plan, self.facts, self.key, self.store.address)

    def manifest(self, state: str) -> bytes:
        """What the sweep says of itself: inputs, facts, software, results, timings, and what failed and why."""
        told = {
            "state": state,
            "key": self.key,
            "file": self.sheet.path.name,
            "inputs": self.plan.told | {"preset": self.plan.preset, "fields": dict(self.plan.given)},
            "text": self.sheet.text,
            "facts": results.facts_told(self.facts),
            "software": results.software(),
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
        if refused(error):
            raise error
        self.failures[what] = " ".join(f"{type(error).__name__}: {error}".split())[:500]


def run(file: Path, out: str, scheduler: str = "", workers: int = 0, quiet: bool = False) -> int:
    """Answer a sweep file into a folder; returns 0, or 1 where something failed and the rest was done.

    Refuses, before any work, a file that cannot be answered, a folder that cannot be written or holds something
    else, and a scheduler that does not answer. Run again it does what is missing.
    """
    plan, facts, sheet = sweep_file.read(file)
    sweep = Sweep(plan, facts, sheet, Store(out), quiet)
    _recognise(sweep)
    missing = _missing(sweep)
    sweep.store.check()
    with connected(scheduler, workers) as client, sweep.store.taken():
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
    sweep.write_manifest("finished with failures" if sweep.failures else "finished")
    _summarise(sweep, client)
    with suppress(OSError):
        client.run(notebook_worker.stop)


def _there(sweep: Sweep) -> set[int]:
    """Numbers of the parts that are in the folder."""
    names = sweep.store.names(results.RESULTS) if sweep.plan.parts > 1 else sweep.store.names("")
    files = [results.file_of(sweep.plan, number).rsplit("/", 1)[-1] for number in range(sweep.plan.parts)]
    return {number for number, file in enumerate(files) if file in names}


def _missing(sweep: Sweep) -> list[int]:
    """Numbers of the parts that are not there, or not whole, or in which a scenario failed."""
    states = {n: results.state(sweep.store, results.file_of(sweep.plan, n), sweep.key) for n in sorted(_there(sweep))}
    return [number for number in range(sweep.plan.parts) if states.get(number) != []]


def _answer(sweep: Sweep, client: Any, missing: list[int]) -> int:
    """Have the missing parts answered; the number of scenarios. What fails is noted."""
    spans = {number: range(*sweep.plan.span(number)) for number in missing}
    parts = (Part(n, sweep.plan.columns(here), results.file_of(sweep.plan, n)) for n, here in spans.items())
    answered = 0
    with _bar(sweep, "scenarios", sweep.plan.size, sum(map(len, spans.values()))) as bar:
        for part, failures, error in each(client, results.answer_part, sweep.packed, parts):
            if error:
                sweep.failed(f"part {part.number}", error)
            else:
                answered += len(part.columns) - len(failures)
                sweep.failures |= {f"scenario {number}": why for number, why in failures}
            bar.update(len(part.columns))
    for number in set(missing) - _there(sweep):
        told = f"part {number} was written where this machine does not see it; name a folder all workers share"
        sweep.failures.setdefault(f"part {number}", told)
    return answered


def _report(sweep: Sweep, client: Any) -> int:
    """Have the missing reports made; returns how many were."""
    if sweep.plan.reports.kind == "none" or results.RESULTS not in sweep.store.names(""):
        return 0
    numbers = chosen(sweep.plan, Results(sweep.store.address))
    folders = {number: f"reports/{sweep.plan.name(number)}" for number in numbers}
    there = {f"reports/{name}" for name in sweep.store.names("reports")}
    left = [n for n, f in folders.items() if f not in there or "report.html" not in sweep.store.names(f)]
    if left:
        sweep.store.remove("summary.html")
    jobs = (notebook_worker.Job("report", n, sweep.plan.parameters(n), folders[n]) for n in left)
    made = 0
    with _bar(sweep, "reports", len(numbers), len(left)) as bar:
        for job, _, error in each(client, notebook_worker.run, sweep.packed, jobs):
            if error:
                sweep.failed(f"report {job.number}", error)
            else:
                made += 1
            bar.update()
    sweep.reports = [
        {"scenario": n, "folder": folders[n]} for n in sorted(numbers) if f"report {n}" not in sweep.failures
    ]
    return made


def _summarise(sweep: Sweep, client: Any) -> None:
    """Have summary.html made where it is not there; where that fails the results stay, and the manifest tells."""
    there = sweep.store.names("")
    if "summary.html" in there or results.RESULTS not in there:
        return
    for _, _, error in each(client, notebook_worker.run, sweep.packed, [notebook_worker.Job("summary")]):
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


PATIENCE = int(os.environ.get("WHERE_TO_RUN_PATIENCE", "15"))
"""Seconds a scheduler has to answer, and after that for a first worker to be there."""

ENVIRONMENT = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}
"""What workers of this machine start with: Dask's own, without the setting that gives memory back after every array."""

AHEAD = 3
"""Tasks waiting for each thread of a worker: enough that none is idle, few enough that little is in memory."""


class ClusterError(ScenarioError):
    """A scheduler or workers that cannot be had; the text says which and what to do."""


@contextmanager
def connected(scheduler: str = "", workers: int = 0) -> Iterator[Any]:
    """A Dask client: of the scheduler at an address, or of as many workers of this machine as it has processors."""
    if scheduler:
        with _remote(scheduler) as found:
            yield found
        return
    number = workers or os.cpu_count() or 1
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRONMENT}),
        LocalCluster(
            n_workers=number, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster) as found,
    ):
        yield found


@contextmanager
def _remote(scheduler: str) -> Iterator[Any]:
    try:
        found = Client(scheduler, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"the scheduler {scheduler} does not answer within {PATIENCE} s: {error}. "
            "Is it running, and its port open? Without --scheduler the sweep runs on this machine"
        ) from None
    with found:
        try:
            found.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ClusterError(f"the scheduler {scheduler} has no worker; start one: dask worker {scheduler}") from None
        yield found


def each(
    found: Any, task: Callable[..., Any], shared: bytes, items: Iterable[Any]
) -> Iterator[tuple[Any, Any, BaseException | None]]:
    """Run `task(shared, item)` for every item, a few ahead of the workers: item, result, error, in order of ending.

    A worker that dies hands its tasks to the others; one that several workers died of is told as an error.
    """
    packed = found.submit(_same, shared, pure=False)
    waiting = iter(items)
    under_way: dict[Any, Any] = {}
    ending = as_completed()

    def more() -> None:
        room = AHEAD * max(1, sum(found.nthreads().values())) - len(under_way)
        for _, item in zip(range(room), waiting, strict=False):
            future = found.submit(task, packed, item, pure=False)
            under_way[future] = item
            ending.add(future)

    more()
    while under_way:
        future = next(ending)
        item = under_way.pop(future)
        try:
            error = future.exception()
        except CancelledError:
            raise ClusterError("the scheduler was lost. What is done stays; run the same again to go on") from None
        result = None if error else future.result()
        future.release()
        yield item, result, error
        more()


def _same(value: Any) -> Any:
    return value


def refused(error: BaseException) -> bool:
    """Whether what failed on a worker would fail everywhere: no room to write, or other software."""
    passing = isinstance(error, TimeoutError | ConnectionError | CommClosedError)
    return isinstance(error, OSError | ScenarioError) and not passing


SMALL = 0.01
"""Share of all scenarios below which a region gets a report only where it is the largest of its winner."""

MOST_REGIONS = 50
"""Regions that get a report, the largest first."""


def chosen(plan: Plan, results: Results) -> list[int]:
    """Numbers of the scenarios that get a report, ordered so that those that share most come one after the other."""
    found = {"none": _none, "all": _all, "top": _top, "winners": _winners}[plan.reports.kind](plan, results)
    rows = plan.columns(found)
    rest = [name for name in plan.swept if name not in ("requests_per_month", "spikiness")]
    return [int(number) for number in rows.sort_values(rest).index] if rest and found else found


def _none(plan: Plan, results: Results) -> list[int]:
    return []


def _all(plan: Plan, results: Results) -> list[int]:
    return [int(number) for number in results.scenarios()["scenario"]]


def _top(plan: Plan, results: Results) -> list[int]:
    by = plan.reports.by
    rows = results.recommended(by).sort_values(by, kind="stable")
    return [int(number) for number in rows["scenario"].head(plan.reports.number)]


def _winners(plan: Plan, results: Results) -> list[int]:
    """The scenario in the middle of each region; of a plain grid regions are connected, else all that one wins."""
    rows = results.scenarios("winner")
    if plan.table is None and plan.sample is None:
        return _connected(plan, rows)
    return sorted(_middle(plan, rows.loc[rows["winner"] == name, "scenario"]) for name in rows["winner"].unique())


def _middle(plan: Plan, numbers: pd.Series) -> int:
    """Of some scenarios the one nearest to their medians, field by field, each over its spread."""
    swept = plan.columns(numbers)
    values = swept[[name for name in plan.swept if BY_NAME[name].numeric]].astype(float)
    spread = values.std(ddof=0).replace(0.0, 1.0)
    return int(np.square((values - values.median()) / spread).sum(axis=1).idxmin())


def _connected(plan: Plan, rows: pd.DataFrame) -> list[int]:
    """The middles of the connected regions of a grid with one winner."""
    names = [str(name) for name in rows["winner"].unique()]
    won = np.full(plan.size, -1)
    won[rows["scenario"]] = [names.index(name) for name in rows["winner"]]
    cells = won.reshape(plan.shape[2:])
    found: list[tuple[int, int]] = []
    for code in range(len(names)):
        regions, number = ndimage.label(cells == code, _neighbours(plan))
        sizes = np.bincount(regions.ravel())[1:]
        for region in np.flatnonzero((sizes >= SMALL * plan.size) | (sizes == sizes.max())) + 1 if number else ():
            found.append((int(sizes[region - 1]), _centre(regions == region)))
    return sorted(middle for _, middle in sorted(found, reverse=True)[:MOST_REGIONS])


def _neighbours(plan: Plan) -> Array:
    """Which cells touch: those one step apart along one numeric axis; names have no order to step along."""
    axes = list(plan.axes or {})
    touching: Any = ndimage.generate_binary_structure(len(axes), 1)
    for place, name in enumerate(axes):
        if not BY_NAME[name].numeric:
            apart: list[Any] = [slice(None)] * len(axes)
            for end in (0, 2):
                apart[place] = end
                touching[tuple(apart)] = False
    return np.asarray(touching)


def _centre(region: Array) -> int:
    """Flat position of the cell of a region that is nearest to its mean."""
    cells = np.argwhere(region)
    nearest = cells[np.square(cells - cells.mean(axis=0)).sum(axis=1).argmin()]
    return int(np.ravel_multi_index(tuple(nearest), region.shape))
