"""Search: the routings tried for a block of scenarios, what each costs and breaks, and which each option takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..formulas import finance
from ..inputs.question import PLACES, STREAMS
from ..places import own_gpus
from ..places.bill import CAPITAL, EXPECTED, HARDWARE, OWN_TIME, WORTH, added_up
from ..units import TOKENS_PER_MTOK, Array
from .block import WORTH_SPLITTING, Question, machine_rows
from .option import Outcome, costed
from .recommendation import at_least, compared
from .routing import API, HARD, HOSTED, OWN, RENTED, SENSITIVE, Key, Routing, by_hand, candidates
from .rules import BLOCKED
from .verdicts import LIMITS, Limit

KNOWN_ANYWAY = ("launch_weeks", "people_weeks", "setup_weeks", "hires", "on_call", "misfits")
"""Figures an option has even where nothing on offer can serve the load."""

COSTS = ("generalised_usd_per_month", "npv_usd")
"""What an option is compared by; infinite where it is not near."""

UNKNOWN = BLOCKED + 1
"""The verdict of an option that has no routing yet."""


@dataclass(frozen=True)
class Gates:
    """What the rules say over (scenario, stream, place) of the `offer`, a row of its table, that is called at an API
    and elsewhere is nearest to what they ask: the `level` of the verdict; and where models are `good` enough.
    """

    level: Array
    offer: Array
    present: Array
    good: Array | None = None

    @cached_property
    def allowed(self) -> Array:
        """Where a stream may go; one without traffic may go anywhere."""
        may = self.level < BLOCKED if self.good is None else (self.level < BLOCKED) & self.good
        return may | ~self.present[..., None]

    def good_enough(self, question: Question) -> "Gates":
        """The same with what the floors say of the models of a block."""
        return replace(self, good=question.short == 0)

    def take(self, rows: Array) -> "Gates":
        """Some of the scenarios."""
        good = None if self.good is None else self.good[rows]
        return Gates(self.level[rows], self.offer[rows], self.present[rows], good)


def gates(question: Question) -> Gates:
    """What the rules say of every scenario of a block."""
    offer = question.permits.nearest[question.permits.code]
    if not question.endpoints:
        offer[..., API] = np.stack([question.row(api.offer) for api in question.whole.apis], axis=1)[:, question.called]
    return Gates(_said(question, "level", offer), offer, question.shares > 0)


def _said(question: Question, name: str, offer: Array) -> Array:
    """A column of the permits for some offers, over (scenario, stream, place)."""
    code, streams = question.permits.code[:, None], np.arange(len(STREAMS))
    columns = getattr(question.permits, name)
    return np.stack([columns[p][code, streams, offer[..., p]] for p in range(len(PLACES))], axis=2)


@dataclass(frozen=True)
class Tried:
    """A routing that was costed in some scenarios of a block, its `rows`: what it costs and its figures, over them; and
    the `offer` of each stream at each place, a row of its table.
    """

    rows: Array
    question: Question
    routing: Routing
    outcome: Outcome
    figures: dict[str, Array]
    offer: Array


@dataclass
class Found:
    """What was tried in a block for the options asked: for each the one of `tried` it takes over (scenario, option),
    and its figures over the same. With `near` only what may come to at most so many times the least of all is tried.
    """

    names: Sequence[str]
    number: int
    near: float | None = None
    tried: list[Tried] = field(default_factory=list)
    taken: Array = field(default_factory=lambda: np.zeros(0))
    figures: dict[str, Array] = field(default_factory=dict)

    def of(self, scenario: int, option: int) -> tuple[Tried, int]:
        """What an option takes in a scenario, and the position of the scenario in it."""
        tried = self.tried[self.taken[scenario, option]]
        return tried, int(np.searchsorted(tried.rows, scenario))

    def parts(self) -> Iterator[tuple[str, Array, Array, Outcome]]:
        """Every option with each outcome it takes: the scenarios, their positions in the outcome, and the outcome."""
        for o, option in enumerate(self.names):
            for number, tried in enumerate(self.tried):
                here = np.flatnonzero(self.taken[tried.rows, o] == number)
                if len(here):
                    yield option, tried.rows[here], here, tried.outcome


def search(question: Question, models: Sequence[str], names: Sequence[str], near: float | None = None) -> Found:
    """Cost every routing worth a try, with each of some open models; each option takes the allowed one of least
    generalised cost.

    A routing that could at the very best not beat what an option has already, or is late for sure, is not costed there;
    so where none is allowed, an option takes the least of those that were costed.
    """
    found = Found(names, len(question.shares), near)
    for block, all_by_api in ((question, ("api", "free_search")), (question.hosting, (HOSTED,))):
        if wanted := [name for name in all_by_api if name in names]:
            _cost(block, gates(block).good_enough(block), by_hand((API,) * len(STREAMS), found.number), found)
            for name in wanted:
                _take(found, names.index(name), len(found.tried) - 1)
    if {*names} - {"api"}:
        for model in models:
            first, *others = own_gpus.kinds_sold(question.facts, model)
            block = question.serving(model).on(first)
            _try_endpoints(block.at_endpoints, found)
            _with_machines(block, found)
            for kind in others:
                _with_machines(block.on(kind), found, own=True)
    unknown = found.figures["verdict"] == UNKNOWN
    if unknown.any():
        for name in COSTS:
            found.figures[name][unknown] = np.inf
        found.figures["verdict"][unknown] = 0
    return found


def follow(question: Question, committed: Mapping[str, Routing]) -> Found:
    """What each option costs with the routing of one scenario given, its model and the API offers it `calls`."""
    found, every = Found(tuple(committed), len(question.shares)), np.zeros(len(question.shares), np.intp)
    for number, (name, routing) in enumerate(committed.items()):
        calls, hosted = routing.calls, name == HOSTED
        block = question.calling(calls, hosted) if calls or hosted else question
        if routing.model:
            block = block.serving(routing.model)
            block = block.on(routing.kind) if routing.kind else block
            block = block.at_endpoints if routing.endpoints else block
        _cost(block, gates(block).good_enough(block), routing.take(every), found)
        _take(found, number, number)
    return found


def _with_machines(question: Question, found: Found, own: bool = False) -> None:
    """Try the routings that use machines, or `own` ones, with the open model and the kind of server of a block."""
    tried, taken = dict[Key, tuple[int, Array]](), set[tuple[Key, str]]()
    passed = gates(question).good_enough(question)
    # routings hang on where streams may go, and only few ways of that occur in a block
    allowed = passed.allowed.reshape(found.number, -1)
    _, first, way = np.unique(allowed @ (1 << np.arange(allowed.shape[1])), return_index=True, return_inverse=True)
    present = np.asarray(question.shares.any(axis=0))
    for tried_for, by_way in candidates(passed.allowed[first], question.any_hard):
        wanted = [option for option in tried_for if option in found.names and (by_way.key, option) not in taken]
        if by_way.of(present).by_api and not by_way.by_api and found.tried and found.tried[0].routing.by_api:
            # it is an option by name alone
            for option in wanted:
                _take(found, found.names.index(option), 0)
            continue
        if not wanted or by_way.by_api or (own and not (by_way.place == OWN).any()):
            continue
        taken |= {(by_way.key, option) for option in wanted}
        if by_way.key not in tried:
            routing = replace(by_way.take(way), model=question.model, kind=question.kind)
            rows = _promising(question, routing, [found.names.index(option) for option in wanted], found)
            if not len(rows):
                continue
            tried[by_way.key] = len(found.tried), rows
            _cost(question, passed, routing, found, rows)
        for option in wanted:
            _take(found, found.names.index(option), *tried[by_way.key])


def _try_endpoints(question: Question, found: Found) -> None:
    """Try dedicated endpoints for the options that may call open weights and nothing else, where rules and floors let
    them serve everything.
    """
    wanted = [found.names.index(option) for option in (HOSTED, "free_search") if option in found.names]
    routing = replace(by_hand((API,) * len(STREAMS), found.number), model=question.model, endpoints=True)
    passed = gates(question).good_enough(question)
    may = np.flatnonzero(passed.allowed[..., API].all(axis=1))
    if wanted and len(rows := np.intersect1d(_promising(question, routing, wanted, found), may)):
        _cost(question, passed, routing, found, rows)
        for option in wanted:
            _take(found, option, len(found.tried) - 1, rows)


def _promising(question: Question, routing: Routing, columns: list[int], found: Found) -> Array:
    """Scenarios in which a routing could beat what some option it is tried for has."""
    if not found.figures:
        return np.arange(found.number)
    usd, weeks = (values[:, None] for values in at_least(question, routing))
    late = weeks > question.rows["weeks_to_launch"][:, None]
    verdict, cost = (found.figures[name] for name in ("verdict", "generalised_usd_per_month"))
    best = np.where(verdict < BLOCKED, cost, np.inf).min(axis=1, keepdims=True)
    verdict, cost = verdict[:, columns], cost[:, columns]
    if found.near is not None:
        known = np.isfinite(best)
        verdict, cost = np.where(known, 0, verdict), np.where(known, best * found.near, cost)
    worth_it = ((verdict == UNKNOWN) | ~late) & ((verdict >= BLOCKED) | (usd < cost))
    return np.flatnonzero(worth_it.any(axis=1))


def _cost(question: Question, gates: Gates, routing: Routing, found: Found, rows: Array | None = None) -> None:
    """Cost a routing in a block, or in some of its scenarios, and hold it to the rules, floors and limits there; in all
    where some are most, which saves making them a block.
    """
    if rows is None or found.number - len(rows) < WORTH_SPLITTING:
        rows = np.arange(found.number)
    whole = question
    if len(rows) < found.number:
        gates, question, routing = gates.take(rows), question.part(rows), routing.take(rows)
    outcome = costed(question, routing, gates.allowed)
    offer = _taken(question, outcome, gates.offer)
    figures = _figures(question, outcome) | _by_rule(question, routing, gates, offer) | shortfalls(question, routing)
    figures["launch_weeks"] = np.maximum(figures["launch_weeks"], figures["papers_weeks"])
    figures |= compared(question, routing, figures)
    figures["broken"] = np.stack([_broken(question, figures, limit) for limit in LIMITS], axis=1)
    figures["verdict"] = np.where(figures["broken"].any(axis=1), BLOCKED, figures["by_rule"])
    found.tried.append(Tried(rows, whole, routing, outcome, figures, offer))
    if not found.figures:
        size = (found.number, len(found.names))
        found.taken = np.zeros(size, np.intp)
        found.figures = {name: np.zeros((*size, *values.shape[1:]), values.dtype) for name, values in figures.items()}
        found.figures["verdict"] += UNKNOWN


def _take(found: Found, option: int, number: int, some: Array | None = None) -> None:
    """Let an option take a routing where it has none yet, or one that is blocked or has a larger generalised cost.

    In `some` of the scenarios it was costed in, so that what is costed for the others' sake changes nothing.
    """
    tried = found.tried[number]
    at = slice(None) if some is None else np.searchsorted(tried.rows, some)
    rows, figures = tried.rows[at], {name: values[at] for name, values in tried.figures.items()}
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


def shortfalls(question: Question, routing: Routing) -> dict[str, Array]:
    """By how much a routing is below a floor where that bars it, and how much of the traffic falls short of its own.

    `short_points` [point] by scenario, whether hard requests are short, the key of the model or offer and its figure
    [point]; `hard_points` [point] and `hard_short_share` [share] of the sensitive hard requests that stay on a fleet
    that is not good enough for them.
    """
    present, rows = question.shares > 0, np.arange(len(question.shares))
    worst = np.take_along_axis(question.short, routing.place[..., None], axis=2)[..., 0] * present
    stream = worst.argmax(axis=1)
    kept = present & SENSITIVE & HARD & (routing.place != API)
    told = kept * np.nan_to_num(np.maximum(0.0, question.floors[:, 1:] - question.served(routing)))
    place = routing.place[rows, stream]
    return {
        "short_points": worst[rows, stream],
        "short_hard": HARD[stream],
        "short_key": np.where(place == API, question.offers[rows, stream], question.model),
        "short_figure": question.quality[rows, stream, place],
        "hard_points": told.max(axis=1),
        "hard_short_share": (question.shares * (told > 0)).sum(axis=1),
    }


def _figures(question: Question, out: Outcome) -> dict[str, Array]:
    """Costs, sizes and times of a routing, by scenario."""
    load, factors, months = question.load, question.factors, question.load.live.sum(axis=1)
    tokens = load.requests * (load.input_tokens + load.output_tokens) / TOKENS_PER_MTOK
    total = added_up(out.lines.values())
    own = {name: line for (place, name), line in out.lines.items() if place == PLACES[OWN]}
    capex = sum((own[name][:, 0] for name in HARDWARE if name in own), np.zeros(len(months)))
    aside = sum((own[name].sum(axis=1) for name in WORTH if name in own), capex)
    beside = EXPECTED + OWN_TIME
    aside = sum((line.sum(axis=1) for (_, name), line in out.lines.items() if name in beside), aside)
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
        "on_call": out.on_call,
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


def _taken(question: Question, outcome: Outcome, offer: Array) -> Array:
    """The offers of streams, with those of machines of others where any fit, over (scenario, stream, place)."""
    first, offer = offer, offer.copy()
    for part in outcome.parts:
        place = part.place
        if part.second == RENTED:
            place, here, keys = RENTED, part.mix > 0, np.array(part.overflow_offer, object)
        elif part.bill.machines and place != OWN:
            here, keys = (part.share * part.bill.fits > 0)[:, None], part.bill.offer
        else:
            continue
        rows = machine_rows(question.facts, place, keys, first[..., place])
        offer[..., place] = np.where(here, rows, offer[..., place])
    return offer


def _by_rule(question: Question, routing: Routing, gates: Gates, offer: Array) -> dict[str, Array]:
    """The worst verdict by rule, the rule and place of it, and the weeks until papers that are missing are in hand, by
    scenario; where a stream goes first comes first.
    """
    level, rule, weeks = (_said(question, name, offer) for name in ("level", "rule", "weeks"))
    goes = np.concatenate([routing.place, np.maximum(routing.overflow, 0)], axis=1)
    there = np.concatenate([gates.present, gates.present & (routing.overflow >= 0)], axis=1)
    streams, rows = np.tile(np.arange(len(STREAMS)), 2), np.arange(len(goes))
    found = np.where(there, level[rows[:, None], streams, goes], 0)
    worst = found.argmax(axis=1)
    place = goes[rows, worst]
    return {
        "by_rule": found[rows, worst],
        "rule": rule[rows, streams[worst], place],
        "place": place,
        "papers_weeks": np.where(there, weeks[rows[:, None], streams, goes], 0).max(axis=1),
    }


def _broken(question: Question, figures: Mapping[str, Array], limit: Limit) -> Array:
    amount = figures[limit.amount]
    if limit.name == "fits":  # what comes too late has that reason of its own
        amount = amount * ~question.ends_before(figures["setup_weeks"])
    if limit.name == "project":
        return question.ends_before(amount)
    asked = 0 if limit.name in ("fits", "quality") else question.rows[limit.field] * limit.per
    return np.asarray(amount > asked)
