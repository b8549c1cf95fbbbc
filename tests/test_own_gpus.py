"""The bill of own servers, line by line, by hand, in the made-up world of toy.py."""

import numpy as np
import pytest

from toy import joined, toy_facts, toy_load
from where_to_run import finance, own_gpus, replicas

EIGHT = ("eight", ("tiny", 8, 100_000, 5_000, 4.0))
"""A server of eight GPUs: 100,000 USD, 5,000 USD to install, 4 kW."""


def bill(servers, load, gpu="cheapest", rate=0.01, limit=1e9, figures=()):
    facts = toy_facts(servers=servers, figures=figures)
    need = replicas.needed(facts, "toy", load)
    number = len(load.requests)
    asked = np.full(number, gpu, dtype=object)
    factors = finance.discount_factors(np.full(number, rate), load.live.shape[1])
    return own_gpus.bill(facts, load, need, asked, factors, np.full(number, float(limit)))


def usd(found, line, scenario=0) -> list[float]:
    return found.lines[line][scenario].tolist()


GROWING = [5.0, 5.0, 10.0]
# Replicas as in test_rented_gpus: 27 at 5 requests/s -> 4 servers of eight (27 / 8 = 3.4). At 10
# requests/s: 40 busy at the peak, + 1.1 x sqrt(5 x 40 / 4) = 7.78 -> 48, 49 with the spare -> 7 servers.
# Delivery takes a month and a half.


def test_three_months_of_own_servers_are_right_line_by_line():
    found = bill([EIGHT], toy_load(GROWING))
    # 4 servers ordered on the day of the decision, 3 more a month before they are needed
    assert usd(found, "servers") == pytest.approx([400_000, 0, 300_000, 0])
    assert usd(found, "network") == pytest.approx([40_000, 0, 30_000, 0])  # 10 %
    assert usd(found, "spare parts") == pytest.approx([20_000, 0, 15_000, 0])  # 5 %
    assert usd(found, "installation") == pytest.approx([20_000, 0, 15_000, 0])
    # one server-month: 4 kW x 0.75 x PUE 1.5 x 730 h x 0.1 USD = 328.50 USD in full, 40 % of it when idle =
    # 131.40. month 2: 4 servers half the month = 2 server-months, at work 5 x 0.8 s / 8 = 0.5 servers half
    # the month = 0.25: 2 x 131.4 + 0.25 x 197.1 = 312.075; month 3: 7 x 131.4 + 10 x 0.8 / 8 x 197.1 =
    # 1,116.90
    assert usd(found, "power") == pytest.approx([0, 0, 312.075, 1_116.9])
    assert usd(found, "colocation") == pytest.approx([0, 0, 1_600, 5_600])  # 4 kW x 200 = 800 a server-month
    assert usd(found, "maintenance") == pytest.approx([0, 0, 2_000, 7_000])  # 100,000 x 12 % / 12 = 1,000
    # in month 3 four servers are 3 months old: 1 - 0.4 x 3/12 = 90 %; three are 1 month old: 1 - 0.4/12 =
    # 96.67 %
    assert usd(found, "residual value") == pytest.approx([0, 0, 0, -650_000])  # 360,000 + 290,000
    # 1 % a month on what the hardware is worth at the start of the month: 400,000, then 400,000 x (1 -
    # 0.4/12), then 400,000 x (1 - 0.4 x 2/12) + 300,000
    assert usd(found, "capital tied up") == pytest.approx([0, 4_000, 3_866.6667, 6_733.3333])
    bought = {"servers", "network", "spare parts", "installation", "residual value", "capital tied up"}
    assert set(found.lines) == bought | {"power", "colocation", "maintenance"}
    assert found.fits.tolist() == [True]


def test_servers_are_counted_whole_and_work_only_after_delivery():
    machines = bill([EIGHT], toy_load(GROWING)).machines
    assert machines.count[0].tolist() == [0, 4, 4, 7]
    assert machines.gpus[0].tolist() == [0, 32, 32, 56]
    assert machines.running[0] == pytest.approx([0, 0, 16, 56])
    assert machines.busy[0] == pytest.approx([0, 0, 2, 8])
    # 32 replicas carry 32 requests/s, the mean is 5, a Gamma law of cv 1 is exponential
    assert machines.spilled[0] == pytest.approx(np.exp(-32 / 5))
    assert (machines.contract[0], machines.replica[0]) == ("bought", "1 x tiny, fp8")


def test_nothing_runs_before_delivery():
    # delivered after 4 months, the horizon has 3: bought, awaited and sold, but never powered
    found = bill([EIGHT], toy_load(GROWING), figures={"own.delivery_weeks": 4 * 365.25 / 7 / 12})
    for line in ("power", "colocation", "maintenance"):
        assert usd(found, line) == [0, 0, 0, 0]
    assert usd(found, "servers")[0] == pytest.approx(400_000)


def test_servers_no_longer_needed_stay_until_the_end():
    found = bill([EIGHT], toy_load([10.0, 5.0, 5.0]))
    assert found.machines.count[0].tolist() == [0, 7, 7, 7]
    assert usd(found, "servers") == pytest.approx([700_000, 0, 0, 0])
    assert usd(found, "residual value")[3] == pytest.approx(-630_000)  # 700,000 x 90 %


def test_a_year_old_server_fetches_sixty_percent_and_a_year_and_a_half_old_one_half():
    found = bill([EIGHT], joined(toy_load(horizon=12, months=18), toy_load(horizon=18)))
    assert usd(found, "residual value", 0)[12] == pytest.approx(-240_000)  # 400,000 x 0.6
    assert usd(found, "residual value", 1)[18] == pytest.approx(-200_000)  # half-way from 0.6 to 0.4
    assert usd(found, "residual value", 0)[18] == 0


def test_work_that_can_wait_adds_servers_only_beyond_the_idle_hours():
    # all can wait: 5 x 0.8 = 4 replicas at work, / 0.9 = 4.44 -> one server of eight, two at 10 requests/s
    # (8.9)
    found = bill([EIGHT], joined(toy_load(5, batch_share=1.0), toy_load(10, batch_share=1.0)))
    assert found.machines.count[:, 1].tolist() == [1, 2]
    # 40 % can wait: 18 replicas stand for the rest (test_rented_gpus), work is 4: three servers, none for
    # what waits
    assert bill([EIGHT], toy_load(5, batch_share=0.4)).machines.count[0, 1] == 3


HUNGRY = ("hungry", ("tiny", 8, 90_000, 5_000, 40.0))
"""Ten per cent cheaper to buy, ten times the power: dearer in all."""


@pytest.mark.parametrize(
    ("limit", "taken"),
    [
        (480_000, "eight"),  # 4 x (100,000 x 1.15 + 5,000) = 480,000 is just within
        (479_999, "hungry"),
        (434_000, "hungry"),  # 4 x (90,000 x 1.15 + 5,000) = 434,000 is just within
        (433_999, "eight"),  # none keeps the limit: the cheapest of all
    ],
)
def test_the_cheapest_server_within_the_capital_limit_is_taken_over_a_cheaper_one_above_it(limit, taken):
    # over 36 months power and colocation alone are 10 times (328.5 x 0.4 + 800) more, far above what the
    # price saves
    found = bill([EIGHT, HUNGRY], toy_load(horizon=36), limit=limit)
    assert found.offer.tolist() == [taken]


def test_hardware_of_later_months_does_not_count_against_the_capital_limit():
    # 300,000 more in month 2 are not upfront; of 479,999 and 480,000 only the four servers of month 0 count
    assert bill([EIGHT, HUNGRY], toy_load([5.0] * 35 + [10.0]), limit=480_000).offer.tolist() == ["eight"]


def test_who_insists_on_a_gpu_buys_it():
    other = ("other", ("other", 8, 200_000, 5_000, 4.0))
    assert bill([EIGHT, other], toy_load()).offer.tolist() == ["eight"]
    assert bill([EIGHT, other], toy_load(), gpu="other").offer.tolist() == ["other"]
    assert bill([EIGHT], toy_load(), gpu="other").fits.tolist() == [False]
