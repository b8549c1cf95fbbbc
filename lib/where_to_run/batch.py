"""Batch: one part of a sweep, answered on whichever worker takes it and written whole."""

import io
import json
import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from . import identity
from .breakeven import NONE
from .evaluate import Answer, evaluate
from .facts import Facts
from .plan import Plan, whole
from .routings import NAMES
from .scenario import BY_NAME, ScenarioError
from .stores import Store

RESULTS = "results.parquet"
"""The one file of a small sweep, the folder of parts of a larger one; readers of Parquet take either."""

WORDS = {"option", "verdict", "because", "unlock"}
FOUND = (
    "option",
    "verdict",
    "because",
    "unlock",
    "launch_weeks",
    "capex_usd",
    "usd_per_month",
    "running_usd_per_month",
    "npv_usd",
    "usd_per_mtok",
    "gpus",
    "utilisation",
    "overflow_share",
    "hires",
    "score",
    "rank",
    "recommended",
)
"""The columns of `Answer.options` that a sweep keeps."""


class Part(NamedTuple):
    """What a worker needs to answer one part: its number, its scenarios, the swept fields, names, where it goes."""

    number: int
    columns: pd.DataFrame
    names: Sequence[str] | None
    address: str
    file: str


class Done(NamedTuple):
    """What a worker says of a part it has written: how many scenarios were answered, and which were not and why."""

    number: int
    scenarios: int
    failures: list[tuple[int, str]]
    seconds: float


@dataclass(frozen=True)
class Shared:
    """What all parts of a sweep share."""

    key: str
    engine: str
    base: Mapping[str, Any]
    swept: Sequence[str]
    named: bool
    facts: Facts


def pack(plan: Plan, facts: Facts, key: str) -> bytes:
    """What all parts share, as bytes that go to every worker once."""
    bare = replace(facts, cache={})
    return pickle.dumps(Shared(key, identity.engine(), plan.base, plan.swept, plan.names is not None, bare))


@lru_cache(maxsize=2)
def unpack(packed: bytes) -> Shared:
    """What all parts share; kept, so that what is found out about the facts is found out once a worker."""
    shared: Shared = pickle.loads(packed)
    if shared.engine != identity.engine():
        raise ScenarioError("this worker runs other software than the one that asks; install the same on both")
    return shared


def file_of(plan: Plan, number: int) -> str:
    """Where a part stands in the folder of a sweep."""
    return RESULTS if plan.parts == 1 else f"{RESULTS}/part-{number:05d}.parquet"


def answer_part(packed: bytes, part: Part) -> Done:
    """Answer one part and write it, whole or not at all; a scenario that fails is told and left out."""
    start = time.perf_counter()
    shared = unpack(packed)
    tables, failures = _answered(shared, part)
    table = pa.concat_tables(tables) if tables else _schema(shared).empty_table()
    marks = {"sweep": shared.key, "part": str(part.number), "failures": json.dumps(failures)}
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(marks), sink, compression="zstd", row_group_size=1 << 20)
    Store(part.address).write(part.file, sink.getvalue())
    return Done(part.number, len(part.columns) - len(failures), failures, time.perf_counter() - start)


def _answered(shared: Shared, part: Part) -> tuple[list[pa.Table], list[tuple[int, str]]]:
    """The results of a part; where something fails it is halved until the scenarios that fail stand alone."""
    try:
        # every processor has a worker of its own; a second thread in each would only stand in the way
        answer = evaluate(whole(shared.base, part.columns), shared.facts, threads=1)
        return [_table(shared, part, answer)], []
    except Exception as error:
        if len(part.columns) == 1:
            return [], [(int(part.columns.index[0]), f"{type(error).__name__}: {error}")]
    middle = len(part.columns) // 2
    halves = [
        part._replace(columns=part.columns.iloc[here], names=part.names and part.names[here])
        for here in (slice(middle), slice(middle, None))
    ]
    found = [_answered(shared, half) for half in halves]
    return found[0][0] + found[1][0], found[0][1] + found[1][1]


def _schema(shared: Shared) -> pa.Schema:
    """Columns of the results: scenario, name where the table has one, the swept fields, winner, FOUND."""
    kinds = {"number": pa.float64(), "whole": pa.int64()}
    fields = [("scenario", pa.int64())] + [("name", pa.string())] * shared.named
    fields += [(name, kinds.get(BY_NAME[name].kind, pa.string())) for name in shared.swept]
    fields += [("winner", pa.string())]
    for name in FOUND:
        fields.append((name, pa.string() if name in WORDS else pa.bool_() if name == "recommended" else pa.float64()))
    return pa.schema(fields)


def _table(shared: Shared, part: Part, answer: Answer) -> pa.Table:
    """The results of some scenarios, a row for each of their options."""
    options, number = answer.options, len(NAMES)
    recommended = options["recommended"].to_numpy().reshape(-1, number)
    names = np.array([*NAMES, NONE], dtype=object)
    winner = names[np.where(recommended.any(axis=1), recommended.argmax(axis=1), number)]
    scenarios: dict[str, Any] = {"scenario": part.columns.index.to_numpy(), "winner": winner}
    if part.names is not None:
        scenarios["name"] = np.array(part.names, dtype=object)
    scenarios |= {name: part.columns[name].to_numpy() for name in shared.swept}
    columns = {name: np.repeat(values, number) for name, values in scenarios.items()}
    for name in FOUND:
        columns[name] = options[name].to_numpy(dtype=object if name in WORDS else None)
    schema = _schema(shared)
    arrays = [pa.array(columns[f.name], type=f.type, from_pandas=True) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def state(store: Store, file: str, key: str) -> list[tuple[int, str]] | None:
    """The failures a part of this sweep tells of; None where the part is not there, or not whole, or of another."""
    try:
        with store.fs.open(store.path(file), "rb") as handle:
            marks = pq.read_schema(handle).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    if marks.get(b"sweep") != key.encode():
        return None
    return [(int(number), str(words)) for number, words in json.loads(marks[b"failures"])]
