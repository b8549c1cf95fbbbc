"""Models: which open models are worth a try in a scenario, before their machines are sized."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from ..formulas import demand
from ..inputs.facts import Facts, of_tables
from ..inputs.question import CRITERIA, GOOD_ENOUGH, PLACES
from ..places import replicas
from ..places.spares import spares
from ..places.workload import availability
from ..units import HOURS_PER_MONTH, Array
from . import criteria, quality
from .permits import permits
from .routing import RENTED

MOST, NEAR = 3, 1.3
"""Models tried in a scenario, and up to what of the estimated cost of the first another is tried; more where quality is
worth a premium.
"""


@of_tables
def worthwhile(facts: Facts, task: str, may: bytes, level: str, engine: str) -> tuple[Array, list[replicas.Machine]]:
    """Keys of the open models with a figure for a task that fit on some machine that `may` be rented, and the machines
    of each at a service level on an engine.
    """
    keys = facts.table("models").index.to_numpy(object)
    known = ~np.isnan(quality.figures(facts).of(task, keys))
    machines = {key: replicas.on_rent(facts, key, may, level, engine) for key in keys[known]}
    held = [key for key, machine in machines.items() if len(machine.each)]
    return np.array(held, object), [machines[key] for key in held]


def shortlist(facts: Facts, rows: Mapping[str, Array]) -> Array:
    """The open models tried in each scenario over (scenario, MOST), "" where there are fewer.

    The one named; or of those that reach the floor the one of least estimated generalised cost and those that come
    near, and the least of those that reach the floor of hard requests too. Where none reaches the floor, the best there
    is, to be told.
    """
    found = np.full((len(rows["task"]), MOST), "", object)
    named = rows["open_model"] != GOOD_ENOUGH
    found[named, 0] = rows["open_model"][named]
    members = defaultdict[tuple[str, bytes, str, str], list[int]](list)
    if not len(searched := np.flatnonzero(~named)):
        return found
    for number, may in zip(searched.tolist(), _may_rent(facts, _some(rows, searched)), strict=True):
        task, level, engine = (rows[name][number] for name in ("task", "latency", "engine"))
        members[task, may, level, engine].append(number)
    for alike, here in members.items():
        found[here] = _of_task(facts, alike, _some(rows, here))
    return found


def _some(rows: Mapping[str, Array], here: Array | list[int]) -> dict[str, Array]:
    return {name: column[here] for name, column in rows.items()}


def _may_rent(facts: Facts, rows: Mapping[str, Array]) -> list[bytes]:
    """For each scenario a byte a machine: whether it may serve all of its traffic; all may where none does."""
    said, every = permits(facts, rows), np.ones(len(facts.table("machines")), bool)
    if said.alike[RENTED]:
        return [every.tobytes()] * len(said.code)
    shares = demand.stream_shares(*(rows[f"{name}_share"] for name in ("sensitive", "specialised", "hard")))
    way = said.code * (1 << shares.shape[1]) + (shares > 0) @ (1 << np.arange(shares.shape[1]))
    _, first, back = np.unique(way, return_index=True, return_inverse=True)
    barred = said.take(first).barred(RENTED, shares[first] > 0)
    ways = [(~mine).tobytes() for mine in np.asarray(barred).T]
    return [ways[number] for number in back]


def _of_task(facts: Facts, alike: tuple[str, bytes, str, str], rows: Mapping[str, Array]) -> Array:
    task, (models, machines) = alike[0], worthwhile(facts, *alike)
    if not len(models):
        return np.full((len(rows["task"]), MOST), "", object)
    known = quality.figures(facts)
    figure, every = known.of(task, models), np.repeat(known.family[task], len(rows["task"]))
    lack = 1 - known.points(every, np.broadcast_to(figure, (len(every), len(models))))
    premium = criteria.premiums(rows)[:, CRITERIA.index("quality")]
    cost = _estimated(facts, rows, machines) * (1 + premium[:, None] * lack)
    floor, holds = quality.floors(facts, rows), np.isfinite(cost)
    good = (figure >= floor[:, :1]) & holds
    best = (holds * (1e-9 + figure)).argmax(axis=1)[:, None] == np.arange(len(models))
    worth = np.where(np.where(good.any(axis=1, keepdims=True), good, best), cost, np.inf)
    for_hard = np.where(good & (figure >= floor[:, 1:]) & (rows["hard_share"] > 0)[:, None], cost, np.inf)
    order = np.argsort(worth, axis=1, kind="stable")[:, :MOST]
    usd = np.take_along_axis(worth, order, axis=1)
    found = np.full((len(cost), MOST), "", object)
    found[:, : order.shape[1]] = np.where(usd <= (NEAR + premium[:, None]) * usd[:, :1], models[order], "")
    found[~holds.any(axis=1), 1:] = ""
    most = models[for_hard.argmin(axis=1)]
    lacks = np.isfinite(for_hard.min(axis=1)) & ~(found == most[:, None]).any(axis=1)
    found[lacks, -1] = most[lacks]
    return found


def _estimated(facts: Facts, rows: Mapping[str, Array], machines: list[replicas.Machine]) -> Array:
    """Rent of the machines of least cost for the busiest hours of a middling month, over (scenario, model) [USD/month].

    Whole machines with spare ones, at the nearest of the shapes of request, without the hours in which fewer
    would do; infinite where a model takes no requests as long.
    """
    at = [
        np.abs(np.log(shapes) - np.log(rows[name].astype(float))[:, None]).argmin(axis=1)
        for name, shapes in (("input_tokens", replicas.PROMPTS), ("output_tokens", replicas.ANSWERS))
    ]
    month = demand.monthly_requests(rows["requests_per_month"], rows["growth_per_month"], rows["horizon_months"] / 2)
    busiest = np.maximum((1 - rows["batch_share"]) * rows["spikiness"], 1)
    peak = demand.requests_per_second(month) * busiest
    spare = spares(facts, PLACES[RENTED])
    stand = availability(rows["availability"])[:, 0] >= spare.stand_from
    usd, tokens = [], rows["input_tokens"] + rows["output_tokens"]
    for machine in machines:
        needed = np.ceil(peak * machine.seconds[:, *at] / machine.each[:, None])
        needed += stand * spare.beside(needed)
        rent = (needed * machine.usd_per_h[:, None]).min(axis=0) * HOURS_PER_MONTH
        usd.append(np.where(tokens <= machine.context_tokens, rent, np.inf))
    return np.stack(usd, axis=1)
