"""Search: the routings tried for a block of scenarios, what each costs and breaks, and which each option takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..formulas import finance, scoring
from ..inputs.question import PLACES, STREAMS
from ..places.bill import CAPITAL, HARDWARE, WORTH, added_up
from ..units import TOKENS_PER_MTOK, Array
from .block import WORTH_SPLITTING, Question
from .option import Outcome, costed, launch_weeks, least_cost
from .recommendation import values
from .routing import OWN, SEARCHED, Key, Routing, candidates
from .rules import BLOCKED
from .verdicts import LIMITS, Limit

KNOWN_ANYWAY = ("launch_weeks", "people_weeks", "setup_weeks", "hires", "misfits")
"""Figures an option has even where nothing on offer can serve the load."""

UNKNOWN = BLOCKED + 1
"""The verdict of an option that has no routing yet."""


@dataclass(frozen=True)
class Gates:
    """What the rules say over (scenario, stream, place): the level of the verdict, and the rule that says it."""

    level: Array
    rule: Array
    present: Array

    @property
    def allowed(self) -> Array:
        """Where a stream may go; one without traffic may go anywhere."""
        return (self.level < BLOCKED) | ~self.present[..., None]

    def take(self, rows: Array) -> "Gates":
        """Some of the scenarios."""
        return Gates(self.level[rows], self.rule[rows], self.present[rows])


@dataclass
class Found:
    """What was tried in a block for the options asked.

    Routings, each costed in some scenarios, with its outcome and figures there; for each option the routing it takes
    over (scenario, option), and its figures over the same.
    """

    names: Sequence[str]
    routings: list[Routing] = field(default_factory=list)
    costed: list[tuple[Array, Outcome, dict[str, Array]]] = field(default_factory=list)
    taken: Array = field(default_factory=lambda: np.zeros(0))
    figures: dict[str, Array] = field(default_factory=dict)

    def parts(self) -> Iterator[tuple[str, Array, Array, Outcome]]:
        """Every option with each outcome it takes: the scenarios, their positions in the outcome, and the outcome."""
        for o, option in enumerate(self.names):
            for number, (rows, outcome, _) in enumerate(self.costed):
                here = np.flatnonzero(self.taken[rows, o] == number)
                if len(here):
                    yield option, rows[here], here, outcome


def search(
    question: Question, gates: Gates, names: Sequence[str], committed: Mapping[str, Routing] | None = None
) -> Found:
    """Cost every routing worth a try, and let each option take the allowed one of least generalised cost.

    A routing that could at the very best not beat what an option has already, or is late for sure, is not costed there;
    so where none is allowed, an option takes the least of those that were costed. With `committed` nothing is
    searched: each option takes the routing of one scenario given.
    """
    found, tried, taken = Found(names), dict[Key, int](), set[tuple[Key, str]]()
    everywhere = np.arange(len(gates.present))
    # routings hang on where streams may go, and only few ways of that occur in a block
    allowed = gates.allowed.reshape(len(everywhere), -1)
    _, first, way = np.unique(allowed @ (1 << np.arange(allowed.shape[1])), return_index=True, return_inverse=True)
    given = [((name,), fixed.take(np.zeros(len(first), np.intp))) for name, fixed in (committed or {}).items()]
    for tried_for, by_way in given or candidates(gates.allowed[first], question.cheaper_host):
        wanted = [option for option in tried_for if option in names and (by_way.key, option) not in taken]
        if not wanted:
            continue
        if by_way.key not in tried:
            rows, routing = everywhere, by_way.take(way)
            if not given and set(wanted) <= set(SEARCHED):
                rows = _promising(question, routing, [names.index(option) for option in wanted], found)
            if not len(rows):
                taken |= {(by_way.key, option) for option in wanted}
                continue
            tried[by_way.key] = len(found.routings)
            _cost(question, gates, routing, rows, found)
        for option in wanted:
            _take(found, names.index(option), tried[by_way.key])
            taken.add((by_way.key, option))
    return found


def _promising(question: Question, routing: Routing, columns: list[int], found: Found) -> Array:
    """Scenarios in which a routing could beat what some option it is tried for has."""
    late = (launch_weeks(question, routing) > question.rows["weeks_to_launch"])[:, None]
    if not found.figures:
        return np.arange(len(late))
    verdict, cost = (found.figures[name][:, columns] for name in ("verdict", "generalised_usd_per_month"))
    open_ = (verdict == UNKNOWN) | ~late
    if not open_.any():
        return np.zeros(0, np.intp)
    # no drawback makes it less
    usd = (least_cost(question, routing) / question.annuity)[:, None]
    rows = np.flatnonzero((open_ & ((verdict >= BLOCKED) | (usd < cost))).any(axis=1))
    return np.arange(len(late)) if len(rows) > WORTH_SPLITTING * len(late) else rows


def _cost(question: Question, gates: Gates, routing: Routing, rows: Array, found: Found) -> None:
    """Cost a routing in some scenarios, and hold it to the rules and limits there."""
    here, asked, way = gates, question, routing
    if len(rows) < len(gates.present):
        here, asked, way = gates.take(rows), question.take(rows), routing.take(rows)
    outcome = costed(asked, way, here.allowed)
    figures = _figures(asked, outcome) | _by_rule(way, here)
    figures["values"] = values(asked, way, figures)
    level = figures["level_usd_per_month"]
    figures["generalised_usd_per_month"] = scoring.generalised_cost(level, asked.premiums, figures["values"])
    figures["broken"] = np.stack([_broken(asked, figures, limit) for limit in LIMITS], axis=1)
    figures["verdict"] = np.where(figures["broken"].any(axis=1), BLOCKED, figures["by_rule"])
    found.routings.append(routing)
    found.costed.append((rows, outcome, figures))
    if not found.figures:
        size = (len(gates.present), len(found.names))
        found.taken = np.zeros(size, np.intp)
        found.figures = {name: np.zeros((*size, *values.shape[1:]), values.dtype) for name, values in figures.items()}
        found.figures["verdict"] += UNKNOWN


def _take(found: Found, option: int, number: int) -> None:
    """Let an option take a routing where it has none yet, or one that is blocked or has a larger generalised cost."""
    rows, _, figures = found.costed[number]
    has, cost = found.figures["verdict"][rows, option], found.figures["generalised_usd_per_month"][rows, option]
    blocked, had = figures["verdict"] == BLOCKED, has == BLOCKED
    usd = figures["generalised_usd_per_month"]
    cheaper = (usd < cost) | (np.isnan(cost) & ~np.isnan(usd))
    better = (has == UNKNOWN) | (had & ~blocked) | ((had == blocked) & cheaper)
    if not better.any():
        return
    found.taken[rows[better], option] = number
    for name, values in figures.items():
        found.figures[name][rows[better], option] = values[better]


def _figures(question: Question, out: Outcome) -> dict[str, Array]:
    """Costs, sizes and times of a routing, by scenario."""
    load, factors, months = question.load, question.factors, question.load.live.sum(axis=1)
    tokens = load.requests * (load.input_tokens + load.output_tokens) / TOKENS_PER_MTOK
    total = added_up(out.lines.values())
    own = {name: line for (place, name), line in out.lines.items() if place == PLACES[OWN]}
    capex = sum((own[name][:, 0] for name in HARDWARE if name in own), np.zeros(len(months)))
    aside = sum((own[name].sum(axis=1) for name in WORTH if name in own), capex)
    cash = total - own[CAPITAL] if CAPITAL in own else total
    figures = {
        "launch_weeks": np.maximum(out.people_weeks, out.setup_weeks),
        "people_weeks": out.people_weeks,
        "setup_weeks": out.setup_weeks,
        "capex_usd": capex,
        "usd_per_month": total.sum(axis=1) / months,
        "running_usd_per_month": (total.sum(axis=1) - aside) / months,
        "npv_usd": finance.present_value(cash, factors),
        "level_usd_per_month": finance.present_value(cash + out.missed, factors) / question.annuity,
        "usd_per_mtok": finance.levelised_cost(cash, tokens * out.served, factors),
        **_sizes(out, len(months)),
        "hires": out.hires,
        "misfits": (~out.fits).astype(float),
    }
    if out.fits.all():
        return figures
    return {name: v if name in KNOWN_ANYWAY else np.where(out.fits, v, np.nan) for name, v in figures.items()}


def _sizes(out: Outcome, number: int) -> dict[str, Array]:
    gpus, running, busy, spilled = np.zeros((4, number))
    for _, share, bill in out.bills:
        if machines := bill.machines:
            here = share > 0
            gpus = gpus + machines.first * here
            running = running + (machines.gpus * machines.operating).sum(axis=1) * here
            busy = busy + (machines.working * machines.operating).sum(axis=1) * here
            spilled = spilled + machines.spilled * share
    return {"gpus": gpus, "utilisation": busy / np.where(running > 0, running, np.nan), "overflow_share": spilled}


def _by_rule(routing: Routing, gates: Gates) -> dict[str, Array]:
    """The worst verdict by rule, and the rule and place of it, by scenario; where a stream goes first comes first."""
    goes = np.concatenate([routing.place, np.maximum(routing.overflow, 0)], axis=1)
    there = np.concatenate([gates.present, gates.present & (routing.overflow >= 0)], axis=1)
    streams, rows = np.tile(np.arange(len(STREAMS)), 2), np.arange(len(goes))
    found = np.where(there, gates.level[rows[:, None], streams, goes], 0)
    worst = found.argmax(axis=1)
    place = goes[rows, worst]
    return {"by_rule": found[rows, worst], "rule": gates.rule[rows, streams[worst], place], "place": place}


def _broken(question: Question, figures: Mapping[str, Array], limit: Limit) -> Array:
    amount = figures[limit.amount]
    broken: Array = amount > 0 if limit.name == "fits" else amount > question.rows[limit.field]
    return broken
