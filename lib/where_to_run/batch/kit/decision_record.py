"""The decision record: one page that says what was decided, why, and what reopens it, as Markdown and as DOCX."""

import datetime
import io
import re
import zipfile
from typing import NamedTuple

import docx
from docx.shared import Pt

from ...decision.answer import Answer
from ...decision.option import doubts
from ...decision.prices import prices
from ...inputs.question import BY_NAME
from ...views.order import best_first
from ...views.roadmap import volume_words
from ...views.table import plain, usd
from ...views.titles import titles
from .routing import one_line, recommended
from .triggers import fact_words, stakes, volumes

MARKDOWN, DOCX = "decision.md", "decision.docx"

READ_ME = (
    (
        MARKDOWN,
        "The decision on one page: context, options, decision, consequences, what reopens it.",
        "Owner and days.",
    ),
    (DOCX, "The same for a word processor.", "Owner and days."),
)

CONTEXT = (
    *("requests_per_month", "growth_per_month", "spikiness", "input_tokens", "output_tokens", "task", "quality_needed"),
    *("latency", "availability", "sensitive_share", "regimes", "control", "budget_usd_per_month", "horizon_months"),
)
"""Fields of the question that say what is to be served, and within which limits."""

FILL_IN = "…………………………"

SHOWN = 4
"""Rows that a list has at most, so that the record stays on a page."""


class Part(NamedTuple):
    """A heading, and what stands below it: each a paragraph, or all of them a list."""

    heading: str
    lines: list[str]
    listed: bool = True


def files(answer: Answer) -> dict[str, bytes]:
    """The record of a one-row answer in both forms."""
    title, parts = f"Where to run: {titles(answer)[recommended(answer)]}", _parts(answer)
    return {MARKDOWN: _markdown(title, parts).encode(), DOCX: _docx(answer, title, parts)}


def _parts(answer: Answer) -> list[Part]:
    best, *others = best_first(answer)
    fields = [(BY_NAME[name], plain(answer.asked[name]).replace("_", " ")) for name in CONTEXT]
    asked = [f"{field.label.lower()} {value}{f' {field.unit}' * field.numeric}" for field, value in fields]
    return [
        Part("Status", [f"Proposed. Owner: {FILL_IN}  Decided on: {FILL_IN}  Review on: {FILL_IN}"], False),
        Part("Context", [f"{'; '.join(asked)}. Prices of {answer.facts.as_of}."], False),
        Part("Options", [_option(row) for row in (best, *others[:SHOWN])]),
        Part(
            "Decision",
            [best["title"]] + [f"On condition: {best['because']}"] * (best["verdict"] == "conditional"),
            False,
        ),
        Part("Consequences", _consequences(answer)),
        Part("Price of the rules", _rules(answer)),
        Part("What reopens it", _reopens(answer)),
    ]


def _option(row: dict[str, object]) -> str:
    cost = f"{row['title']}: {usd(float(str(row['usd_per_month'])))} a month, {row['verdict']}"
    return f"{cost}. {row['because']}" if row["verdict"] == "blocked" else cost


def _consequences(answer: Answer) -> list[str]:
    best, taken = best_first(answer)[0], answer.option(recommended(answer))
    found = [
        f"{usd(best['usd_per_month'])} a month on average, {usd(best['npv_usd'])} worth today over the horizon; "
        f"{usd(best['capex_usd'])} for hardware on the day of the decision.",
        f"Ready {best['launch_weeks']:.0f} weeks after the decision, with {best['hires']:.1f} people to add.",
    ]
    if taken.firms:
        found.append(f"It depends on {', '.join(taken.firms)}.")
    return found + [f"{said}." for said in doubts(taken)[:SHOWN]]


def _rules(answer: Answer) -> list[str]:
    rows = prices(answer)
    said = [
        f"With {row.lifted} it would cost {usd(row.saves_usd_per_month)} a month less, drawbacks counted."
        for row in rows[rows["bars"] == 1].head(SHOWN).itertuples()
    ]
    return said or ["No rule, limit or demand costs anything: without any of them the answer is the same."]


def _reopens(answer: Answer) -> list[str]:
    edges = volumes(answer).drop_duplicates(["stage", "when"]).head(SHOWN)
    found = [
        f"On {row.stage}: the three-month average {row.when} {volume_words(row.requests_per_month)} requests a month; "
        f"then {row.to}, ordered {row.lead_months} months ahead."
        for row in edges.itertuples()
    ]
    for row in stakes(answer).head(SHOWN).itertuples():
        ends = f"{row.below:,.6g} to {row.above:,.6g}" if row.below < row.above else f"{row.value:,.6g}"
        found.append(f"{fact_words(answer.facts, row.table, row.key)} is no longer within {ends} {row.unit}.")
    return found


def escaped(text: str) -> str:
    """A text from outside that says in Markdown what it says as it is."""
    text = re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", one_line(text))
    # what would be a link, or begin a heading, a list or a rule
    text = text.replace("://", "\\://").replace("www.", "www\\.")
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", text)


def _markdown(title: str, parts: list[Part]) -> str:
    found = [f"# {escaped(title)}", ""]
    for part in parts:
        mark = "- " if part.listed else ""
        lines = (f"{mark}{escaped(said)}" for said in part.lines)
        found += [f"## {part.heading}", "", ("\n" if part.listed else "\n\n").join(lines), ""]
    return "\n".join(found)


def _docx(answer: Answer, title: str, parts: list[Part]) -> bytes:
    page, held = docx.Document(), io.BytesIO()
    page.core_properties.created = page.core_properties.modified = datetime.datetime.fromisoformat(answer.facts.as_of)
    page.core_properties.author, page.core_properties.title = "", one_line(title)
    page.styles["Normal"].font.size = Pt(9)
    page.styles["Normal"].paragraph_format.space_after = Pt(2)
    page.add_heading(one_line(title), 1)
    for part in parts:
        page.add_heading(part.heading, 2)
        for said in part.lines:
            page.add_paragraph(one_line(said), "List Bullet" if part.listed else None)
    page.save(held)
    return _without_times(held)


def _without_times(packed: io.BytesIO) -> bytes:
    """A ZIP archive whose files say no time, so that the same answer makes the same file."""
    held = io.BytesIO()
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(held, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return held.getvalue()
