"""The hybrid: routes, the load-duration curve, cost against capacity by hand, the price of mixing, and its panels."""

import re
from dataclasses import replace
from functools import cache
from math import exp, log, sqrt

import numpy as np
import pytest
from scipy import stats

import headless
from toy import PER_SECOND, shipped, toy_facts
from where_to_run.analysis import hybrid
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import SENSITIVE, SPECIALISED, Routing
from where_to_run.formulas import load_curve
from where_to_run.inputs import question
from where_to_run.inputs.question import PLACES
from where_to_run.views import hybrid as page
from where_to_run.views.charts import OPTION_COLOURS
from where_to_run.views.figure import Figure

MODELS = {"api_model": "anthropic/claude-sonnet-5.5", "open_model": "llama-3.3-70b", "quality_floor": 0.01}
"""One API and one open model, both good enough for all requests."""
FREE = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260} | MODELS
HOSPITAL = {"regimes": ["hipaa"], "sensitive_share": 0.3}
ON_RENTED = FREE | HOSPITAL | {"evidence": ["baa"], "api_model": "google/gemini-3.6-flash"}
"""Clouds sign for what is sensitive, the API vendor does not: it stays on rented machines, the rest overflows."""
ON_OWN = FREE | {"requests_per_month": 1e9, "horizon_months": 60, "api_model": "deepinfra/llama-3.3-70b-turbo"}
OWN_AND_HOURLY = FREE | HOSPITAL | {"requests_per_month": 1e8, "horizon_months": 60, "spikiness": 1.5}
MIXED = [
    FREE,
    ON_RENTED,
    {"preset": "bank"},
    {"preset": "hospital"},
    ON_OWN,
    OWN_AND_HOURLY,
    FREE | {"batch_share": 0.5},
]
PANELS = [page.routes, page.load_duration, page.cost_against_capacity, page.price_of_mixing, page.free_search]


def answered(fields):
    return _answered(tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in fields.items()))


@cache
def _answered(fields):
    return evaluate(question.grid(**{n: list(v) if isinstance(v, tuple) else v for n, v in fields}), shipped())


@pytest.mark.parametrize("fields", [*MIXED, {"specialised_share": 0.4, "customisation": "weights"}])
def test_every_request_goes_somewhere_and_is_served_somewhere(fields):
    routes, served = hybrid.routes(answered(fields)), hybrid.served(answered(fields))
    assert routes.groupby("option")["share"].sum().to_numpy() == pytest.approx(1)
    assert (routes["share"] > 0).all() and set(routes["place"]) <= set(PLACES)
    assert served.groupby("option")["share"].sum().to_numpy() == pytest.approx(1)
    assert (served["share"] >= 0).all()


def test_streams_the_rules_keep_from_the_vendor_do_not_overflow_to_it():
    routes = hybrid.routes(answered(ON_RENTED))
    mix = routes[routes["option"] == "base_and_burst"].set_index("stream")
    assert (
        mix.at["sensitive general easy", "overflow_place"] == mix.at["sensitive general easy", "overflow_offer"] == ""
    )
    assert mix.at["open general easy", "overflow_place"] == "vendor_api"
    assert mix.at["open general easy", "overflow_offer"] == answered(ON_RENTED).scenarios["api_model"].iloc[0]
    assert (mix["place"] == "rented_gpus").all() and (mix["offer"] != "").all()


def test_hard_requests_at_an_api_are_told_with_the_offer_they_call():
    # easy and hard requests of the software company call an API each
    answer = answered({"preset": "software_company"})
    routes = hybrid.routes(answer, ["api"]).set_index("stream")["offer"]
    easy, hard = answer.option("api").question.offers[0, ~SENSITIVE & ~SPECIALISED]
    assert easy != hard
    assert routes.to_dict() == {"open general easy": easy, "open general hard": hard}


@pytest.mark.parametrize("fields", [FREE, ON_RENTED, ON_OWN])
def test_overflow_counts_where_it_is_served(fields):
    """What the API serves is what it is paid for: its bill over the bill of the API alone."""
    answer = answered(fields)
    served = hybrid.served(answer).set_index(["option", "place"])["share"]
    tokens = answer.lines[answer.lines["line"] == "output tokens"].groupby("option", observed=True)["usd"].sum()
    assert served["base_and_burst", "vendor_api"] == pytest.approx(tokens["base_and_burst"] / tokens["api"])


def test_traffic_that_waits_for_own_servers_is_told_apart():
    # By hand: 36 weeks of delivery and set-up are 36 / 4.348 = 7.133 months (facts may change: taken from them)
    served = hybrid.served(answered({"growth_per_month": 0})).set_index(["option", "place"])["share"]
    facts = shipped()
    weeks = facts.value("own.delivery_weeks.pcie") + facts.value("setup_weeks.own_gpus")
    waiting = weeks / (365.25 / 7 / 12) / 36
    assert served["owned", hybrid.AWAITING] == pytest.approx(waiting)
    assert served["owned", "own_gpus"] == pytest.approx(1 - waiting)
    alone = hybrid.served(answered({"control": "air_gapped", "growth_per_month": 0})).set_index(["option", "place"])
    assert alone.at[("owned", hybrid.UNSERVED), "share"] == pytest.approx(waiting)


@pytest.mark.parametrize("fields", MIXED)
def test_in_every_hour_the_parts_add_up_to_the_load(fields):
    answer = answered(fields)
    curve = hybrid.load_duration(answer)
    month, row = curve["month"].iloc[0], answer.scenarios.iloc[0]
    mean = row["requests_per_month"] * (1 + row["growth_per_month"]) ** (month - 1) / PER_SECOND
    mean *= 1 - row["batch_share"]
    cv = load_curve.cv_from_spikiness(row["spikiness"])
    hours = curve["hours"].unique()
    expected = stats.gamma.isf(np.minimum(hours, 0.9998), 1 / cv**2, scale=mean * cv**2)
    found = curve.groupby("hours")["load"].sum().reindex(hours)
    assert found.to_numpy() == pytest.approx(expected, rel=0.02, abs=0.02 * mean)
    assert curve.drop_duplicates(["part", "place"])["share"].sum() == pytest.approx(1, abs=2e-3)
    assert curve.groupby("hours")["times_mean"].sum().iloc[-30] == pytest.approx(found.iloc[-30] / mean)


@pytest.mark.parametrize("fields", MIXED)
def test_the_area_of_a_part_is_its_share_of_the_load(fields):
    curve = hybrid.load_duration(answered(fields))
    area = curve.groupby("part").apply(lambda part: np.trapezoid(part["times_mean"], part["hours"]))
    shares = curve.drop_duplicates("part").set_index("part")["share"]
    # the curve starts at the busiest hour of the month, what is above that is not in the area
    assert area.to_numpy() == pytest.approx(shares.reindex(area.index).to_numpy(), abs=0.02)


@pytest.mark.parametrize("fields", MIXED)
def test_the_base_never_carries_more_than_its_capacity_but_for_what_must_stay(fields):
    curve = hybrid.load_duration(answered(fields))
    base = hybrid.base(answered(fields)).set_index("month").loc[curve["month"].iloc[0]]
    wide = curve.pivot(index="hours", columns="part", values="load").fillna(0.0)
    held = wide.get("held", 0 * wide["base"])
    carried = wide["base"] + held
    assert (carried <= np.maximum(base["capacity"], held) * (1 + 1e-9)).all()
    if "overflow" in wide:
        assert (wide.loc[carried < base["capacity"] * (1 - 1e-9), "overflow"] < 1e-9 * base["capacity"]).all()


def test_streams_that_go_elsewhere_whole_are_drawn_as_a_part_of_their_own():
    """Air-gapped for some is not a field, so the routing is made by hand: sensitive to own servers, the rest with
    overflow from rented machines to the API.
    """
    routing = Routing(np.array([[2] * 4 + [1] * 4]), np.array([[-1] * 4 + [0] * 4]), "llama-3.3-70b")
    row = question.grid(**FREE, sensitive_share=0.25)
    curve = hybrid.load_duration(evaluate(row, shipped(), committed={"base_and_burst": routing}), month=12)
    shares = curve.drop_duplicates("part").set_index("part")["share"]
    assert shares["elsewhere"] == pytest.approx(0.25)
    # a thousandth overflows in fewer hours than are drawn
    assert shares.sum() == pytest.approx(1, abs=2e-3)
    assert set(curve.loc[curve["part"] == "elsewhere", "place"]) == {"own_gpus"}


TOY_PRICE, TOY_STORAGE = 8.0, 50.0
PER_REQUEST = 1.02 * (500 * 3 + 500 * 0.3 + 500 * 15) / 1e6


def toy_answer(per_second=5.0, price=TOY_PRICE, **fields):
    """One model on one machine of one replica, one API, an exponential load: all that follows can be done by hand."""
    machines, dear = [("m", ("tiny", 1, price, np.nan, np.nan, np.nan))], [("s", ("tiny", 1, 1e9, 0.0, 1.0))]
    facts = toy_facts(machines, dear, {"api.retry_share": 0.02})
    offer = (
        facts.table("api_offers")
        .iloc[[0]]
        .assign(
            input_usd_per_mtok=3.0,
            cached_input_usd_per_mtok=0.3,
            output_usd_per_mtok=15.0,
            batch_discount_share=np.nan,
            long_prompt_tokens=np.nan,
            context_tokens=np.nan,
            open_model="",
        )
    )
    facts = replace(facts, tables={**facts.tables, "api_offers": offer.set_axis(["api"])}, made={})
    asked = {
        "requests_per_month": per_second * PER_SECOND,
        "spikiness": -log(0.01),  # of an exponential load, whose cv is 1
        "input_tokens": 1000,
        "output_tokens": 500,
        "cached_share": 0.5,
        "growth_per_month": 0,
        "sensitive_share": 0,
        "horizon_months": 12,
        "latency": "batch",
        "api_model": "api",
        "open_model": "toy",
    }
    return evaluate(question.grid(**FREE | asked | fields), facts)


def by_hand(machines, per_second=5.0, price=TOY_PRICE):
    """Cost of a month: machines and their storage, and the exponential spill above what they carry.

    Capacity: half of the requests may wait, so beta = 0.50605 (Halfin and Whitt); arrivals of cv 3 have the
    peakedness (1 + 9) / 2 = 5; a replica holds 4 requests: h = 0.50605 sqrt(5 / 4). c = a + h sqrt(a) replicas for a
    busy ones, at most 0.9 c. A request takes 0.6 s / 0.75 = 0.8 s.
    """
    h = 0.50605 * sqrt(5 / 4)
    busy = min(0.9 * machines, ((-h + sqrt(h * h + 4 * machines)) / 2) ** 2)
    spill = per_second * exp(-busy / 0.8 / per_second)
    base = machines * (price * 730 + TOY_STORAGE)
    return base, spill * PER_SECOND * PER_REQUEST


def test_cost_against_capacity_is_machines_and_exponential_spill():
    found = hybrid.cost_against_capacity(toy_answer()).set_index("machines")
    assert found.index[0] == 0 and found["usd"].iloc[0] == pytest.approx(5 * PER_SECOND * PER_REQUEST, rel=2e-3)
    for machines, row in found.iterrows():
        base, overflow = by_hand(machines)
        assert row["base_usd"] == pytest.approx(base)
        # the curve is tabulated: the spill within 0.001 of the mean load
        assert row["overflow_usd"] == pytest.approx(overflow, abs=0.0012 * 5 * PER_SECOND * PER_REQUEST)
        assert row["usd"] == row["base_usd"] + row["overflow_usd"]
    assert found["enough"].all()


@pytest.mark.parametrize(("per_second", "price"), [(5, 2.0), (5, 8.0), (5, 20.0), (40, 8.0), (0.5, 3.0), (0.01, 8.0)])
def test_the_optimum_is_the_least_over_every_number(per_second, price):
    found = hybrid.cost_against_capacity(toy_answer(per_second, price))
    cost = [sum(by_hand(machines, per_second, price)) for machines in range(int(found["machines"].max()) + 1)]
    best = found.loc[found["best"], "machines"]
    assert len(best) == 1 and cost[int(best.iloc[0])] <= min(cost) * 1.002
    assert len(found) <= 60


def test_where_no_machine_pays_none_is_best_and_the_plan_keeps_one():
    found = hybrid.cost_against_capacity(toy_answer(0.01))
    assert found.loc[found["best"], "machines"].tolist() == [0]
    assert found.loc[found["planned"], "machines"].tolist() == [1]
    assert "A base never has less than one" in page.cost_against_capacity(toy_answer(0.01)).words


@pytest.mark.parametrize("fields", [FREE, ON_RENTED, ON_OWN])
def test_what_the_plan_passes_on_is_billed_by_the_api(fields):
    answer = answered(fields)
    found = hybrid.cost_against_capacity(answer)
    plan, month = found[found["planned"]].iloc[0], found["month"].iloc[0]
    lines = answer.lines[(answer.lines["option"] == "base_and_burst") & (answer.lines["month"] == month)]
    apart = ["set-up project", "platform services", "calls during repairs"]
    tokens = lines[(lines["place"] == "vendor_api") & ~lines["line"].isin(apart)]
    assert plan["overflow_usd"] == pytest.approx(tokens["usd"].sum())
    sizing = answer.sizing
    stands = sizing[(sizing["option"] == "base_and_burst") & (sizing["month"] == month)]
    assert stands["machines"].iloc[0] == plan["machines"]


def test_what_must_stay_bounds_the_base_from_below():
    found = hybrid.cost_against_capacity(answered(ON_RENTED | {"requests_per_month": 2e7}))
    fewest = found.loc[found["enough"], "machines"].min()
    assert fewest > 1 and not found["enough"].iloc[0]
    assert found.loc[found["best"], "enough"].all() and found.loc[found["planned"], "enough"].all()
    assert found.loc[found["enough"], "usd"].min() == found.loc[found["best"], "usd"].iloc[0]


def test_the_base_grows_no_smaller_when_it_is_bought():
    base = hybrid.base(answered(ON_OWN))
    assert (np.diff(base["machines"]) >= 0).all() and (base["contract"] == "bought").all()
    assert base["month"].iloc[0] > 1 and base["month"].iloc[-1] == 60
    assert base["overflow_share"].between(0, 1).all() and base["overflow_hours"].between(0, 1).all()


def test_by_hand_a_third_of_an_exponential_load_overflows_above_its_mean():
    base = hybrid.base(toy_answer()).iloc[0]
    multiple = base["capacity"] / base["load"]
    assert base["load"] == pytest.approx(5)
    assert base["overflow_share"] == pytest.approx(exp(-multiple), abs=1.2e-3)
    assert base["overflow_hours"] == pytest.approx(exp(-multiple), abs=2e-3)


@pytest.mark.parametrize("fields", MIXED)
def test_the_price_of_mixing_adds_up_to_the_difference_of_the_options(fields):
    answer = answered(fields)
    found = hybrid.price_of_mixing(answer).pivot(index="what", columns="option", values="value")
    usd = answer.options.set_index("option")["usd_per_month"]
    for option in found.columns:
        assert found.loc["total", option] == pytest.approx(usd[option])
        assert found.loc[list(hybrid.COSTS), option].sum() == pytest.approx(usd[option])
    for end in set(found.columns) - {"base_and_burst"}:
        more = found["base_and_burst"] - found[end]
        assert more[list(hybrid.COSTS)].sum() == pytest.approx(usd["base_and_burst"] - usd[end])
    # two models at one API take a router too
    assert found.loc["routing", "base_and_burst"] > found.drop(columns="base_and_burst").loc["routing"].max()


def test_the_sentence_tells_the_difference_to_the_cheaper_part():
    answer = answered(FREE)
    usd = answer.options.set_index("option")["usd_per_month"]
    told = re.search(
        r"Mixing (\w+) \$([\d,]+).* and (saves|costs) \$([\d,]+).*: \$([\d,]+) a month (\w+) in all", price(answer)
    )
    assert told is not None
    extra, saved, total = (int(told[n].replace(",", "")) for n in (2, 4, 5))
    signed = extra * (1 if told[1] == "costs" else -1) - saved * (1 if told[3] == "saves" else -1)
    assert abs(signed) == pytest.approx(total, abs=2)
    assert (told[6] == "dearer") == (usd["base_and_burst"] > min(usd["api"], usd["rented"]))
    assert total == pytest.approx(abs(usd["base_and_burst"] - min(usd["api"], usd["rented"])), abs=1)


def price(answer):
    return page.price_of_mixing(answer).words


def test_a_month_in_which_the_base_does_not_serve_is_refused():
    with pytest.raises(ValueError, match=r"month 1: the base serves in months \d+ to 60"):
        hybrid.load_duration(answered(ON_OWN), month=1)
    with pytest.raises(ValueError, match="Nothing overflows here"):
        hybrid.in_service(answered({"control": "air_gapped"}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (MODELS | {"control": "air_gapped"}, "the best is Llama 3.3 70B on 3 to 8 own servers"),
        ({"control": "air_gapped", "horizon_months": 1}, "cannot be costed here"),
        (MODELS | {"preset": "public_body", "capex_limit_usd": 0}, "the best is Llama 3.3 70B on 1 rented machine"),
        (FREE | {"batch_share": 1}, "All of the work can wait"),
    ],
)
def test_where_nothing_overflows_one_panel_says_so(fields, words):
    answer = answered(fields)
    assert words in page.load_duration(answer).words
    assert sum(words in panel(answer).words for panel in PANELS[1:4]) == 1
    if fields.get("batch_share") != 1:
        frames = (hybrid.base, hybrid.load_duration, hybrid.cost_against_capacity, hybrid.price_of_mixing)
        assert all(frame(answer).empty for frame in frames)
        assert page.cost_against_capacity(answer) == page.price_of_mixing(answer) == []


EXTREMES = [
    {"sensitive_share": 0},
    {"sensitive_share": 1},
    {"preset": "hospital", "evidence": []},
    {"preset": "research_lab"},
    {"spikiness": 1.05},
    {"spikiness": 20},
    {"requests_per_month": 1},
    {"requests_per_month": 1e10},
    {"horizon_months": 6},
    {"growth_per_month": -0.2},
    OWN_AND_HOURLY,
]


@pytest.mark.parametrize("fields", EXTREMES)
def test_panels_hold_at_the_ends_of_the_question(fields):
    for panel in PANELS:
        pieces = panel(answered(fields))
        assert pieces.words.startswith("<") and "nan" not in pieces.words.replace("nance", "").lower()
        assert all(len(piece.words) > 40 for piece in pieces if isinstance(piece, Figure))


def test_a_place_has_one_colour_in_every_chart():
    assert {place: page.COLOURS[place] for place in PLACES} == {
        "vendor_api": OPTION_COLOURS["api"],
        "rented_gpus": OPTION_COLOURS["rented"],
        "own_gpus": OPTION_COLOURS["owned"],
    }
    assert page.tint("overflow", "vendor_api") == OPTION_COLOURS["api"].lower()
    # By hand: 0x00, 0x9E, 0x73 at six tenths on white: 255 - 0.6 x (255, 97, 140) = 102, 197, 171
    assert page.tint("base", "own_gpus") == "#66c5ab"


@pytest.mark.parametrize(
    ("amount", "words"), [(0, "0"), (9.157e-7, "9.16e-07"), (2.7935, "2.79"), (99.96, "100"), (30559.4, "30,559")]
)
def test_figures_are_short(amount, words):
    assert page.short(amount) == words


def test_a_chart_tells_in_words_what_it_shows():
    answer = answered(OWN_AND_HOURLY)
    curve, base = hybrid.load_duration(answer), hybrid.base(answer).set_index("month", drop=False)
    chart = page.load_duration_chart(curve, base.loc[curve["month"].iloc[0]])
    assert "Machines by the hour: overflow" in chart.description and "Capacity of" in chart.description
    cost = hybrid.cost_against_capacity(answer)
    chart = page.capacity_chart(cost, base.loc[cost["month"].iloc[0]])
    assert f"${cost.loc[cost['best'], 'usd'].iloc[0]:,.0f}" in chart.description
    assert "Least: " in chart.description and "The plan: " in chart.description


def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    shown = headless.shown(tmp_path, "3_hybrid", "-p", "preset", "hospital", "-p", "spikiness", "8")
    assert shown.count("<img") >= 3 and "Mixing costs" in shown


def test_every_panel_follows_the_scenario():
    calm = answered(FREE | {"spikiness": 2.0})
    assert all(panel(answered(FREE)) != panel(calm) for panel in PANELS[:4])
