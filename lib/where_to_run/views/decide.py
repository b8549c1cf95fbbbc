"""Decide: the panels of the answer, an answer in, pieces of a page out."""

from functools import partial
from html import escape
from math import ceil, inf, isnan
from pathlib import Path
from typing import Any

from ..analysis import hybrid
from ..decision.answer import Answer
from ..decision.routing import SEARCHED, TITLES
from ..decision.prices import prices
from ..inputs import question
from ..inputs.question import CRITERIA
from . import charts, sources
from .figure import records
from .panel import Fold, Pieces
from .table import money, numbers, plain, table, usd

STYLE = Path(__file__).with_name("panels.css").read_text()
"""How panels look, on the page of a report and in a notebook alike."""

CLOSE_CALL = 0.02
"""Scores nearer than this are told as a close call: a step of a skill or a few per cent of cost turns them round."""

Row = dict[str, Any]


def titles(answer: Answer) -> dict[str, str]:
    """Title of every option of a one-row answer; one that comes to the same as another says so."""
    first: dict[float, str] = {}
    found = {}
    for row in answer.rows:
        option, npv = row["option"], row["npv_usd"]
        same = option if isnan(npv) else first.setdefault(npv, option)
        found[option] = TITLES[option] + ("" if same == option else f" (here the same as {TITLES[same]})")
    return found


def best_first(answer: Answer) -> list[Row]:
    """The options of a one-row answer with their titles: by rank, then by cost, what cannot be costed last."""
    named = titles(answer)

    def place(row: Row) -> list[float]:
        return [inf if isnan(row[name]) else row[name] for name in ("rank", "npv_usd")]

    return [row | {"title": named[row["option"]]} for row in sorted(answer.rows, key=place)]


def bottom_line(answer: Answer) -> Pieces:
    """The recommendation in a sentence with the two next best, or what would open an option where none is allowed."""
    told = "".join(f"<p>Mind: {escape(notice)}.</p>" for notice in question.notices(answer.asked))
    ranked = [row for row in best_first(answer) if not isnan(row["rank"])]
    if not ranked:
        return Pieces([_nothing_allowed(answer) + told])
    first, *others = ranked
    others = _distinct(first, others)
    made_of = _made_of(answer, first["option"])
    says = f"<p class='bottom-line'><strong>{TITLES[first['option']]}</strong>{made_of}: {_price(answer, first)}"
    spoken = zip(*(answer.verdicts[name] for name in ("option", "verdict", "because")), strict=True)
    conditions = dict.fromkeys(because for *about, because in spoken if about == [first["option"], "conditional"])
    says += "".join(f" On condition: {escape(condition)}" for condition in conditions)
    rest = "; ".join(f"{TITLES[row['option']]}, {_price(answer, row)[:-1]}" for row in others[:2])
    says += "</p>" + (f"<p>Next best: {rest}.</p>" if rest else "<p>Nothing else is allowed.</p>")
    says += told
    close = [TITLES[row["option"]] for row in others if first["score"] - row["score"] < CLOSE_CALL]
    if close:
        says += f"<p>A close call: {' and '.join(close)} scored within {CLOSE_CALL:g}. Look at the criteria below.</p>"
    return Pieces([says])


PLACE_WORDS = {"vendor_api": "the vendor's API", "rented_gpus": "rented machines", "own_gpus": "own servers"}


def _made_of(answer: Answer, option: str) -> str:
    """Where an option that searched for its routing sends what, in brackets; nothing for the others."""
    if option not in SEARCHED:
        return ""
    ways = dict.fromkeys(
        (way["place"], way["offer"], way["overflow_place"]) for way in records(hybrid.routes(answer, [option]))
    )
    told = [
        f"{PLACE_WORDS[place]} with {escape(offer)}" + (f", bursts to {PLACE_WORDS[then]}" if then else "")
        for place, offer, then in ways
    ]
    return f" ({'; '.join(told)})"


def _distinct(first: Row, others: list[Row]) -> list[Row]:
    """Options that do differ: a split whose share is zero costs to the cent what the option it falls back on costs."""
    seen, kept = {first["npv_usd"]}, []
    for row in others:
        if row["npv_usd"] not in seen:
            seen.add(row["npv_usd"])
            kept.append(row)
    return kept


def _price(answer: Answer, row: Row) -> str:
    months = answer.asked["horizon_months"]
    return (
        f"{usd(row['usd_per_month'])} a month over {months} months ({row['usd_per_mtok']:.2f} USD per million tokens), "
        f"ready in {ceil(row['launch_weeks'])} weeks, score {row['score']:.2f}."
    )


def _nothing_allowed(answer: Answer) -> str:
    changes = single_changes(answer)
    says = "<p class='bottom-line'><strong>Nothing is allowed as asked.</strong> "
    if changes.empty:
        return says + "No single change opens an option; the table of options says what each would need.</p>"
    opens = changes.groupby("change", sort=False)["option"].agg(lambda names: " and ".join(TITLES[n] for n in names))
    items = "".join(f"<li>{escape(change)} opens {options}</li>" for change, options in opens.items())
    return f"{says}One of these changes would do:</p><ul>{items}</ul>"


def options_table(answer: Answer) -> Pieces:
    """One row an option: verdict, cost, time, size, score; and for each its cost, to be opened line by line."""
    rows = best_first(answer)
    found = {name: [row[name] for row in rows] for name in rows[0]}
    shown = {
        "Option": found["title"],
        "Verdict": found["verdict"],
        "USD a month": money(found["usd_per_month"]),
        "USD per Mtok": numbers(found["usd_per_mtok"], "{:.2f}"),
        "Hardware on day one": money(found["capex_usd"]),
        "Weeks to launch": numbers(map(ceil, found["launch_weeks"]), "{}"),
        "GPUs": numbers(found["gpus"], "{:.0f}"),
        "Utilisation": numbers(found["utilisation"], "{:.0%}"),
        "Traffic above capacity": numbers(found["overflow_share"], "{:.1%}"),
        "People to add": numbers(found["hires"], "{:.1f} FTE"),
        "Score": numbers(found["score"], "{:.2f}"),
    }
    caption = "The options, best first; what is struck out has no score"
    folds = [
        Fold(
            row["option"],
            f"{row['title']}: {usd(row['usd_per_month'])} a month, line by line",
            partial(sources.lines, answer, row["option"]),
        )
        for row in rows
        if row["usd_per_month"] == row["usd_per_month"]
    ]
    machines = Fold("machines", "What the number of machines rests on", partial(sources.sizes, answer))
    return Pieces([table(shown, caption, left=2), *folds, *([machines] if len(answer.sizing) else [])])


def ruled_out(answer: Answer) -> Pieces:
    """What is struck out or conditional: the rule, the reason, the source and what would lift it."""
    spoken = [row for row in records(answer.verdicts) if row["verdict"] != "ok"]
    if not spoken:
        return Pieces(["<p>Nothing is struck out, and nothing carries a condition.</p>"])
    first: dict[tuple[str, str], Row] = {}
    for row in spoken:
        first.setdefault((row["option"], row["rule"]), row)
    rows = sorted(first.values(), key=lambda row: str(row["verdict"]))
    names = {"verdict": "Verdict", "because": "Because", "unlock": "What would lift it", "rule": "Rule"}
    shown = {"Option": [TITLES[row["option"]] for row in rows]}
    shown |= {title: [row[name] for row in rows] for name, title in (names | {"source": "Source"}).items()}
    return Pieces([table(shown, "What is struck out, or allowed on a condition, and why", left=6)])


def costs(answer: Answer) -> Pieces:
    """Charts of the cost by option: a month [USD, mean over the horizon] by kind of line, and paid so far."""
    struck_out = [row["option"] for row in answer.rows if row["verdict"] == "blocked"]
    pale = "<p>Pale: struck out by a rule or a limit.</p>" if struck_out else "<p>Nothing is struck out.</p>"
    return Pieces([charts.cost_by_option(answer.means, struck_out), pale, charts.cost_over_time(answer.totals)])


def cost_lines(answer: Answer) -> Pieces:
    """Every line of the cost by option [USD a month, mean over the horizon]; the sums are the totals."""
    means = answer.means
    wide: dict[tuple[str, str], dict[str, float]] = {}
    for place, line, option, usd_per_month in zip(
        means["place"], means["line"], means["option"], means["usd_per_month"].tolist(), strict=True
    ):
        wide.setdefault((place, line), {})[option] = usd_per_month
    shown: dict[str, list[Any]] = {
        "Place": [*(place.replace("_", " ") for place, _ in wide), ""],
        "Line": [*(line for _, line in wide), "Total"],
    }
    for option in [name for name in TITLES if name in set(means["option"])]:
        amounts = [usds.get(option, float("nan")) for usds in wide.values()]
        shown[TITLES[option]] = money([*amounts, sum(amount for amount in amounts if not isnan(amount))])
    return Pieces([table(shown, "Cost by line, USD a month, mean over the horizon", left=2)])


def yardsticks(answer: Answer) -> Pieces:
    """The API bill beside the cheapest vendor that hosts the same open weights; token lines alone."""
    words = {"asked": "API model asked for", "hosted": "The same open weights, hosted by a vendor"}
    rows = answer.yardsticks
    shown = {
        "Yardstick": [words[name] for name in rows["yardstick"]],
        "Offer": rows["offer"],
        "USD a month": money(rows["usd_per_month"]),
    }
    return Pieces([table(shown, "Two yardsticks for the tokens alone, without people or set-up", left=2)])


def scores(answer: Answer) -> Pieces:
    """How the score is made up: chart and table of value x weight by criterion."""
    rows = [row for row in records(answer.fit) if not isnan(row["value"])]
    if not rows:
        return Pieces(["<p>No option is allowed, so none has a score.</p>"])
    value = {(row["option"], row["criterion"]): row["value"] for row in rows}
    weight = {row["criterion"]: row["weight"] for row in rows}
    shown: dict[str, list[Any]] = {
        "Criterion": [*CRITERIA, "score = sum of weight x value"],
        "Weight": [*numbers([weight[c] for c in CRITERIA], "{:.3f}"), ""],
    }
    for option in dict.fromkeys(row["option"] for row in rows):
        values = [value[option, criterion] for criterion in CRITERIA]
        score = sum(weight[c] * v for c, v in zip(CRITERIA, values, strict=True))
        shown[TITLES[option]] = [*numbers(values, "{:.2f}"), *numbers([score], "{:.3f}")]
    listed = table(shown, "Value 0 to 1 on each criterion, and its weight", left=1)
    return Pieces([charts.score_by_criterion(answer.fit), listed])


def sizing(answer: Answer) -> Pieces:
    """Machines and GPUs by month: chart, and what stands in the first and the last month."""
    rows = answer.sizing
    if rows.empty:
        return Pieces(["<p>No option needs a machine.</p>"])
    ends: dict[tuple[str, str], tuple[int, int]] = {}
    for at, key in enumerate(zip(rows["option"].tolist(), rows["place"].tolist(), strict=True)):
        ends[key] = (ends.get(key, (at, at))[0], at)
    first_and_last = [at for pair in ends.values() for at in dict.fromkeys(pair)]
    edge = {name: rows[name].to_numpy()[first_and_last] for name in rows}
    shown = {
        "Option": [TITLES[name] for name in edge["option"]],
        "Offer": edge["offer"],
        "Contract": edge["contract"],
        "Replica": edge["replica"],
        "Throughput": edge["basis"],
        "Month": numbers(edge["month"], "{}"),
        "Machines": numbers(edge["machines"], "{:.0f}"),
        "GPUs": numbers(edge["gpus"], "{:.0f}"),
        "GPUs at work": numbers(edge["busy_gpus"], "{:.1f}"),
    }
    listed = table(shown, "What stands in the first and the last month", left=5)
    return Pieces([charts.gpus_over_time(rows), listed])


def asked(answer: Answer, preset: str = "") -> Pieces:
    """The question: every field, its value and unit, those that differ from the defaults marked."""
    row, differs = answer.scenarios.iloc[0], question.changed(answer.scenarios)
    shown = {
        "Field": [f.name for f in question.FIELDS],
        "Value": [plain(row[f.name]) for f in question.FIELDS],
        "Unit": [f.unit for f in question.FIELDS],
        "Changed": ["yes" if f.name in differs else "" for f in question.FIELDS],
        "Meaning": [f.meaning for f in question.FIELDS],
    }
    story = question.presets().get(preset, {})
    intro = f"<p><strong>{escape(story['title'])}.</strong> {escape(story['story'])}</p>" if story else ""
    return Pieces([intro + table(shown, "The question", left=5)])
