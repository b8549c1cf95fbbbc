"""Judgement: a block of scenarios at a time, every option costed, held to the rules and limits, and scored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import finance, fit, options, rules
from .bills import CAPITAL, HARDWARE, added_up
from .facts import Facts
from .options import ROUTINGS, Outcome, Question
from .rules import BLOCKED, CONDITIONAL, LIMITS, Limit
from .scenario import CRITERIA, PLACES, STREAMS
from .units import TOKENS_PER_MTOK, Array

BLOCK = 512
"""Scenarios computed at a time: their arrays stay in the processor's cache, and memory stays bounded."""

PROFILE = ("regimes", "evidence", "control", "customisation")
NAMES = list(ROUTINGS)
KNOWN_ANYWAY = ("launch_weeks", "people_weeks", "setup_weeks", "hires", "misfits", "missed_usd_per_month")
"""Figures an option has even where nothing on offer can serve the load."""


@dataclass(frozen=True)
class Judged:
    """A block of scenarios, answered: its place among all, its outcomes, and columns over (scenario, option)."""

    index: Array
    question: Question
    profiles: list[Mapping[str, str]]
    outcomes: dict[str, Outcome]
    columns: dict[str, Array]


def judge(rows: pd.DataFrame, facts: Facts) -> Iterator[Judged]:
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
    verdicts = [
        question.facts.cached(("judge", p), lambda n=n: rules.judge(question.facts.rules["rules"], n))
        for p, n in zip(profiles, named, strict=True)
    ]
    level = np.stack([v[0] for v in verdicts])[code]
    rule = np.stack([v[1] for v in verdicts])[code]
    present = question.shares > 0
    allowed = ((level < BLOCKED) | ~present[:, :, None]).all(axis=1)
    outcomes = {name: options.outcome(question, routing, allowed) for name, routing in ROUTINGS.items()}
    columns = {name: np.stack(values, axis=1) for name, values in _figures(question, outcomes).items()}
    _verdicts(question, columns, level, rule, present)
    _scores(question, columns)
    return Judged(index, question, [named[c] for c in code], outcomes, columns)


def _figures(question: Question, outcomes: Mapping[str, Outcome]) -> dict[str, list[Array]]:
    """Costs, sizes and times of every option."""
    load, factors, months = question.load, question.factors, question.load.live.sum(axis=1)
    tokens = load.requests * (load.input_tokens + load.output_tokens) / TOKENS_PER_MTOK
    found: dict[str, list[Array]] = {}
    for out in outcomes.values():
        total = added_up(out.lines.values())
        own = {name: line for (place, name), line in out.lines.items() if place == PLACES[options.OWN]}
        capex = sum((own[name][:, 0] for name in HARDWARE if name in own), np.zeros(len(months)))
        aside = sum((own[name].sum(axis=1) for name in (CAPITAL, "residual value") if name in own), capex)
        cash = total - own[CAPITAL] if CAPITAL in own else total
        figures = {
            "launch_weeks": np.maximum(out.people_weeks, out.setup_weeks),
            "people_weeks": out.people_weeks,
            "setup_weeks": out.setup_weeks,
            "capex_usd": capex,
            "usd_per_month": total.sum(axis=1) / months,
            "running_usd_per_month": (total.sum(axis=1) - aside) / months,
            "npv_usd": finance.present_value(cash, factors),
            "usd_per_mtok": finance.levelised_cost(cash, tokens * out.served, factors),
            **_sizes(out, len(months)),
            "hires": out.hires,
            "misfits": (~out.fits).astype(float),
            "missed_usd_per_month": out.missed / months,
        }
        for name, values in figures.items():
            known = values if name in KNOWN_ANYWAY or out.fits.all() else np.where(out.fits, values, np.nan)
            found.setdefault(name, []).append(known)
    return found


def _sizes(out: Outcome, number: int) -> dict[str, Array]:
    gpus, running, busy, spilled = np.zeros((4, number))
    for share, bill in out.bills.values():
        if machines := bill.machines:
            here = share > 0
            gpus = gpus + machines.gpus[:, 1] * here
            running = running + (machines.gpus * machines.operating).sum(axis=1) * here
            busy = busy + (machines.working * machines.operating).sum(axis=1) * here
            spilled = spilled + machines.spilled * share
    return {"gpus": gpus, "utilisation": busy / np.where(running > 0, running, np.nan), "overflow_share": spilled}


def _verdicts(question: Question, columns: dict[str, Array], level: Array, rule: Array, present: Array) -> None:
    """Verdict, because and unlock of every option: the rules first, then the scenario's own limits."""
    streams = np.arange(len(STREAMS))
    found = np.stack([np.where(present, level[:, streams, routing], 0) for routing in ROUTINGS.values()], axis=1)
    worst = found.argmax(axis=2)
    named = np.stack([rule[:, streams, routing] for routing in ROUTINGS.values()], axis=1)
    columns["rule"] = np.take_along_axis(named, worst[..., None], axis=2)[..., 0]
    columns["place"] = np.array(list(ROUTINGS.values()))[np.arange(len(NAMES)), worst]
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
    number = by_rule.size
    because, unlock = [""] * number, [""] * number
    level, rule, place = (array.ravel().tolist() for array in (by_rule, columns["rule"], columns["place"]))
    spoken = (by_rule == BLOCKED) | ((by_rule == CONDITIONAL) & ~columns["broken"].any(axis=2))
    for at in np.flatnonzero(spoken).tolist():
        evidence = question.rows["evidence"][at // len(NAMES)]
        because[at], unlock[at] = _rule_texts(question.facts, rule[at], level[at], place[at], evidence)
    for column, limit in enumerate(LIMITS):
        amounts, limits = columns[limit.amount].ravel().tolist(), question.rows[limit.field].tolist()
        for at in np.flatnonzero(columns["broken"][:, :, column]).tolist():
            remedy = limit.remedy(amounts[at])
            because[at] = because[at] or limit.reason(amounts[at], limits[at // len(NAMES)])
            unlock[at] = f"{unlock[at]}; and {remedy}" if unlock[at] else remedy
    texts = np.empty((2, number), dtype=object)
    texts[0], texts[1] = because, unlock
    return texts[0].reshape(by_rule.shape), texts[1].reshape(by_rule.shape)


def _rule_texts(facts: Facts, rule: int, level: int, place: int, evidence: str) -> tuple[str, str]:
    """What a rule says at a level, and what would lift it with the evidence in hand."""
    key = ("rule texts", rule, level, place, evidence)
    if key not in facts.cache:
        written = facts.rules["rules"][rule]
        said = written["because"] if level == BLOCKED else written["condition"]
        facts.cache[key] = (said, rules.unlock(written, place, evidence))
    texts: tuple[str, str] = facts.cache[key]
    return texts


def _scores(question: Question, columns: dict[str, Array]) -> None:
    """Value on every criterion, weighted score, rank and recommendation; what is blocked gets none."""
    facts, rows = question.facts, question.rows
    budget = np.maximum(1.0, rows["budget_usd_per_month"].astype(float))[:, None]
    deadline = np.maximum(1e-9, rows["weeks_to_launch"].astype(float))[:, None]
    values = {
        "cost": fit.value(
            (columns["usd_per_month"] + columns["missed_usd_per_month"]) / budget,
            facts.value("anchor.cost.worst_share"),
            facts.value("anchor.cost.best_share"),
        ),
        "launch": fit.value(columns["launch_weeks"], deadline, 0.0),
        "skills": fit.value(columns["hires"], facts.value("anchor.hires.worst_fte"), 0.0),
    }
    for criterion in ("control", "elasticity", "freedom"):
        points = np.array([facts.value(f"{criterion}.{place}") for place in PLACES])
        weight = _what_counts(question, criterion)
        values[criterion] = np.stack([weight @ points[list(routing)] for routing in ROUTINGS.values()], axis=1)
    columns["values"] = np.stack([np.asarray(values[c]) for c in CRITERIA], axis=2)
    orders = {
        order: fit.weights([p for p in order.split(",") if p], CRITERIA) for order in dict.fromkeys(rows["priorities"])
    }
    columns["weights"] = np.repeat(
        np.stack([orders[order] for order in rows["priorities"]])[:, None], len(NAMES), axis=1
    )
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
