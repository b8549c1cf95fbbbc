"""Offers: what can be rented or bought to serve a model at a place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..inputs.facts import Facts
from ..units import Array
from .replicas import kinds


@dataclass(frozen=True)
class Offers:
    """Machines to rent or servers to buy that hold a replica of one model, as columns over (offer).

    `kind` is the position of the replica in `replicas.kinds`, `each` how many replicas one machine holds.
    """

    columns: Mapping[str, Array]
    kind: Array
    each: Array
    words: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, some: Array) -> "Offers":
        """Some of the offers."""
        columns, words = ({n: c[some] for n, c in part.items()} for part in (self.columns, self.words))
        return Offers(columns, self.kind[some], self.each[some], words)

    def barred(self, gpu: Array) -> Array:
        """True over (offer, scenario) where a scenario insists on another GPU type."""
        wanted = gpu[None, :]
        if (gpu == "cheapest").all():
            return np.zeros((len(self), len(gpu)), bool)
        barred: Array = (wanted != "cheapest") & (self.columns["gpu"][:, None] != wanted)
        return barred


def offers(facts: Facts, table: str, model: str) -> Offers:
    """Every machine of `machines` or `servers` that holds a replica of the model, less those another one undercuts."""
    return facts.cached(("offers", table, model), lambda: _offers(facts, table, model))


def _offers(facts: Facts, table: str, model: str) -> Offers:
    rows = kinds(facts, model).reset_index(names="kind")
    pairs = facts.table(table).reset_index().merge(rows, on="gpu", suffixes=("", "_replica"))
    pairs = pairs[pairs["gpus_replica"] <= pairs["gpus"]]
    pairs = pairs.assign(each=np.floor(pairs["gpus"] / pairs["gpus_replica"]))
    if table == "machines":
        prices = pairs.filter(like="_usd_per_h").to_numpy(float)
        pairs = pairs[~_undercut(prices, pairs["kind"].to_numpy(), pairs["each"].to_numpy())]
    columns = {str(name): pairs[name].to_numpy() for name in pairs.columns}
    size = pairs["gpus_replica"].astype(int).astype(str)
    words = {"replica": (size + " x " + pairs["gpu"] + ", " + pairs["precision"]).to_numpy(), "basis": columns["basis"]}
    return Offers(columns, columns["kind"], columns["each"], words)


def _undercut(prices: Array, kind: Array, each: Array) -> Array:
    """Offers that another one never costs more than: same replica, no more of them a machine, no dearer per replica.

    Holds for every contract an offer has, so leaving the undercut ones out cannot change what is cheapest.
    """
    per_replica = np.where(np.isnan(prices), np.inf, prices) / each[:, None]
    out = np.zeros(len(kind), bool)
    for i in range(len(kind)):
        same = (kind == kind[i]) & (each[i] % each == 0) & ~out
        better = same & (per_replica <= per_replica[i]).all(axis=1)
        better[i] = False
        out[i] = better.any()
    return out


def pick(array: Array, chosen: Array) -> Array:
    """Of an array over (offer, scenario, ...), the chosen offer of each scenario."""
    return array[chosen, np.arange(len(chosen))]
