"""Results: what a sweep found, read a few columns at a time; a million scenarios are never in memory whole."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.compute import field as column

from .batch import RESULTS
from .routings import NAMES
from .stores import Store


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
