"""Panels: an answer in, a piece of HTML out; what the notebooks, the report and the app show."""

import re
from html import escape
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd

from . import charts, hybrid, scenario
from .evaluate import Answer
from .routings import SEARCHED, TITLES
from .scenario import CRITERIA
from .unlock import single_changes


def usd(amount: float) -> str:
    """An amount of money for reading: $1,234 or -$56."""
    return "–" if pd.isna(amount) else f"{'-' if round(amount) < 0 else ''}${abs(amount):,.0f}"


def bottom_line(answer: Answer) -> str:
    """The recommendation in a sentence with the two next best, or what would open an option where none is allowed."""
    told = "".join(f"<p>Mind: {escape(notice)}.</p>" for notice in scenario.notices(answer.scenarios.iloc[0]))
    ranked = answer.options.sort_values("rank").dropna(subset=["rank"])
    if ranked.empty:
        return _nothing_allowed(answer) + told
    first, *others = [row for _, row in ranked.iterrows()]
    made_of = _made_of(answer, first["option"])
    says = f"<p class='bottom-line'><strong>{TITLES[first['option']]}</strong>{made_of}: {_price(answer, first)}"
    spoken = answer.verdicts
    conditions = spoken[(spoken["option"] == first["option"]) & (spoken["verdict"] == "conditional")][
        "because"
    ].unique()
    says += "".join(f" On condition: {escape(condition)}" for condition in conditions)
    rest = "; ".join(f"{TITLES[row['option']]}, {_price(answer, row)[:-1]}" for row in _distinct(first, others)[:2])
    says += "</p>" + (f"<p>Next best: {rest}.</p>" if rest else "<p>Nothing else is allowed.</p>")
    says += told
    close = [TITLES[row["option"]] for row in _distinct(first, others) if first["score"] - row["score"] < CLOSE_CALL]
    return says + (
        f"<p>A close call: {' and '.join(close)} scored within {CLOSE_CALL:g}. Look at the criteria below.</p>"
        if close
        else ""
    )


PLACE_WORDS = {"vendor_api": "the vendor's API", "rented_gpus": "rented machines", "own_gpus": "own servers"}


def _made_of(answer: Answer, option: str) -> str:
    """Where an option that searched for its routing sends what, in brackets; nothing for the others."""
    if option not in SEARCHED:
        return ""
    routes = hybrid.routes(answer)
    ways = routes[routes["option"] == option].drop(columns=["option", "stream", "share"]).drop_duplicates()
    told = [
        f"{PLACE_WORDS[way.place]} with {escape(way.offer)}"
        + (f", bursts to {PLACE_WORDS[way.overflow_place]}" if way.overflow_place else "")
        for way in ways.itertuples()
    ]
    return f" ({'; '.join(told)})"


STYLE = (Path(__file__).with_name("templates") / "report" / "panels.css").read_text()
"""How panels look, on the page of a report and in a notebook alike."""

CLOSE_CALL = 0.02
"""Scores nearer than this are told as a close call: a step of a skill or a few per cent of cost turns them round."""


def _distinct(first: pd.Series, others: list[pd.Series]) -> list[pd.Series]:
    """Options that do differ: a split whose share is zero costs to the cent what the option it falls back on costs."""
    seen, kept = {first["npv_usd"]}, []
    for row in others:
        if row["npv_usd"] not in seen:
            seen.add(row["npv_usd"])
            kept.append(row)
    return kept


def _price(answer: Answer, row: pd.Series) -> str:
    months = int(answer.scenarios["horizon_months"].iloc[0])
    return (
        f"{usd(row['usd_per_month'])} a month over {months} months ({row['usd_per_mtok']:.2f} USD per million tokens), "
        f"ready in {ceil(row['launch_weeks'])} weeks, score {row['score']:.2f}."
    )


def _nothing_allowed(answer: Answer) -> str:
    changes = single_changes(answer)
    says = "<p class='bottom-line'><strong>Nothing is allowed as asked.</strong> "
    if changes.empty:
        return says + "No single change opens an option; the table of options says what each would need.</p>"
    opened = changes.groupby("change", sort=False)["option"].agg(lambda names: " and ".join(TITLES[n] for n in names))
    items = "".join(f"<li>{escape(change)} opens {options}</li>" for change, options in opened.items())
    return f"{says}One of these changes would do:</p><ul>{items}</ul>"


def table(frame: pd.DataFrame, caption: str, left: int = 1) -> str:
    """A frame as an HTML table: everything escaped, links as links, numbers to the right after `left` columns."""
    body = frame.to_html(index=False, escape=True, border=0, classes=f"wtr left{left}", na_rep="–", justify="left")
    body = re.sub(r"<td>(https://([^/<\s]+)[^<\s]*)</td>", r'<td><a href="\1">\2</a></td>', body)
    return body.replace("<thead>", f"<caption>{escape(caption)}</caption><thead>", 1)


def titles(answer: Answer) -> pd.Series:
    """Title of every option of the answer; one that comes to the same as another says so."""
    rows = answer.options
    own = rows["option"].astype(str)
    first = rows.groupby("npv_usd", sort=False)["option"].transform("first").astype(object).fillna(own)
    return own.map(TITLES).where(own == first, own.map(TITLES) + " (here the same as " + first.map(TITLES) + ")")


def options_table(answer: Answer) -> str:
    """One row an option: verdict, cost, time, size, score."""
    found = answer.options.assign(title=titles(answer)).sort_values(["rank", "npv_usd"])
    return table(
        pd.DataFrame(
            {
                "Option": found["title"],
                "Verdict": found["verdict"].astype(str),
                "USD a month": found["usd_per_month"].map(usd),
                "USD per Mtok": found["usd_per_mtok"].map(lambda u: "–" if pd.isna(u) else f"{u:.2f}"),
                "Hardware on day one": found["capex_usd"].map(usd),
                "Weeks to launch": found["launch_weeks"].map(ceil),
                "GPUs": found["gpus"].map(lambda g: "–" if pd.isna(g) else f"{g:.0f}"),
                "Utilisation": found["utilisation"].map(lambda u: "–" if pd.isna(u) else f"{u:.0%}"),
                "Traffic above capacity": found["overflow_share"].map(lambda s: "–" if pd.isna(s) else f"{s:.1%}"),
                "People to add": found["hires"].map("{:.1f} FTE".format),
                "Score": found["score"].map(lambda s: "–" if pd.isna(s) else f"{s:.2f}"),
            }
        ),
        "The options, best first; what is struck out has no score",
        left=2,
    )


def ruled_out(answer: Answer) -> str:
    """What is struck out or conditional: the rule, the reason, the source and what would lift it."""
    spoken = answer.verdicts[answer.verdicts["verdict"] != "ok"]
    if spoken.empty:
        return "<p>Nothing is struck out, and nothing carries a condition.</p>"
    rows = spoken.groupby(["option", "rule"], sort=False, observed=True).first().reset_index()
    rows = rows.sort_values("verdict", kind="stable")
    shown = pd.DataFrame(
        {
            "Option": rows["option"].astype(str).map(TITLES),
            "Verdict": rows["verdict"],
            "Because": rows["because"],
            "What would lift it": rows["unlock"],
            "Rule": rows["rule"],
            "Source": rows["source"],
        }
    )
    return table(shown, "What is struck out, or allowed on a condition, and why", left=6)


def costs(answer: Answer) -> str:
    """Charts of the cost by option, and every line [USD a month, mean over the horizon]; the sums are the totals."""
    months = float(answer.scenarios["horizon_months"].iloc[0])
    lines = answer.lines
    wide = (
        lines.pivot_table(index=["place", "line"], columns="option", values="usd", aggfunc="sum", sort=False) / months
    )
    wide = wide[[name for name in TITLES if name in wide.columns]]
    wide.loc[("", "Total"), :] = wide.sum()
    shown = (
        wide.map(usd)
        .rename(columns=TITLES)
        .rename_axis(columns=None)
        .reset_index()
        .rename(columns={"place": "Place", "line": "Line"})
    )
    shown["Place"] = shown["Place"].str.replace("_", " ")
    pictures = charts.figure(charts.cost_by_option(lines, months)) + charts.figure(charts.cost_over_time(lines))
    return pictures + table(shown, "Cost by line, USD a month, mean over the horizon", left=2)


def yardsticks(answer: Answer) -> str:
    """The API bill beside the cheapest vendor that hosts the same open weights; token lines alone."""
    words = {"asked": "API model asked for", "hosted": "The same open weights, hosted by a vendor"}
    rows = answer.yardsticks
    shown = pd.DataFrame(
        {
            "Yardstick": rows["yardstick"].map(words),
            "Offer": rows["offer"],
            "USD a month": rows["usd_per_month"].map(usd),
        }
    )
    return table(shown, "Two yardsticks for the tokens alone, without people or set-up", left=2)


def scores(answer: Answer) -> str:
    """How the score is made up: chart and table of value x weight by criterion."""
    rows = answer.fit.dropna(subset=["value"])
    if rows.empty:
        return "<p>No option is allowed, so none has a score.</p>"
    weights = rows.drop_duplicates("criterion").set_index("criterion")["weight"]
    wide = rows.pivot_table(index="criterion", columns="option", values="value", sort=False, observed=True).loc[
        list(CRITERIA)
    ]
    shown = wide.map("{:.2f}".format).rename(columns=TITLES).rename_axis(columns=None)
    shown.insert(0, "Weight", weights.loc[list(CRITERIA)].map("{:.3f}".format))
    shown.loc["score = sum of weight x value"] = ["", *(f"{s:.3f}" for s in (wide.mul(weights, axis=0)).sum())]
    shown = shown.reset_index(names="Criterion")
    return charts.figure(charts.score_by_criterion(answer.fit)) + table(
        shown, "Value 0 to 1 on each criterion, and its weight", left=1
    )


def sizing(answer: Answer) -> str:
    """Machines and GPUs by month: chart, and what stands in the first and the last month."""
    rows = answer.sizing
    if rows.empty:
        return "<p>No option needs a machine.</p>"
    ends = rows.sort_values("month").groupby(["option", "place"], sort=False, observed=True)
    edge = pd.concat([ends.head(1), ends.tail(1)]).sort_values(["option", "month"])
    shown = pd.DataFrame(
        {
            "Option": edge["option"].astype(str).map(TITLES),
            "Offer": edge["offer"],
            "Contract": edge["contract"],
            "Replica": edge["replica"],
            "Throughput": edge["basis"],
            "Month": edge["month"],
            "Machines": edge["machines"].map("{:.0f}".format),
            "GPUs": edge["gpus"].map("{:.0f}".format),
            "GPUs at work": edge["busy_gpus"].map("{:.1f}".format),
        }
    )
    return charts.figure(charts.gpus_over_time(rows)) + table(
        shown, "What stands in the first and the last month", left=5
    )


def asked(answer: Answer, preset: str = "") -> str:
    """The question: every field, its value and unit, those that differ from the defaults marked."""
    row, differs = answer.scenarios.iloc[0], scenario.changed(answer.scenarios)
    shown = pd.DataFrame(
        [
            {
                "Field": f.name,
                "Value": plain(row[f.name]),
                "Unit": f.unit,
                "Changed": "yes" if f.name in differs else "",
                "Meaning": f.meaning,
            }
            for f in scenario.FIELDS
        ]
    )
    story = scenario.presets().get(preset, {})
    intro = f"<p><strong>{escape(story['title'])}.</strong> {escape(story['story'])}</p>" if story else ""
    return intro + table(shown, "The question", left=5)


def plain(value: Any) -> str:
    """A value of the question or of a fact, for reading."""
    return value or "none" if isinstance(value, str) else f"{value:,.10g}"
