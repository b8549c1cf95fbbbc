"""Decide: tables that escape and sort, figures that keep their spec, and costs that open to lines and facts."""

import json
import re
from dataclasses import replace
from functools import cache
from html import escape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from toy import shipped
from where_to_run.analysis import provenance, uncertainty
from where_to_run.decision import routing
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.models import worthwhile
from where_to_run.inputs import facts, question
from where_to_run.paths import PROJECT
from where_to_run.views import (
    assurance,
    breakeven,
    charts,
    decide,
    hybrid,
    order,
    pages,
    rules_prices,
    sources,
    summary,
)
from where_to_run.views.figure import Figure, columns
from where_to_run.views.panel import Fold, Pieces
from where_to_run.views.table import Cell, Html, money, numbers, table
from where_to_run.views.titles import distinct, titles

FREE = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260}
MANY = [
    {},
    FREE,
    {"preset": "hospital"},
    {"preset": "bank"},
    {"preset": "public_body"},
    FREE | {"requests_per_month": 1e9, "horizon_months": 60, "batch_share": 0.5, "input_tokens": 100_000},
    FREE
    | {
        "sensitive_share": 0.5,
        "jurisdiction": "eu",
        "control": "region",
        "open_model": "mixtral-8x7b",
        "requests_per_month": 3e8,
    },
    {"control": "air_gapped", "horizon_months": 6},
    {"budget_usd_per_month": 0},
    FREE | {"specialised_share": 0.4, "customisation": "weights", "spikiness": 12},
]
PANELS = [
    *(
        decide.bottom_line,
        decide.options_table,
        decide.ruled_out,
        decide.costs,
        decide.cost_lines,
        rules_prices.price_of_rules,
        order.explained,
    ),
    *(decide.sizing, decide.asked, sources.freshness, sources.sources, sources.small_print, sources.at_stake),
    *(hybrid.routes, hybrid.load_duration, hybrid.cost_against_capacity, hybrid.price_of_mixing, hybrid.free_search),
    breakeven.what_would_it_take,
    *(summary.cards, summary.sure, pages.on_monday, assurance.rests_on, assurance.box),
]


def answered(fields):
    return _answered(tuple(fields.items()))


@cache
def _answered(fields):
    return evaluate(question.grid(**dict(fields)), shipped())


class Balanced(HTMLParser):
    """Reads HTML and fails where a tag closes another than the last opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("fields", MANY)
@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_gives_whole_html_and_figures_that_json_holds(panel, fields):
    pieces = panel(answered(fields))
    assert isinstance(pieces, Pieces) and len(repr(pieces)) < 50
    assert pieces or (panel is summary.sure and not order.allowed(answered(fields)))
    for piece in pieces:
        if isinstance(piece, Figure):
            told = json.dumps([piece.spec, piece.data], allow_nan=False)
            assert len(piece.words) > 20 and "$schema" in piece.spec and '"datasets"' not in told
            assert set(re.findall(r'"data": \{"name": "(\w+)"\}', told)) == set(piece.data)
        else:
            Balanced(piece.whole() if isinstance(piece, Fold) else piece)


def test_a_table_escapes_links_and_tells_what_to_sort_by():
    shown = {
        "<b>": ["<script>", "https://example.com/a&b", "https://x.com/ <i>", Html("<em>ok</em>")],
        "USD": [*money([1234.4, -56.0, float("nan")]), Cell("<3", 3)],
    }
    text = table(shown, "a < b", left=1)
    Balanced(text)
    assert "<caption>a &lt; b</caption>" in text and '<th scope="col">&lt;b&gt;</th>' in text
    assert "&lt;script&gt;" in text and "<script>" not in text and "<i>" not in text and "<em>ok</em>" in text
    assert '<td><a href="https://example.com/a&amp;b">example.com</a></td>' in text
    assert '<td data-sort="1234.4">$1,234</td>' in text and '<td data-sort="-56">-$56</td>' in text
    assert "<td>–</td>" in text and '<td data-sort="3">&lt;3</td>' in text
    assert numbers([0.25, float("nan")], "{:.0%}")[0] == Cell("25%", 0.25)


def test_a_frame_is_a_table_too_and_what_is_missing_a_dash():
    text = table(pd.DataFrame({"a": [1, None], "b": ["x", None]}), "c")
    assert text.count("<td>–</td>") == 2 and "<td>1.0</td><td>x</td>" in text


def test_columns_are_plain_values():
    frame = pd.DataFrame({"a": [1.5, float("nan")], "b": ["x", None], "c": [1, 2]})
    found = columns(frame.assign(b=frame["b"].astype(object)))
    assert found == {"a": [1.5, None], "b": ["x", None], "c": [1, 2]}
    assert [type(v) for v in found["c"]] == [int, int]


def test_pieces_add_up_to_pieces_and_show_figures_as_pictures():
    figure = Figure({"description": "a < b"}, {})
    both = Pieces(["<p>x</p>"]) + Pieces([figure])
    assert isinstance(both, Pieces) and both.words == "<p>x</p><p>a &lt; b</p>"
    assert repr(both) == "Pieces: 2, 1 of them figures"


def test_a_slider_that_moves_changes_the_data_of_the_first_page_and_not_its_specs():
    one, other = (
        [p for panel in PANELS[:8] for p in panel(answered(FREE | {"spikiness": s})) if isinstance(p, Figure)]
        for s in (5.0, 5.5)
    )
    assert [f.spec for f in one] == [f.spec for f in other] and len(one) == 4
    assert [f.data for f in one] != [f.data for f in other]


def test_a_chart_of_costs_adds_up_to_the_options():
    answer = answered(FREE)
    named = {option: titles(answer)[option] for option in distinct(answer)}
    drawn = pd.DataFrame(charts.cost_by_option(answer.means, named).data["d0"]).groupby("option")["usd"].sum()
    paid = charts.cost_over_time(answer.totals, named).data["d0"]
    last = pd.DataFrame(paid).groupby("option")["usd"].last() / answer.scenarios["horizon_months"].iloc[0]
    usd = answer.options.set_index("option")["usd_per_month"]
    assert set(drawn.index) == set(named.values())
    for option, title in named.items():
        assert drawn[title] == pytest.approx(usd[option]) and last[title] == pytest.approx(drawn[title])


def test_an_option_keeps_its_colour_and_dash_whatever_its_title():
    answer = answered(FREE)
    named = {option: titles(answer)[option] for option in distinct(answer)}
    data = pd.DataFrame(charts.cost_over_time(answer.totals, named).data["d0"])
    for option, title in named.items():
        mine = data[data["option"] == title]
        assert set(mine["colour"]) == {charts.OPTION_COLOURS[option]}
        assert mine["dash"].iloc[0] == charts.OPTION_DASHES[option]


# What is behind a figure


@pytest.mark.parametrize("fields", MANY)
def test_every_line_that_occurs_rests_on_facts_that_are_in_the_tables(fields):
    answer = answered(fields)
    for option, lines in answer.means.groupby("option"):
        found = provenance.rests_on(answer, option)
        assert set(found) == set(zip(lines["place"], lines["line"], strict=True))
        for rows in found.values():
            assert rows and all(fact.key in answer.facts.table(fact.table).index for fact in rows)
    assert all(fact.key in answer.facts.table(fact.table).index for fact in provenance.sizing(answer))


class Noted(dict):
    """Figures that note which of them are asked for."""

    def __init__(self, figures):
        super().__init__(figures)
        self.asked = set()

    def __getitem__(self, key):
        self.asked.add(key)
        return super().__getitem__(key)


@cache
def models_sized(task):
    """What is remembered once the open models of a task are sized, and the figures that was made from."""
    known = replace(shipped(), made={})
    known.__dict__["values"] = noted = Noted(known.values)
    worthwhile(known, task, np.ones(len(known.table("machines")), bool).tobytes(), "chat", "vllm")
    return known.made, noted.asked


def by_a_tenth(key, task):
    """The shipped facts with one figure a tenth higher.

    They remember the sizes of all open models, which take most of the time, where that figure has no part in them.
    """
    tables = dict(shipped().tables)
    raised = tables["assumptions"].copy()
    raised.loc[key, "value"] *= 1.1
    made, rests_on = models_sized(task)
    return replace(shipped(), tables=tables | {"assumptions": raised}, made={} if key in rests_on else dict(made))


@pytest.mark.parametrize("fields", [FREE | {"requests_per_month": 1e8, "batch_share": 0.3}, {"preset": "hospital"}])
def test_a_figure_that_moves_a_line_is_named_by_it_or_by_the_number_of_machines(fields):
    """On the fixed routings: what the others cost hangs on which routing is cheapest."""
    before = answered(fields)
    fixed, sized = set(routing.TITLES) - {"base_and_burst", "free_search"}, {f.key for f in provenance.sizing(before)}
    named = {option: provenance.rests_on(before, option) for option in fixed}
    usd = before.means.set_index(["option", "place", "line"])["usd_per_month"]
    seen = set()
    for key in shipped().table("assumptions").index:
        after = evaluate(question.grid(**fields), by_a_tenth(key, before.asked["task"])).means
        found = after.set_index(["option", "place", "line"])["usd_per_month"]
        for option, *line in usd.index:
            if option in fixed and found.get((option, *line), 0.0) != pytest.approx(usd[option, *line], rel=1e-9):
                assert key in sized or provenance.Fact("assumptions", key) in named[option][tuple(line)], (key, line)
                seen.add(key)
    assert len(seen) > 30


@pytest.mark.parametrize("fields", MANY[:4])
def test_a_cost_opens_to_lines_that_add_up_to_it_with_link_and_day(fields):
    answer = answered(fields)
    others = {"machines", "figures"}
    folds = {p.key: p.whole() for p in decide.options_table(answer) if isinstance(p, Fold) and p.key not in others}
    assert set(folds) == set(distinct(answer))
    for option, html in folds.items():
        lines = [int(n.replace(",", "").replace("$", "")) for n in re.findall(r"<b>[^<]*: (-?\$[\d,]+)</b>", html)]
        *parts, total = lines
        usd = answer.options.set_index("option").at[option, "usd_per_month"]
        assert total == round(usd) and abs(sum(parts) - total) <= len(parts)
        assert f": ${total:,} a month, line by line</summary>" in html and 'href="https://' in html
        assert len(re.findall(r"read \d{4}-\d\d-\d\d", html)) >= len(parts)


def test_every_fact_an_answer_rests_on_stands_under_its_sources():
    # of this model throughput was measured
    answer = answered(FREE | {"open_model": "llama-3.3-70b", "quality_floor": 0.01})
    words = sources.sources(answer).words
    behind_it = {fact for o in answer.names for rows in provenance.rests_on(answer, o).values() for fact in rows}
    behind_it |= set(provenance.sizing(answer))
    assert {"throughput", "skills", "machines", "assumptions"} <= {fact.table for fact in behind_it}
    assert not [fact for fact in behind_it if f"<td>{fact.key}</td>" not in words]


def test_keys_of_overrides_and_tables_are_escaped():
    """A key of a table is shown with what was read; nothing of it becomes a tag."""
    ours = facts.load()
    machines = ours.table("machines").iloc[:1].assign(source="https://e.com/<b>", read_on="2026-01-01")
    ours = replace(ours, tables={**ours.tables, "machines": machines.set_axis(["<i>key"])}, made={})
    told = sources.told(ours, provenance.Fact("machines", "<i>key"))
    assert told == 'machines &lt;i&gt;key (<a href="https://e.com/&lt;b&gt;">e.com</a>, read 2026-01-01)'


def test_freshness_counts_what_is_used_and_what_is_stale():
    answer = answered({})
    fresh = sources.freshness(answer, "2026-11-23").words
    assert "Facts in force on" in fresh and "none of them is stale by 2026-11-23." in fresh
    late = sources.freshness(answer, "2036-11-22").words
    used = int(re.search(r"rests on (\d+) of them", late)[1])
    assert used > 20 and f"; {used} of them are stale by 2036-11-22 (" in late and "of your own" not in late


def test_freshness_tells_of_overrides(tmp_path):
    mine = tmp_path / "my.csv"
    mine.write_text(
        "table,key,column,value,source,note\nassumptions,api.retry_share,value,0.03,https://example.com/x,our own\n"
    )
    told = sources.freshness(evaluate(question.grid(), facts.load(None, mine)))
    assert "1 figure of your own laid over them." in told.words


def test_every_number_of_columns_to_the_left_has_a_style():
    used = {n for path in (PROJECT / "lib").rglob("*.py") for n in re.findall(r"left=(\d+)", path.read_text())}
    assert used > {"2", "9"} and all(f"left{n} :is(th, td):nth-child(-n+{n})" in decide.STYLE for n in used)


def test_more_figures_tell_p90_and_whether_people_turn_the_answer():
    # at a hundred million requests a month a base of machines is cheaper than an API, people aside
    free = {"budget_usd_per_month": 1e8, "capex_limit_usd": 1e8, "weeks_to_launch": 60}
    answer = evaluate(question.grid(requests_per_month=1e8, **free), shipped())
    (fold,) = (piece for piece in decide.options_table(answer) if isinstance(piece, Fold) and piece.key == "figures")
    found = uncertainty.odds(uncertainty.run(answer)).set_index("option")["p90"]
    assert f"${found['api']:,.0f}" in fold.make() and f"${found['base_and_burst']:,.0f}" in fold.make()
    allowed = answer.options[answer.options["verdict"] != "blocked"].set_index("option")["usd_per_month"]
    lines = answer.means[answer.means["line"].isin(decide.PEOPLE)].groupby("option")["usd_per_month"].sum()
    least, less = allowed.idxmin(), (allowed - lines).idxmin()
    told = [f"<strong>{escape(titles(answer)[option])}</strong>" for option in (least, less)]
    assert f"With people {told[0]} costs least, without them {told[1]}." in fold.make() and least != less


def test_machines_that_run_by_the_clock_are_told_with_the_risk_and_the_reserved_price():
    fields = {"hours_per_week": 50, "availability": "business_hours", "control": "own_tenancy", "jurisdiction": "us"}
    found = answered(FREE | fields | {"requests_per_month": 2e8})
    sizing = found.sizing.set_index(["option", "month"])
    assert sizing.loc[("rented", 1), "contract"].startswith("on demand by the clock")
    words = decide._by_clock(found, "rented")
    number = sizing.loc["rented", "machines"].max()
    assert f"by the clock, 50 hours a week, at most {number:,.0f} for" in words and "every morning is a risk" in words
    offer = found.facts.table("machines").loc[sizing.loc[("rented", 1), "offer"]]
    reserved = f"{number * offer['reserved_1yr_usd_per_h'] * 730:,.0f}"
    assert ("no reserved price" if reserved == "nan" else reserved) in words
    assert decide._by_clock(answered(FREE), "rented") == ""


@pytest.mark.parametrize(("preset", "changes"), [("hospital", False), ("consumer_platform", True)])
def test_more_figures_tell_what_prices_that_fall_by_a_fifth_a_year_would_do(preset, changes):
    answer = evaluate(question.grid(preset), shipped())
    then = evaluate(question.grid(preset, api_price_decline=0.2, rent_decline=0.2), shipped())
    first, now = (next(row for row in one.rows if row["recommended"]) for one in (then, answer))
    (fold,) = (piece for piece in decide.options_table(answer) if isinstance(piece, Fold) and piece.key == "figures")
    says = fold.make()
    assert f"<strong>{escape(titles(then)[first['option']])}</strong> would {'' if changes else 'still '}be" in says
    assert f"at ${first['usd_per_month']:,.0f} a month in place of" in says
    assert (
        f"${now['usd_per_month']:,.0f}.</p>" in says
        and (titles(then)[first["option"]] != titles(answer)[now["option"]]) == changes
    )
