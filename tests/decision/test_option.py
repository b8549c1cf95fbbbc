"""People, launch, waiting for delivery, splits, changing models, outages: by hand, in the made-up world of toy.py."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from toy import PER_SECOND, shipped, toy_facts
from where_to_run.decision.block import Question
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.option import costed
from where_to_run.decision.routing import API, OWN, RENTED, ROUTINGS, by_hand
from where_to_run.decision.tuning import changes, tuning_lines, tuning_usd
from where_to_run.inputs import facts
from where_to_run.inputs.question import PLACES, SKILLS, STREAMS, grid
from where_to_run.places.vendor_api import PRICES

WEEKS = 365.25 / 7 / 12
"""Weeks in a month, 4.348125."""

FIGURES = {
    # machines by the hour are out of the question here, so that all of a rented fleet stands
    **{f"autoscale.stretch.cv_{cv}": 1000 for cv in (0.38, 0.71, 1.34)},
    "service.chat.derate": 0.8,
    "service.chat.wait_probability": 0.2,  # Halfin and Whitt: beta 1.0615
    "api.retry_share": 0,
    "setup_weeks.vendor_api": 2,
    "setup_weeks.rented_gpus": 4,
    "setup_weeks.own_gpus": 0.5 * WEEKS,
    "setup_weeks.routing": 2,
    "setup_usd.vendor_api": 15_000,
    "setup_usd.rented_gpus": 40_000,
    "setup_usd.own_gpus": 50_000,
    "setup_usd.routing": 20_000,
    "platform_usd.vendor_api": 100,
    "platform_usd.rented_gpus": 1_800,
    "platform_usd.own_gpus": 1_500,
    "platform_usd.routing": 500,
    "people.benefits_share": 0.25,
    "people.recruiting_share": 0.2,
    "people.search_months": 2.5,
    "people.ramp_months": 6,
    "people.train_months_per_level": 2,
    "people.trainable_levels": 2,
    "people.mixed_staff_share": 0.8,
    "people.training_share": 0.5,
    "people.fte_per_machine.rented_gpus": 0.05,
    "people.fte_per_machine.own_gpus": 0.1,
    "people.availability_share.business_hours": 0.5,
}

NEEDED = {  # level needed and least staff around the clock [FTE] by area, in the order of SKILLS
    "vendor_api": ((1, 0), (1, 0), (0, 0), (2, 0.2), (1, 0.1)),
    "rented_gpus": ((3, 0.4), (3, 0.4), (0, 0), (2, 0), (3, 0.2)),
    "own_gpus": ((3, 0.4), (3, 0.2), (4, 0.5), (2, 0), (4, 0.4)),
    "routing": ((0, 0), (2, 0), (0, 0), (4, 0.3), (3, 0.2)),
}

WAGES = {"ml": (180_000, 1.5), "cloud": (90_000, 1), "hardware": (90_000, 1), "integration": (90_000, 0.5)}
"""Yearly wage and people at a full gap; with benefits ML costs 20,000 a month, all others 10,000."""


@cache
def toy(api_price: float = 0.5, delivery_months: float = 1.0) -> facts.Facts:
    """The toy world with one machine, one server, one API: cached input at half price, output at double.

    Own servers serve half a month of set-up after their delivery.
    """
    assert SKILLS == ("ml", "cloud", "hardware", "integration", "operations")
    made = toy_facts(
        machines=[("two", ("tiny", 2, 2.0, np.nan, np.nan, np.nan))],
        servers=[("eight", ("tiny", 8, 100_000, 5_000, 4.0))],
        figures=FIGURES | {"own.delivery_weeks.pcie": delivery_months * WEEKS},
    )
    skills = [(place, area, *pair) for place, row in NEEDED.items() for area, pair in zip(SKILLS, row, strict=True)]
    prices = dict.fromkeys((*PRICES, "residency_uplift_share"), np.nan) | {
        "input_usd_per_mtok": api_price,
        "cached_input_usd_per_mtok": api_price / 2,
        "output_usd_per_mtok": 2 * api_price,
    }
    tables = {
        "skills": pd.DataFrame(skills, columns=["place", "area", "level_needed", "floor_fte"]),
        "roles": pd.DataFrame(
            [WAGES.get(area, (90_000, 1)) for area in SKILLS],
            columns=["wage_usd_per_year", "fte_at_full_gap"],
            index=list(SKILLS),
        ),
        "api_offers": pd.DataFrame([prices | TOY_API], index=["toy/api"]),
    }
    return replace(made, tables={**made.tables, **tables}, made={})


TOY_API = {
    "vendor": "AWS Bedrock",
    "open_model": "",
    "quality_model": "",
    "model": "toy",
    "ends_on": "",
    "input_modalities": "text",
}

ABLE = {f"skill_{area}": 5 for area in SKILLS} | {"people_available": 5}
TEAM = {"skill_ml": 2, "skill_cloud": 3, "skill_hardware": 0, "skill_integration": 2, "skill_operations": 1}
PLAIN = {
    "requests_per_month": 5 * PER_SECOND,
    "input_tokens": 1000,
    "output_tokens": 500,
    "cached_share": 0.5,
    "spikiness": 4,
    "growth_per_month": 0,
    "horizon_months": 6,
    "discount_rate": 0,
    "sensitive_share": 0,
    "api_model": "toy/api",
    "open_model": "toy",
    "latency": "chat",
}
PROMISES = ["zero_retention", "no_training"]


def answered(known=None, **fields):
    return evaluate(grid(**(PLAIN | fields)), known or toy())


def option(answer, name) -> pd.Series:
    return answer.options[answer.options["option"] == name].iloc[0]


def line(answer, name, line, place=None) -> dict[int, float]:
    """USD by month of one line."""
    of = answer.lines
    of = of[(of["option"] == name) & (of["line"] == line) & ((of["place"] == place) if place else True)]
    return of.set_index("month")["usd"].to_dict()


def each_month(usd, last=6):
    return pytest.approx({month: usd for month in range(1, last + 1)})


def test_an_api_needs_nobody_new_and_starts_after_its_set_up():
    # the team has ML 2, cloud 3, hardware 0, integration 2, operations 1: at an API nothing is missing
    answer = answered(**TEAM)
    assert option(answer, "api")["hires"] == 0
    assert option(answer, "api")["launch_weeks"] == pytest.approx(2)
    assert line(answer, "api", "people there") == each_month(1_500)  # half of (0.2 + 0.1) x 10,000
    assert line(answer, "api", "people to add") == line(answer, "api", "recruiting and ramp-up") == {}
    assert line(answer, "api", "training") == {}
    assert line(answer, "api", "set-up project") == pytest.approx({0: 15_000})
    assert line(answer, "api", "platform services") == each_month(100)


def test_rented_gpus_wait_for_the_slowest_training_and_take_people_for_every_machine():
    # missing: ML 1 level, learned beside the work, and operations 2, which takes 4 months; hiring would take 5.5
    answer = answered(**TEAM)
    assert option(answer, "rented")["launch_weeks"] == pytest.approx(4 * WEEKS)  # 17.4, set-up takes 4
    # half of 1.0 and 13 machines x 0.05 are 1.15 people, 1 of whom is there; they cost
    # half of 0.4 x 20,000 + 0.6 x 10,000, and 0.65 x 10,000: 13,500
    assert option(answer, "rented")["hires"] == pytest.approx(0.15)
    assert line(answer, "rented", "people there") == each_month(13_500 / 1.15)
    assert line(answer, "rented", "people to add") == each_month(13_500 * 0.15 / 1.15)
    # 1,760.87 x (0.2 of 12 x 0.75 months, and 3 months) = 8,452.17
    assert line(answer, "rented", "recruiting and ramp-up") == pytest.approx({0: 8_452.1739})
    # ML 1 level x 2 months x half of 20,000; operations 2 x 2 x half of 10,000
    assert line(answer, "rented", "training") == pytest.approx({0: 40_000})


def test_own_servers_wait_for_a_hire_and_take_people_for_every_server():
    # missing: ML 1 level, hardware 3, operations 2. Hardware cannot be trained: 2.5 months of search and half of 6 to
    # ramp up = 5.5 months = 23.9 weeks; delivery and set-up, a month and a half, are quicker
    answer = answered(**TEAM)
    assert option(answer, "owned")["launch_weeks"] == pytest.approx(5.5 * WEEKS)
    assert option(answer, "owned")["hires"] == pytest.approx(0.6)  # 3/5 x 1, more than the 0.25 it takes
    assert line(answer, "owned", "people to add") == each_month(6_000)
    assert line(answer, "owned", "recruiting and ramp-up") == pytest.approx({0: 28_800})  # 0.6 x 48,000
    assert line(answer, "owned", "training") == pytest.approx({0: 40_000})
    # half of 0.4 x 20,000 + 0.6 x 10,000; 5 servers (26 replicas / 8 and a spare) x 0.1 x 10,000, from the middle of
    # month 2 on, with 0.5 that are 1.0 people
    there = {1: 7_000, 2: 9_500} | {month: 12_000 for month in range(3, 7)}
    assert line(answer, "owned", "people there") == pytest.approx(there)


def test_the_time_of_people_who_are_there_is_a_cost_but_no_charge_on_the_budget():
    # rented: 13,500 a month for 1.15 people, and training; with two there all of it is time of theirs
    found = option(answered(**TEAM, people_available=2), "rented")
    assert found["hires"] == 0
    assert found["usd_per_month"] - found["running_usd_per_month"] == pytest.approx(13_500 + 40_000 / 6)


def test_around_the_clock_takes_all_of_the_staff_and_people_on_call():
    # 1.0 of the rented floor and 13 machines with a spare, operations of 4 for machines; own servers ask for hardware
    # of 4 too
    able = ABLE | {"skill_operations": 3, "skill_hardware": 3}
    answer = answered(**able, availability="around_the_clock")
    assert line(answer, "rented", "people there") == each_month(14_000 + 7_000)
    for name in ("rented", "owned"):
        assert "operations skill 4; the team has 3" in option(answer, name)["because"]
    assert option(answer, "api")["verdict"] != "blocked"
    ready = answered(**able | {"skill_operations": 4}, availability="around_the_clock")
    assert option(ready, "rented")["verdict"] != "blocked"
    assert line(ready, "owned", "training") == pytest.approx({0: 10_000})  # hardware 1 x 2 x half of 10,000


def test_own_servers_with_an_able_team_wait_for_delivery_and_set_up():
    # 10 months of delivery, then half a month
    answer = answered(toy(delivery_months=10), **ABLE, horizon_months=12)
    assert option(answer, "owned")["launch_weeks"] == pytest.approx(10.5 * WEEKS)


@pytest.mark.parametrize(
    ("weeks", "server", "months"),
    [
        (52, "eight", 3.5),  # both are in time, the cheaper one is taken
        (8, "dear", 1.5),  # 3.5 months are 15 weeks
        (2, "dear", 1.5),  # none is in time: the sooner, struck out for its delivery
    ],
)
def test_of_kinds_of_server_that_are_in_time_the_cheapest_is_bought(weeks, server, months):
    known = toy()
    sold = known.table("servers").loc[["eight", "eight"]].set_axis(pd.Index(["dear", "eight"], name="key"))
    sold = sold.assign(delivery=["pcie", "hgx"], server_usd=[150_000.0, 100_000.0])
    figures = known.table("assumptions").copy()
    figures.loc["own.delivery_weeks.hgx", "value"] = 3 * WEEKS
    known = replace(known, tables={**known.tables, "servers": sold, "assumptions": figures}, made={})
    answer = answered(known, **ABLE, weeks_to_launch=weeks, capex_limit_usd=1e7, horizon_months=36)
    assert set(answer.sizing[answer.sizing["option"] == "owned"]["offer"]) == {server}
    assert option(answer, "owned")["launch_weeks"] == pytest.approx(months * WEEKS)
    assert (option(answer, "owned")["verdict"] == "blocked") == (weeks == 2)


def test_a_split_needs_the_highest_level_of_its_parts_and_shares_their_staff():
    # missing for API, rented and routing together: ML 1, integration 1 (nobody is on call), operations 2: all trained
    answer = answered(**TEAM, sensitive_share=0.2)
    split = option(answer, "split_by_sensitivity")
    assert split["hires"] == 0
    assert split["launch_weeks"] == pytest.approx(4 * WEEKS)
    # sum of both places: ML 0.4, cloud 0.4, integration 0.2, operations 0.3, of which 80 %; routing on top:
    # integration 0.3, operations 0.2. Half of 0.32 x 20,000 + (0.32 + 0.46 + 0.44) x 10,000, and 4 machines x 0.05 x
    # 10,000: 0.97 people
    assert line(answer, split["option"], "people there") == each_month(9_300 + 2_000)
    # ML 20,000, integration 1 x 2 x half of 10,000, operations 20,000
    assert line(answer, split["option"], "training") == pytest.approx({0: 50_000})
    for place, upfront, monthly in [("vendor_api", 15e3, 100), ("rented_gpus", 40e3, 1_800), ("routing", 20e3, 500)]:
        assert line(answer, split["option"], "set-up project", place) == pytest.approx({0: upfront})
        assert line(answer, split["option"], "platform services", place) == each_month(monthly)


def test_a_split_with_an_able_team_starts_after_the_slower_place_and_the_routing():
    # max(2, 4) + 2 weeks
    assert option(answered(**ABLE, sensitive_share=0.2), "split_by_sensitivity")["launch_weeks"] == pytest.approx(6)


@pytest.mark.parametrize(
    ("name", "share", "amount"),
    [
        ("split_by_sensitivity", "sensitive_share", 0.2),
        ("split_by_domain", "specialised_share", 0.2),
        ("split_by_difficulty", "hard_share", 0.8),
    ],
)
def test_a_split_sends_each_stream_to_its_place(name, share, amount):
    # API in full: 13,140 Mtok in x (0.5 x 0.5 + 0.5 x 0.25) + 6,570 Mtok out x 1 = 11,497.50; 80 % of it:
    # 9,198. Rented for 1 request/s: 4 busy at the peak + 1.0615 x sqrt(5 x 4 / 4) = 6.4 -> 7: 4
    # machines; in business hours a fresh one is the spare
    answer = answered(**ABLE, **{share: amount})
    api = answer.lines[(answer.lines["option"] == name) & (answer.lines["place"] == "vendor_api")]
    tokens = api[~api["line"].isin(["set-up project", "platform services"])]
    assert tokens.groupby("month")["usd"].sum().to_dict() == each_month(9_198)
    assert line(answer, name, "machines") == each_month(5_840)  # 4 x 2 x 730


@pytest.mark.parametrize(("customisation", "level"), [("prompting", 3), ("fine_tuning", 4), ("weights", 4)])
def test_changing_an_own_model_takes_one_level_more_in_ml(customisation, level):
    # rented GPUs ask for ML 3; with ML 2 the gap is one level or two, 2 months each of half of 20,000
    fields = {**ABLE, "skill_ml": 2, "specialised_share": 0.5, "customisation": customisation}
    answer = answered(**fields)
    assert line(answer, "rented", "training") == pytest.approx({0: 20_000 * (level - 2)})
    assert line(answer, "api", "training") == {}
    without = answered(**{**fields, "specialised_share": 0})
    assert line(without, "rented", "training") == pytest.approx({0: 20_000})


@pytest.mark.parametrize(
    ("api_price", "control", "monthly"),
    [
        (0.5, "none", 11_497.5),  # the API's, which is the cheaper one
        (1.0, "none", 20_285.256),  # API 22,995; rented 18,980 + 1,300 storage + 5.256 egress is cheaper
        (0.5, "own_tenancy", 20_285.256),  # no API allowed: rented on demand
    ],
)
def test_until_delivery_the_cheaper_place_allowed_serves_and_is_paid(api_price, control, monthly):
    # a month of delivery, half a month of set-up: own servers serve from the middle of month 2
    answer = answered(toy(api_price), control=control)
    waiting = line(answer, "owned", "bill while waiting for delivery", "own_gpus")
    assert waiting == pytest.approx({1: monthly, 2: monthly / 2})


def test_where_only_the_api_is_allowed_it_serves_until_delivery_though_rented_is_cheaper():
    rows = grid(**(PLAIN | ABLE))
    question = Question(toy(1.0), {str(name): rows[name].to_numpy() for name in rows.columns}).serving("toy")
    found = costed(question, by_hand(ROUTINGS["owned"], 1), np.array([[[True, False, True]] * len(STREAMS)]))
    bill = found.lines["own_gpus", "bill while waiting for delivery"]
    assert bill[0].tolist() == pytest.approx([0, 22_995, 11_497.5, 0, 0, 0, 0])


# Own servers over 6 months, serving after 1.5: 26 replicas on 4 and a spare. Hardware 5 x (100,000 x 1.15 + 5,000) =
# 600,000; power 4.5 months x (5 x 131.40 idle + 0.5 at work x 197.10) = 3,399.975; colocation 4.5 x 5 x 800 = 18,000;
# maintenance 4.5 x 5,000 = 22,500; residual value at 6 months 80 % = -400,000; set-up 50,000; platform 6 x
# 1,500 = 9,000; half of the staff of 19,000 for 6 months 57,000; 5 servers x 0.1 x 10,000 for 4.5 months 22,500. Sum
# 382,399.975 (the bill while waiting apart).
OWNED = 382_399.975


def test_own_servers_served_by_the_api_while_waiting_answer_every_request():
    # + 1.5 x 11,497.50 = 17,246.25; 6 months x 13,140,000 x 1,500 tokens = 118,260 Mtok
    owned = option(answered(**ABLE), "owned")
    assert owned["npv_usd"] == pytest.approx(OWNED + 17_246.25)
    assert owned["usd_per_month"] == pytest.approx((OWNED + 17_246.25) / 6)
    assert owned["usd_per_mtok"] == pytest.approx((OWNED + 17_246.25) / 118_260)


def test_behind_an_air_gap_nothing_is_served_nor_paid_until_delivery():
    # 4.5 months served: 88,695 Mtok
    answer = answered(**ABLE, control="air_gapped")
    assert line(answer, "owned", "bill while waiting for delivery") == {}
    assert option(answer, "owned")["npv_usd"] == pytest.approx(OWNED)
    assert option(answer, "owned")["usd_per_mtok"] == pytest.approx(OWNED / 88_695)


@pytest.mark.parametrize(
    ("place", "availability", "down"),
    [
        (OWN, "business_hours", 2.19 / 367.44),  # 0.73 failures a year of 3 days each, of 365.25 + 2.19 days
        (OWN, "none", 0),
        (RENTED, "around_the_clock", 0.438 / 365.688),  # of 0.6 days each
        (RENTED, "business_hours", 0),  # a fresh machine is the spare
    ],
)
def test_an_api_that_is_the_spare_is_paid_for_the_time_machines_are_down(place, availability, down):
    # all of 5 requests/s at the API is 11,497.50 a month; what is above the base is there anyway
    rows = grid(**(PLAIN | ABLE), availability=availability)
    question = Question(toy(), {str(name): rows[name].to_numpy() for name in rows.columns}).serving("toy")
    routing = replace(by_hand((place,) * len(STREAMS), 1), overflow=np.full((1, len(STREAMS)), API))
    found = costed(question, routing, np.ones((1, len(STREAMS), len(PLACES)), bool))
    above = sum(usd for (at, name), usd in found.lines.items() if at == "vendor_api" and name.endswith("tokens"))
    assert 0 < above[0, 6] < 11_497.5
    outages = found.lines["vendor_api", "calls during repairs"][0]
    assert outages[6] == pytest.approx(down * (11_497.5 - above[0, 6]), rel=1e-6)
    # own servers serve half of month 2
    assert place == RENTED or outages[2] == pytest.approx(down * (11_497.5 / 2 - above[0, 2]), rel=1e-6)
    # no machine stands as a spare beside it
    assert not found.parts[0].machines.spare.any()


def test_utilisation_is_the_share_of_gpu_hours_in_operation_at_work():
    # own: 5 servers of 8 GPUs, 5 requests/s x 0.8 s = 4 at work, in 4.5 of 6 months: 4 x 4.5 / (40 x 4.5)
    answer = answered(**ABLE)
    assert option(answer, "owned")["gpus"] == 40
    assert option(answer, "owned")["utilisation"] == pytest.approx(4 / 40)
    # rented: 13 machines of two
    assert option(answer, "rented")["gpus"] == 26
    assert option(answer, "rented")["utilisation"] == pytest.approx(4 / 26)


def test_months_before_own_servers_serve_do_not_count_in_their_utilisation():
    # 20 % growth a month: 6, 7.2, 8.64, 10.368, 12.4416 requests/s from month 2 on. Busy at the peak 24, 28.8,
    # 34.56, 41.472, 49.766; + 1.0615 x sqrt(5 x busy / 4) = 29.81, 35.17, 41.54, 49.11, 58.14; servers of eight 4, 5,
    # 6, 7, 8, a spare beside up to 7 and two beside 8: 5, 6, 7, 8, 10. Month 2 counts half:
    # 0.8 x (6 / 2 + 7.2 + 8.64 + 10.368 + 12.4416) = 33.31968 at work of 8 x (5 / 2 + 6 + 7 + 8 + 10) = 268
    found = option(answered(**ABLE, growth_per_month=0.2), "owned")
    assert found["utilisation"] == pytest.approx(33.31968 / 268)


@pytest.mark.parametrize(("delivery_months", "misfits"), [(5.4, 0), (5.5, 1), (8, 1)])
def test_own_servers_that_would_not_serve_before_the_horizon_ends_are_no_option(delivery_months, misfits):
    # half a month of set-up, a horizon of 6 months
    answer = answered(toy(delivery_months=delivery_months), **ABLE)
    assert option(answer, "owned")["misfits"] == misfits
    assert np.isnan(option(answer, "owned")["npv_usd"]) == bool(misfits)
    assert ("owned" in set(answer.lines["option"])) == (not misfits)
    assert ("owned" in set(answer.sizing["option"])) == (not misfits)
    # (8 + 0.5) x 4.348 weeks = 36.96
    if delivery_months == 8:
        assert "fits" not in set(answer.verdicts["rule"])
        assert option(answer, "owned")["because"] == "Takes 37 weeks to deliver and set up; the project ends after 26"
        assert option(answer, "owned")["unlock"].startswith("horizon_months of at least 9")


def test_what_an_api_charges_falls_month_by_month():
    # 13.14 million prompts of 1,000 tokens, half of them cached: 6,570 Mtok at 0.50 USD are 3,285; 0.64^(6/12) = 0.8
    found = line(answered(api_price_decline=0.36, rent_decline=0.5), "api", "input tokens")
    assert found[6] == pytest.approx(0.8 * 3_285)
    # drawn besides: another tenth a year off, 0.9^(6/12) = 0.948683
    drawn = evaluate(grid(**PLAIN | {"api_price_decline": 0.36}), toy(), drawn={"api_price": np.array([0.9])})
    assert line(drawn, "api", "input tokens")[6] == pytest.approx(0.8 * 3_285 * 0.948683, rel=1e-5)


def test_rents_fall_wherever_machines_are_rented():
    # 13 machines of two at 2 USD/h are 18,980 a month; 0.64^(6/12) = 0.8. Own servers come after 5.9 months; until then
    # rented ones serve, in month 2 at 0.64^(2/12) = 0.928318
    falls = answered(rent_decline=0.36, control="own_tenancy")
    assert line(falls, "rented", "machines")[6] == pytest.approx(0.8 * 18_980)
    late, stays = (
        answered(toy(delivery_months=5.4), **ABLE, control="own_tenancy", rent_decline=fall) for fall in (0.36, 0)
    )
    now, then = (line(one, "owned", "bill while waiting for delivery")[2] for one in (stays, late))
    # storage and traffic stay: 26 replicas x 50 USD, 13.14 million answers of 500 tokens x 8 B at 0.1 USD/GB
    assert now - then == pytest.approx((1 - 0.928318) * 18_980, rel=1e-5)


def test_in_a_month_two_places_cannot_be_set_up_and_one_can():
    # an API in 2 weeks, rented machines in 4, routing 2 more; a month has 4.35
    found = answered(**ABLE, horizon_months=1, sensitive_share=0.5, evidence=PROMISES).options.set_index("option")
    assert not found.loc[["api", "rented"], "because"].str.contains("project").any()
    two = found.loc["split_by_sensitivity"]
    assert two["verdict"] == "blocked" and np.isnan(two["usd_per_month"])
    assert two["because"] == "Takes 6 weeks to deliver and set up; the project ends after 4"
    assert two["unlock"].startswith("horizon_months of at least 2")


@pytest.mark.parametrize(
    ("name", "share"), [("split_by_sensitivity", "sensitive_share"), ("split_by_domain", "specialised_share")]
)
@pytest.mark.parametrize(("amount", "same"), [(0.0, "api"), (1.0, "rented")])
def test_a_split_of_nothing_is_the_api_and_a_split_of_everything_is_rented(name, share, amount, same):
    shipped = facts.load()
    rows = grid(
        regimes=[], evidence=PROMISES, requests_per_month=[1e5, 3e6, 2e8], batch_share=[0, 0.4], **{share: amount}
    )
    found = evaluate(rows, shipped).options
    # two options with the same figures cannot both be first: rank and recommended say which of them was
    columns = found.columns.drop(["option", "rank", "recommended"])
    split, whole = (found.loc[found["option"] == option, columns].reset_index(drop=True) for option in (name, same))
    pd.testing.assert_frame_equal(split, whole, rtol=1e-12)


def test_every_option_routes_every_stream_to_a_place():
    assert {place for routing in ROUTINGS.values() for place in routing} == set(range(len(PLACES)))
    assert {len(routing) for routing in ROUTINGS.values()} == {len(STREAMS)}


# Changing models, and outages


TUNED = {
    "tuning.fine_tuning.data_usd": 30_000,
    "tuning.fine_tuning.runs_usd": 3_000,
    "tuning.weights.data_usd": 80_000,
    "tuning.weights.runs_usd": 50_000,
    "tuning.evaluation_usd": 10_000,
    "tuning.weights.person_months": 6,
    "tuning.hosted_base_weeks": 12,
    "availability.vendor_api": 0.999,
    "availability.with_spare": 0.998,
    "availability.without_spare": 0.99,
}
FINE = {"customisation": "fine_tuning", "specialised_share": 0.5, "horizon_months": 24, "retune_months": 12}
DATA, RUNS, EVALUATION = "training data", "training runs", "evaluation of the changed model"


def tuned(hosted=False):
    """The toy world with these figures; its API hosts the toy model where asked."""
    values = toy().table("assumptions").copy()
    values.loc[list(TUNED), "value"] = list(TUNED.values())
    offers = toy().table("api_offers").assign(open_model="toy" if hosted else "")
    return replace(toy(), tables={**toy().tables, "assumptions": values, "api_offers": offers}, made={})


def test_a_model_is_changed_on_day_one_and_after_every_period_that_ends_before_the_last_month():
    # every 12 of 36 months: 0, 12, 24; every 2.5 of 7: 3 (2.5) and 5, not 8; the second project ends after 4
    live = np.array([[0] + [1] * 36, [0] + [1] * 36, [0] + [1] * 7 + [0] * 29, [0] + [1] * 4 + [0] * 32], float)
    found = changes(np.array([12, 36, 2.5, 2.5]), live)
    assert [np.flatnonzero(row).tolist() for row in found] == [[0, 12, 24], [0], [0, 3, 5], [0, 3]]
    # twice in a month where the period is half a month
    assert changes(np.array([0.5]), live[:1])[0, :4].tolist() == [1, 2, 2, 2]


def test_a_model_of_ones_own_is_tuned_once_a_year():
    answer = answered(tuned(), **ABLE, **FINE)
    for place in ("rented", "owned"):
        assert line(answer, place, DATA) == {0: 30_000, 12: 30_000}
        assert line(answer, place, RUNS) == {0: 3_000, 12: 3_000}
        assert line(answer, place, EVALUATION) == {0: 10_000, 12: 10_000}
        assert line(answer, place, "training project") == {}


def test_a_hosted_open_model_is_tuned_again_whenever_its_base_ends():
    # 12 weeks are 2.7598 months: eight times in the 23 months before the last, 22.08 in month 23; the examples stay
    ends = [0, 3, 6, 9, 12, 14, 17, 20, 23]
    assert line(answered(tuned(hosted=True), **ABLE, **FINE), "api", RUNS) == dict.fromkeys(ends, 3_000)
    assert line(answered(tuned(hosted=True), **ABLE, **FINE), "api", EVALUATION) == dict.fromkeys(ends, 10_000)
    assert line(answered(tuned(hosted=True), **ABLE, **FINE), "api", DATA) == {0: 30_000, 12: 30_000}
    # a vendor's own model stays
    assert line(answered(tuned(), **ABLE, **FINE), "api", RUNS) == {0: 3_000, 12: 3_000}


def test_two_models_are_tuned_with_the_same_examples():
    # sensitive traffic at an API, open traffic on own servers that burst to rented machines, which serve their model
    rows = grid(**PLAIN | ABLE | FINE | {"sensitive_share": 0.5, "horizon_months": 6})
    known = {str(name): rows[name].to_numpy() for name in rows.columns}
    question = Question(tuned(hosted=True), known).serving("toy")
    routing = by_hand(tuple(0 if data == "sensitive" else 2 for data, *_ in STREAMS), 1)
    routing = replace(routing, overflow=np.where(routing.place == 2, 1, -1))
    found = tuning_lines(question, routing)
    assert {place for place, _ in found} == {"vendor_api", "own_gpus"}
    for name, usd in ((RUNS, 3_000), (EVALUATION, 10_000)):
        assert found["vendor_api", name][0].tolist() == [usd, 0, 0, usd, 0, 0, 0]
        assert found["own_gpus", name][0].tolist() == [usd, 0, 0, 0, 0, 0, 0]
    assert sum(found[place, DATA] for place in ("vendor_api", "own_gpus"))[0].tolist() == [30_000] + [0] * 6
    # in the mean of many years: the examples each 12 months, the vendor's base each 2.7598, one's own each 12
    assert tuning_usd(question, routing)[0] == pytest.approx(30_000 / 12 + 13_000 / 2.7598 + 13_000 / 12, rel=1e-4)


def test_a_change_of_all_weights_begins_with_a_project_of_people():
    answer = answered(tuned(), **ABLE, **FINE | {"customisation": "weights"})
    assert line(answer, "rented", "training project") == {0: 120_000}  # 6 x 20,000
    assert line(answer, "rented", DATA) == {0: 80_000, 12: 80_000}
    assert line(answer, "rented", RUNS) == {0: 50_000, 12: 50_000}


def test_without_specialised_traffic_or_with_prompts_alone_nothing_is_tuned():
    for fields in (FINE | {"specialised_share": 0}, FINE | {"customisation": "prompting"}):
        assert not answered(tuned(), **ABLE, **fields).lines["line"].isin([DATA, RUNS, EVALUATION]).any()


def test_an_outage_costs_its_hours_and_is_not_in_the_running_budget():
    # 0.1 % of 730 hours at an API, 0.2 % on machines with a spare, 1 % without, at 1,000 USD an hour
    for level, usd in (("business_hours", 1_460), ("around_the_clock", 1_460), ("none", 7_300)):
        answer = answered(tuned(), **ABLE, availability=level, outage_usd_per_hour=1_000)
        assert line(answer, "api", "outages") == each_month(730)
        assert line(answer, "rented", "outages") == each_month(usd)
    free = answered(tuned(), **ABLE, availability="none")
    for figure, more in (("usd_per_month", 7_300), ("level_usd_per_month", 7_300), ("running_usd_per_month", 0)):
        assert option(answer, "rented")[figure] - option(free, "rented")[figure] == pytest.approx(more, abs=1e-9)


def test_what_may_overflow_has_the_other_place_as_its_spare():
    answer = answered(tuned(), **ABLE, availability="none", outage_usd_per_hour=1_000, sensitive_share=0)
    (part,) = answer.option("base_and_burst").parts
    assert part.may[0] == 1
    assert line(answer, "base_and_burst", "outages") == each_month(1_460)


def test_every_row_behind_tuning_and_outages_has_a_range():
    rows = shipped().table("assumptions").loc[list(TUNED)]
    assert ((rows["low"] < rows["value"]) & (rows["value"] < rows["high"])).all()
