"""Hybrid: who serves which part of the load where a base passes on what comes above it, and what the mixing costs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..decision.answer import Answer
from ..decision.option import Option, Part
from ..decision.routing import API, NAMES, NOWHERE, OWN, TITLES
from ..decision.staffing import ROUTING
from ..inputs.question import PLACES, STREAMS
from ..places import own_gpus
from ..places.bill import GROUPS, line
from ..places.fleet import Fleet, least
from ..units import HOURS_PER_MONTH, SECONDS_PER_MONTH, Array

MIX = "base_and_burst"
"""The option these questions are about unless another is asked for."""

ALONE = ("api", "rented", "owned")
"""For each of PLACES the option that sends everything there."""

AWAITING, UNSERVED = "awaiting own servers", "not served"
"""Traffic of own servers before they are delivered: served elsewhere, or nowhere."""

HOURS = np.linspace(HOURS_PER_MONTH**-0.5, 1.0, 70) ** 2
"""Shares of the hours at which a load-duration curve is drawn, from the busiest hour of a month on."""

POINTS = 56
"""Numbers of machines at which cost is shown at most, besides those that matter in themselves."""


def why_not(answer: Answer, option: str = MIX) -> str:
    """In a sentence, why nothing overflows in an option of a one-row answer; empty where something does."""
    taken = answer.option(option)
    if not taken.fits:
        return f"This cannot be costed here: {answer.options.set_index('option')['because'][option]}"
    if taken.base:
        return ""
    goes = [f"{TITLES[ALONE[part.place]]} ({part.bill.offer[0]})" for part in taken.parts]
    to = f"{'everything' if len(goes) == 1 else 'each stream whole'} to {' or '.join(goes)}"
    return f"Nothing overflows here: of all ways tried the best sends {to}."


def routes(answer: Answer, options: Sequence[str] = NAMES) -> pd.DataFrame:
    """Where options of a one-row answer send each stream that has traffic.

    Columns: option, stream, share (of all requests), place, offer, overflow_place, overflow_offer; the last two are
    empty where nothing overflows, offers where nothing on offer can serve.
    """
    rows = []
    for option in options:
        taken = answer.option(option)
        used, shares = {part.place: part for part in taken.parts}, taken.question.shares[0]
        for stream in np.flatnonzero(shares > 0):
            place, second = (int(goes[0, stream]) for goes in (taken.routing.place, taken.routing.overflow))
            # at an API each stream may call one of its own
            called = str(taken.question.offers[0, stream])
            bill = used[place].bill
            first = (str(bill.offer[0]) if bill.machines else called) if taken.fits else ""
            to = ("", "")
            if second != NOWHERE:
                offer = called if second == API else str(used[place].overflow_offer[0])
                to = PLACES[second], offer if taken.fits else ""
            rows.append((option, " ".join(STREAMS[stream]), float(shares[stream]), PLACES[place], first, *to))
    columns = ["option", "stream", "share", "place", "offer", "overflow_place", "overflow_offer"]
    return pd.DataFrame(rows, columns=columns)


def served(answer: Answer) -> pd.DataFrame:
    """Share of all requests over the horizon that each place serves; overflow counts where it is served.

    Columns: option, place, share. Besides the places there are what is served elsewhere while own servers are
    awaited, and what is not served until then. An option that cannot be costed has no rows.
    """
    rows = []
    for option in NAMES:
        taken = answer.option(option)
        if not taken.fits:
            continue
        load, found = taken.question.load, dict.fromkeys((*PLACES, AWAITING, UNSERVED), 0.0)
        requests, live = load.requests, load.live
        found[UNSERVED] = float((requests * (live - taken.outcome.served)).sum())
        for part in taken.parts:
            standing = taken.question.operating if part.place == OWN else live
            passed = float((part.passed.prompt + part.passed.waiting).sum()) * SECONDS_PER_MONTH if part.passed else 0.0
            found[AWAITING] += float((requests * (live - standing) * part.share).sum())
            found[PLACES[part.place]] += float((requests * standing * part.share).sum()) - passed
            found[PLACES[part.second]] += passed
        found[AWAITING] = max(0.0, found[AWAITING] - found[UNSERVED])
        rows += [(option, place, number / requests.sum()) for place, number in found.items()]
    return pd.DataFrame(rows, columns=["option", "place", "share"])


def base(answer: Answer, option: str = MIX) -> pd.DataFrame:
    """The base of an option of a one-row answer, month by month while it serves; empty where nothing overflows.

    Columns: month, place, offer, contract, machines, capacity [request/s that cannot wait], load [mean request/s that
    cannot wait of the streams that go there], overflow_place, overflow_offer, overflow_share [of that load],
    overflow_hours [share of the hours in which something overflows].
    """
    taken = answer.option(option)
    if (part := taken.base) is None:
        return pd.DataFrame(columns=[*BASE])
    machines, months = part.machines, np.flatnonzero(part.machines.operating[0] > 0)
    here, count = taken.fleet(part, months), machines.count[:, months]
    capacity, load = _capacity(here, count), here.need.prompt
    multiple = np.divide(capacity, load, out=np.full(load.shape, np.inf), where=load > 0)
    passed = here.passed(count).prompt
    hours = np.where(passed > 0, here.load.curve.exceedance(multiple, here.scenario), 0.0)
    share = np.divide(passed, load, out=np.zeros(load.shape), where=load > 0)
    words = PLACES[part.place], str(part.bill.offer[0]), str(machines.contract[0])
    then = PLACES[part.second], str(part.overflow_offer[0])
    values = (months, *words, count[0], capacity[0], load[0], *then, share[0], hours[0])
    return pd.DataFrame(dict(zip(BASE, values, strict=True)))


BASE = (
    *("month", "place", "offer", "contract", "machines", "capacity", "load"),
    *("overflow_place", "overflow_offer", "overflow_share", "overflow_hours"),
)


def _capacity(here: Fleet, machines: Array) -> Array:
    """What so many machines carry, over (pair, month) [request/s]."""
    return here.need.carried(here.kind, here.scenario, here.replicas(machines))


def in_service(answer: Answer, month: int | None = None, option: str = MIX) -> int:
    """The month asked, or the middle one of those in which the base of an option serves.

    Refuses a month in which it does not, and an option without overflow.
    """
    base = answer.option(option).base
    if base is None:
        raise ValueError(why_not(answer, option))
    operating = base.machines.operating[0]
    months = np.flatnonzero(operating >= min(1.0, operating.max())).tolist()
    if month is not None and month not in months:
        raise ValueError(f"month {month}: the base serves in months {months[0]} to {months[-1]}; give one of them")
    return int(months[len(months) // 2] if month is None else month)


def load_duration(answer: Answer, month: int | None = None, option: str = MIX) -> pd.DataFrame:
    """The load-duration curve of a month, default the middle one of service, cut into who serves which part.

    Columns: month, part, place, share (of the month's load), hours (share of the hours that are at least as busy), load
    [request/s], times_mean [multiple of the mean load]. In every hour the parts add up to the load that cannot wait.
    They are `held`, what must stay at the base, `base`, the rest of what it carries, `overflow`, and `elsewhere`,
    streams that go to another place whole. What is held never overflows; in an hour above the capacity it waits. Empty
    where nothing overflows, and where everything can wait.
    """
    columns = ["month", "part", "place", "share", "hours", "load", "times_mean"]
    taken = answer.option(option)
    if (part := taken.base) is None or (taken.question.load.batch_share == 1).all():
        return pd.DataFrame(columns=columns)
    month = in_service(answer, month, option)
    here, count = taken.fleet(part, np.array([month])), part.machines.count[:, [month]]
    mean, held, share = here.need.prompt[0, 0], 1 - part.may[0], part.share[0]
    capacity, passed = _capacity(here, count)[0, 0], here.passed(count).prompt[0, 0] / mean
    load = mean * here.load.curve.level(HOURS[None], here.scenario)[0]
    above = np.maximum(0.0, load - capacity) - np.maximum(0.0, held * load - capacity)
    bands = [
        ("held", part.place, held * share, held * load),
        ("base", part.place, (1 - held - passed) * share, (1 - held) * load - above),
        ("overflow", part.second, passed * share, above),
    ]
    for other in taken.parts:
        if other.place != part.place:
            bands.append(("elsewhere", other.place, other.share[0], load * other.share[0] / share))
    found = [(name, PLACES[place], of, HOURS, band) for name, place, of, band in bands if band.any()]
    frame = pd.concat([pd.DataFrame(dict(zip(columns[1:6], row, strict=True))) for row in found], ignore_index=True)
    return frame.assign(month=month, times_mean=frame["load"] / (mean / share))[columns]


def cost_against_capacity(answer: Answer, month: int | None = None, option: str = MIX) -> pd.DataFrame:
    """Cost of a month [USD/month] against the machines of the base, default the middle month of service.

    Columns: month, machines, base_usd, overflow_usd, usd (their sum), enough (for what may not be passed on), best
    (the least sum among those), planned (what the option has that month). The offer and contract are those the option
    took; an own server costs what having it in that month adds. With no machine all that may go is passed on. People,
    set-up and egress hardly depend on the number and are left out. Empty where nothing overflows.
    """
    columns = ["month", "machines", "base_usd", "overflow_usd", "usd", "enough", "best", "planned"]
    taken = answer.option(option)
    if (part := taken.base) is None:
        return pd.DataFrame(columns=columns)
    month = in_service(answer, month, option)
    here, each_usd = taken.fleet(part, np.array([month])), _usd_per_machine(taken, part, month)
    fewest = float(here.held()[0, 0]) if part.may[0] < 1 else 0.0
    planned = float(part.machines.count[0, month])
    points = _numbers(here, fewest, planned)
    best = _best(here, each_usd, points[points >= fewest])
    machines = np.unique(np.append(points, best))
    base_usd, overflow_usd = machines * each_usd, _overflow_usd(here, machines)
    usd = base_usd + overflow_usd
    enough = (machines >= fewest, machines == best, machines == planned)
    return pd.DataFrame(dict(zip(columns, (month, machines, base_usd, overflow_usd, usd, *enough), strict=True)))


def _numbers(here: Fleet, fewest: float, planned: float) -> Array:
    """Numbers of machines worth showing: to half as many again as the busiest hours need, and those given."""
    peak = float(here.busiest()[0, 0])
    most = max(3.0, np.ceil(1.5 * peak), np.ceil(1.2 * planned), fewest)
    return np.unique(np.round(np.append(np.linspace(0, most, POINTS), [fewest, planned])))


def _overflow_usd(here: Fleet, machines: Array) -> Array:
    """Cost of what so many machines pass on [USD/month]; the pool has one pair and one month."""
    pairs = here.take(np.zeros(len(machines), np.intp))
    return pairs.usd(machines[:, None])[:, 0]


def _best(here: Fleet, each_usd: float, points: Array) -> float:
    """Number of machines at which base and overflow cost least: about the cheapest of some points."""
    cheapest = int(np.argmin(points * each_usd + _overflow_usd(here, points)))
    low, high = points[max(0, cheapest - 1)], points[min(len(points) - 1, cheapest + 1)]

    def cost(machines: Array, _: Array) -> Array:
        return machines * each_usd + _overflow_usd(here, machines[:, 0])[:, None]

    return float(least(cost, np.array([[low]]), np.array([[high]]))[0][0, 0])


COSTS = (*dict.fromkeys(GROUPS.values()), ROUTING)
"""Groups of lines in which the price of mixing is told: what the routing takes is one of its own."""

USD = "USD/month"


def price_of_mixing(answer: Answer, option: str = MIX) -> pd.DataFrame:
    """An option with overflow beside its ends: all at the place of the base, all at the place of the overflow.

    Columns: option, what, value, unit. `what` is a group of lines [USD/month, mean over the horizon], `total`, their
    sum, `people to add` [FTE] and `weeks to launch` [week]. An end that cannot be costed has no rows. Empty where
    nothing overflows.
    """
    columns = ["option", "what", "value", "unit"]
    if (part := answer.option(option).base) is None:
        return pd.DataFrame(columns=columns)
    figures, months = answer.options.set_index("option"), float(answer.scenarios["horizon_months"].iloc[0])
    rows: list[tuple[str, str, float, str]] = []
    for name in (option, ALONE[part.place], ALONE[part.second]):
        row, by_group = figures.loc[name], dict.fromkeys(COSTS, 0.0)
        if np.isnan(row["usd_per_month"]):
            continue
        for (place, what), usd in answer.option(name).outcome.lines.items():
            by_group[ROUTING if place == ROUTING else line(what).group] += float(usd.sum()) / months
        rows += [(name, group, usd, USD) for group, usd in by_group.items()]
        rows.append((name, "total", sum(by_group.values()), USD))
        rows.append((name, "people to add", float(row["hires"]), "FTE"))
        rows.append((name, "weeks to launch", float(row["launch_weeks"]), "week"))
    return pd.DataFrame(rows, columns=columns)


def _usd_per_machine(taken: Option, base: Part, month: int) -> float:
    """What a machine of the base costs in a month [USD/month].

    A rented one its rent under the contract taken, and storage; an own server what having it in that month adds to the
    bill: the value it loses, interest, power at rest, housing and upkeep.
    """
    if base.place != OWN:
        rent = base.bill.lines["machines"] + base.bill.lines["storage"]
        return float(rent[0, month] / base.machines.count[0, month])
    question, one = taken.question, np.zeros(1, np.intp)
    upkeep, limit = question.upkeep, question.rows["capex_limit_usd"]
    contract = own_gpus.purchase(upkeep, taken.offer(base), question.work, limit)
    return float(contract.price(one, one).monthly[0, month])
