"""The answer: what was found for every scenario, as tidy frames."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..inputs import question
from ..inputs.facts import Facts
from ..inputs.question import CRITERIA, PLACES, STREAMS
from ..places.bill import added_up
from ..units import Array
from . import rules, verdicts
from .block import Question
from .option import Option, Outcome
from .rules import BLOCKED, CONDITIONAL, VERDICTS
from .search import Found
from .verdicts import LIMITS

MOST_TO_OPEN = 2_000
"""Scenarios whose lines may be opened at once: a line a month makes some thousand rows a scenario."""

OPENED = ("values",)
"""What a judged block has for those who open it alone."""

INTERNAL = ("verdict", "rule", "place", "by_rule", "short_points", "short_hard", "short_key", "short_figure")
"""What was found, in codes."""


@cache
def _among(names: tuple[str, ...]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(list(names))


def _coded(codes: Array, names: Sequence[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes.ravel(), dtype=_among(tuple(names)))


@dataclass(frozen=True)
class Judged:
    """A block of scenarios, answered: its place among all, what was found, and columns over (scenario, option)."""

    index: Array
    question: Question
    found: Found
    columns: dict[str, Array]

    def spoken(self, s: int) -> Iterator[tuple[Any, ...]]:
        """Every verdict of one scenario of the block, by rule and by limit."""
        facts, number = self.question.facts, int(self.index[s])
        present, profile = self.question.shares[s] > 0, self.question.permits.profile(s)
        for o, option in enumerate(self.found.names):
            tried, at = self.found.of(s, o)
            goes = list(zip(tried.routing.place[at].tolist(), tried.routing.overflow[at].tolist(), strict=True))
            for stream, place, rule, level in rules.fired(facts, profile, tried.offer[at], tried.question.api_table):
                if present[stream] and place in goes[stream]:
                    found, who = facts.rules["rules"][rule], " ".join(STREAMS[stream])
                    because = found["condition" if level == CONDITIONAL else "because"]
                    remedy = rules.unlock(facts, rule, PLACES[place], profile) if level else ""
                    yield number, option, who, found["id"], VERDICTS[level], because, found["source"], remedy
            for limit, broken in zip(LIMITS, self.columns["broken"][s, o], strict=True):
                if broken:
                    because, unlock = verdicts.by_limit(facts, limit, self.question.rows, self.columns, s, o)
                    yield number, option, "all", limit.name, VERDICTS[BLOCKED], because, "the scenario itself", unlock


class Answer:
    """What `evaluate` found: tidy frames, the larger ones made when they are asked for."""

    def __init__(
        self,
        rows: Mapping[str, Array],
        facts: Facts,
        hours: Array | None,
        found: Mapping[str, Array],
        names: Sequence[str],
        asked: Callable[[], Iterator[Judged]],
        kept: list[Judged],
    ) -> None:
        self.facts, self.hours, self._found, self._rows = facts, hours, found, rows
        self.names, self._asked, self._kept = names, asked, kept
        self.made: dict[Any, Any] = {}

    @cached_property
    def scenarios(self) -> pd.DataFrame:
        """What was asked, a scenario a row, with every field in its place and type."""
        return question.frame(self._rows)

    @property
    def asked(self) -> dict[str, Any]:
        """The one scenario of a one-row answer, a value a field."""
        return {name: column[0] for name, column in self._rows.items()}

    @cached_property
    def options(self) -> pd.DataFrame:
        """What `evaluate` says it returns, a row per scenario and option."""
        because, unlock = self.words(np.arange(self._found["rank"].size))
        return self._frame({"because": because, "unlock": unlock})

    @cached_property
    def figures(self) -> pd.DataFrame:
        """The columns of `options` without words, and barred_by: the rule's id or the limit's name that strikes out.

        Not a word is made for it, so it is what those who compare many scenarios take.
        """
        return self._frame({"barred_by": _coded(verdicts.bar(self.facts, self._found), verdicts.bars(self.facts))})

    def words(self, at: Array) -> tuple[Array, Array]:
        """The columns because and unlock of some rows of `options`."""
        return verdicts.words(self.facts, self._rows, self._found, at)

    def _frame(self, more: Mapping[str, Any]) -> pd.DataFrame:
        number, options = self._found["rank"].shape
        columns = {
            "scenario": np.repeat(np.arange(number), options),
            "option": _coded(np.tile(np.arange(options), number), self.names),
            "verdict": _coded(self._found["verdict"], VERDICTS),
        }
        return pd.DataFrame(columns | dict(more) | self._numbers)

    @property
    def _numbers(self) -> dict[str, Array]:
        return {name: v.ravel() for name, v in self._found.items() if v.ndim == 2 and name not in INTERNAL}

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The options of a one-row answer as plain records, for those who go through them one by one."""
        because, unlock = self.words(np.arange(len(self.names)))
        verdict = [VERDICTS[level] for level in self._found["verdict"].ravel()]
        columns = {"option": self.names, "verdict": verdict, "because": because, "unlock": unlock}
        columns |= {name: values.tolist() for name, values in self._numbers.items()}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    @cached_property
    def _opened(self) -> list[Judged]:
        if len(self._found["rank"]) > MOST_TO_OPEN:
            raise ValueError(
                f"details of {len(self._found['rank']):,} scenarios asked; at most {MOST_TO_OPEN:,} can be opened at "
                "once. Evaluate the ones you want to open: evaluate(rows.iloc[:10], facts)"
            )
        # a large answer is judged again: to keep what its details are made of would take gigabytes
        return self._kept or list(self._asked())

    def option(self, name: str) -> Option:
        """An option of a one-row answer: the routing it takes, and place by place its bill, machines and overflow.

        Refuses an answer of more scenarios, and an option it has not.
        """
        if (number := len(self._found["rank"])) > 1:
            raise ValueError(
                f"option {name!r} asked of an answer of {number:,} scenarios; it goes by one. "
                "Evaluate the one you want to open: evaluate(rows.iloc[[0]], facts)"
            )
        if name not in self.names:
            raise ValueError(f"no option {name!r} in this answer; it has: {', '.join(self.names)}")
        taken, _ = self._opened[0].found.of(0, self.names.index(name))
        return Option(taken.question, taken.routing, taken.outcome)

    def _outcomes(self) -> Iterator[tuple[Array, str, Array, Outcome]]:
        """Each outcome an option takes: scenarios of the answer, the option, their positions in the outcome, and it."""
        for block in self._opened:
            for option, rows, here, out in block.found.parts():
                yield block.index[rows], option, here, out

    @cached_property
    def lines(self) -> pd.DataFrame:
        """Every dollar: scenario, option, place, line, month (0 the day of the decision), usd [USD]. Zeros left out.

        The sum of an option's lines, divided by the months of the horizon, is its usd_per_month.
        """
        parts = []
        for index, option, here, out in self._outcomes():
            for (place, line), usd in out.lines.items():
                where, month = np.nonzero(usd[here])
                parts.append((index[where], option, place, line, month, usd[here[where], month]))
        return _stacked(["scenario", "option", "place", "line", "month", "usd"], parts)

    @cached_property
    def totals(self) -> pd.DataFrame:
        """The sum of the lines of every option: scenario, option, month, usd [USD]."""
        parts = []
        for index, option, here, out in self._outcomes():
            usd = added_up(out.lines.values())[here]
            where, month = (axis.ravel() for axis in np.indices(usd.shape))
            parts.append((index[where], option, month, usd.ravel()))
        return _stacked(["scenario", "option", "month", "usd"], parts)

    @cached_property
    def means(self) -> pd.DataFrame:
        """Every line as a mean: scenario, option, place, line, usd_per_month [USD/month over the horizon].

        An option's lines add up to its usd_per_month. A line that is zero throughout is left out.
        """
        months, parts = self._rows["horizon_months"], []
        for index, option, here, out in self._outcomes():
            usd, names = np.stack([line[here] for line in out.lines.values()]), np.array([*out.lines], object)
            line, where = np.nonzero(usd.any(axis=2))
            mean = usd.sum(axis=2)[line, where] / months[index[where]]
            parts.append((index[where], option, *names[line].T, mean))
        return _stacked(["scenario", "option", "place", "line", "usd_per_month"], parts)

    @cached_property
    def sizing(self) -> pd.DataFrame:
        """Machines by month, from delivery on.

        Columns: scenario, option, place, offer, contract, replica, basis, month, machines, spare (of these), gpus,
        busy_gpus.
        `basis` says how the throughput is known: fitted, scaled or roofline.
        """
        parts = []
        for index, option, here, out in self._outcomes():
            for place, share, bill in out.bills:
                if (machines := bill.machines) is None:
                    continue
                mine = np.isin(np.arange(len(share)), here) & out.fits & (share > 0)
                where, month = np.nonzero(machines.gpus * machines.operating * mine[:, None])
                words = [w[where] for w in (bill.offer, machines.contract, machines.replica, machines.basis)]
                numbers = [n[where, month] for n in (machines.count, machines.spare, machines.gpus, machines.working)]
                parts.append((index[np.searchsorted(here, where)], option, place, *words, month, *numbers))
        told = ("option", "place", "offer", "contract", "replica", "basis")
        return _stacked(["scenario", *told, "month", "machines", "spare", "gpus", "busy_gpus"], parts)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Every rule and limit that speaks: scenario, option, stream, rule, verdict, because, source, unlock."""
        rows = [row for block in self._opened for s in range(len(block.index)) for row in block.spoken(s)]
        return pd.DataFrame(
            rows, columns=["scenario", "option", "stream", "rule", "verdict", "because", "source", "unlock"]
        )

    @cached_property
    def drawbacks(self) -> pd.DataFrame:
        """What makes the generalised cost of each option: scenario, option, criterion, value [share], premium [share of
        the level cost], usd_per_month [USD/month, what one would pay not to have the drawback].

        With the level cost they add up to the generalised cost.
        """
        parts = []
        for block in self._opened:
            level, values = block.columns["level_usd_per_month"], block.columns["values"]
            index, criteria = np.repeat(block.index, len(CRITERIA)), np.tile(CRITERIA, len(block.index))
            premium = block.question.premiums
            for o, option in enumerate(self.names):
                usd = level[:, [o]] * premium * (1 - values[:, o])
                parts.append((index, option, criteria, *(part.ravel() for part in (values[:, o], premium, usd))))
        return _stacked(["scenario", "option", "criterion", "value", "premium", "usd_per_month"], parts)


def _stacked(names: Sequence[str], parts: list[tuple[Any, ...]]) -> pd.DataFrame:
    """One frame of parts given as columns by name; a word stands for a column that repeats it, the last is an array."""
    sizes, columns = [len(part[-1]) for part in parts], {}
    for number, name in enumerate(names):
        values = [part[number] for part in parts]
        said = bool(values) and isinstance(values[0], str)
        columns[name] = np.repeat(np.array(values, object), sizes) if said else np.concatenate(values or [np.zeros(0)])
    return pd.DataFrame(columns)
