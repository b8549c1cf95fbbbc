"""Break-even: where along a field the winner changes, and what would make two options cost the same."""

from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..decision import rules
from ..decision.answer import Answer
from ..decision.block import Question
from ..decision.evaluate import PROFILE, evaluate
from ..decision.option import costed
from ..decision.routing import API, NAMES, RENTED, ROUTINGS, by_hand, in_order
from ..formulas import demand
from ..formulas.finance import discount_factors, monthly_rate
from ..inputs.facts import Facts
from ..inputs.question import BY_NAME, PLACES, STREAMS, ScenarioError, check
from ..places.bill import CAPITAL, line
from ..places.offers import offers
from ..places.rented_gpus import TERMS, storage_usd, terms
from ..units import HOURS_PER_MONTH, SECONDS_PER_HOUR, Array, Number

By = Literal["cheapest", "recommended"]
NONE = "none"
"""The winner where nothing is allowed."""

MIX = "best_mix"
"""The cheapest of all options by construction: it would win or tie everywhere."""

SPIKINESS = "spikiness"
"""The field that measured hours take the place of."""

SCAN_POINTS = 400
"""Points of the first scan; a winner that holds on less than the gap between two of them can be missed."""

PARTS, ROUNDS = 32, 6
"""Parts that the gap around each change is cut into, again and again: they place it to a billionth of the gap."""

MAPS, SCANS = 2, 64
"""Maps and scans that are remembered: a map takes some ten megabytes."""

CLOSE = 0.10
"""A runner-up within this share of the winner's cost is near."""


def axis(field: str, low: float | None = None, high: float | None = None, points: int = SCAN_POINTS) -> Array:
    """Values along a numeric field from low to high (default: its slider), even on its scale; whole where it is.

    Refuses a field without numbers, and ends outside its range.
    """
    asked = BY_NAME.get(field)
    if asked is None or not asked.numeric:
        numeric = [f.name for f in BY_NAME.values() if f.numeric]
        raise ScenarioError(f"break-even goes along a numeric field, not {field!r}: one of {', '.join(numeric)}")
    first, last = asked.slider or (asked.low, asked.high)
    first, last = first if low is None else low, last if high is None else high
    if not asked.low <= first < last <= asked.high:
        raise ScenarioError(
            f"{field}: from {first:g} to {last:g} asked; allowed: {asked.allowed}, the first below the last"
        )
    values = np.geomspace(first, last, points) if asked.log and first > 0 else np.linspace(first, last, points)
    return np.unique(np.round(values)) if asked.kind == "whole" else values


def winners(answer: Answer, by: By = "cheapest") -> Array:
    """Name of the winning option of every scenario: the least present value or the best score among what is allowed.

    For the cheapest `best_mix` is left out: it costs least by construction and would win or tie everywhere. It wins
    where nothing else is allowed, and `none` where it is not either.
    """
    if by == "cheapest":
        order = _costs(answer, by)
    else:
        order = np.nan_to_num(answer.figures["rank"].to_numpy(float), nan=np.inf).reshape(-1, len(NAMES))
    best = np.array(NAMES, dtype=object)[order.argmin(axis=1)]
    return np.where(np.isfinite(order.min(axis=1)), best, NONE)


def _costs(answer: Answer, by: By) -> Array:
    """Present value over (scenario, option) [USD], infinite for what does not compete."""
    blocked = (answer.figures["verdict"] == "blocked").to_numpy()
    cost = np.where(blocked, np.inf, answer.figures["npv_usd"].to_numpy()).reshape(-1, len(NAMES))
    mix = NAMES.index(MIX)
    if by == "cheapest":
        cost[np.isfinite(np.delete(cost, mix, axis=1)).any(axis=1), mix] = np.inf
    return cost


def _vary(scenario: pd.DataFrame, values: dict[str, Array]) -> pd.DataFrame:
    number = len(next(iter(values.values())))
    rows = pd.DataFrame({name: np.repeat(scenario[name].to_numpy()[:1], number) for name in scenario.columns})
    return rows.assign(**values)


def intervals(
    scenario: pd.DataFrame,
    facts: Facts,
    field: str,
    by: By = "cheapest",
    low: float | None = None,
    high: float | None = None,
    hours: Array | None = None,
) -> pd.DataFrame:
    """Intervals of a field on which each option wins, everything else as in the one-row scenario.

    Measured `hours` hold as in `evaluate`; along the spikiness they cannot, and the Gamma law takes their place.

    Columns: option, start, end, in the field's unit, in order; `none` where nothing is allowed. All crossings are
    kept: whole machines make cost curves cross back. An option without a row never wins within the range.
    """
    hours = None if field == SPIKINESS else hours
    asked, seen = ((field,), by, low, high), None if hours is None else hours.tobytes()
    make = partial(_scan, scenario, facts, *asked, hours)
    found: pd.DataFrame = _remembered("scan", scenario, facts, (*asked, seen), make, SCANS)
    return found


def _remembered(kind: str, scenario: pd.DataFrame, facts: Facts, asked: Any, make: Any, most: int) -> Any:
    """What was made before for scenarios that differ in nothing but the fields `asked` begins with."""
    rest = scenario.drop(columns=list(asked[0])).iloc[0]
    return facts.recent(kind, (asked, tuple(rest.items())), make, most)


def _scan(
    scenario: pd.DataFrame,
    facts: Facts,
    fields: tuple[str],
    by: By,
    low: float | None,
    high: float | None,
    hours: Array | None,
) -> pd.DataFrame:
    (field,) = fields
    values = axis(field, low, high)
    found = winners(evaluate(_vary(scenario, {field: values}), facts, hours), by)
    change = np.flatnonzero(found[1:] != found[:-1])
    left, right = values[change], values[change + 1]
    before = found[change]
    every = np.arange(len(change))
    for _ in range(ROUNDS if len(change) and BY_NAME[field].kind == "number" else 0):
        edges = np.linspace(left, right, PARTS + 1)
        inside = winners(evaluate(_vary(scenario, {field: edges[1:-1].ravel()}), facts, hours), by)
        beyond = np.append(inside.reshape(-1, len(change)) != before, [every >= 0], axis=0)
        first = beyond.argmax(axis=0)
        left, right = edges[first, every], edges[first + 1, every]
    starts, ends = np.append(values[0], right), np.append(right, values[-1])
    return pd.DataFrame({"option": found[np.append(0, change + 1)], "start": starts, "end": ends})


def decision_map(
    scenario: pd.DataFrame,
    facts: Facts,
    x: str = "requests_per_month",
    y: str = SPIKINESS,
    points: int = 80,
    by: By = "cheapest",
) -> pd.DataFrame:
    """Winner over a grid of two fields, everything else as in the one-row scenario: `cells` of `grid`."""
    return cells(grid(scenario, facts, x, y, points), x, y, by)


def grid(scenario: pd.DataFrame, facts: Facts, x: str, y: str, points: int = 80) -> Answer:
    """Answer over a grid of two fields, everything else as in the one-row scenario; x goes fastest."""

    def make() -> Answer:
        values = np.meshgrid(axis(x, points=points), axis(y, points=points))
        return evaluate(_vary(scenario, {x: values[0].ravel(), y: values[1].ravel()}), facts)

    found: Answer = _remembered("map", scenario, facts, ((x, y), points), make, MAPS)
    return found


def cells(answer: Answer, x: str, y: str, by: By = "cheapest") -> pd.DataFrame:
    """Winner of every cell of a grid.

    Columns: x and y under their names, option, runner_up (the cheapest of those that compete, as in `winners`, and do
    not cost the same), near (whether it costs at most a tenth more); where nothing is allowed, rule (ids of what bars
    there the options that are allowed elsewhere on the grid, all of them where none is, joined by commas) and because
    (the reason of the first). Options that search for a routing count last: their reason is that of one they tried.
    """
    found, cost = winners(answer, by), _costs(answer, by)
    won = np.array(NAMES) == found[:, None]
    least = np.where(won, cost, np.inf).min(axis=1)
    others = np.where(won | np.isclose(cost, least[:, None], rtol=1e-9), np.inf, cost)
    second = others.min(axis=1)
    runner_up = np.where(np.isfinite(second), np.array(NAMES, dtype=object)[others.argmin(axis=1)], NONE)
    near = (runner_up != NONE) & (second <= least * (1 + CLOSE))
    barred = _nothing(answer, found == NONE)
    return answer.scenarios[[x, y]].assign(option=found, runner_up=runner_up, near=near, **barred)


def _nothing(answer: Answer, nothing: Array) -> dict[str, Array]:
    """The rules and the reason where nothing is allowed, empty elsewhere."""
    barred = answer.figures["barred_by"].cat
    code = barred.codes.to_numpy().reshape(-1, len(NAMES))
    elsewhere, by_hand = (code < 0).any(axis=0), np.isin(NAMES, list(ROUTINGS))
    counts = next(np.flatnonzero(some) for some in (elsewhere & by_hand, elsewhere, by_hand) if some.any())
    rule, because = np.full((2, len(nothing)), "", dtype=object)
    at = np.flatnonzero(nothing)
    distinct, which = np.unique(code[at][:, counts], axis=0, return_inverse=True)
    rule[at] = np.array([", ".join(dict.fromkeys(barred.categories[row])) for row in distinct], object)[which]
    because[at] = answer.words(at * len(NAMES) + counts[0])[0]
    return {"rule": rule, "because": because}


def struck_out(answer: Answer) -> pd.DataFrame:
    """What is struck out in some of an answer's scenarios, and by what.

    Columns: rule (its id, or the name of the limit), option, share (of the scenarios), because (in the first of them).
    Of several reasons the one named in `options` counts.
    """
    rows = answer.figures.dropna(subset="barred_by").reset_index(names="at")
    found = rows.groupby(["barred_by", "option"], sort=False, observed=True)
    counted = found.agg(share=("scenario", "size"), at=("at", "first")).reset_index()
    counted = counted.astype({"barred_by": str, "option": str}).rename(columns={"barred_by": "rule"})
    because = answer.words(counted.pop("at").to_numpy())[0]
    return counted.assign(share=counted["share"] / len(answer.scenarios), because=because)


def payback(answer: Answer, option: str, against: str) -> dict[str, float]:
    """Month from which an option has cost no more in all than another, plain and discounted; NaN for never.

    The month is the first after which it stays so to the end of the horizon, on cash lines.
    """
    cash = answer.lines[answer.lines["line"] != CAPITAL]
    wide = cash.pivot_table(index="month", columns="option", values="usd", aggfunc="sum", observed=True)
    months = np.arange(int(answer.scenarios["horizon_months"].iloc[0]) + 1)
    saved = (wide[against] - wide[option]).reindex(months, fill_value=0.0).to_numpy()
    factors = discount_factors(monthly_rate(answer.scenarios["discount_rate"].iloc[0]), len(months))
    return {"month": _stays_ahead(saved.cumsum()), "discounted_month": _stays_ahead((saved * factors).cumsum())}


def _stays_ahead(saved_so_far: Array) -> float:
    """First month from which the sum saved is never negative again; NaN if it ends negative."""
    behind = np.flatnonzero(saved_so_far < 0)
    first = behind[-1] + 1 if len(behind) else 0
    return float(first) if first < len(saved_so_far) else np.nan


def comparable(answer: Answer) -> list[str]:
    """The self-hosted options of a one-row answer that can be costed; none where the API itself cannot."""
    cost = answer.options.set_index("option")["usd_per_month"].dropna()
    return [option for option in ("rented", "owned") if {"api", option} <= set(cost.index)]


def break_even(answer: Answer) -> pd.DataFrame:
    """What would have to change for each self-hosted option to cost what the API costs, one thing at a time.

    Columns: option, what, factor, value, unit. `factor` multiplies today's figure: all API token prices, all GPU
    rents, or the people of the option; `utilisation` is what the machines would have to reach at today's bill. NaN
    where no factor above zero will do. By mean monthly cost; exact while the same machines are chosen. An option
    that cannot be costed has no rows, and none has where the API cannot.
    """
    columns = ["option", "what", "factor", "value", "unit"]
    if not comparable(answer):
        return pd.DataFrame(columns=columns)
    means, figures = answer.means, answer.options.set_index("option")
    kind = means["line"].map(lambda name: line(name).kind)
    by_kind, by_place = (means.groupby(["option", by])["usd_per_month"].sum() for by in (kind, "place"))
    api, tokens = figures.at["api", "usd_per_month"], by_kind.get(("api", "token"), 0.0)
    rows = []
    for option in comparable(answer):
        row = figures.loc[option]
        mine = row["usd_per_month"]
        rents, people = by_kind.get((option, "rent"), 0.0), by_place.get((option, "people"), 0.0)
        rows.append((option, "API token prices", _factor(mine - (api - tokens), tokens), np.nan, "times today's"))
        if rents > 0:
            rows.append((option, "GPU rents", _factor(api - (mine - rents), rents), np.nan, "times today's"))
        rows.append((option, "people", _factor(api - (mine - people), people), np.nan, "times today's"))
        rows.append((option, "utilisation", mine / api, row["utilisation"] * mine / api, "share"))
    return pd.DataFrame(rows, columns=columns)


def _factor(needed: float, today: float) -> float:
    return needed / today if today > 0 and needed > 0 else np.nan


def cost_share(ratio: Number, cv: Number) -> Number:
    """Cost of the best base with what comes above it passed on, over that of passing on everything [share].

    q = r K/mu + E[(L - K)+]/mu = Q(k + 1, k K/mu)  at the K with  P(L > K) = r,  k = 1/cv^2

    `ratio` is r, a unit of capacity over what it saves when always busy; the load is Gamma. Stoft 2002 (screening
    curves); methods 3.3. For r of 1 and more no base pays: q = 1.
    """
    base = demand.load_quantile(1 - np.minimum(ratio, 1.0), 1.0, cv)
    return ratio * base + demand.spill(base, 1.0, cv)


def break_even_volume(fixed_usd: Number, passed_usd: Number, capacity_usd: Number, cv: Number) -> Number:
    """Volume from which a base pays, with what comes above it passed on [unit served a month]; NaN for never.

    mu* = F / (a (1 - q)),  r = f / a

    F `fixed_usd` is what the base costs a month besides capacity, a `passed_usd` the price of passing on a unit less
    what serving it on the base costs, f `capacity_usd` the price of capacity for a unit. Capacity is divisible here;
    whole machines only add cost, so the true volume lies no lower.
    """
    ratio = np.asarray(capacity_usd / passed_usd, float)
    share = cost_share(ratio, cv)
    return np.where(ratio < 1, fixed_usd / (passed_usd * np.where(ratio < 1, 1 - share, 1.0)), np.nan)


def frontier(scenario: pd.DataFrame, facts: Facts, spikiness: Array) -> pd.DataFrame:
    """Volume from which `base_and_burst` on rented machines can cost what `api` costs, for a one-row scenario.

    Columns: requests_per_month [request/month, in month 1], NaN for never, and spikiness [ratio] as given. Present
    values compare: F0 is what people, set-up and platforms cost more than with the API alone; the price of capacity is
    that of the cheapest machine and contract at full size. NaN throughout where a stream may not burst to the API,
    nothing fits, or some requests can wait: they fill idle hours, which the formula does not know.
    """
    row = {str(name): column.to_numpy() for name, column in check(scenario.iloc[:1], facts.keys()).items()}
    question = Question(facts, row, row["open_model"][0])
    if not _applies(question):
        return pd.DataFrame({"requests_per_month": np.nan, "spikiness": spikiness})
    per_request = (question.factors * question.load.requests).sum() / row["requests_per_month"][0]
    volume = break_even_volume(
        _fixed_usd(question) / per_request,
        question.api().usd()[0],
        _capacity_usd(question),
        demand.cv_from_spikiness(spikiness),
    )
    return pd.DataFrame({"requests_per_month": volume, "spikiness": spikiness})


def _applies(question: Question) -> bool:
    """Whether every stream may go to rented machines and burst to the API, all at once, and something fits."""
    profile = {name: question.rows[name][0] for name in PROFILE}
    level, _ = rules.judge(question.facts.rules["rules"], profile)
    may = (level[question.shares[0] > 0][:, [RENTED, API]] < rules.BLOCKED).all()
    return bool(may and question.rows["batch_share"][0] == 0 and question.api().fits[0] and _machines(question).any())


def _machines(question: Question) -> Array:
    """Which of the machines on offer can serve the requests, among the GPUs asked for."""
    choice, (_, need) = offers(question.facts, "machines", question.model), question.needs(np.ones(1))
    return need.possible[choice.kind, 0] & ~choice.barred(question.rows["gpu"])[:, 0]


def _fixed_usd(question: Question) -> float:
    """Present value of people, set-up and platforms: a rented base with bursts at the API less the API alone [USD]."""
    allowed = np.ones((1, len(STREAMS), len(PLACES)), bool)
    based, alone = (
        sum(
            usd[0] @ question.factors[0]
            for (_, name), usd in costed(question, routing, allowed).lines.items()
            if line(name).kind in ("people", "set_up")
        )
        for routing in (in_order((RENTED, API), allowed, (RENTED, API), False), by_hand(ROUTINGS["api"], 1))
    )
    return float(based - alone)


def _capacity_usd(question: Question) -> float:
    """Least price of capacity for one request, over machines and contracts [USD/request].

    rent and storage of a machine an hour / requests it carries in an hour in a pool so large that no headroom is left.
    A contract longer than the horizon is paid to its end.
    """
    choice, (load, need) = offers(question.facts, "machines", question.model), question.needs(np.ones(1))
    here = _machines(question)
    rent = [choice.columns[name][here] * _paid(load.live, question.factors, months) for name, months in TERMS.items()]
    usd = np.nanmin(rent, axis=0) + choice.each[here] * storage_usd(question.facts) / HOURS_PER_MONTH
    carried = choice.each[here] * need.busiest_share / need.planned[choice.kind[here], 0] * SECONDS_PER_HOUR
    return float((usd / carried).min())


def _paid(live: Array, factors: Array, months: int) -> float:
    """What the first term of a contract costs over what its months within the horizon would [ratio]."""
    within = (factors * live)[0, 1 : months + 1].sum()
    return float(terms(live, factors, months)[1][0, 0] / within)
