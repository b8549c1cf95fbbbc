"""Offers: what can be rented or bought to serve a model at a place."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..inputs.facts import Facts, of_tables
from ..units import Array
from .replicas import Workload, kinds, replica_words


@dataclass(frozen=True)
class Offers:
    """Machines to rent or servers to buy that hold a replica of one model, as columns over (offer).

    `kind` is the position of the replica in `replicas.kinds`, `each` how many replicas one machine holds, `replica` the
    words for it.
    """

    columns: Mapping[str, Array]
    kind: Array
    each: Array
    replica: Array

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, some: Array) -> "Offers":
        """Some of the offers."""
        columns = {name: column[some] for name, column in self.columns.items()}
        return Offers(columns, self.kind[some], self.each[some], self.replica[some])

    def of(self, key: str, replica: str) -> "Offers":
        """The one offer of that key that is cut into replicas of that kind."""
        return self.take(np.flatnonzero((self.columns["key"] == key) & (self.replica == replica))[:1])

    def said(self, work: Workload, chosen: Array) -> dict[str, Array]:
        """The replica of the chosen offer of each scenario and how its throughput is known, in words."""
        basis = work.need.basis[self.kind[chosen], np.arange(len(chosen))]
        return {"replica": self.replica[chosen], "basis": basis}

    def hold(self, work: Workload) -> Array:
        """Over (offer, scenario), whether an offer can serve a request, is of the GPU type a scenario insists on, and
        is not barred by the rules.
        """
        holds: Array = work.need.possible[self.kind]
        if not (work.gpu == "cheapest").all():
            holds = holds & ((work.gpu == "cheapest") | (self.columns["gpu"][:, None] == work.gpu))
        return holds if work.barred is None else holds & ~work.barred[self.columns["row"]]


@of_tables
def offers(facts: Facts, table: str, model: str) -> Offers:
    """Every machine of `machines` or `servers` that holds a replica of the model."""
    rows = kinds(facts, model).reset_index(names="kind")
    every = facts.table(table).reset_index()
    pairs = every.assign(row=every.index).merge(rows, on="gpu", suffixes=("", "_replica"))
    pairs = pairs[pairs["gpus_replica"] <= pairs["gpus"]]
    pairs = pairs.assign(each=np.floor(pairs["gpus"] / pairs["gpus_replica"]))
    columns = {str(name): pairs[name].to_numpy() for name in pairs.columns}
    replica = np.array([replica_words(row) for row in rows.to_dict("records")], object)[pairs["kind"]]
    return Offers(columns, columns["kind"], columns["each"], replica)


def undominated(choice: Offers, work: Workload, prices: Array, passes: Array | None = None) -> Offers:
    """The offers worth a look: for none are there as many of another as carry as much and cost no more.

    No more by each of the `prices` over (price, offer); where an offer has none, any will do. The other must pass the
    rules wherever this does, by `passes` over (row of the table, any). All are where a scenario insists on a GPU.
    """
    if not (work.gpu == "cheapest").all():
        return choice
    if (serves := work.need.possible[choice.kind].any(axis=1)).any():
        choice, prices = choice.take(np.flatnonzero(serves)), prices[:, serves]
    one, other = np.nonzero(~np.eye(len(choice), dtype=bool))
    number = np.ceil(work.need.times(choice.kind, choice.each, one, other) - 1e-9)
    # of two that beat each other the first stays
    number *= 1 + 1e-9 * (one > other)
    with np.errstate(invalid="ignore"):
        beaten = ((number * prices[:, one] <= prices[:, other]) | np.isnan(prices[:, other])).all(axis=0)
    if passes is not None:
        may = passes[choice.columns["row"]]
        beaten &= (may[one] >= may[other]).all(axis=1)
    return choice.take(np.setdiff1d(np.arange(len(choice)), other[beaten]))


def pick(array: Array, chosen: Array) -> Array:
    """Of an array over (offer, scenario, ...), the chosen offer of each scenario."""
    return array[chosen, np.arange(len(chosen))]
