"""Judgement: a block of scenarios at a time, every option costed, held to the rules and limits, and scored."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import fit, rules
from .curves import Curve
from .facts import Facts
from .levers import Levers
from .pools import Question
from .routings import NAMES, Routing
from .rules import BLOCKED, CONDITIONAL, LIMITS, VERDICTS
from .scenario import CRITERIA, PLACES, STREAMS
from .search import Found, Gates, search
from .units import Array

BLOCK = 3_200
"""Most scenarios computed at a time: memory stays bounded, and a step of numpy takes far longer than to hand the
interpreter to another thread, which small blocks would mostly wait for.
"""

ALONE = 1_600
"""Most scenarios computed at a time by one thread, which waits for nobody."""

THREADS = 2
"""Blocks computed side by side."""

PROFILE = ("regimes", "evidence", "control", "customisation")


@dataclass(frozen=True)
class Judged:
    """A block of scenarios, answered: its place among all, what was found, and columns over (scenario, option)."""

    index: Array
    question: Question
    profiles: list[Mapping[str, str]]
    found: Found
    columns: dict[str, Array]

    def goes(self, scenario: int, option: int) -> list[tuple[int, int]]:
        """Place and overflow of every stream."""
        routing = self.found.routings[self.found.taken[scenario, option]]
        return list(zip(routing.place[scenario].tolist(), routing.overflow[scenario].tolist(), strict=True))

    def spoken(self, s: int) -> Iterator[tuple[Any, ...]]:
        """Every verdict of one scenario of the block, by rule and by limit."""
        written, number = self.question.facts.rules["rules"], int(self.index[s])
        present = self.question.shares[s] > 0
        profile = self.profiles[s]
        told = self.question.facts.cached(("fired", *profile.values()), lambda: list(rules.fired(written, profile)))
        for o, option in enumerate(self.found.names):
            goes = self.goes(s, o)
            for stream, place, rule, level in told:
                if present[stream] and place in goes[stream]:
                    found = written[rule]
                    because = found["condition"] if level == CONDITIONAL else found["because"]
                    yield (
                        number,
                        option,
                        " ".join(STREAMS[stream]),
                        found["id"],
                        VERDICTS[level],
                        because,
                        found["source"],
                        rules.unlock(found, place, profile["evidence"]) if level else "",
                    )
            for limit, broken in zip(LIMITS, self.columns["broken"][s, o], strict=True):
                if broken:
                    amount, held_to = self.columns[limit.amount][s, o], self.question.rows[limit.field][s]
                    because, unlock = limit.reason(amount, held_to), limit.remedy(amount)
                    yield number, option, "all", limit.name, VERDICTS[BLOCKED], because, "the scenario itself", unlock


def judge(
    rows: Mapping[str, Array],
    facts: Facts,
    curve: Curve | None = None,
    names: Sequence[str] = NAMES,
    drawn: Levers | None = None,
    committed: Mapping[str, Routing] | None = None,
    threads: int = THREADS,
) -> Iterator[Judged]:
    """Answer checked columns block by block for the options asked, blocks of one open model each, in some threads.

    What a block was worked out with goes as soon as nobody holds the block, so memory stays bounded.
    """
    levers = drawn or Levers()
    blocks = []
    for model in dict.fromkeys(rows["open_model"]):
        members = np.flatnonzero(rows["open_model"] == model)
        blocks += [(model, block) for block in np.array_split(members, _number(len(members), threads))]

    def answer(block: tuple[str, Array]) -> Judged:
        model, index = block
        fields = {name: array[index] for name, array in rows.items()}
        return _block(index, Question(facts, fields, model, curve, levers.take(index)), names, committed)

    if threads == 1 or len(blocks) == 1:
        yield from map(answer, blocks)
        return
    # numpy leaves the interpreter to the others while it computes
    with ThreadPoolExecutor(threads) as pool:
        underway: deque[Future[Judged]] = deque()
        for block in blocks:
            underway.append(pool.submit(answer, block))
            if len(underway) > threads:
                yield underway.popleft().result()
        while underway:
            yield underway.popleft().result()


def _number(scenarios: int, threads: int) -> int:
    """Into how many even blocks scenarios are cut: as many for every thread, where they are worth a second one."""
    if threads == 1:
        return -(-scenarios // ALONE)
    number = -(-scenarios // BLOCK)
    return -(-number // threads) * threads if scenarios > BLOCK / 2 else number


def _block(index: Array, question: Question, names: Sequence[str], committed: Mapping[str, Routing] | None) -> Judged:
    allowed, profiles = gates(question)
    found = search(question, allowed, names, committed)
    columns = dict(found.figures)
    _scores(question, columns, *found.routing())
    return Judged(index, question, profiles, found, columns)


def gates(question: Question) -> tuple[Gates, list[Mapping[str, str]]]:
    """What the rules say of every scenario of a block, and the PROFILE they go by."""
    asked = list(zip(*(question.rows[name] for name in PROFILE), strict=True))
    profiles = list(dict.fromkeys(asked))
    position = {profile: number for number, profile in enumerate(profiles)}
    code = np.array([position[profile] for profile in asked])
    named = [dict(zip(PROFILE, profile, strict=True)) for profile in profiles]
    verdicts = [
        question.facts.cached(("judge", p), lambda n=n: rules.judge(question.facts.rules["rules"], n))
        for p, n in zip(profiles, named, strict=True)
    ]
    level, rule = (np.stack([verdict[part] for verdict in verdicts])[code] for part in (0, 1))
    return Gates(level, rule, question.shares > 0), [named[c] for c in code]


def _scores(question: Question, columns: dict[str, Array], place: Array, overflow: Array) -> None:
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
        weight = _what_counts(question, criterion)[:, None]
        values[criterion] = (weight * _points(points, criterion, question, columns, place, overflow)).sum(axis=2)
    columns["values"] = np.stack([np.asarray(values[c]) for c in CRITERIA], axis=2)
    orders = {
        order: fit.weights([p for p in order.split(",") if p], CRITERIA) for order in dict.fromkeys(rows["priorities"])
    }
    columns["weights"] = np.repeat(
        np.stack([orders[order] for order in rows["priorities"]])[:, None], place.shape[1], axis=1
    )
    score = np.asarray(fit.score(columns["values"], columns["weights"]))
    columns["score"] = np.where(columns["verdict"] == BLOCKED, np.nan, score)
    order = np.lexsort((columns["npv_usd"], -np.nan_to_num(columns["score"], nan=-1.0)), axis=1)
    rank = np.argsort(order, axis=1) + 1.0
    columns["rank"] = np.where(columns["verdict"] == BLOCKED, np.nan, rank)
    columns["recommended"] = columns["rank"] == 1


def _points(
    points: Array, criterion: str, question: Question, columns: Mapping[str, Array], place: Array, overflow: Array
) -> Array:
    """Points of every stream over (scenario, option, stream): those of its place, mixed with those of its overflow.

    A jump in demand goes to the overflow, so its elasticity counts; for the rest the share of the traffic that
    overflows does.
    """
    goes = overflow >= 0
    if criterion == "elasticity":
        return points[np.where(goes, overflow, place)]
    free = (question.shares[:, None] * goes).sum(axis=2)
    share = np.where(free > 0, columns["overflow_share"] / np.where(free > 0, free, 1.0), 0.0)
    mixed = np.clip(np.nan_to_num(share), 0, 1)[..., None] * goes
    return (1 - mixed) * points[place] + mixed * points[np.maximum(overflow, 0)]


def _what_counts(question: Question, criterion: str) -> Array:
    """Weight of each stream in a criterion: its share; for control the sensitive streams alone where there are any."""
    if criterion != "control":
        return question.shares
    sensitive = question.shares * np.array([data == "sensitive" for data, _ in STREAMS])
    some = sensitive.sum(axis=1, keepdims=True)
    return np.where(some > 0, sensitive / np.where(some > 0, some, 1.0), question.shares)
