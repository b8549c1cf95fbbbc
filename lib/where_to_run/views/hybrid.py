"""Hybrid: its panels, an answer of one scenario in, pieces of a page out."""

from collections.abc import Mapping
from functools import lru_cache
from html import escape
from typing import Any, Literal

import altair as alt
import pandas as pd

from ..analysis import hybrid
from ..analysis.hybrid import MIX, USD
from ..decision.answer import Answer
from ..decision.staffing import ROUTING
from ..inputs.question import PLACES
from ..places.bill import GROUPS
from .charts import OPTION_COLOURS, STEP, TITLED, WIDTH
from .figure import FRAME, Figure, Spec, columns, of
from .panel import Pieces
from .table import money, numbers, table, usd
from .titles import distinct, titles

OF_MIXING = (GROUPS["people"], GROUPS["set_up"], ROUTING)
"""Groups of lines that are what mixing costs; it should make the others cheaper."""

SAME = 0.001
"""Costs within this share of each other are told as the same, a smaller share of the load as next to nothing."""


def routes(answer: Answer) -> Pieces:
    """A panel: the share of all requests each place serves, and where each stream goes first and overflows."""
    found = hybrid.routes(answer, distinct(answer))
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
    served = served[served["option"].isin(distinct(answer))]
    drawn = [] if served.empty else [served_by_place(served, titles(answer))]
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
    return Pieces([of(load_duration_chart(curve, base)), f"<p>{escape(says)}</p>"])


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
    """A panel: cost of the middle month of service against the machines of the base; the least and the plan marked.

    Empty, as is `price_of_mixing`, where nothing overflows, which `load_duration` says.
    """
    if _no(answer):
        return Pieces()
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
    picture = of(capacity_chart(cost, base))
    forced = bool(not cost["enough"].all() and best["machines"] == cost.loc[cost["enough"], "machines"].min())
    pale = "" if cost["enough"].all() else " Pale: too few for what must stay at the base."
    return Pieces([picture, f"<p>{_least(base, best, plan, forced)}{pale}</p>" + table(rows, caption, left=2)])


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
    return Pieces() if _no(answer) else _price_of_mixing(answer, MIX)


def _price_of_mixing(answer: Answer, option: str) -> Pieces:
    found = hybrid.price_of_mixing(answer, option)
    kinds = [what for what, rows in found.groupby("what", sort=False) if rows["value"].any()]
    units = found.drop_duplicates("what").set_index("what")["unit"]
    wide = found.pivot(index="what", columns="option", values="value").loc[kinds, found["option"].unique()]
    shown: dict[str, Any] = {"What": [f"{what} [{units[what]}]" for what in kinds]}
    for name in wide.columns:
        shown[titles(answer)[name]] = [
            usd(wide.at[w, name]) if units[w] == USD else f"{wide.at[w, name]:.1f}" for w in kinds
        ]
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
    extra, total = more[list(OF_MIXING)].sum(), more["total"]
    saved = extra - total
    verb = ["saves", "costs"][int(extra >= 0)]
    and_more = f"saves {usd(saved)}" if saved >= 0 else f"costs {usd(-saved)} more"
    barred = ", itself struck out here" if figures.at[cheapest, "verdict"] == "blocked" else ""
    because = str(figures.at[option, "because"]).rstrip(".")
    named = titles(answer)
    mind = f"<p>Mind: {escape(named[option])} is struck out here. {escape(because)}.</p>"
    return (
        f"<p>Mixing {verb} {usd(abs(extra))} a month in people, set-up and routing rules and {and_more} on machines "
        f"and tokens, against the cheaper of its parts ({escape(named[cheapest])}{barred}): {usd(abs(total))} a month "
        f"{'dearer' if total >= 0 else 'cheaper'} in all.</p>"
    ) + (mind if figures.at[option, "verdict"] == "blocked" else "")


def free_search(answer: Answer) -> Pieces:
    """A panel: what a search over all routings finds, whether that mixes places, and what that costs and saves."""
    found = escape(titles(answer)["free_search"])
    if "free_search" not in distinct(answer):
        return Pieces([f"<p>A search over all routings finds nothing better than {found}.</p>"])
    if not answer.option("free_search").base:
        return Pieces([f"<p>A search over all routings finds {found}. Nothing overflows there.</p>"])
    return _load_duration(answer, "free_search") + _price_of_mixing(answer, "free_search")


def _no(answer: Answer) -> Pieces:
    """Words in place of a panel where nothing overflows, nothing where something does."""
    taken = answer.option(MIX)
    if taken.fits and not taken.base:
        best = escape(titles(answer)[MIX])
        return Pieces(
            [f"<p>Nothing overflows here: of all ways to part a base from its bursts the best is {best}.</p>"]
        )
    words = hybrid.why_not(answer)
    return Pieces([f"<p>{escape(words)}</p>"] if words else [])


def _base(answer: Answer, month: int, option: str) -> pd.Series:
    found = hybrid.base(answer, option)
    return found[found["month"] == month].iloc[0]


WHO = {
    "vendor_api": "Vendor API",
    "rented_gpus": "Rented machines",
    "own_gpus": "Own servers",
    "awaiting own servers": "Elsewhere until own servers come",
    "not served": "Not served until then",
}
"""Who serves, in words."""

COLOURS = {
    **dict(zip(PLACES, (OPTION_COLOURS[name] for name in ("api", "rented", "owned")), strict=True)),
    "awaiting own servers": "#999999",
    "not served": "#DDDDDD",
}
"""The colours of the options that send everything to one place; grey where none of the places serves."""

PARTS = {"held": "what must stay", "base": "base", "elsewhere": "streams of its own"}
STRENGTH = {"held": 1.0, "base": 0.6, "overflow": 1.0, "elsewhere": 0.6}
"""Strength of the colour of a part on white, to tell two parts at one place apart."""

HEIGHT = 270
"""Height of the charts of a month [pixel]."""

LARGEST = 4.0
"""Costs above this multiple of the least are cut off, or the least would be lost at the foot of the chart."""


def who(part: str, place: str) -> str:
    """Who serves a part of the load, in words; rented machines that take overflow are rented by the hour."""
    if part == "overflow":
        return f"{'Machines by the hour' if place == 'rented_gpus' else WHO[place]}: overflow"
    return f"{WHO[place]}: {PARTS[part]}"


def tint(part: str, place: str) -> str:
    """Colour of a part of the load: that of its place, paler for some parts."""
    strength, colour = STRENGTH[part], COLOURS[place]
    mixed = (255 + (int(colour[at : at + 2], 16) - 255) * strength for at in (1, 3, 5))
    return "#" + "".join(f"{round(channel):02x}" for channel in mixed)


def served_by_place(served: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Stacked bars of the share of all requests each place serves, an option a bar; `served` of `hybrid.served`."""
    some = served[served["share"] > 0]
    data = {"option": some["option"].map(titles), "who": some["place"].map(WHO), "share": some["share"]}
    here = set(some["place"])
    return Figure(_served_by_place(tuple(p for p in WHO if p in here)), {"d0": columns(pd.DataFrame(data))})


@lru_cache
def _served_by_place(here: tuple[str, ...]) -> Spec:
    scale = alt.Scale(domain=[WHO[place] for place in here], range=[COLOURS[place] for place in here])
    words = "Share of all requests over the horizon that each place serves, by option"
    across = alt.X(
        "share:Q", title="share of all requests over the horizon", axis=PER_CENT, scale=alt.Scale(domain=[0, 1])
    )
    legend = alt.Legend(orient="top", labelLimit=260, columns=3, labelFontSize=11)
    bars = alt.Chart(FRAME, width=WIDTH, height=alt.Step(STEP), description=words, config=TYPE).mark_bar()
    drawn = bars.encode(
        x=across,
        y=alt.Y("option:N", title=None, axis=TITLED, sort=None),
        color=alt.Color("who:N", title=None, scale=scale, legend=legend),
        order=alt.Order("rank:Q"),
    )
    return of(drawn.transform_calculate(rank=f"indexof({list(WHO.values())}, datum.who)")).spec


def load_duration_chart(curve: pd.DataFrame, base: pd.Series) -> alt.LayerChart:
    """The load-duration curve of a month coloured by who serves, with a rule at the capacity of the base.

    `curve` of `hybrid.load_duration`, `base` the row of `hybrid.base` for its month.
    """
    served = [f"{who(row.part, row.place)}, {row.share:.1%}" for row in curve.itertuples()]
    frame = _stacked(curve.assign(who=served), "hours", "load")
    top, capacity = float(frame["high"].max()), float(base["capacity"])
    seen = capacity <= 1.3 * top
    end = 1.04 * max(top, capacity if seen else 0.0)
    across = alt.X("hours:Q", title=f"share of the hours of month {base['month']} at least as busy", axis=PER_CENT)
    up = alt.Y("low:Q", title="load [request/s] (times the mean)", axis=_loads(curve), scale=_from_zero(end))
    room = f"Capacity of {counted(base['machines'], base['place'])}"
    layers = [_areas(frame, across, up, "share of the load"), *([_rule("y", capacity, room)] if seen else [])]
    words = f"Load-duration curve of month {base['month']}, shares of the load: {'; '.join(frame['who'].unique())}"
    words += f". {room}: {short(capacity)} request/s{'' if seen else ', above the busiest hour'}."
    return alt.LayerChart(layer=layers, description=words, config=TYPE)


def capacity_chart(cost: pd.DataFrame, base: pd.Series) -> alt.LayerChart:
    """Cost of a month by machines of the base, theirs below and the overflow's above; the least and the plan marked.

    `cost` of `hybrid.cost_against_capacity`, `base` the row of `hybrid.base` for its month.
    """
    best, plan = cost[cost["best"]].iloc[0], cost[cost["planned"]].iloc[0]
    places = {"base": base["place"], "overflow": base["overflow_place"]}
    parts = [
        cost.assign(part=part, place=place, who=who(part, place), usd=cost[f"{part}_usd"])
        for part, place in places.items()
    ]
    end = 1.06 * min(cost["usd"].max(), LARGEST * max(best["usd"], plan["usd"]))
    noun = "servers" if base["place"] == "own_gpus" else "machines"
    across = alt.X("machines:Q", title=f"{noun} of the base in month {base['month']}", axis=WHOLE, scale=TIGHT)
    up = alt.Y("low:Q", title="USD a month", axis=alt.Axis(format="~s", tickCount=4), scale=_from_zero(end))
    total = alt.Chart(cost[["machines", "usd"]]).mark_line(color="black", strokeWidth=1.5, point=DOT, clip=True)
    named = {n: f"{n}: {counted(row['machines'], base['place'])}" for n, row in (("Least", best), ("The plan", plan))}
    least = alt.Chart(pd.DataFrame({"machines": [best["machines"]], "usd": [best["usd"]], "words": [named["Least"]]}))
    least = least.mark_point(filled=True, size=110, color="black", stroke="white", opacity=1).encode(
        alt.Shape("words:N", title=None, scale=alt.Scale(range=["circle"]))
    )
    layers = [
        _areas(_stacked(pd.concat(parts), "machines", "usd"), across, up),
        *(layer.encode(alt.X("machines:Q"), alt.Y("usd:Q")) for layer in (total, least)),
        *_too_few(cost, end),
        _rule("x", plan["machines"], named["The plan"]),
    ]
    words = f"Cost of month {base['month']} by {noun} of the base. {named['Least']}, ${best['usd']:,.0f} a month. "
    words += f"{named['The plan']}, ${plan['usd']:,.0f} a month."
    return alt.LayerChart(layer=layers, description=words, config=TYPE)


PER_CENT = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
WHOLE = alt.Axis(tickMinStep=1, tickCount=6, format=",~d")
TIGHT = alt.Scale(nice=False, zero=True)
DOT = alt.OverlayMarkDef(size=14, color="black")


def counted(machines: float, place: str) -> str:
    """Machines of a base in words: 1 machine, 6 servers."""
    number = f"{machines:,.0f}" if machines else "no"
    return f"{number} {'server' if place == 'own_gpus' else 'machine'}{'' if machines == 1 else 's'}"


def short(amount: float) -> str:
    """A figure for reading: three digits, or all of the whole ones."""
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.3g}"


TYPE = alt.Config(axis=alt.AxisConfig(labelFontSize=11, titleFontSize=12))


def _from_zero(end: float) -> alt.Scale:
    return alt.Scale(domain=[0, end], nice=False)


def _stacked(frame: pd.DataFrame, along: str, value: str) -> pd.DataFrame:
    """The parts one above the other in their order, with their name and colour: low and high of each."""
    high = frame.groupby(along)[value].cumsum()
    colour = [tint(part, place) for part, place in zip(frame["part"], frame["place"], strict=True)]
    return frame[[along, "who"]].assign(colour=colour, low=high - frame[value], high=high)


def _areas(frame: pd.DataFrame, across: alt.X, up: alt.Y, title: str | None = None) -> alt.Chart:
    """The parts as areas; the legend has them in the same order, the uppermost first."""
    named = frame.drop_duplicates("who")[::-1]
    scale = alt.Scale(domain=named["who"].tolist(), range=named["colour"].tolist())
    drawn = alt.Chart(frame.drop(columns="colour"), width=WIDTH, height=HEIGHT).mark_area(clip=True)
    colour = alt.Color("who:N", title=title, scale=scale, legend=alt.Legend(labelLimit=260, columns=1))
    return drawn.encode(across, up, alt.Y2("high:Q"), colour)


def _loads(curve: pd.DataFrame) -> alt.Axis:
    """Loads with the multiple of the mean beside each."""
    first = curve[curve["load"] > 0].iloc[0]
    mean = float(first["load"] / first["times_mean"])
    form = "~s" if curve["load"].max() >= 1e4 else ".3~g"
    words = f"format(datum.value, '{form}') + ' (' + format(datum.value / {mean!r}, '.1~f') + ' x)'"
    return alt.Axis(labelExpr=words, tickCount=4)


def _rule(channel: Literal["x", "y"], value: float, words: str) -> alt.Chart:
    """A dashed rule at a value, told in words."""
    drawn = alt.Chart(pd.DataFrame({"value": [value], "words": [words]})).mark_rule(strokeWidth=1.5)
    dash = alt.StrokeDash("words:N", title=None, scale=alt.Scale(range=[[5, 3]]))
    return drawn.encode(alt.X("value:Q") if channel == "x" else alt.Y("value:Q"), dash)


def _too_few(cost: pd.DataFrame, end: float) -> list[alt.Chart]:
    """A veil over the numbers of machines that are too few for what must stay."""
    fewest = float(cost.loc[cost["enough"], "machines"].min())
    veil = pd.DataFrame({"from": [0.0], "to": [fewest], "low": [0.0], "high": [end]})
    drawn = (
        alt.Chart(veil)
        .mark_rect(color="white", opacity=0.7)
        .encode(alt.X("from:Q"), alt.X2("to:Q"), alt.Y("low:Q"), alt.Y2("high:Q"))
    )
    return [drawn] if fewest else []
