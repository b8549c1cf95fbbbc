"""Frontier: from which volume a rented base with bursts at the API can cost no more than the API, in closed form."""

import numpy as np
import pandas as pd

from . import demand, rules
from .bills import offers
from .facts import Facts
from .judgement import PROFILE
from .options import outcome
from .pools import Question
from .rented_gpus import TERMS, storage_usd, terms
from .routings import API, RENTED, ROUTINGS, by_hand, in_order
from .scenario import PLACES, STREAMS, check
from .units import HOURS_PER_MONTH, SECONDS_PER_HOUR, Array, Number

FIXED = ("set-up project", "platform services")
"""Lines that do not grow with the volume, beside those of people."""


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
            line[0] @ question.factors[0]
            for (place, name), line in outcome(question, routing, allowed).lines.items()
            if place == "people" or name in FIXED
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
