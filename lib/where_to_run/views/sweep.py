"""Sweep: the results of a sweep in, pieces of its summary out."""

from html import escape
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..analysis import findings
from ..analysis.findings import Along, Sweep
from ..decision.routing import TITLES
from ..inputs.question import BY_NAME
from .charts import WIDTH, winner_colours
from .decision_map import map_chart
from .figure import Figure, of
from .panel import Pieces
from .table import NONE, Cell, Html, money, plain, table, usd

MOST_ROWS = 500
"""Scenarios in the table of the summary; all stand in results.parquet."""

FIELDS_SHOWN = 4
"""Fields along which the summary shows who wins."""


def bottom_line(sweep: Sweep) -> Pieces:
    """Who wins how often, in a sentence or two, and what could not be answered."""
    rows = sweep.scenarios
    shares = sorted(findings.shares(rows).items(), key=lambda pair: -pair[1])
    told = ", ".join(f"<strong>{escape(title(name))}</strong> in {_percent(share)}" for name, share in shares[:3])
    rest = f", and {len(shares) - 3} more in the rest" if len(shares) > 3 else ""
    says = f"<p class='bottom-line'>Of {len(rows):,} scenarios {told}{rest}.</p>"
    moves = findings.moves(rows, sweep.manifest["swept"])
    if len(moves) and moves["removed"].notna().any():
        first = BY_NAME[str(moves["field"].iloc[0])]
        says += f"<p>What moves the answer most is {escape(first.label.lower())}.</p>"
    failed = sweep.manifest["failures"]
    says += f"<p>{len(failed):,} scenarios or reports failed; they are listed at the end.</p>" if failed else ""
    return Pieces([says])


def who_wins(sweep: Sweep) -> Pieces:
    """A table of the options: how often allowed, how often recommended, and what they cost."""
    rows = sweep.options
    of_all = rows["scenarios"].replace(0, np.nan)
    shown = {
        "Option": [TITLES[name] for name in rows["option"]],
        "Recommended": _percents(rows["recommended"] / of_all),
        "Allowed": _percents(rows["allowed"] / of_all),
        "USD a month, a tenth below": money(rows["low"]),
        "half below": money(rows["middle"]),
        "nine tenths below": money(rows["high"]),
    }
    return Pieces([table(shown, "The options over all scenarios; costs whether allowed or not")])


def decision_map(sweep: Sweep) -> Pieces:
    """A map over the two fields of the grid with most values: who wins most scenarios at every pair of them."""
    rows, grid = sweep.scenarios, sweep.manifest["inputs"]["grid"]
    named = findings.widest(rows, [name for name in sweep.manifest["swept"] if name in grid])
    found = findings.cells(rows, *named) if len(named) == 2 else pd.DataFrame()
    if found.empty:
        return Pieces(["<p>There is no whole grid over two numbers, so there is no map.</p>"])
    x, y = (BY_NAME[name] for name in named)
    several = " Of several scenarios at one place it is the one that wins most." * (len(found) < len(rows))
    return Pieces([of(map_chart(found.assign(near=False, rule=""), x, y)), f"<p>The option recommended.{several}</p>"])


def what_moves(sweep: Sweep) -> Pieces:
    """How much every swept field tells about the winner, and who wins along those that tell most."""
    rows = sweep.scenarios
    found = findings.moves(rows, sweep.manifest["swept"]).dropna()
    if found.empty:
        return Pieces(["<p>One option wins everywhere, so nothing moves the answer.</p>"])
    pieces: list[Any] = [moves(found, {name: BY_NAME[name].label for name in found["field"]})]
    for name in found["field"].head(FIELDS_SHOWN):
        cut = findings.cut(rows, str(name))
        pieces.append(along(findings.by_bin(rows, cut), cut))
    return Pieces(pieces)


def scenarios(sweep: Sweep) -> Pieces:
    """A table of scenarios with filters by winner and by field: those with a report, and others evenly spread."""
    swept = sweep.manifest["swept"]
    rows = sweep.scenarios
    reports = {report["scenario"]: report["folder"] for report in sweep.manifest["reports"]}
    spread = np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(int)
    kept = rows["scenario"].isin(reports).to_numpy(copy=True)
    kept[spread] = True
    best = sweep.best.set_index("scenario")
    shown = rows[kept].join(best, on="scenario")
    cuts = {name: findings.cut(rows, name, 3) for name in swept}
    filters = {"Winner": [title(str(name)) for name in shown["winner"]]} | {
        BY_NAME[name].label: [bin_words(cut, code) for code in cut.code[kept]] for name, cut in cuts.items()
    }
    order = {BY_NAME[name].label: [bin_words(c, i) for i in range(len(c.first))] for name, c in cuts.items()}
    columns: dict[str, Any] = {
        "Scenario": [_linked(number, reports) for number in shown["scenario"]],
        "Winner": filters["Winner"],
        "USD a month": money(shown["usd_per_month"]),
        "Verdict": [word if isinstance(word, str) else NONE for word in shown["verdict"]],
    }
    for name in swept:
        columns[BY_NAME[name].label] = _cells(shown[name])
    told = f"{len(shown):,} of {len(rows):,} scenarios, evenly spread" if len(shown) < len(rows) else "All scenarios"
    listed = table(columns, f"{told}; a link opens the report", left=2)
    return Pieces([_filtered(listed, filters, order)])


def _linked(number: int, reports: dict[int, str]) -> Html:
    if number not in reports:
        return Html(f"{number:,}")
    return Html(f'<a href="{escape(reports[number], quote=True)}/report.html">{number:,}</a>')


def _cells(values: pd.Series) -> list[Any]:
    return [short(str(v)) if isinstance(v, str) else Cell(short(float(v)), float(v)) for v in values]


def _filtered(listed: str, filters: dict[str, list[str]], order: dict[str, list[str]]) -> str:
    """A table with a row of choices for each filter, by style alone: the page runs no script."""
    rows = listed.split("\n<tr>")
    marks = zip(*filters.values(), strict=True)
    groups, rules = [], []
    codes = {}
    for at, (name, values) in enumerate(filters.items()):
        words = [word for word in order.get(name, list(dict.fromkeys(values))) if word in set(values)]
        codes[name] = {word: number for number, word in enumerate(words)}
        if len(words) > 1:
            groups.append(_choices(at, name, words))
            rules += [
                f".sweep:has(#f{at}-{n}:checked) tbody tr:not(.f{at}-{n}){{display:none}}" for n in range(len(words))
            ]
    marked = [
        " ".join(f"f{at}-{codes[name][word]}" for at, (name, word) in enumerate(zip(filters, mark, strict=True)))
        for mark in marks
    ]
    body = "".join(f'\n<tr class="{mark}">{row}' for mark, row in zip(marked, rows[1:], strict=True))
    return f"<style>{LOOKS}{''.join(rules)}</style><div class='sweep'>{''.join(groups)}{rows[0]}{body}</div>"


LOOKS = (
    ".sweep fieldset{border:0;padding:0;margin:.3rem 0;font-size:.85rem}"
    ".sweep legend{float:left;width:11rem;font-weight:600}.sweep label{margin-right:1rem;white-space:nowrap}"
    "@media print{.sweep fieldset{display:none}}"
)


def _choices(at: int, name: str, words: list[str]) -> str:
    buttons = "".join(
        f'<label><input type="radio" name="f{at}" id="f{at}-{number}"> {escape(word)}</label>'
        for number, word in enumerate(words)
    )
    every = f'<label><input type="radio" name="f{at}" id="f{at}-all" checked> all</label>'
    return f"<fieldset><legend>{escape(name)}</legend>{every}{buttons}</fieldset>"


def reports(sweep: Sweep) -> Pieces:
    """Links to the reports: the scenario, who wins there, and at what cost."""
    made = {report["scenario"]: report["folder"] for report in sweep.manifest["reports"]}
    if not made:
        return Pieces(["<p>No reports were asked for, or none could be made.</p>"])
    swept = sweep.manifest["swept"]
    rows = sweep.scenarios
    rows = rows[rows["scenario"].isin(made)]
    best = sweep.best.set_index("scenario")["usd_per_month"]
    shown: dict[str, Any] = {
        "Report": [_linked(number, made) for number in rows["scenario"]],
        "Winner": [title(str(name)) for name in rows["winner"]],
        "USD a month": [usd(best.get(number, np.nan)) for number in rows["scenario"]],
    }
    shown |= {BY_NAME[name].label: _cells(rows[name]) for name in swept}
    return Pieces([table(shown, f"{len(made):,} reports", left=2)])


def about(sweep: Sweep) -> Pieces:
    """What was asked, by which facts and software, how long it took, and what failed and why."""
    told = sweep.manifest
    base = {name: value for name, value in told["inputs"]["base"].items() if name not in told["swept"]}
    asked = {"Field": base, "Value": [plain(value) for value in base.values()], "Unit": [BY_NAME[n].unit for n in base]}
    software = ", ".join(f"{name} {word}" for name, word in told["software"].items())
    said = f"<p>Facts in force on {escape(told['facts']['as_of'])}; {len(told['facts']['overrides'])} overrides.</p>"
    said += f"<p>{escape(software)}. Key {escape(told['key'])}.</p>"
    failed = "".join(f"<li>{escape(f['what'])}: {escape(f['why'])}</li>" for f in told["failures"])
    said += f"<p>What failed:</p><ul>{failed}</ul>" if failed else "<p>Nothing failed.</p>"
    file = f"<details><summary>The file of the sweep</summary><pre>{escape(told['text'])}</pre></details>"
    return Pieces([table(asked, "The same in all scenarios", left=5), said, file])


def _percents(shares: pd.Series) -> list[Cell]:
    return [Cell(_percent(share), share) for share in shares]


def _percent(share: float) -> str:
    if np.isnan(share):
        return NONE
    return f"{share:.0%}".replace("%", " %") if share == 0 or share >= 0.01 else "less than 1 %"


NOTHING = "nothing allowed"


def title(name: str) -> str:
    """Title of a winner."""
    return TITLES.get(name, NOTHING)


def moves(found: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """Bars of how much of the uncertainty about the winner each field removes."""
    frame = pd.DataFrame({"field": [labels[name] for name in found["field"]], "removed": found["removed"]})
    words = "How much each field tells about the winner: " + ", ".join(
        f"{row.field} {row.removed:.0%}" for row in frame.itertuples()
    )
    chart = alt.Chart(frame, width=WIDTH, height=alt.Step(26), description=words).mark_bar(color="#0072B2")
    return of(
        chart.encode(
            x=alt.X("removed:Q", title="share of the uncertainty removed", axis=alt.Axis(format="%")),
            y=alt.Y("field:N", title=None, sort=list(frame["field"])),
        )
    )


def along(found: pd.DataFrame, cut: Along) -> Figure:
    """Stacked bars of who wins in every bin of a field."""
    names = [bin_words(cut, code) for code in range(len(cut.first))]
    frame = pd.DataFrame(
        {
            "bin": [names[code] for code in found["bin"]],
            "option": [title(str(name)) for name in found["winner"]],
            "share": found["share"],
        }
    )
    words = f"Which option wins along {cut.field.label.lower()}"
    chart = alt.Chart(frame, width=WIDTH, height=160, description=words).mark_bar()
    return of(
        chart.encode(
            x=alt.X("bin:N", title=f"{cut.field.label} [{cut.field.unit}]", sort=names, axis=alt.Axis(labelAngle=-20)),
            y=alt.Y("share:Q", title="share of scenarios", stack="zero", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("option:N", title=None, scale=winner_colours(found["winner"].astype(str))),
        )
    )


def bin_words(cut: Along, code: int) -> str:
    """A bin of a field in words: a value, or from and to."""
    first, last = cut.first[code], cut.last[code]
    if isinstance(first, str):
        return first
    return short(first) if first == last else f"{short(first)} to {short(last)}"


def short(value: float | str) -> str:
    """A value of a field, short enough for an axis or a cell."""
    if isinstance(value, str):
        return value or "none"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
