"""Decide: the panels of the answer, an answer in, pieces of a page out."""

from datetime import date, timedelta
from functools import partial
from html import escape
from math import ceil, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..analysis import uncertainty
from ..decision import quality
from ..decision.answer import Answer
from ..decision.block import OFFERS
from ..decision.option import Option, doubts
from ..decision.routing import API, HARD, RENTED
from ..formulas import difficulty, throughput
from ..inputs import question
from ..inputs.facts import Facts
from ..places import replicas
from ..places.bill import NO_CASH, OWN_TIME, WORTH, added_up, of_kind
from ..places.rented_gpus import BY_CLOCK
from ..places.workload import level_words
from ..units import HOURS_PER_MONTH
from . import charts, order, rules_prices, sources
from .figure import records
from .order import Row, best_first
from .panel import Fold, Pieces
from .table import Cell, about, money, numbers, plain, table, usd
from .titles import distinct, titles

STYLE = Path(__file__).with_name("panels.css").read_text()
"""How panels look, on the page of a report and in a notebook alike."""


def bottom_line(answer: Answer) -> Pieces:
    """The recommendation in a sentence, or what would open an option where none is allowed; the rest opens by a click.

    What is paid is rounded in the sentence, and to the dollar in what opens.
    """
    notices = [*question.notices(answer.asked), *_left_out(answer.facts, str(answer.asked["task"]))]
    told = "".join(f"<p>Mind: {escape(notice)}.</p>" for notice in notices)
    if not (ranked := order.allowed(answer)):
        return Pieces([_nothing_allowed(answer) + told])
    first, *others = ranked
    taken, months = answer.option(first["option"]), answer.asked["horizon_months"]
    weeks = ceil(first["launch_weeks"])
    says = (
        f"<p class='bottom-line'>{_told(first['title'])}{escape(_rented_from(taken))}: about "
        f"{about(first['usd_per_month'])} a month{_against_today(answer, first)}, ready in {_weeks(weeks)}.</p>"
    )
    conditions = order.conditions(answer, first["option"])
    says += f"<p>On condition: {escape(' '.join(conditions))}</p>" if conditions else ""
    rest = "; ".join(f"{escape(row['title'])}, {_price(row)}" for row in others[:2])
    more = (
        f"<p>{usd(first['usd_per_month'])} a month is the mean of {months} months, {first['usd_per_mtok']:.2f} USD per "
        f"million tokens.</p><p>{f'Next best: {rest}' if rest else 'Nothing else is allowed'}.</p>"
    )
    minded = "".join(f"<p>Mind: {escape(doubt)}.</p>" for doubt in doubts(taken))
    minded += _by_clock(answer, first["option"]) + told
    more += minded + _told_apart(answer, first["option"])
    more += f"<p>{turns}</p>" if (turns := order.switching(answer)) else ""
    number = minded.count("<p>Mind: ")
    mind = f"{number} thing{'s' * (number > 1)} to mind, " if number else ""
    summary = f"{mind}the figure to the dollar, and the next best"
    opens = f'<details data-key="more"><summary>{summary[0].upper()}{summary[1:]}</summary>{more}</details>'
    return Pieces([says + opens])


def _told(title: str) -> str:
    """What to do with an option, as HTML: to run it, or to send requests here and there."""
    if " requests to " not in title:
        return f"Run <strong>{escape(title)}</strong>"
    return f"Send <strong>{escape(title[0].lower() + title[1:])}</strong>"


def _rented_from(taken: Option) -> str:
    """Whose clouds the machines are, which their titles do not say."""
    clouds = [
        str(taken.question.facts.table(OFFERS[RENTED]).at[part.bill.offer[0], "provider"])
        for part in taken.parts
        if part.place == RENTED and part.share[0] > 0
    ]
    return f", machines rented from {' and '.join(dict.fromkeys(clouds))}" if clouds else ""


def _against_today(answer: Answer, row: Row) -> str:
    """What is paid less or more than today, where that is known, in words."""
    today = float(answer.asked["today_usd_per_month"])
    less = today - row["usd_per_month"]
    return f", {about(abs(less))} {'less' if less >= 0 else 'more'} than today" if today else ""


def _weeks(weeks: int) -> str:
    return f"{weeks} week{'s' * (weeks != 1)}"


def _price(row: Row) -> str:
    return f"{usd(row['usd_per_month'])} a month, ready in {_weeks(ceil(row['launch_weeks']))}"


RECENT_DAYS = 183
"""Models that came out within so many days are of today."""


def _left_out(facts: Facts, task: str) -> list[str]:
    """How many open models of the last six months have no figure for a task, so that the search leaves them out."""
    table = facts.table("models")
    recent = table.index[table["effective_from"] >= str(date.fromisoformat(facts.as_of) - timedelta(RECENT_DAYS))]
    number = int(np.isnan(quality.figures(facts).of(task, recent)).sum())
    models = f"{number} open model{'s' * (number > 1)} of the last six months"
    return [f"{models} without a figure for {task.replace('_', ' ')} left out of the search"] if number else []


def _by_clock(answer: Answer, option: str) -> str:
    """That machines which are off in idle hours may not be had again, and what it costs to keep them."""
    told, when = "", f"{answer.asked['hours_per_week']:g} hours a week"
    if answer.hours is not None:
        when = "as your log knows the hours of the week"
    for part in answer.option(option).parts:
        if part.bill.machines and str(part.machines.contract[0]).startswith(BY_CLOCK):
            number = part.machines.count[0]
            month = int(number.argmax())
            paid = float(part.bill.lines.get("machines", part.bill.total)[0, month])
            offer = answer.facts.table(OFFERS[part.place]).loc[part.bill.offer[0]]
            reserved = offer["reserved_1yr_usd_per_h"] * HOURS_PER_MONTH * number[month]
            kept = "it has no reserved price" if isnan(reserved) else f"reserved for a year it is {usd(reserved)}"
            told += (
                f"<p>Mind: rented machines run by the clock, {when}, at most {number[month]:,.0f} for {usd(paid)} a "
                f"month. That the cloud has them every morning is a risk; {kept}.</p>"
            )
    return told


def _told_apart(answer: Answer, option: str) -> str:
    """What telling hard requests from easy ones saves where both go to an API, and what a cascade would cost."""
    taken, share = answer.option(option), float(answer.asked["hard_share"])
    easy, hard = (_stream(taken, hard) for hard in (False, True))
    if easy is None or hard is None or len({*taken.question.offers[0, [easy, hard]]}) < 2:
        return ""
    small, big = (float(taken.question.api(stream).usd()[0]) for stream in (easy, hard))
    router = answer.facts.value("router.usd_per_request")
    by_router = difficulty.router_cost(small, big, share, router)
    by_cascade = difficulty.cascade_cost(small, big, share, small)
    return (
        f"<p>Sending only the hard {share:.0%} to the better model costs {1 - by_router / big:.0%} less than sending "
        f"all; it pays as long as fewer than {difficulty.router_limit(small, big, router):.0%} are hard. A cascade, in "
        f"which the small model answers first and judges itself, would cost {by_cascade / by_router - 1:+.0%} and pay "
        f"below {difficulty.cascade_limit(small, big, small):.0%}.</p>"
    )


def _stream(option: Option, hard: bool) -> int | None:
    """The largest stream of easy or of hard requests that goes to an API."""
    share = option.question.shares[0] * (option.routing.place[0] == API) * (hard == HARD)
    return int(share.argmax()) if share.any() else None


def _nothing_allowed(answer: Answer) -> str:
    changes = rules_prices.opened(answer)
    says = "<p class='bottom-line'><strong>Nothing is allowed as asked.</strong> "
    if not changes:
        return says + "No one or two changes open an option; the table of options says what each would need.</p>"
    items = "".join(f"<li>{escape(change)} opens {escape(title)}</li>" for change, title in changes)
    return f"{says}One of these changes would do:</p><ul>{items}</ul>"


def options_table(answer: Answer) -> Pieces:
    """One row an option: verdict, cost, bills, time and people; more figures, and each cost line by line, to open."""
    rows = best_first(answer)
    found = {name: [row[name] for row in rows] for name in rows[0]}
    bills = [_bills(answer, row) for row in rows]
    shown = {
        "Option": found["title"],
        "Verdict": found["verdict"],
        "USD a month, mean": money(found["usd_per_month"]),
        "Level cost": money(found["level_usd_per_month"]),
        "More, drawbacks counted": _more(rows),
        **_today(answer, found["usd_per_month"]),
        **{title: money(bill[title] for bill in bills) for title in BILLS},
        "Hardware on day one": money(found["capex_usd"]),
        "Weeks to launch": numbers(map(ceil, found["launch_weeks"]), "{}"),
        "People to add": numbers(found["hires"], "{:.1f} FTE"),
    }
    caption = "The options, best first, what is struck out last; more than the recommended one"
    folds = [
        Fold(
            row["option"],
            f"{escape(row['title'])}: {usd(row['usd_per_month'])} a month, line by line",
            partial(sources.lines, answer, row["option"]),
        )
        for row in rows
        if row["usd_per_month"] == row["usd_per_month"]
    ]
    more = partial(_figures, answer, rows, bills)
    figures = Fold("figures", "More figures: P90, price of a token, people, size, falling prices", more)
    machines = Fold("machines", "What the number of machines rests on", partial(sources.sizes, answer))
    return Pieces([table(shown, caption, left=2), figures, *folds, *([machines] if len(answer.sizing) else [])])


def _today(answer: Answer, usd_per_month: list[float]) -> dict[str, list[Cell]]:
    """A column of what the options come to more than is paid today, where that is known."""
    today = float(answer.asked["today_usd_per_month"])
    return {"Against today": order.more(pd.Series(usd_per_month) - today)} if today else {}


def _more(rows: list[Row]) -> list[Cell]:
    """What each allowed option comes to more than the recommended one in generalised cost, as cells."""
    found = [row["generalised_usd_per_month"] if row["rank"] == row["rank"] else nan for row in rows]
    return order.more(pd.Series(found) - found[0])


BILLS = ("Bill of month 1", "Month 12", "Last month")
"""What one pays in three months of service, without what hardware is still worth."""

PEOPLE = of_kind("people") + OWN_TIME


def _bills(answer: Answer, row: Row) -> dict[str, float]:
    """Bills of BILLS, and `people`, the mean of what people cost [USD/month]; of an option that can be costed."""
    if isnan(row["usd_per_month"]):
        return dict.fromkeys((*BILLS, "people"), nan)
    months, lines = int(answer.asked["horizon_months"]), answer.option(row["option"]).outcome.lines
    paid = added_up(usd for (_, name), usd in lines.items() if name not in (*WORTH, *NO_CASH))[0]
    people = sum(float(usd[0].sum()) for (_, name), usd in lines.items() if name in PEOPLE) / months
    month = dict(zip(BILLS, (1, 12, months), strict=True))
    return {title: float(paid[m]) if m <= months else nan for title, m in month.items()} | {"people": people}


def _figures(answer: Answer, rows: list[Row], bills: list[dict[str, float]]) -> str:
    """Figures of the options that are not in the first table, as HTML, and whether people turn which costs least."""
    usd_per_month = [row["usd_per_month"] for row in rows]
    p90 = _p90(answer)
    shown = {
        "Option": [row["title"] for row in rows],
        "Level cost, P90": money(p90.get(answer.option(row["option"]).comes_to, nan) for row in rows),
        "USD per Mtok": numbers([row["usd_per_mtok"] for row in rows], "{:.2f}"),
        "USD a month": money(usd_per_month),
        "of it for people": money(bill["people"] for bill in bills),
        "without people": money(usd - bill["people"] for usd, bill in zip(usd_per_month, bills, strict=True)),
        "GPUs": numbers([row["gpus"] for row in rows], "{:.0f}"),
        "Utilisation": numbers([row["utilisation"] for row in rows], "{:.0%}"),
        "Traffic above capacity": numbers([row["overflow_share"] for row in rows], "{:.1%}"),
    }
    caption = "More figures, mean over the horizon; P90 of draws; GPUs in the first month of service"
    return table(shown, caption) + _without_people(rows, bills) + _if_prices_fall(answer)


FALL = 0.2
"""Share a year by which the page tries what falling prices would do."""


def _if_prices_fall(answer: Answer) -> str:
    """What is recommended, and at which cost, if APIs and rented GPUs cost a fifth less each year, as HTML."""
    then = rules_prices.otherwise(answer, (("api_price_decline", FALL), ("rent_decline", FALL)))
    first, now = (next((row for row in one.rows if row["recommended"]), None) for one in (then, answer))
    says = f"<p>If prices of APIs and rents of GPUs fell by {FALL:.0%} a year, "
    if first is None:
        return says + "nothing would be allowed either.</p>"
    same = now and then.option(first["option"]).comes_to == answer.option(now["option"]).comes_to
    kept = "would still be" if same else "would be"
    title = escape(titles(then)[first["option"]])
    says += f"<strong>{title}</strong> {kept} recommended, at {usd(first['usd_per_month'])} a month"
    if now is None:
        return says + ".</p>"
    before = "in place of" if same else f"in place of <strong>{escape(titles(answer)[now['option']])}</strong> at"
    return f"{says} {before} {usd(now['usd_per_month'])}.</p>"


def _p90(answer: Answer) -> dict[Any, float]:
    """Level cost that nine in ten draws stay below [USD/month], by what each allowed option comes to."""
    if not uncertainty.planned(answer).routings:
        return {}
    odds = uncertainty.odds(uncertainty.run(answer))
    return {answer.option(option).comes_to: p90 for option, p90 in zip(odds["option"], odds["p90"], strict=True)}


def _without_people(rows: list[Row], bills: list[dict[str, float]]) -> str:
    """Which allowed option costs least with people and without them, as HTML."""
    both = [(row, bill) for row, bill in zip(rows, bills, strict=True) if row["rank"] == row["rank"]]
    if not both:
        return ""
    whole, _ = min(both, key=lambda pair: pair[0]["usd_per_month"])
    alone, _ = min(both, key=lambda pair: pair[0]["usd_per_month"] - pair[1]["people"])
    least, less = (f"<strong>{escape(row['title'])}</strong>" for row in (whole, alone))
    if whole is alone:
        return f"<p>With people and without them {least} costs least.</p>"
    return f"<p>With people {least} costs least, without them {less}.</p>"


def ruled_out(answer: Answer) -> Pieces:
    """What is struck out or conditional: the rule, the reason, the source and what would lift it."""
    here = set(distinct(answer))
    spoken = [row for row in records(answer.verdicts) if row["verdict"] != "ok" and row["option"] in here]
    if not spoken:
        return Pieces(["<p>Nothing is struck out, and nothing carries a condition.</p>"])
    first: dict[tuple[str, str], Row] = {}
    for row in spoken:
        first.setdefault((row["option"], row["rule"]), row)
    rows = sorted(first.values(), key=lambda row: str(row["verdict"]))
    names = {"verdict": "Verdict", "because": "Because", "unlock": "What would lift it", "rule": "Rule"}
    named = titles(answer)
    shown = {"Option": [named[row["option"]] for row in rows]}
    shown |= {title: [row[name] for row in rows] for name, title in (names | {"source": "Source"}).items()}
    return Pieces([table(shown, "What is struck out, or allowed on a condition, and why", left=6)])


def costs(answer: Answer) -> Pieces:
    """Charts of the cost by option: a month [USD, mean over the horizon] by kind of line, and paid so far."""
    named = {option: titles(answer)[option] for option in distinct(answer)}
    struck_out = [row["option"] for row in answer.rows if row["verdict"] == "blocked" and row["option"] in named]
    pale = "<p>Pale: struck out by a rule or a limit.</p>" if struck_out else "<p>Nothing is struck out.</p>"
    return Pieces(
        [charts.cost_by_option(answer.means, named, struck_out), pale, charts.cost_over_time(answer.totals, named)]
    )


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
    named, costed = titles(answer), set(means["option"])
    for option in [name for name in distinct(answer) if name in costed]:
        amounts = [usds.get(option, float("nan")) for usds in wide.values()]
        shown[named[option]] = money([*amounts, sum(amount for amount in amounts if not isnan(amount))])
    return Pieces([table(shown, "Cost by line, USD a month, mean over the horizon", left=2)])


def sizing(answer: Answer) -> Pieces:
    """Machines and GPUs by month: chart, and what stands in the first and the last month."""
    named = {option: titles(answer)[option] for option in distinct(answer)}
    rows = answer.sizing[answer.sizing["option"].isin([*named])]
    if rows.empty:
        return Pieces(["<p>No option needs a machine.</p>"])
    ends: dict[tuple[str, str], tuple[int, int]] = {}
    for at, key in enumerate(zip(rows["option"].tolist(), rows["place"].tolist(), strict=True)):
        ends[key] = (ends.get(key, (at, at))[0], at)
    first_and_last = [at for pair in ends.values() for at in dict.fromkeys(pair)]
    edge = {name: rows[name].to_numpy()[first_and_last] for name in rows}
    shown = {
        "Option": [named[name] for name in edge["option"]],
        "Offer": edge["offer"],
        "Contract": edge["contract"],
        "Replica": edge["replica"],
        "Throughput": [KNOWN[basis] for basis in edge["basis"]],
        "Month": numbers(edge["month"], "{}"),
        "Machines": numbers(edge["machines"], "{:.0f}"),
        "of them spare": numbers(edge["spare"], "{:.0f}"),
        "GPUs": numbers(edge["gpus"], "{:.0f}"),
        "GPUs at work": numbers(edge["busy_gpus"], "{:.1f}"),
    }
    row = answer.scenarios.iloc[0]
    level = f"{level_words(answer.facts, row['latency'])}, on {row['engine']}"
    listed = table(shown, f"What stands in the first and the last month; {level}", left=5)
    return Pieces([charts.gpus_over_time(rows, named), listed])


LESS = ", less a flat share for the service level"
KNOWN = {
    replicas.MEASURED: "measured at the service level",
    replicas.ANCHORED: "modelled at the service level, held to a measurement",
    replicas.MODELLED: "modelled at the service level",
    replicas.OTHER_ENGINE: "at the service level, of another engine",
    throughput.FITTED: "fitted to full load" + LESS,
    throughput.SCALED: "scaled to full load" + LESS,
    replicas.ROOFLINE: "roofline" + LESS,
}
"""How the throughput of a replica is known, in words."""


def case(answer: Answer, preset: str = "") -> Pieces:
    """Whose question it is and what was changed in it, with the day of the facts."""
    story = question.presets().get(preset, {"title": "The default scenario", "story": ""})
    row, changed = answer.scenarios.iloc[0], question.changed(answer.scenarios, preset)
    told = "; ".join(f"{question.BY_NAME[name].label.lower()}: {plain(row[name])}" for name in changed)
    words = f"{story['story'].strip()} {f'Changed: {told}.' if told else ''}"
    day = date.fromisoformat(answer.facts.as_of)
    titled = f"<p class='case'><strong>{escape(story['title'])}</strong>, {day:%-d %B %Y}</p>"
    return Pieces([f"{titled}<p>{escape(words)}</p>"])


def asked(answer: Answer) -> Pieces:
    """The question: every field, its value and unit, those that differ from the defaults marked."""
    row, differs = answer.scenarios.iloc[0], question.changed(answer.scenarios)
    fields = [f.name for f in question.FIELDS]
    shown = {
        "Field": fields,
        "Value": [level_words(answer.facts, v) if f == "latency" else plain(v) for f, v in row[fields].items()],
        "Unit": [f.unit for f in question.FIELDS],
        "Changed": ["yes" if f.name in differs else "" for f in question.FIELDS],
        "Meaning": [f.meaning for f in question.FIELDS],
    }
    return Pieces([table(shown, "The question", left=5)])
