"""The answer: every option judged, costed and scored for every scenario."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from . import finance, fit, options, rules, scenario, vendor_api
from .bills import CAPITAL, HARDWARE
from .facts import Facts
from .options import ROUTINGS, Outcome, Question
from .rules import BLOCKED, CONDITIONAL, LIMITS, VERDICTS, Limit
from .scenario import CRITERIA, PLACES, STREAMS
from .units import TOKENS_PER_MTOK, Array

BLOCK = 256
"""Scenarios computed at a time: their arrays stay in the processor's cache, and memory stays bounded."""

MOST_TO_OPEN = 2_000
"""Scenarios whose lines may be opened at once: a line a month makes some thousand rows a scenario."""

PROFILE = ("regimes", "evidence", "control", "customisation")
NAMES = list(ROUTINGS)


@dataclass(frozen=True)
class Judged:
    """A block of scenarios, answered: its place among all, its outcomes, and columns over (scenario, option)."""

    index: Array
    question: Question
    profiles: list[Mapping[str, str]]
    outcomes: dict[str, Outcome]
    columns: dict[str, Array]


def evaluate(scenarios: pd.DataFrame, facts: Facts) -> "Answer":
    """Answer every scenario of a frame made by `scenario.grid`; one row is enough, a million are the same code.

    Returns an `Answer`, whose `options` has a row per scenario and option: verdict, because, unlock, launch_weeks
    [week], capex_usd [USD], usd_per_month [USD/month, mean of all lines over the horizon], running_usd_per_month
    [USD/month, without hardware], npv_usd [USD], usd_per_mtok [USD/Mtok, discounted cost over discounted tokens],
    gpus [GPU, in month 1], utilisation [share of the GPU hours at work], overflow_share [share of traffic in hours
    above the capacity of month 1], hires [FTE], score [share], rank, recommended. Refuses what `scenario.check`
    refuses, and keys that are not in the facts.
    """
    rows = scenario.check(scenarios, facts.keys())
    store: dict[str, Array] = {}
    for judged in _judge(rows, facts):
        for name, values in judged.columns.items():
            if name not in store:
                store[name] = np.empty((len(rows), *values.shape[1:]), values.dtype)
            store[name][judged.index] = values
    return Answer(rows, facts, _frame(store))


def _frame(store: dict[str, Array]) -> pd.DataFrame:
    number = len(store["score"])
    columns: dict[str, Any] = {
        "scenario": np.repeat(np.arange(number), len(NAMES)),
        "option": pd.Categorical.from_codes(np.tile(np.arange(len(NAMES)), number), NAMES),
        "verdict": pd.Categorical.from_codes(store.pop("verdict").ravel(), list(VERDICTS)),
    }
    return pd.DataFrame(columns | {name: values.reshape(-1) for name, values in store.items() if values.ndim == 2})


def _judge(rows: pd.DataFrame, facts: Facts) -> Iterator[Judged]:
    """Answer the rows block by block, blocks of one open model each."""
    arrays = {str(name): rows[name].to_numpy() for name in rows.columns}
    for model in dict.fromkeys(arrays["open_model"]):
        members = np.flatnonzero(arrays["open_model"] == model)
        for start in range(0, len(members), BLOCK):
            index = members[start : start + BLOCK]
            yield _block(index, Question(facts, {name: array[index] for name, array in arrays.items()}, model))


def _block(index: Array, question: Question) -> Judged:
    asked = list(zip(*(question.rows[name] for name in PROFILE), strict=True))
    profiles = list(dict.fromkeys(asked))
    position = {profile: number for number, profile in enumerate(profiles)}
    code = np.array([position[profile] for profile in asked])
    named = [dict(zip(PROFILE, profile, strict=True)) for profile in profiles]
    verdicts = [question.facts.cached(("judge", p), lambda n=n: rules.judge(question.facts.rules["rules"], n))
                for p, n in zip(profiles, named, strict=True)]
    level = np.stack([v[0] for v in verdicts])[code]
    rule = np.stack([v[1] for v in verdicts])[code]
    present = question.shares > 0
    allowed = ((level < BLOCKED) | ~present[:, :, None]).all(axis=1)
    outcomes = {name: options.outcome(question, routing, allowed) for name, routing in ROUTINGS.items()}
    columns = {name: np.stack(values, axis=1) for name, values in _figures(question, outcomes).items()}
    _verdicts(question, columns, level, rule, present)
    _scores(question, columns, outcomes)
    return Judged(index, question, [named[c] for c in code], outcomes, columns)


def _figures(question: Question, outcomes: Mapping[str, Outcome]) -> dict[str, list[Array]]:
    """Costs, sizes and times of every option."""
    load, rate, months = question.load, question.rate, question.load.live.sum(axis=1)
    tokens = load.requests * (load.input_tokens + load.output_tokens)
    found: dict[str, list[Array]] = {}
    for out in outcomes.values():
        total = sum(out.lines.values())
        own = {name: line for (place, name), line in out.lines.items() if place == PLACES[options.OWN]}
        capex = sum((own[name][:, 0] for name in HARDWARE if name in own), np.zeros(len(rate)))
        aside = sum((own[name].sum(axis=1) for name in (CAPITAL, "residual value") if name in own), capex)
        cash = total - own[CAPITAL] if CAPITAL in own else total
        npv = np.asarray(finance.present_value(cash, rate))
        served = np.asarray(finance.present_value(tokens * out.served, rate)) / TOKENS_PER_MTOK
        figures = {
            "launch_weeks": out.launch_weeks, "capex_usd": capex, "usd_per_month": total.sum(axis=1) / months,
            "running_usd_per_month": (total.sum(axis=1) - aside) / months, "npv_usd": npv,
            "usd_per_mtok": npv / np.where(served > 0, served, np.nan), **_sizes(out, len(rate)), "hires": out.hires,
            "misfits": (~out.fits).astype(float),
        }
        for name, values in figures.items():
            found.setdefault(name, []).append(values)
    return found


def _sizes(out: Outcome, number: int) -> dict[str, Array]:
    gpus, running, busy, spilled = np.zeros((4, number))
    for share, bill in out.bills.values():
        if machines := bill.machines:
            here = share > 0
            gpus = gpus + machines.gpus[:, 1] * here
            running = running + machines.running.sum(axis=1) * here
            busy = busy + machines.busy.sum(axis=1) * here
            spilled = spilled + machines.spilled * share
    return {"gpus": gpus, "utilisation": busy / np.where(running > 0, running, np.nan), "overflow_share": spilled}


def _verdicts(question: Question, columns: dict[str, Array], level: Array, rule: Array, present: Array) -> None:
    """Verdict, because and unlock of every option: the rules first, then the scenario's own limits."""
    streams = np.arange(len(STREAMS))
    found = np.stack([np.where(present, level[:, streams, routing], 0) for routing in ROUTINGS.values()], axis=1)
    worst = found.argmax(axis=2)
    named = np.stack([rule[:, streams, routing] for routing in ROUTINGS.values()], axis=1)
    columns["rule"] = np.take_along_axis(named, worst[..., None], axis=2)[..., 0]
    by_rule = found.max(axis=2)
    broken = np.stack([_broken(question, columns, limit) for limit in LIMITS], axis=2)
    columns["broken"] = broken
    columns["verdict"] = np.where(broken.any(axis=2), BLOCKED, by_rule)
    columns["because"], columns["unlock"] = _texts(question, columns, by_rule)


def _broken(question: Question, columns: Mapping[str, Array], limit: Limit) -> Array:
    amount = columns[limit.amount]
    broken: Array = amount > 0 if limit.name == "fits" else amount > question.rows[limit.field][:, None]
    return broken


def _texts(question: Question, columns: Mapping[str, Array], by_rule: Array) -> tuple[Array, Array]:
    """The first reason and all remedies of every option that is not simply ok."""
    because = np.full(by_rule.shape, "", dtype=object)
    unlock = np.full(by_rule.shape, "", dtype=object)
    because_of_rule, unlock_rule = _rule_texts(question.facts)
    free = ~columns["broken"].any(axis=2)
    for level, spoken in ((CONDITIONAL, free), (BLOCKED, np.ones_like(free))):
        at = (by_rule == level) & spoken
        because[at], unlock[at] = because_of_rule[level][columns["rule"][at]], unlock_rule[columns["rule"][at]]
    for number, limit in enumerate(LIMITS):
        at = np.nonzero(columns["broken"][:, :, number])
        texts = limit.texts(columns[limit.amount][at], question.rows[limit.field][at[0]])
        for s, o, (reason, remedy) in zip(*at, texts, strict=True):
            because[s, o] = because[s, o] or reason
            unlock[s, o] = f"{unlock[s, o]}; and {remedy}" if unlock[s, o] else remedy
    return because, unlock


def _rule_texts(facts: Facts) -> tuple[dict[int, Array], Array]:
    """What each rule says where it blocks and where it sets a condition, and what lifts it, by position."""
    def texts(name: str) -> Array:
        return np.array([rule[name] for rule in facts.rules["rules"]], dtype=object)

    made: tuple[dict[int, Array], Array] = facts.cached(
        "rule texts", lambda: ({BLOCKED: texts("because"), CONDITIONAL: texts("condition")}, texts("unlock")))
    return made


def _scores(question: Question, columns: dict[str, Array], outcomes: Mapping[str, Outcome]) -> None:
    """Value on every criterion, weighted score, rank and recommendation; what is blocked gets none."""
    facts, rows = question.facts, question.rows
    budget = np.maximum(1.0, rows["budget_usd_per_month"].astype(float))[:, None]
    deadline = np.maximum(1e-9, rows["weeks_to_launch"].astype(float))[:, None]
    values = {
        "cost": fit.value(columns["usd_per_month"] / budget, facts.value("anchor.cost.worst_share"), facts.value("anchor.cost.best_share")),
        "launch": fit.value(columns["launch_weeks"], deadline, 0.0),
        "skills": fit.value(columns["hires"], facts.value("anchor.hires.worst_fte"), 0.0),
    }
    for criterion in ("control", "elasticity", "freedom"):
        points = np.array([facts.value(f"{criterion}.{place}") for place in PLACES])
        weight = _what_counts(question, criterion)
        values[criterion] = np.stack([weight @ points[list(routing)] for routing in ROUTINGS.values()], axis=1)
    columns["values"] = np.stack([np.asarray(values[c]) for c in CRITERIA], axis=2)
    orders = {order: fit.weights([p for p in order.split(",") if p], CRITERIA) for order in dict.fromkeys(rows["priorities"])}
    columns["weights"] = np.repeat(np.stack([orders[order] for order in rows["priorities"]])[:, None], len(NAMES), axis=1)
    score = np.asarray(fit.score(columns["values"], columns["weights"]))
    columns["score"] = np.where(columns["verdict"] == BLOCKED, np.nan, score)
    order = np.lexsort((columns["npv_usd"], -np.nan_to_num(columns["score"], nan=-1.0)), axis=1)
    rank = np.argsort(order, axis=1) + 1.0
    columns["rank"] = np.where(columns["verdict"] == BLOCKED, np.nan, rank)
    columns["recommended"] = columns["rank"] == 1


def _what_counts(question: Question, criterion: str) -> Array:
    """Weight of each stream in a criterion: its share; for control the sensitive streams alone where there are any."""
    if criterion != "control":
        return question.shares
    sensitive = question.shares * np.array([data == "sensitive" for data, _ in STREAMS])
    some = sensitive.sum(axis=1, keepdims=True)
    return np.where(some > 0, sensitive / np.where(some > 0, some, 1.0), question.shares)


class Answer:
    """What `evaluate` found: tidy frames, the larger ones made when they are asked for."""

    def __init__(self, scenarios: pd.DataFrame, facts: Facts, found: pd.DataFrame) -> None:
        self.scenarios, self.facts, self.options = scenarios, facts, found

    @cached_property
    def _opened(self) -> list[Judged]:
        if len(self.scenarios) > MOST_TO_OPEN:
            raise ValueError(
                f"details of {len(self.scenarios):,} scenarios asked; at most {MOST_TO_OPEN:,} can be opened at once. "
                "Evaluate the ones you want to open: evaluate(rows.iloc[:10], facts)"
            )
        return list(_judge(self.scenarios, self.facts))

    @cached_property
    def lines(self) -> pd.DataFrame:
        """Every dollar: scenario, option, place, line, month (0 the day of the decision), usd [USD]. Zeros left out.

        The sum of an option's lines over the months of the horizon is its usd_per_month.
        """
        parts = []
        for block in self._opened:
            for option, out in block.outcomes.items():
                for (place, line), usd in out.lines.items():
                    where, month = np.nonzero(usd)
                    parts.append(pd.DataFrame({"scenario": block.index[where], "option": option, "place": place,
                                               "line": line, "month": month, "usd": usd[where, month]}))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def sizing(self) -> pd.DataFrame:
        """Machines by month: scenario, option, place, offer, contract, replica, basis, month, machines, gpus, busy_gpus."""
        parts = []
        for block in self._opened:
            for option, out in block.outcomes.items():
                for place, (share, bill) in out.bills.items():
                    if (machines := bill.machines) is None:
                        continue
                    where, month = np.nonzero(machines.gpus * (share > 0)[:, None])
                    words = {n: getattr(machines, n)[where] for n in ("contract", "replica", "basis")}
                    parts.append(pd.DataFrame({
                        "scenario": block.index[where], "option": option, "place": place, "offer": bill.offer[where], **words,
                        "month": month, "machines": machines.count[where, month], "gpus": machines.gpus[where, month],
                        "busy_gpus": machines.busy[where, month]}))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Every rule and limit that speaks: scenario, option, stream, rule, verdict, because, source, unlock."""
        rows = [row for block in self._opened for s in range(len(block.index)) for row in _spoken(block, s)]
        return pd.DataFrame(rows, columns=["scenario", "option", "stream", "rule", "verdict", "because", "source", "unlock"])

    @cached_property
    def fit(self) -> pd.DataFrame:
        """How scores are made up: scenario, option, criterion, value [share], weight [share], contribution [share]."""
        parts = []
        for block in self._opened:
            for o, option in enumerate(NAMES):
                value = block.columns["values"][:, o] * np.where(block.columns["verdict"][:, o] == BLOCKED, np.nan, 1.0)[:, None]
                weight = block.columns["weights"][:, o]
                parts.append(pd.DataFrame({
                    "scenario": np.repeat(block.index, len(CRITERIA)), "option": option,
                    "criterion": np.tile(CRITERIA, len(block.index)), "value": value.ravel(),
                    "weight": weight.ravel(), "contribution": (value * weight).ravel()}))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def yardsticks(self) -> pd.DataFrame:
        """Two API bills to measure by: scenario, yardstick, offer, usd_per_month [USD/month], token lines alone.

        `asked` is the API model asked for, `hosted` the cheapest vendor that hosts the same open weights.
        """
        return pd.concat([_yardsticks(block) for block in self._opened], ignore_index=True)


def _spoken(block: Judged, s: int) -> Iterator[tuple[Any, ...]]:
    """Every verdict of one scenario of a block, by rule and by limit."""
    written, number = block.question.facts.rules["rules"], int(block.index[s])
    present = block.question.shares[s] > 0
    told = list(rules.fired(written, block.profiles[s]))
    for o, (option, routing) in enumerate(ROUTINGS.items()):
        for stream, place, rule, level in told:
            if present[stream] and routing[stream] == place:
                found = written[rule]
                because = found["condition"] if level == CONDITIONAL else found["because"]
                yield (number, option, " ".join(STREAMS[stream]), found["id"], VERDICTS[level], because, found["source"],
                       found["unlock"] if level else "")
        for limit, broken in zip(LIMITS, block.columns["broken"][s, o], strict=True):
            if broken:
                amount, held_to = block.columns[limit.amount][s, o], block.question.rows[limit.field][s]
                because, unlock = limit.texts(np.array([amount]), np.array([held_to]))[0]
                yield number, option, "all", limit.name, VERDICTS[BLOCKED], because, "the scenario itself", unlock


def _yardsticks(block: Judged) -> pd.DataFrame:
    question, offers = block.question, block.question.facts.table("api_offers")
    hosted = list(offers.index[offers["open_model"] == question.model])
    months = question.load.live.sum(axis=1)
    in_region = question.rows["control"] == "region"
    rows = []
    for yardstick, names in [("asked", [None]), ("hosted", hosted)]:
        bills = [vendor_api.bill(question.facts, question.load, np.full(len(months), n) if n else question.rows["api_model"], in_region)
                 for n in names]
        usd = np.stack([sum(b.lines.values()).sum(axis=1) / months for b in bills]) if bills else np.empty((0, len(months)))
        for s in range(len(months)):
            best = int(np.argmin(usd[:, s])) if bills else -1
            rows.append((int(block.index[s]), yardstick, bills[best].offer[s] if bills else "", usd[best, s] if bills else np.nan))
    return pd.DataFrame(rows, columns=["scenario", "yardstick", "offer", "usd_per_month"])
