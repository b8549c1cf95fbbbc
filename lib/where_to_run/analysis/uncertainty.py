"""Uncertainty: what an answer is worth when what was asked and the facts are drawn, for routings chosen today."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..decision.answer import Answer
from ..decision.evaluate import judge
from ..decision.routing import Routing
from ..decision.verdicts import LIMITS
from ..formulas import risk, scoring
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts, remembered
from ..inputs.question import CRITERIA, columns
from ..units import Array
from . import draws
from .draws import INPUTS, SEED

FIRST, FULL = 2**10, 2**14
"""Draws of a first answer and of a full one."""

SLICE = 2**11
"""Draws worked out between two words to a listener."""

TORNADO = (0.1, 0.9)
"""Shares of an input's distribution between which it is moved by itself."""


Listener = Callable[[float], None]
"""Is told the share of the work that is done."""


def quiet(_: float) -> None:
    """A listener that does nothing."""


@dataclass
class Plan:
    """What is held fixed in all draws: the scenario, the routing of every allowed option, and the offers they take.

    `facts` know no other machines and servers. Options that come to the same routing stand once. `runs` are those made
    so far by their number of draws.
    """

    row: pd.DataFrame
    facts: Facts
    curve: Curve | None
    routings: Mapping[str, Routing]
    runs: dict[int, "Run"] = field(default_factory=dict, init=False)

    def at(self, cube: Array, tell: Listener = quiet) -> "Run":
        """The plan at points of the unit cube over (point, `draws.NAMES`); tells the share that is done."""
        drawn = draws.at(self.row, self.facts, cube)
        asked = columns(drawn.rows)
        names, given, every = tuple(self.routings), self.facts.draw(drawn.factors, len(cube)), np.arange(len(cube))
        found: dict[str, list[Array]] = {"generalised_usd_per_month": [], "level_usd_per_month": [], "broken": []}
        for some in np.split(every, every[SLICE::SLICE]):
            rows, here = {name: values[some] for name, values in asked.items()}, given.take(some)
            # what is committed is answered in the order of the rows
            for judged in judge(rows, here, self.curve, names, self.routings):
                for name, blocks in found.items():
                    blocks.append(judged.columns[name])
            tell((some[-1] + 1) / len(cube))
        generalised, cost, broken = (np.concatenate(blocks) for blocks in found.values())
        generalised, cost = (np.nan_to_num(usd, nan=np.inf) for usd in (generalised, cost))
        return Run(names, drawn.inputs, generalised, cost, broken)


@dataclass(frozen=True)
class Run:
    """What was drawn: `inputs` a draw a row; over (draw, option, ...) the `generalised` cost, which options are chosen
    by, and the level `cost`, which is paid [both USD/month], and the LIMITS `broken`.
    """

    options: tuple[str, ...]
    inputs: pd.DataFrame
    generalised: Array
    cost: Array
    broken: Array

    @property
    def servable(self) -> "Run":
        """The draws in which some option can serve; in the others there is nothing to choose."""
        some = np.isfinite(self.cost).any(axis=1)
        return Run(self.options, self.inputs[some], self.generalised[some], self.cost[some], self.broken[some])

    @property
    def leaders(self) -> list[str]:
        """The two options of least expected generalised cost, the least first; one where there is but one."""
        return [self.options[n] for n in np.argsort(self.generalised.mean(axis=0), kind="stable")[:2]]


@remembered
def planned(answer: Answer) -> Plan:
    """The plan of a one-row answer, made once; without routings where nothing is allowed."""
    routings = dict[Any, tuple[str, Routing]]()
    for option in answer.options.loc[answer.options["verdict"] != "blocked", "option"]:
        taken = answer.option(option)
        routings.setdefault(taken.comes_to, (option, replace(taken.routing, calls=taken.calls)))
    found, curve = dict(routings.values()), answer.option(answer.names[0]).question.curve
    return Plan(answer.scenarios, _narrowed(answer, list(found)), curve, found)


def _narrowed(answer: Answer, options: Sequence[str]) -> Facts:
    """Facts that know no other machines, servers and APIs than those the options take today."""
    facts, sizing = answer.facts, answer.sizing
    used = sizing[sizing["option"].isin(options)].groupby("place")["offer"].unique()
    keep = {"machines": set(used.get("rented_gpus", [])), "servers": set(used.get("own_gpus", []))}
    keep["dedicated"] = set(used.get("vendor_api", []))
    keep["api_offers"] = set()
    for option in options:
        taken = answer.option(option)
        keep["api_offers"] |= {*taken.calls}
        if taken.question.model and keep["servers"]:
            keep["machines"].add(taken.stopgap(np.ones(1)).offer[0])
    tables = {
        name: table.loc[table.index.isin(list(keep[name]))] if keep.get(name) else table
        for name, table in facts.tables.items()
    }
    # what was measured of GPUs hangs on none of these
    made = {key: found for key, found in facts.made.items() if getattr(key[0], "__name__", "") == "fits"}
    return replace(facts, tables=tables, made=made)


def run(answer: Answer, number: int = FIRST) -> Run:
    """The draws of a one-row answer that are `servable`, of a power of two; the most made where they are enough."""
    plan = planned(answer)
    if max(plan.runs, default=0) < number:
        plan.runs[number] = plan.at(draws.points(number, len(INPUTS))).servable
    return plan.runs[max(plan.runs)]


def begin(answer: Answer, tell: Listener = quiet) -> None:
    """Make the first draws of an answer, if anything is allowed."""
    if planned(answer).routings:
        run(answer)


def refine(answer: Answer, tell: Listener = quiet) -> None:
    """Make the full number of draws for all that is shown of an answer from then on.

    Tells the share that is done; what that raises ends it.
    """
    plan = planned(answer)
    if plan.routings:
        plan.runs[FULL] = plan.at(draws.points(FULL, len(INPUTS)), tell).servable


SHOWN = {"p5": 0.05, "p50": 0.5, "p90": 0.9, "p95": 0.95}
"""Shares of the draws below the level costs that are shown."""

BROKEN = {
    "misfits": ("fits", "project"),
    "late": ("delivery", "team", "project_team"),
    "over_capex": ("capex",),
    "over_budget": ("budget",),
}
"""What can be broken in a draw: any of some LIMITS."""


def odds(run: Run) -> pd.DataFrame:
    """How each option does over all draws, a row an option, in the order of the options.

    Columns: option, best (share of the draws in which its generalised cost is least), expected, p5, p50, p90, p95, tail
    (mean of the worst twentieth) of its level cost, regret and regret_p95 (generalised cost above the least of the same
    draw) [USD/month], NaN where an option cannot serve in draws that count; near (of an expected generalised cost at
    most a twentieth above the least); and the shares of the draws of BROKEN.
    """
    more, limits = risk.regret(run.generalised), [limit.name for limit in LIMITS]
    # figures that were drawn: between a cost and one without end there is nothing
    ends = zip(SHOWN, np.quantile(run.cost, list(SHOWN.values()), axis=0, method="inverted_cdf"), strict=True)
    usd = {"expected": run.cost.mean(axis=0), **dict(ends), "tail": risk.tail_mean(run.cost)}
    usd |= {"regret": more.mean(axis=0), "regret_p95": np.quantile(more, 0.95, axis=0, method="inverted_cdf")}
    broken = {name: [limits.index(limit) for limit in some] for name, some in BROKEN.items()}
    return pd.DataFrame(
        {"option": run.options, "best": risk.best(run.generalised)}
        | {name: np.where(np.isfinite(values), values, np.nan) for name, values in usd.items()}
        | {"near": risk.near(run.generalised)}
        | {name: run.broken[..., some].any(axis=2).mean(axis=0) for name, some in broken.items()}
    )


def information(run: Run) -> pd.DataFrame:
    """What knowing an input before choosing is worth: input, usd [USD/month of generalised cost].

    The first row is `everything`. The last, `noise`, is an input that changes nothing: what is worth no more cannot be
    told from it.
    """
    noise = draws.points(len(run.generalised), 1, SEED + 2)[:, 0]
    known = [*(run.inputs[name].to_numpy() for name in draws.NAMES), noise]
    cost = run.generalised
    usd = [risk.perfect_information(cost), *(risk.partial_information(cost, values) for values in known)]
    return pd.DataFrame({"input": ["everything", *draws.NAMES, "noise"], "usd": usd})


def difference(answer: Answer, options: Sequence[str]) -> Callable[[Array], Array]:
    """By how much the generalised cost of the second option is above that of the first [USD/month], as a function of
    points over (point, input).
    """
    whole = planned(answer)
    two = replace(whole, routings={name: whole.routings[name] for name in options})

    def usd(cube: Array) -> Array:
        cost = two.at(cube).generalised
        return cost[:, 1] - cost[:, 0]

    return usd


def swings(model: Callable[[Array], Array], low: Array, middle: Array, high: Array) -> tuple[Array, Array, Array]:
    """A model of points with one input at a time at its low end, at its high one, and with all in the middle."""
    number = len(middle)
    points = np.tile(middle, (2 * number + 1, 1))
    for side, ends in enumerate((low, high)):
        points[side * number + np.arange(number), np.arange(number)] = ends
    found = model(points)
    return found[:number], found[number:-1], found[-1]


def tornado(answer: Answer, options: Sequence[str]) -> pd.DataFrame:
    """What one input by itself does to the difference of two options, the others in the middle of their range.

    Columns: input, low and high (its values at p10 and p90), low_usd and high_usd, middle_usd [USD/month: by how much
    the generalised cost of the second option is above that of the first]; the widest first.
    """
    ends = [np.full(len(INPUTS), share) for share in (TORNADO[0], 0.5, TORNADO[1])]
    low_usd, high_usd, usd = swings(difference(answer, options), *ends)
    facts = planned(answer).facts
    low, high, _ = swings(lambda cube: draws.at(answer.scenarios, facts, cube).inputs.to_numpy(), *ends)
    values = {"low": np.diagonal(low), "high": np.diagonal(high)}
    found = {"input": draws.NAMES, **values, "low_usd": low_usd, "high_usd": high_usd}
    widest = np.argsort(-abs(high_usd - low_usd), kind="stable")
    return pd.DataFrame(found).assign(middle_usd=usd).iloc[widest]


def firmness(answer: Answer, run: Run) -> pd.DataFrame:
    """How firm the recommendation is, a row an option: the shares of draws in which its generalised cost is least.

    Columns: option, best (of costs and values, with the premiums of the scenario, as in `odds`); and of premiums, with
    the costs and values of the scenario: ordered (any that keep its order of priorities), free (any up to its premium).
    """
    kept = list(run.options)
    values = answer.drawbacks.pivot(index="option", columns="criterion", values="value").loc[kept, list(CRITERIA)]
    level = answer.figures.set_index("option").loc[kept, "level_usd_per_month"].to_numpy()
    cube, most = draws.points(FULL, len(CRITERIA), SEED + 1), float(answer.asked["premium"])
    order = [name for name in str(answer.asked["priorities"]).split(",") if name]
    drawn = {"ordered": scoring.drawn_premiums(cube, order, CRITERIA, most), "free": most * cube}
    shares = {
        name: risk.best(scoring.generalised_cost(level, premiums[:, None], values.to_numpy()))
        for name, premiums in drawn.items()
    }
    return pd.DataFrame({"option": run.options, "best": risk.best(run.generalised)} | shares)
