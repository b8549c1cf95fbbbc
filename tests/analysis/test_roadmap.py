"""Roadmap: stages cost what `evaluate` says, moves what the facts say; gates hold."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import headless
from where_to_run.analysis import hybrid
from where_to_run.analysis.roadmap import roadmap
from where_to_run.analysis.stages import NOTHING, Server, Stage, hardware, journey, lots, stages, takes
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.models import shortlist
from where_to_run.decision.routing import API
from where_to_run.formulas.lattice import solve, wait
from where_to_run.inputs import facts, question
from where_to_run.inputs.question import ScenarioError
from where_to_run.views import roadmap as page
from where_to_run.views.figure import Figure
from where_to_run.views.pages import PAGES

ABLE = {f"skill_{area}": 5 for area in question.SKILLS}
CALM = {"spread.volume": 0.0, "spread.volume_drift": 1e-9, "roadmap.months_beyond_horizon": 0.0}


@cache
def shipped():
    return facts.load()


def known(base, **figures):
    values = base.table("assumptions").copy()
    for key, value in figures.items():
        assert key in values.index
        values.loc[key, "value"] = value
    return replace(base, tables={**base.tables, "assumptions": values}, made={})


def of_two(preset="", **fields):
    """A scenario with an API so dear that it is worth a move to serve an open model, with people enough for it."""
    models = {"api_model": "anthropic/claude-sonnet-5.5", "open_model": "llama-3.3-70b", "quality_floor": 0.01}
    size = {} if preset else {"requests_per_month": 1e6}
    return question.grid(preset or None, **models | size | {"hard_share": 0.0, "people_available": 20.0} | fields)


@cache
def plain():
    """The facts with dedicated endpoints too dear for anybody, so that the ways are two."""
    rows = shipped().table("dedicated")
    dear = rows.assign(on_demand_usd_per_h=1e3 * rows["on_demand_usd_per_h"])
    return replace(shipped(), tables=shipped().tables | {"dedicated": dear}, made={})


@cache
def found(preset="", **fields):
    return roadmap(of_two(preset, **fields), plain())


@cache
def chosen(preset=""):
    return roadmap(question.grid(preset or None), shipped())


def places(*used, api=""):
    return [Stage("", tuple(place in used for place in question.PLACES), api * ("vendor_api" in used))]


def api(name="one"):
    return places("vendor_api", api=name)


def test_an_able_team_pays_for_set_up_alone():
    row = question.grid(**ABLE)
    rented, both = places("rented_gpus"), places("vendor_api", "own_gpus", api="one")
    taken = {
        "api": takes(row, shipped(), [NOTHING], api()),
        "on to rented machines": takes(row, shipped(), api(), rented),
        "a base beside the API": takes(row, shipped(), api(), both, 33.0),
        "back": takes(row, shipped(), both, api()),
    }
    # by hand, of data/assumptions.csv: 15,000; 40,000; 50,000 and routing 20,000; nothing new.
    # weeks: 1; 4; delivery 30, set-up 3 and routing 2; none. What is new runs beside the old.
    assert {name: (weeks[0, 0], usd[0, 0], new[0, 0]) for name, (weeks, usd, new) in taken.items()} == {
        "api": (1, 15_000, True),
        "on to rented machines": (4, 40_000, True),
        "a base beside the API": (35, 70_000, True),
        "back": (0, 0, False),
    }


def test_a_skill_that_is_missing_takes_its_time_and_is_not_learnt_twice():
    row = question.grid(**{**ABLE, "skill_cloud": 1})
    # rented machines ask for 3 in cloud: two levels, four months of training, 4 x 365.25/7/12 = 17.4 weeks, not 4
    weeks, _, _ = takes(row, shipped(), [NOTHING], places("rented_gpus"))
    assert weeks[0, 0] == pytest.approx(4 * 365.25 / 7 / 12)
    weeks, _, _ = takes(row, shipped(), places("rented_gpus"), places("rented_gpus", "vendor_api", api="one"))
    # the skill is there by then: a week for the API and two for the routing after it
    assert weeks[0, 0] == 1 + 2


def test_servers_are_as_old_as_their_lot():
    assert lots(np.array([0, 2, 3, 8, 9, 14])).tolist() == [0, 0, 1, 1, 2, 2]
    # residual.12_months is 0.6, residual.24_months 0.42; new servers fetch their price
    server = Server("a server", bought_usd=110.0, price_usd=100.0)
    assert server.fetches(shipped(), np.array([6, 18, 30]), np.array(1)) == pytest.approx([100, 60, 42])


def test_hardware_is_bought_at_its_price_and_sold_at_its_age():
    server, fleet = (Server("a server", bought_usd=110.0, price_usd=100.0), np.array([[0, 2, 4], [0, 0, 1], [2, 4, 1]]))
    # none to 2, 2 of lot 0 to 4, 4 of lot 1 to 1; months 0 to 18, after which 24 months are over
    usd, lot = hardware(shipped(), server, tuple(fleet), 1.0, 24)
    assert usd[0].tolist() == [220, 220, -300] and lot[0].tolist() == [0, 0, 1]
    # in month 12: two new ones of lot 2; two and two as of month 6; three are 6 months old, worth 0.8 of their price
    assert usd[12] == pytest.approx([220, 220, -240]) and lot[12].tolist() == [2, 1, 1]
    # in month 8 they count as of month 6, as 18 months old at the end and not 16: 0.51 of their price, not 0.54
    assert usd[8, 0] == pytest.approx(220 + 2 * 100 * (0.51 - 0.54)) and lot[8, 0] == 1


@pytest.mark.parametrize("preset", ["", "hospital", "bank", "public_body", "startup", "software_company"])
def test_a_sure_volume_served_in_one_stage_throughout_costs_what_evaluate_says(preset):
    # as they grow `evaluate` keeps one machine and contract over the horizon, a stage the cheapest of each month
    row = of_two(preset, growth_per_month=0.0)
    way = journey(row, known(shipped(), **CALM))
    plan, free = solve(way.programme), {"weeks_to_launch": 260.0, "budget_usd_per_month": 1e9, "capex_limit_usd": 0.0}
    named = {n: s for n, s in enumerate(way.stages) if s.option in ("api", "rented", "split_by_sensitivity")}
    assert "rented" in {stage.option for stage in named.values()}
    for number, stage in named.items():
        said = evaluate(row.assign(**free), shipped()).options.set_index("option")["npv_usd"]
        usd = way.price[number] + wait(plan, way.state(number), way.horizon)
        assert usd == pytest.approx(said[stage.option], rel=1e-3)


def test_own_servers_cost_what_evaluate_says_they_do_once_they_serve():
    row = question.grid(
        requests_per_month=3e7, growth_per_month=0.0, sensitive_share=0.0, capex_limit_usd=1e7, gpu="rtx-pro-6000"
    )
    answer = evaluate(row, shipped())
    month = answer.lines[(answer.lines["option"] == "owned") & (answer.lines["month"] == 20)]
    usd = month.loc[month["line"] != "capital tied up", "usd"].sum()
    sizing = answer.sizing[(answer.sizing["option"] == "owned") & (answer.sizing["month"] == 20)].iloc[0]
    costed, server = stages(row, shipped(), np.array([2e7, 3e7, 4e7]), (1e5, 3e7))
    assert server.name == sizing["offer"]
    mine = {s.servers: usd[1] for s, usd, *_ in costed if s.option == "owned"}
    assert mine[int(sizing["machines"])] == pytest.approx(usd, rel=1e-6)


def test_rules_hold_in_every_month():
    assert not any(stage.used[API] for stage in found(control="own_tenancy").journey.stages)
    alone = found(control="air_gapped", weeks_to_launch=40.0).journey.stages
    assert all(stage.option in ("owned", "waiting") for stage in alone)


def test_what_misses_the_deadline_may_come_second():
    later = found(growth_per_month=0.1, weeks_to_launch=3.0)
    now = later.now.set_index("option")
    assert not now.at["rented", "in_time"] and now.at["api", "best"]
    assert later.by_quarter.query("month > 30 and option != 'api'")["probability"].sum() > 0.9


def test_where_nothing_is_ready_in_time_the_soonest_is_named():
    with pytest.raises(ScenarioError, match=r"nothing is ready in 0 weeks. Ask for 1 or more"):
        len(found(weeks_to_launch=0.0).now)
    with pytest.raises(ScenarioError, match=r"nothing is ready in 12 weeks. Ask for 24 or more"):
        len(found(control="air_gapped").now)


@pytest.mark.parametrize(
    ("field", "option", "number", "ratio"),
    [
        # of today's prices the sixth month has 0.64^(6/12) = 0.8, or 0.25^(6/12) = 0.5: off come 0.2 and 0.5 of a bill
        ("api_price_decline", "api", 5, 0.4),
        # the thirteenth 0.64^(13/12) = 0.616635, or 0.25^(13/12) = 0.222725; no contract is taken here
        ("rent_decline", "rented", 12, 0.383365 / 0.777275),
    ],
)
def test_a_stage_costs_less_as_its_prices_fall(field, option, number, ratio):
    usd = []
    for fall in (0.0, 0.36, 0.75):
        way = found(**{field: fall}).journey
        of = way.stage == [stage.option for stage in way.stages].index(option)
        usd.append(way.programme.running[number][:, of][:, 0])
    today, less, least = usd
    assert (today > less).all() and (today - less) / (today - least) == pytest.approx(ratio, rel=1e-5)


def test_a_project_of_less_than_two_quarters_has_no_roadmap():
    with pytest.raises(ScenarioError, match=r"a project of 5 months has none"):
        found(horizon_months=5)
    assert len(found(horizon_months=6).now)


def test_without_money_for_hardware_no_server_is_a_stage():
    assert not any(stage.servers for stage in found(capex_limit_usd=0.0).journey.stages)
    assert any(stage.servers for stage in found().journey.stages)


def test_the_way_back_lies_lower_than_the_way_there():
    triggers = found().triggers.pivot(index="month", columns=["option", "when"], values="requests_per_month")
    assert set(triggers) == {("api", "above"), ("rented", "below")} and len(triggers) == 12
    assert (triggers["rented", "below"] < 0.6 * triggers["api", "above"]).all()


def test_every_quarter_the_stages_add_up():
    for road in (found(), found("software_company")):
        assert road.by_quarter.groupby("month")["probability"].sum().to_numpy() == pytest.approx(1, abs=0.05)
        assert road.by_quarter.query("month == 0")["probability"].max() == 1


def test_the_first_move_is_as_likely_as_the_stages_it_leaves():
    road = found()
    some = road.first_move.set_index("to").loc["any"]
    assert some["p10"] <= some["p50"] and 0 < some["probability"] < 1 and np.isnan(some["p90"])
    # no way back is likely here, so what has not moved is what still runs at the API
    left = road.by_quarter.query("month == 33 and option == 'api'")["probability"].iloc[0]
    assert left == pytest.approx(1 - some["probability"], abs=0.06)


def test_waiting_costs_more_the_longer_it_lasts_and_moving_at_once_never_less():
    for road in (found(), found("startup", growth_per_month=0.1, horizon_months=48)):
        more = road.waiting.set_index("what")["more_usd"]
        assert (more >= -1e-6).all() and more["the plan"] == 0
        assert more["wait 6 months"] <= more["wait 12 months"] <= more["wait 24 months"]


def test_a_preparation_is_right_on_every_path_where_every_path_asks_for_it():
    grows = {"growth_per_month": 0.1, "horizon_months": 48, "open_model": "gpt-oss-120b"}
    needs = found("startup", **grows).preparations.set_index("what")
    assert needs.at["vendor_api set up", "no_regret"] and needs.at["rented_gpus set up", "no_regret"]
    assert not found().preparations.set_index("what").at["rented_gpus set up", "no_regret"]


PANELS = [s.panel for s in PAGES["Roadmap"]]


def test_the_page_says_what_the_roadmap_found():
    answer = evaluate(of_two(), plain())
    said = "".join(panel(answer).words for panel in PANELS)
    trigger = found().triggers.query("option == 'api'").iloc[0]
    assert f"passes {page.volume_words(trigger['requests_per_month'])} requests a month and grows" in said
    assert "The way back: on Rented cloud GPUs, when it falls below" in said and "1 month before it serves" in said
    assert f"${found().now['usd'].min():,.0f}" in said and "one gateway with one interface" in said
    assert sum(isinstance(piece, Figure) for panel in PANELS for piece in panel(answer)) == 3


def test_a_step_to_order_at_once_is_said_and_its_triggers_follow():
    large = {"requests_per_month": 3e8, "growth_per_month": 0.03, "capex_limit_usd": 5e6, **ABLE}
    then = found(**large).now.query("best")["then"].iloc[0]
    said = page.what_to_do(evaluate(of_two(**large), plain())).words
    assert re.match(r"\d+ own servers", then) and f"At once, order the next step: {then}." in said
    assert f"On {then}: when the three-month average passes" in said and "On Rented" not in said


def test_a_fleet_may_grow_beyond_the_limit_for_its_first_servers():
    road = found(requests_per_month=3e8, growth_per_month=0.03, capex_limit_usd=1e6, **ABLE)
    server, p = road.journey.server, road.journey.programme
    first = [s.servers for s in road.journey.stages if 0 < s.servers * server.bought_usd <= 1e6]
    owned = np.array([s.servers for s in road.journey.stages])
    open_ = np.isfinite(p.price).any(axis=0)
    bought = owned[road.journey.to_stage] > owned[road.journey.stage[p.start]]
    anew = bought & (owned[road.journey.stage[p.start]] == 0)
    assert first and set(owned[road.journey.to_stage[anew & open_]]) == set(first)
    assert owned[road.journey.to_stage[bought & open_]].max() > max(first)


def test_where_there_is_no_roadmap_every_panel_says_why():
    answer = evaluate(question.grid(control="air_gapped"), shipped())
    assert all("nothing is ready in 12 weeks. Ask for 24 or more" in panel(answer).words for panel in PANELS)


def test_servers_to_order_are_counted_in_words():
    answer = evaluate(of_two("software_company", open_model="gpt-oss-120b", requests_per_month=1e9), plain())
    assert re.search(r"grows, order \d servers \(b200-8\), to run \d own servers", page.what_to_do(answer).words)


@pytest.mark.parametrize(
    ("volume", "words"), [(8.1e6, "8.1 million"), (999.4, "999"), (1000, "1 thousand"), (2e9, "2 billion")]
)
def test_volumes_are_told_in_words(volume, words):
    assert page.volume_words(volume) == words


def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    asked = {"api_model": "anthropic/claude-sonnet-5.5", "open_model": "llama-3.3-70b", "quality_floor": "0.01"}
    shown = headless.shown(tmp_path, "5_roadmap", *(word for pair in asked.items() for word in ("-p", *pair)))
    assert shown.count("<img") == 3 and "The way back" in shown


PRESETS = ("", *sorted(set(question.presets()) - {"defence_supplier"}))


def month_one(preset):
    """What every allowed option without own servers costs in month 1 by `evaluate`, at a volume that stays [USD].

    With the one open model that the roadmap knows, and a month's part of changing it again each year.
    """
    row = question.grid(preset or None)
    row = row.assign(open_model=shortlist(shipped(), question.columns(row))[0, 0])
    allowed = evaluate(row, shipped()).options.query("verdict != 'blocked'")["option"]
    # the roadmap knows no contract beyond a year: without growth, over a year, `evaluate` sees what it sees
    steady = evaluate(row.assign(growth_per_month=0.0, horizon_months=12), shipped())
    lines = steady.lines[steady.lines["option"].isin(allowed) & (steady.lines["month"] == 1)]
    owning = set(lines.loc[lines["place"] == "own_gpus", "option"])
    # the research lab changes all weights: examples, runs and an evaluation
    again = (80_000 + 50_000 + 10_000) / 12 if preset == "research_lab" else 0
    return lines[~lines["option"].isin(owning)].groupby("option", observed=True)["usd"].sum() + again


@pytest.mark.parametrize("preset", PRESETS)
def test_to_begin_with_is_never_dearer_than_the_cheapest_option_that_is_allowed(preset):
    road = chosen(preset)
    p = road.plan.programme
    usd = p.running[0, road.journey.programme.middle, road.state]
    # costs run straight between the volumes at which stages are costed, and machines are whole: a hundredth
    least = 1.01 * month_one(preset).min()
    # what serves until own servers come that are ordered at once is worth a few dearer months
    own_next = preset in ("consumer_platform", "public_body") and "own servers" in road.now.at[road.first, "then"]
    assert usd <= least or own_next


def test_where_own_servers_may_serve_some_traffic_alone_there_is_no_roadmap_and_the_page_says_so():
    answer = evaluate(question.grid("defence_supplier"), shipped())
    assert answer.options["recommended"].any()
    assert "own servers it knows those that may serve all traffic alone" in page.what_to_do(answer).words


@pytest.mark.parametrize("preset", PRESETS)
def test_the_place_to_begin_with_is_that_of_the_recommendation_or_the_page_says_why_not(preset):
    answer = evaluate(question.grid(preset or None), shipped())
    best = answer.options.set_index("option")["recommended"].idxmax()
    goes, first = hybrid.routes(answer, [best]), chosen(preset).journey.stages[chosen(preset).first]
    at = pd.concat(
        [goes[["place", "offer"]], goes[["overflow_place", "overflow_offer"]].set_axis(["place", "offer"], axis=1)]
    )
    used = {place for place, used in zip(question.PLACES, first.used, strict=True) if used}
    offers = set(at.loc[at["place"] == "vendor_api", "offer"])
    same = used == set(at["place"]) - {""} and (not first.api or offers == set(first.api.split(" and ")))
    same |= first.option == "waiting" and "own_gpus" in set(at["place"])
    said = "this plan goes by expected cost alone" in page.what_to_do(answer).words
    assert same != said
    # recommended there are own servers, which are not the first to serve; the bank begins with an API and grows into
    # the split; the lab's own servers would cost a hundredth less in the end
    assert same or preset in ("consumer_platform", "bank", "research_lab")


def test_measured_hours_take_the_place_of_spikiness():
    flat, spiky = np.full(730, 100.0), np.tile([10.0] * 9 + [910.0], 73)
    ways = [roadmap(of_two(), shipped(), hours).journey for hours in (flat, spiky)]
    costs = [
        {stage.option: way.programme.running[0, 8, way.state(n)] for n, stage in enumerate(way.stages)} for way in ways
    ]
    # the same requests at an API; a hundred in every hour need fewer machines than ten times that in one of ten
    assert costs[0]["api"] == pytest.approx(costs[1]["api"]) and costs[0]["rented"] < 0.9 * costs[1]["rented"]


def test_the_rent_of_a_contract_is_bound_with_bursts_by_the_hour_above_it_too():
    # a cloud whose contracts pay
    alone = {"gpu": "l40s", "spikiness": 3.0, "approved_vendors": ["AWS", "Anthropic"]}
    volumes = np.geomspace(1e5, 1e8, 4)
    rows = of_two(requests_per_month=list(volumes), growth_per_month=0.0, horizon_months=12, **alone)
    answer = evaluate(rows, shipped(), names=("rented",))
    month = answer.lines.query("month == 1 and line == 'machines'").set_index("scenario")["usd"]
    contract = answer.sizing.query("month == 1").set_index("scenario")["contract"]
    assert set(contract) == {"reserved 1 year", "reserved 1 year, bursts by the hour"}
    costed, _ = stages(of_two(**alone), shipped(), volumes, (1e5, 1e8))
    (rent,) = (one.rent for one in costed if one.stage.option == "rented")
    assert rent == pytest.approx(month.to_numpy())
