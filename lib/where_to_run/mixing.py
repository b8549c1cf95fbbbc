"""Mixing: the panels of the hybrid, an answer of one scenario in, pieces of a page out."""

from html import escape
from typing import Any

import pandas as pd

from . import hybrid, hybrid_charts
from .evaluate import Answer
from .figures import Pieces, of
from .hybrid import ALONE, MIX, USD
from .hybrid_charts import WHO, counted, short
from .markup import money, numbers, table, usd
from .panels import titles
from .parts import taken
from .routings import TITLES

ON_MACHINES = ("tokens", "machines and hardware", "until own servers are delivered")
"""Groups of lines that mixing should make cheaper; the others are what it costs."""

SAME = 0.001
"""Costs within this share of each other are told as the same, a smaller share of the load as next to nothing."""


def routes(answer: Answer) -> Pieces:
    """A panel: the share of all requests each place serves, and where each stream goes first and overflows."""
    found = hybrid.routes(answer)
    ways = found.groupby(["option", "place", "offer", "overflow_place", "overflow_offer"], sort=False)
    rows = ways.agg(streams=("stream", ", ".join), share=("share", "sum")).reset_index()
    shown = {
        "Option": rows["option"].map(titles(answer)),
        "Streams": rows["streams"].where(rows["share"] < 1 - 1e-9, "all"),
        "Goes to": _offered(rows["place"], rows["offer"]),
        "Overflows to": _offered(rows["overflow_place"], rows["overflow_offer"]),
        "Share of requests": numbers(rows["share"], "{:.0%}"),
    }
    served = hybrid.served(answer)
    drawn = [] if served.empty else [hybrid_charts.served_by_place(served)]
    return Pieces([*drawn, table(shown, "Where each stream goes, by option", left=5)])


def _offered(place: pd.Series, offer: pd.Series) -> pd.Series:
    """Place and offer in words."""
    words = place.map(WHO).fillna("–")
    return words.where(offer == "", words + ", " + offer)


def load_duration(answer: Answer) -> Pieces:
    """A panel: the load-duration curve of the middle month of service, and who serves which part of it."""
    return _no(answer) or _load_duration(answer, MIX)


def _load_duration(answer: Answer, option: str) -> Pieces:
    curve = hybrid.load_duration(answer, option=option)
    if curve.empty:
        return Pieces(
            ["<p>All of the work can wait, so it is spread over the hours and none is busier than another.</p>"]
        )
    base = _base(answer, int(curve["month"].iloc[0]), option)
    kept = base["load"] * (1 - base["overflow_share"])
    says = (
        f"In month {base['month']} the base, {counted(base['machines'], base['place'])} ({base['offer']}, "
        f"{base['contract']}), has room for {short(base['capacity'])} requests a second and carries {short(kept)} on "
        f"average. {_above(base)}"
    )
    return Pieces([of(hybrid_charts.load_duration(curve, base)), f"<p>{escape(says)}</p>"])


def _above(base: pd.Series) -> str:
    """In words, what comes above the base."""
    if base["overflow_share"] < SAME:
        return "Next to nothing comes above it."
    there = "machines by the hour" if base["overflow_place"] == "rented_gpus" else "the vendor API"
    return (
        f"What comes above goes to {there} ({base['overflow_offer']}): {base['overflow_share']:.1%} of the load, in "
        f"{base['overflow_hours']:.1%} of the hours."
    )


def cost_against_capacity(answer: Answer) -> Pieces:
    """A panel: cost of the middle month of service against the machines of the base; the least and the plan marked."""
    if no := _no(answer):
        return no
    cost = hybrid.cost_against_capacity(answer)
    base = _base(answer, int(cost["month"].iloc[0]), MIX)
    best, plan = cost[cost["best"]].iloc[0], cost[cost["planned"]].iloc[0]
    shown = cost[cost["best"] | cost["planned"] | (cost["machines"] == 0)]
    marks = shown["best"].map({True: "least", False: ""}) + shown["planned"].map({True: " the plan", False: ""})
    rows = {
        "Machines of the base": numbers(shown["machines"], "{:,.0f}"),
        "Mark": marks.str.strip().str.replace("least the", "least, and the").where(shown["enough"], "too few"),
        "Base": money(shown["base_usd"]),
        "Overflow": money(shown["overflow_usd"]),
        "Together": money(shown["usd"]),
    }
    caption = f"Month {base['month']}, USD: {base['offer']}, {base['contract']}; overflow to {base['overflow_offer']}"
    picture = of(hybrid_charts.cost_against_capacity(cost, base))
    forced = bool(not cost["enough"].all() and best["machines"] == cost.loc[cost["enough"], "machines"].min())
    return Pieces([picture, f"<p>{_least(base, best, plan, forced)}</p>" + table(rows, caption, left=2)])


def _least(base: pd.Series, best: pd.Series, plan: pd.Series, forced: bool) -> str:
    """In words, what costs least in the month and why the plan may have another number."""
    place = base["place"]
    says = f"In month {base['month']}, {counted(best['machines'], place)} would cost least, {usd(best['usd'])}"
    if best["machines"] == plan["machines"]:
        return f"{says}, and that is what the plan has{', the fewest that hold what must stay' * forced}."
    says = f"{says}; the plan has {plan['machines']:,.0f} at {usd(plan['usd'])}. "
    if plan["usd"] <= best["usd"] * (1 + SAME):
        return f"{says}That is the same to one part in a thousand."
    if best["machines"] == 0:
        return f"{says}A base never has less than one, and in this month it does not pay for itself."
    if place == "own_gpus":
        return f"{says}Servers are bought for years and kept, so they need not suit every month."
    return f"{says}A contract binds for its term, so one number holds for all its months."


def price_of_mixing(answer: Answer) -> Pieces:
    """A panel: what mixing costs in people and routing and saves elsewhere, beside each place alone."""
    return _no(answer) or _price_of_mixing(answer, MIX)


def _price_of_mixing(answer: Answer, option: str) -> Pieces:
    found = hybrid.price_of_mixing(answer, option)
    kinds = [what for what, rows in found.groupby("what", sort=False) if rows["value"].any()]
    units = found.drop_duplicates("what").set_index("what")["unit"]
    wide = found.pivot(index="what", columns="option", values="value").loc[kinds, found["option"].unique()]
    shown: dict[str, Any] = {"What": [f"{what} [{units[what]}]" for what in kinds]}
    for name in wide.columns:
        title = f"{TITLES[name]} alone" if name in ALONE else TITLES[name]
        shown[title] = [usd(wide.at[w, name]) if units[w] == USD else f"{wide.at[w, name]:.1f}" for w in kinds]
    caption = "What mixing costs and saves, mean over the horizon"
    return Pieces([_balance(answer, found, option) + table(shown, caption)])


def _balance(answer: Answer, found: pd.DataFrame, option: str) -> str:
    """In a sentence, what mixing costs and what it saves against the cheapest of its parts, allowed ones first."""
    figures = answer.options.set_index("option")
    ends = [name for name in found["option"].unique() if name != option]
    if not ends:
        return "<p>Neither of its parts can carry this load alone, so there is nothing to compare.</p>"
    cheapest = min(ends, key=lambda name: (figures.at[name, "verdict"] == "blocked", figures.at[name, "usd_per_month"]))
    value = found[found["unit"] == USD].pivot(index="what", columns="option", values="value")
    more = value[option] - value[cheapest]
    saved, total = -more[list(ON_MACHINES)].sum(), more["total"]
    extra = total + saved
    verb = ["saves", "costs"][int(extra >= 0)]
    and_more = f"saves {usd(saved)}" if saved >= 0 else f"costs {usd(-saved)} more"
    barred = ", itself struck out here" if figures.at[cheapest, "verdict"] == "blocked" else ""
    because = str(figures.at[option, "because"]).rstrip(".")
    mind = f"<p>Mind: {TITLES[option].lower()} is struck out here. {escape(because)}.</p>"
    return (
        f"<p>Mixing {verb} {usd(abs(extra))} a month in people, set-up and routing rules and {and_more} on machines "
        f"and tokens, against the cheaper of its parts ({TITLES[cheapest]} alone{barred}): {usd(abs(total))} a month "
        f"{'dearer' if total >= 0 else 'cheaper'} in all.</p>"
    ) + (mind if figures.at[option, "verdict"] == "blocked" else "")


def best_mix(answer: Answer) -> Pieces:
    """A panel: whether the cheapest of all routings mixes places, and what that costs and saves."""
    routing = taken(answer, "best_mix")[1]
    if routing.key == taken(answer, MIX)[1].key:
        return Pieces([f"<p>The cheapest of all routings is {TITLES[MIX].lower()} itself.</p>"])
    if no := _no(answer, "best_mix"):
        return no
    return _load_duration(answer, "best_mix") + _price_of_mixing(answer, "best_mix")


def _no(answer: Answer, option: str = MIX) -> Pieces:
    """Words in place of a panel where nothing overflows, nothing where something does."""
    words = hybrid.why_not(answer, option)
    return Pieces([f"<p>{escape(words)}</p>"] if words else [])


def _base(answer: Answer, month: int, option: str) -> pd.Series:
    found = hybrid.base(answer, option)
    return found[found["month"] == month].iloc[0]
