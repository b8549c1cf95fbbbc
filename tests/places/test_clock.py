"""Machines that run in the hours in use, against arithmetic by hand and against the law of their hours."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from toy import toy_facts, toy_load
from where_to_run.analysis import published
from where_to_run.formulas import load_curve
from where_to_run.inputs import question
from where_to_run.places import fleet, rented_gpus, replicas
from where_to_run.places.workload import clock_of, load_of

FACTS = {"clock.starts_per_week": 5, "autoscale.start_minutes": 10}
NEVER = {f"autoscale.stretch.cv_{cv}": 1e6 for cv in ("0.38", "0.71", "1.34")}


def world(on_demand, one_year=np.nan, figures=None):
    return toy_facts([("one", ("tiny", 1, on_demand, one_year, np.nan, np.nan))], figures=FACTS | (figures or {}))


def rented(facts, load):
    """The bill of machines that carry a load, at no discount."""
    need, number = replicas.needed(facts, "toy", load), len(load.requests)
    every = np.full(number, "cheapest", dtype=object)
    work = replicas.Workload(load, need, every, np.ones(load.live.shape))
    return rented_gpus.alone(rented_gpus.cloud(facts), rented_gpus.machines(facts, work), work)


def in_use(facts, hours, availability="business_hours", curve=None, horizon=12):
    """7.7 requests/s, 38.5 in the busiest hours, in some hours of the week; replicas need no headroom.

    A machine carries 0.9 requests/s: 42.8, so 43 of them.
    """
    load = toy_load(7.7, spikiness=5.0, horizon=horizon)
    rows = {"hours_per_week": np.array([hours]), "availability": np.array([availability], dtype=object)}
    share = np.array([[hours / 168]])
    curve = curve or load_curve.Gamma(load_curve.cv_in_use(load.spikiness, share), share)
    plain = replace(load, headroom_beta=load.headroom_beta * 0, curve=curve)
    return replace(plain, clock=clock_of(facts, rows, curve, load.spikiness))


def month(found, line="machines"):
    return found.lines[line][0, 1]


def test_43_machines_cost_58_072_usd_a_month_always_on_and_19_300_at_55_hours_a_week():
    facts = world(1.85, figures=NEVER)
    # by hand: 43 x 1.85 x 730 = 58,071.5; 55 hours and 5 starts of 10 minutes are 55.8333 of 168, 0.33234 of it
    assert month(rented(facts, in_use(facts, 168))) == pytest.approx(58_071.5)
    found = rented(facts, in_use(facts, 55))
    assert month(found) == pytest.approx(19_300, abs=0.5)
    assert found.machines.contract.tolist() == [rented_gpus.BY_CLOCK] and found.machines.count[0, 1] == 43
    assert found.machines.gpus[0, 1] == pytest.approx(43 * 0.33234, rel=1e-4)


@pytest.mark.parametrize(("one_year", "contract"), [(0.61, "reserved 1 year"), (0.62, rented_gpus.BY_CLOCK)])
def test_a_year_is_reserved_where_it_costs_less_than_the_hours_in_use(one_year, contract):
    facts = world(1.85, one_year, NEVER)
    # 0.33234 of 1.85 USD/h are 0.6148 USD/h
    assert rented(facts, in_use(facts, 55)).machines.contract.tolist() == [contract]


def test_where_somebody_must_answer_around_the_clock_machines_stand_all_week():
    facts = world(1.85, figures=NEVER)
    assert month(rented(facts, in_use(facts, 55, "around_the_clock"))) == pytest.approx(58_071.5)


@pytest.mark.parametrize(("share", "off"), [(1.0, True), (0.9, False)])
def test_an_api_that_takes_all_that_comes_in_idle_hours_lets_machines_be_off_around_the_clock(share, off):
    facts, load = world(1.85, figures=NEVER), in_use(world(1.85), 55, "around_the_clock")
    work = replicas.Workload(
        load, replicas.needed(facts, "toy", load), np.array(["cheapest"], object), np.ones(load.live.shape)
    )
    may, none = np.array([share]), np.zeros(1)
    outlet = fleet.Outlet(may, may, none + 0.01, none, none)
    found, _ = rented_gpus.base(rented_gpus.cloud(facts), rented_gpus.machines(facts, work), work, outlet)
    assert (found.machines.contract[0] == rented_gpus.BY_CLOCK) == off


def test_machines_follow_the_levels_that_the_hour_of_the_week_tells():
    facts = world(2.0, figures=NEVER)
    # half of the week three times as busy as the other half, each week the same: of 7.7 requests/s 11.55 and 3.85 come,
    # 12.8 and 4.3 machines, so 13 and 5; 8 of them are started once a week: 5 + 8 x (84 + 1/6) / 168 = 9.0079 machines
    series = load_curve.Measured(np.tile(np.repeat([3.0, 1.0], 84), 4))
    found = rented(facts, in_use(facts, 168, curve=series))
    assert month(found) == pytest.approx(9.0079 * 2 * 730, rel=1e-5)
    assert found.machines.count[0, 1] == 13


def test_what_can_wait_finds_no_room_on_machines_that_are_off():
    load = in_use(world(1.0), 84)
    load = replace(load, requests=load.requests / 7.7 * 5, batch_share=load.batch_share + 0.8)
    none, one = np.zeros(1, np.intp), np.ones(1)
    outlet = fleet.Outlet(one * 0, one, one * 0, one, one * 0)
    need = replicas.needed(world(1.0), "toy", load)
    pool = fleet.Fleet(load, need, outlet, none, none, one, one * 0, np.array([[0.5]]))
    # of 5 requests/s 4 can wait; ten machines at work 0.9 x 0.5 of the time, less 0.8 for what cannot wait, have room
    # for (4.5 - 0.8) / 0.8 = 4.625, and six for (2.7 - 0.8) / 0.8 = 2.375
    assert pool.passed(np.full(load.live.shape, 10.0)).waiting[0, 1] == 0
    assert pool.passed(np.full(load.live.shape, 6.0)).waiting[0, 1] == pytest.approx(4 - 2.375)


# A measured series against the law of its hours


def asked(facts, busy, hours=168.0, spikiness=1.05, curve=None):
    """The rent of so many replicas at work on average, served in some hours of the week."""
    rows = question.grid(
        requests_per_month=busy / 0.8 * 730 * 3600,
        **{"growth_per_month": 0.0, "horizon_months": 12, "latency": "batch", "cached_share": 0.5},
        **{"input_tokens": 1000, "output_tokens": 500, "hours_per_week": hours, "spikiness": spikiness},
    )
    return rented(facts, load_of(facts, question.columns(rows), curve)).total.sum()


def over_the_law(facts, series, busy):
    """Cost of a measured series over that of the law with its spikiness and its hours in use."""
    measured = load_curve.Measured(series)
    hours = (measured.week.known > 0).sum()
    peak = np.clip(np.quantile(measured.hours, 0.99), max(168 / hours, 1.05), 20)
    return asked(facts, busy, curve=measured) / asked(facts, busy, hours, peak)


def test_a_series_flat_in_55_of_168_hours_costs_at_most_0_37_of_one_flat_all_week():
    facts, flat = world(2.0), np.ones(672)
    days = np.repeat([[1.0]] * 5 + [[0.0]] * 2, 24, axis=1) * ((np.arange(24) >= 8) & (np.arange(24) < 19))
    series = np.tile(days.ravel(), 4)
    assert series.sum() == 4 * 55
    for busy in (5, 50):
        part = asked(facts, busy * 55 / 168, curve=load_curve.Measured(series))
        assert 55 / 168 < part / asked(facts, busy, curve=load_curve.Measured(flat)) < 0.37


@pytest.mark.parametrize("busy", [5, 50])
@pytest.mark.parametrize("study", ["servegen", "azure"])
def test_a_public_series_costs_at_most_1_05_times_the_law_of_its_hours(study, busy):
    series = pd.read_csv(published.FOLDER / published.book()["traces"][study]["file"]).iloc[:, 1].to_numpy(float)
    assert over_the_law(world(2.0, 1.4), series, busy) < 1.05


def test_200_series_drawn_from_the_law_cost_at_most_1_05_times_the_law_of_their_hours():
    draw, ratios, worlds = np.random.default_rng(20261122), [], [world(2.0), world(2.0, 1.4)]
    for _ in range(200):
        days, cv = draw.choice([5, 7]), np.exp(draw.uniform(np.log(0.1), np.log(1.5)))
        first, hours = draw.integers(0, 7), draw.integers(6, 18)
        day = (np.arange(24) >= first) & (np.arange(24) < first + hours)
        used = np.tile(np.append(np.tile(day, days), np.zeros(24 * (7 - days))), 4)
        facts, series = worlds[draw.integers(2)], used * draw.gamma(1 / cv**2, cv**2, 672)
        ratios.append(over_the_law(facts, series, draw.choice([5, 10, 30, 100])))
    assert max(ratios) < 1.05 and np.median(ratios) > 0.95
