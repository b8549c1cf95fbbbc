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
from .plan import NAME, Plan, whole
from .routings import NAMES
from .scenario import BY_NAME, ScenarioError
from .stores import Store

RESULTS = "results.parquet"
"""The one file of a small sweep, the folder of parts of a larger one; readers of Parquet take either."""

WORDS = {NAME, "winner", "option", "verdict", "because", "unlock"}
FOUND = (  # noqa: SIM905 - seventeen lines of one word each are no easier to read
    "option verdict because unlock launch_weeks capex_usd usd_per_month running_usd_per_month npv_usd usd_per_mtok "
    "gpus utilisation overflow_share hires score rank recommended"
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
    bare = replace(facts, cache={})
    return pickle.dumps(Shared(key, identity.engine(), address, plan.base, plan.swept, bare))


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


def answer_part(packed: bytes, part: Part) -> tuple[Failures, float]:
    """Answer one part and write it, whole or not at all; returns the scenarios that failed, and the seconds it took."""
    start = time.perf_counter()
    shared = unpack(packed)
    tables, failures = _answered(shared, part.columns)
    table = pa.concat_tables([_schema(shared, part.columns).empty_table(), *tables])
    marks = {"sweep": shared.key, "part": str(part.number), "failures": json.dumps(failures)}
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(marks), sink, compression="zstd", row_group_size=1 << 20)
    Store(shared.address).write(part.file, sink.getvalue())
    return failures, time.perf_counter() - start


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
