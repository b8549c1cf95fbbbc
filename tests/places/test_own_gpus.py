"""The bill of own servers, line by line, by hand, in the made-up world of toy.py."""

from dataclasses import replace

import numpy as np
import pytest

from toy import joined, toy_facts, toy_load
from where_to_run.formulas import finance
from where_to_run.places import own_gpus, replicas
from where_to_run.places.spares import AROUND_THE_CLOCK, BUSINESS_HOURS, NONE

EIGHT = ("eight", ("tiny", 8, 100_000, 5_000, 4.0))
"""A server of eight GPUs: 100,000 USD, 5,000 USD to install, 4 kW."""


def bill(servers, load, gpu="cheapest", rate=0.01, limit=1e9, hands=0.0, figures=()):
    facts = toy_facts(servers=servers, figures=figures)
    need = replicas.needed(facts, "toy", load)
    number = len(load.requests)
    factors = finance.discount_factors(np.full(number, rate), load.live.shape[1])
    work = replicas.Workload(load, need, np.full(number, gpu, dtype=object), factors)
    upkeep = replace(own_gpus.upkeep(facts, "pcie"), staff_usd=hands)
    return own_gpus.bill(upkeep, own_gpus.servers(facts, work, "pcie"), work, np.full(number, float(limit)))[0]


def usd(found, line, scenario=0) -> list[float]:
    return found.lines[line][scenario].tolist()


GROWING = [5.0, 5.0, 5.0, 10.0]
# Replicas as in test_rented_gpus: 26 at 5 requests/s -> 4 servers of eight (26 / 8 = 3.25), 5 with the spare. At 10
# requests/s: 40 busy at the peak, + 1.1 x sqrt(5 x 40 / 4) = 7.78 -> 48, 6 servers, 7 with the spare.
# Delivery takes a month and a half, so what is ordered in month t is for month t + 1 + 2.


def test_four_months_of_own_servers_are_right_line_by_line():
    found = bill([EIGHT], toy_load(GROWING), hands=2_500)
    # the 5 servers of month 3 are ordered on the day of the decision, the 2 more of month 4 in month 1
    assert usd(found, "servers") == pytest.approx([500_000, 200_000, 0, 0, 0])
    assert usd(found, "network") == pytest.approx([50_000, 20_000, 0, 0, 0])  # 10 %
    assert usd(found, "spare parts") == pytest.approx([25_000, 10_000, 0, 0, 0])  # 5 %
    assert usd(found, "installation") == pytest.approx([25_000, 10_000, 0, 0, 0])
    # one server-month: 4 kW x 0.75 x PUE 1.5 x 730 h x 0.1 USD = 328.50 USD in full, 40 % of it when idle =
    # 131.40. A whole month of 5 servers, at work 5 x 0.8 s / 8 = 0.5 of them: 5 x 131.4 + 0.5 x 197.1 =
    # 755.55; half of it in month 2 = 377.775. Month 4: 7 x 131.4 + 10 x 0.8 / 8 x 197.1 = 1,116.90
    assert usd(found, "power") == pytest.approx([0, 0, 377.775, 755.55, 1_116.9])
    assert usd(found, "colocation") == pytest.approx([0, 0, 2_000, 4_000, 5_600])  # 4 kW x 200 = 800 a server-month
    assert usd(found, "maintenance") == pytest.approx([0, 0, 2_500, 5_000, 7_000])  # 100,000 x 12 % / 12 = 1,000
    # in month 4 five servers are 4 months old: 1 - 0.4 x 4/12 = 86.67 %; two are 3 months old: 1 - 0.4 x
    # 3/12 = 90 %: 433,333.33 + 180,000
    assert usd(found, "residual value") == pytest.approx([0, 0, 0, 0, -613_333.3333])
    # 1 % a month on what the hardware is worth at the start of the month: 500,000; 500,000 x (1 - 0.4/12) +
    # 200,000 = 683,333.33; 500,000 x (1 - 0.4 x 2/12) + 200,000 x (1 - 0.4/12) = 466,666.67 + 193,333.33;
    # 500,000 x 0.9 + 200,000 x (1 - 0.4 x 2/12) = 450,000 + 186,666.67
    assert usd(found, "capital tied up") == pytest.approx([0, 5_000, 6_833.3333, 6_600, 6_366.6667])
    bought = {"servers", "network", "spare parts", "installation", "residual value", "capital tied up"}
    assert set(found.lines) == bought | {"power", "colocation", "maintenance"}
    assert found.fits.tolist() == [True]


def test_servers_are_counted_whole_and_work_only_after_delivery():
    machines = bill([EIGHT], toy_load(GROWING)).machines
    # none stands before delivery; the share of the month they serve stands apart
    assert machines.count[0].tolist() == [0, 0, 5, 5, 7]
    assert machines.spare[0].tolist() == [0, 0, 1, 1, 1]
    assert machines.gpus[0].tolist() == [0, 0, 40, 40, 56]
    assert machines.first.tolist() == [40]
    assert machines.working[0] == pytest.approx([0, 0, 4, 4, 8])  # 5 or 10 requests/s x 0.8 s, a GPU each
    assert machines.operating[0] == pytest.approx([0, 0, 0.5, 1, 1])
    # 40 replicas carry 40 requests/s, the mean is 5, a Gamma law of cv 1 is exponential
    assert machines.spilled[0] == pytest.approx(np.exp(-40 / 5), abs=5e-5)
    assert (machines.contract[0], machines.replica[0]) == ("bought", "1 x tiny, fp8")


MONTH = 365.25 / 7 / 12
"""Weeks."""


def test_set_up_after_delivery_is_waited_for_too():
    # 1.5 months of delivery and 1 of set-up: ordered 3 months ahead, so the first order is for month 4
    found = bill([EIGHT], toy_load(GROWING), figures={"setup_weeks.own_gpus": MONTH})
    assert usd(found, "servers") == pytest.approx([700_000, 0, 0, 0, 0])
    assert found.machines.operating[0] == pytest.approx([0, 0, 0, 0.5, 1])


def test_the_first_order_is_for_the_months_it_serves_not_for_those_it_is_awaited_in():
    # delivered in the middle of month 2: the 7 servers that 10 requests/s need in month 1 are never bought, the 5 of
    # months 2 and 3 are
    found = bill([EIGHT], toy_load([10.0, 5.0, 5.0]))
    assert usd(found, "servers") == pytest.approx([500_000, 0, 0, 0])
    assert found.machines.count[0].tolist() == [0, 0, 5, 5]


def test_of_a_volume_that_falls_four_percent_a_month_the_first_order_is_for_the_month_it_arrives_in():
    # 12 requests/s in month 1, 4 % less each month: 48 busy at the peak, + 1.1 x sqrt(5 x 48 / 4) = 8.52, over the
    # 53.3 of the busiest share -> 57: 8 servers of eight, 10 with the spares. Delivery and set-up take 7.5 months, so
    # they serve from the middle of month 8 on, at 12 x 0.96^7 = 9.017 requests/s: 36.07 + 7.39 = 43.46 -> 44: 6
    # servers, 7 with the spare, and never fewer after
    falling = [12 * 0.96**month for month in range(12)]
    found = bill([EIGHT], toy_load(falling), figures={"own.delivery_weeks.pcie": 7.5 * MONTH})
    assert usd(found, "servers") == pytest.approx([700_000] + [0] * 12)
    assert found.machines.count[0].tolist() == [0] * 8 + [7] * 5


def test_nothing_is_bought_that_is_delivered_after_the_end():
    # delivered after 5 months, the horizon has 4
    found = bill([EIGHT], toy_load(GROWING), hands=2_500, figures={"own.delivery_weeks.pcie": 5 * MONTH})
    assert sum(abs(line).sum() for line in found.lines.values()) == 0


def test_servers_no_longer_needed_stay_until_the_end():
    # 7 in month 2, when they arrive, for 10 requests/s; 5 would do in month 3
    found = bill([EIGHT], toy_load([10.0, 10.0, 5.0]))
    assert found.machines.count[0].tolist() == [0, 0, 7, 7]
    assert usd(found, "servers") == pytest.approx([700_000, 0, 0, 0])
    assert usd(found, "residual value")[3] == pytest.approx(-630_000)  # 700,000 x 90 %


def test_a_year_old_server_fetches_sixty_percent_and_a_year_and_a_half_old_one_half():
    found = bill([EIGHT], joined(toy_load(horizon=12, months=18), toy_load(horizon=18)))
    assert usd(found, "residual value", 0)[12] == pytest.approx(-300_000)  # 500,000 x 0.6
    assert usd(found, "residual value", 1)[18] == pytest.approx(-250_000)  # half-way from 0.6 to 0.4
    assert usd(found, "residual value", 0)[18] == 0


def test_work_that_can_wait_adds_servers_only_beyond_the_idle_hours():
    # all can wait: 5 x 0.8 = 4 replicas at work, / 0.9 = 4.44 -> one server of eight, two at 10 requests/s
    # (8.9)
    found = bill([EIGHT], joined(*(toy_load(rate, batch_share=1.0, horizon=2) for rate in (5, 10))))
    assert found.machines.count[:, 2].tolist() == [1, 2]
    # 40 % can wait: 17 replicas stand for the rest (test_rented_gpus), work is 4: three servers and a spare, none for
    # what waits
    assert bill([EIGHT], toy_load(5, batch_share=0.4, horizon=2)).machines.count[0, 2] == 4


HUNGRY = ("hungry", ("tiny", 8, 90_000, 5_000, 40.0))
"""Ten per cent cheaper to buy, ten times the power: dearer in all."""


@pytest.mark.parametrize(
    ("limit", "taken"),
    [
        (600_000, "eight"),  # 5 x (100,000 x 1.15 + 5,000) = 600,000 is just within
        (599_999, "hungry"),
        (542_500, "hungry"),  # 5 x (90,000 x 1.15 + 5,000) = 542,500 is just within
        (542_499, "eight"),  # none keeps the limit: the cheapest of all
    ],
)
def test_the_cheapest_server_within_the_capital_limit_is_taken_over_a_cheaper_one_above_it(limit, taken):
    # over 36 months power and colocation alone are 10 times (328.5 x 0.4 + 800) more, far above what the
    # price saves
    found = bill([EIGHT, HUNGRY], toy_load(horizon=36), limit=limit)
    assert found.offer.tolist() == [taken]


@pytest.mark.parametrize(("limit", "taken"), [(840_000, "eight"), (839_999, "hungry")])
def test_what_the_month_of_delivery_needs_counts_against_the_capital_limit(limit, taken):
    # the first order serves month 3, when 10 requests/s need 7 servers: 7 x 120,000 = 840,000; of the
    # hungry ones 7 x 108,500 = 759,500
    load = toy_load([5.0] * 2 + [10.0] * 34)
    assert bill([EIGHT, HUNGRY], load, limit=limit).offer.tolist() == [taken]


def test_hardware_of_later_months_does_not_count_against_the_capital_limit():
    # 200,000 more in month 33 are not upfront: only the five servers of month 0 count
    assert bill([EIGHT, HUNGRY], toy_load([5.0] * 35 + [10.0]), limit=600_000).offer.tolist() == ["eight"]


@pytest.mark.parametrize(("hands", "taken"), [(1_513, "half"), (1_514, "eight")])
def test_hands_for_every_server_count_in_choosing_the_server(hands, taken):
    # half an `eight` at half its price: 26 replicas take 7 (26 / 4 = 6.5) and a spare, in place of 4 and a spare: an
    # `eight` less. Over 36 months, 34.5 of them in operation, at no discount, that one costs 100,000 x 1.15 + 5,000 =
    # 120,000 to buy, fetches 30,000 and takes 34.5 x (131.40 idle power + 800 + 1,000) = 66,633.30: 156,633.30 saved.
    # Servers are 8 in place of 5: 3 x 34.5 = 103.5 server-months more to tend, at 1,513 USD 156,595.50, at
    # 1,514 USD 156,699
    half = ("half", ("tiny", 4, 50_000, 2_500, 2.0))
    assert bill([EIGHT, half], toy_load(horizon=36), rate=0, hands=hands).offer.tolist() == [taken]


def test_who_insists_on_a_gpu_buys_it():
    other = ("other", ("other", 8, 200_000, 5_000, 4.0))
    assert bill([EIGHT, other], toy_load()).offer.tolist() == ["eight"]
    assert bill([EIGHT, other], toy_load(), gpu="other").offer.tolist() == ["other"]
    assert bill([EIGHT], toy_load(), gpu="other").fits.tolist() == [False]


# Spares: of k + r servers that are each down u = 2.19 / 367.44 = 0.00596 of the time, failing 0.73 times a year for 3
# days, more than r are down in at most 0.1 % of it. One server is down 0.6 % of the time; of two both are 0.0036 % of
# it. Of 7 + 1 two or more are down 0.097 % of it: 1 - (1 - u)^8 - 8 u (1 - u)^7; of 8 + 1 0.124 %.


@pytest.mark.parametrize(
    ("availability", "rate", "count", "spare"),
    [
        (NONE, 5.0, 4, 0),
        (BUSINESS_HOURS, 5.0, 5, 1),
        (AROUND_THE_CLOCK, 5.0, 5, 1),
        (BUSINESS_HOURS, 0.01, 2, 1),  # one at work and one that stands for it
        (NONE, 0.01, 1, 0),
        (BUSINESS_HOURS, 12.0, 10, 2),  # 57 replicas as above: 8 servers, beyond the 7 that one sees through
        (BUSINESS_HOURS, 11.0, 8, 1),  # 44 busy, + 1.1 x sqrt(5 x 44 / 4) = 8.16 -> 53: 7 servers
        (BUSINESS_HOURS, 0.0, 0, 0),
    ],
)
def test_spare_servers_stand_for_those_that_fail(availability, rate, count, spare):
    machines = bill([EIGHT], toy_load(rate, horizon=3, availability=availability)).machines
    assert (machines.count[0, 3], machines.spare[0, 3]) == (count, spare)


def test_a_longer_repair_takes_more_spares():
    # 10 days: u = 0.0196; of 4 + 1 two or more are down C(5, 2) u^2 = 0.38 % of the time, of 4 + 2 three or more
    # C(6, 3) u^3 = 0.015 %
    slow = bill([EIGHT], toy_load(5.0, horizon=3), figures={"spare.repair_days.own_gpus": 10})
    assert slow.machines.count[0, 3] == 6


def test_work_that_can_wait_runs_on_spare_servers():
    # 0.5 of 5 requests/s cannot wait: 2 busy, + 1.1 x sqrt(5 x 2 / 4) = 1.74 -> 4 replicas, a server and its spare. All
    # is 4 replicas at work, / 0.9 = 4.44; at 11 requests/s 8.8 / 0.9 = 9.8: two servers too
    loads = (toy_load(rate, batch_share=share, horizon=2) for rate, share in ((5, 0.9), (11, 0.955)))
    assert bill([EIGHT], joined(*loads)).machines.count[:, 2].tolist() == [2, 2]
