"""Results: what a sweep found, read a few columns at a time; a million scenarios are never in memory whole."""

import io
import json
import pickle
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.compute import field as column

from ..analysis.breakeven import NONE
from ..analysis.findings import Sweep
from ..decision.answer import Answer
from ..decision.evaluate import evaluate
from ..decision.routing import NAMES
from ..inputs.facts import Facts
from ..inputs.question import BY_NAME, ScenarioError
from ..paths import DATA
from .store import Store
from .sweep_plan import NAME, Plan, whole


class Results:
    """The results of a sweep in a folder, and its manifest."""

    def __init__(self, address: str) -> None:
        self.store = Store(address)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the sweep says of itself; empty where it says nothing yet."""
        return dict(json.loads(self.store.read("manifest.json") or b"{}"))

    @cached_property
    def _rows(self) -> Any:
        return ds.dataset(self.store.path(RESULTS), filesystem=self.store.fs, format="parquet")

    def _read(self, names: Sequence[str], which: Any) -> pd.DataFrame:
        asked = list(dict.fromkeys(["scenario", *names]))
        found = self._rows.to_table(columns=asked, filter=which)
        for place, part in enumerate(found.schema):
            if pa.types.is_string(part.type):
                found = found.set_column(place, part.name, found[part.name].dictionary_encode())
        return found.to_pandas().sort_values("scenario", ignore_index=True)

    @cached_property
    def sweep(self) -> Sweep:
        """What the sweep found, for those who tell it."""
        best = self.recommended("usd_per_month", "generalised_usd_per_month", "verdict")
        return Sweep(self.manifest, self.scenarios(*self.manifest["swept"], "winner"), best, self.options())

    def scenarios(self, *names: str) -> pd.DataFrame:
        """A row for each scenario: its number and the columns asked that all its options share."""
        return self._read(names, column("option") == NAMES[0])

    def recommended(self, *names: str) -> pd.DataFrame:
        """A row for each scenario in which something is allowed: columns of the option recommended."""
        return self._read(names, column("recommended"))

    def options(self) -> pd.DataFrame:
        """A row for each option: how often it is allowed and recommended, and quantiles of its cost [USD/month]."""
        found = []
        for name in NAMES:
            asked = ["verdict", "recommended", "usd_per_month"]
            rows = self._rows.to_table(columns=asked, filter=column("option") == name)
            usd = rows["usd_per_month"].to_numpy(zero_copy_only=False).astype(float)
            usd = usd[np.isfinite(usd)]
            low, middle, high = np.quantile(usd, (0.1, 0.5, 0.9)) if len(usd) else (np.nan,) * 3
            blocked = pa.compute.sum(pa.compute.equal(rows["verdict"], "blocked")).as_py() or 0
            won = pa.compute.sum(rows["recommended"]).as_py() or 0
            found.append((name, len(rows), len(rows) - blocked, won, low, middle, high))
        return pd.DataFrame(found, columns=["option", "scenarios", "allowed", "recommended", "low", "middle", "high"])


RESULTS = "results.parquet"
"""The one file of a small sweep, the folder of parts of a larger one; readers of Parquet take either."""

WORDS = {NAME, "winner", "option", "verdict", "because", "unlock"}
FOUND = (  # noqa: SIM905 - eighteen lines of one word each are no easier to read
    "option verdict because unlock launch_weeks capex_usd usd_per_month running_usd_per_month npv_usd "
    "level_usd_per_month generalised_usd_per_month usd_per_mtok gpus utilisation overflow_share hires rank recommended"
).split()
"""The columns of `Answer.options` that a sweep keeps."""

Failures = list[tuple[int, str]]
"""Scenarios that could not be answered, and why."""


class Part(NamedTuple):
    """What a worker needs to answer one part: its number, its scenarios (`Plan.columns`), and its file."""

    number: int
    columns: pd.DataFrame
    file: str


@dataclass(frozen=True)
class Shared:
    """What all parts and reports of a sweep share."""

    key: str
    engine: str
    address: str
    base: Mapping[str, Any]
    swept: Sequence[str]
    facts: Facts


def pack(plan: Plan, facts: Facts, key: str, address: str) -> bytes:
    """What all parts share, as bytes that go to every worker once."""
    bare = replace(facts, made={})
    return pickle.dumps(Shared(key, engine(), address, plan.base, plan.swept, bare))


@lru_cache(maxsize=2)
def unpack(packed: bytes) -> Shared:
    """What all parts share; kept, so that what is found out about the facts is found out once a worker."""
    shared: Shared = pickle.loads(packed)
    if shared.engine != engine():
        raise ScenarioError("this worker runs other software than the one that asks; install the same on both")
    return shared


def file_of(plan: Plan, number: int) -> str:
    """Where a part stands in the folder of a sweep."""
    return RESULTS if plan.parts == 1 else f"{RESULTS}/part-{number:05d}.parquet"


def answer_part(packed: bytes, part: Part) -> Failures:
    """Answer one part and write it, whole or not at all; returns the scenarios that failed."""
    shared = unpack(packed)
    tables, failures = _answered(shared, part.columns)
    table = pa.concat_tables([_schema(shared, part.columns).empty_table(), *tables])
    marks = {"sweep": shared.key, "part": str(part.number), "failures": json.dumps(failures)}
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(marks), sink, compression="zstd", row_group_size=1 << 20)
    Store(shared.address).write(part.file, sink.getvalue())
    return failures


def _answered(shared: Shared, columns: pd.DataFrame) -> tuple[list[pa.Table], Failures]:
    """The results of some scenarios; where something fails they are halved until those that fail stand alone."""
    try:
        # every processor has a worker of its own; a second thread in each would only stand in the way
        answer = evaluate(whole(shared.base, columns), shared.facts, threads=1)
        return [_table(shared, columns, answer)], []
    except Exception as error:
        if len(columns) == 1:
            return [], [(int(columns.index[0]), f"{type(error).__name__}: {error}")]
    middle = len(columns) // 2
    first, second = (_answered(shared, half) for half in (columns.iloc[:middle], columns.iloc[middle:]))
    return first[0] + second[0], first[1] + second[1]


def _schema(shared: Shared, columns: pd.DataFrame) -> pa.Schema:
    """Columns of the results: scenario, name where the table has one, the swept fields, winner, FOUND."""
    types = {"scenario": pa.int64(), "recommended": pa.bool_()} | dict.fromkeys(WORDS, pa.string())
    for name in shared.swept:
        types[name] = {"number": pa.float64(), "whole": pa.int64()}.get(BY_NAME[name].kind, pa.string())
    return pa.schema([(name, types.get(name, pa.float64())) for name in ("scenario", *columns, "winner", *FOUND)])


def _table(shared: Shared, columns: pd.DataFrame, answer: Answer) -> pa.Table:
    """The results of some scenarios, a row for each of their options."""
    recommended = answer.options["recommended"].to_numpy().reshape(-1, len(NAMES))
    names = np.array([*NAMES, NONE], dtype=object)
    winner = names[np.where(recommended.any(axis=1), recommended.argmax(axis=1), len(NAMES))]
    told = columns.assign(scenario=columns.index, winner=winner)
    each = told.loc[told.index.repeat(len(NAMES))].reset_index(drop=True)
    rows = pd.concat([each, answer.options[FOUND].reset_index(drop=True)], axis=1)
    return pa.Table.from_pandas(rows, _schema(shared, columns), preserve_index=False).replace_schema_metadata()


def state(store: Store, file: str, key: str) -> Failures | None:
    """The failures a part of this sweep tells of; None where it is not there or not whole.

    Refuses a part that another sweep wrote, or that somebody has written anew: it is not ours to replace.
    """
    try:
        with store.fs.open(store.path(file), "rb") as handle:
            marks = pq.read_schema(handle).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    if marks.get(b"sweep") != key.encode():
        raise ScenarioError(f"{store.path(file)} is not what this sweep wrote; move it away, or name a new folder")
    return [(int(number), str(words)) for number, words in json.loads(marks[b"failures"])]


PACKAGES = ("where-to-run", "numpy", "pandas", "scipy", "pyarrow", "dask", "distributed", "fsspec", "papermill")
DECIDING = ("where-to-run", "numpy", "pandas", "scipy", "pyarrow")
"""Packages whose version can show in the results."""
MAKING = (".", "formulas", "inputs", "places", "decision", "analysis", "batch")
"""Rooms whose code can show in the results."""


@cache
def software() -> dict[str, str]:
    """Versions of what makes the results, and a hash of this library's code."""
    versions = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions, "code sha256": code()}


@cache
def code() -> str:
    """Hash of what makes the results: the code of every room they come through, and the question, tables and lines."""
    library = Path(__file__).parents[1]
    made_by = [path for room in MAKING for path in sorted((library / room).glob("*.py"))]
    made_by += [DATA / name for name in ("question.yaml", "tables.yaml", "lines.csv")]
    return _hash({f"{path.parent.name}/{path.name}": sha256(path.read_bytes()).hexdigest() for path in made_by})


@cache
def engine() -> str:
    """One word for the software that decides the results: the same on every worker, or the results are not one."""
    found = software()
    return _hash({name: found[name] for name in ("python", *DECIDING, "code sha256")})


def facts_told(facts: Facts) -> dict[str, Any]:
    """The facts of a sweep: the day they hold on, a hash of every table, and the overrides laid over them."""
    tables = {
        name: {"rows": len(rows), "sha256": sha256(rows.to_csv().encode()).hexdigest()}
        for name, rows in facts.tables.items()
    }
    rules = {"rows": len(facts.rules["rules"]), "sha256": _hash(facts.rules)}
    return {"as_of": facts.as_of, "tables": tables | {"rules": rules}, "overrides": facts.overrides.to_dict("records")}


def key(plan: Plan, facts: Facts) -> str:
    """The key of a sweep: what has the same key has the same results, byte by byte."""
    return _hash({"plan": plan.told, "facts": facts_told(facts), "engine": engine()})


def _hash(told: Mapping[str, Any]) -> str:
    return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]
