"""The bill of rented machines, line by line, against arithmetic by hand in a made-up world."""

import numpy as np
import pytest

from toy import joined, toy_facts
from toy import toy_load as load_of
from where_to_run.formulas import finance
from where_to_run.places import rented_gpus, replicas
from where_to_run.places.spares import AROUND_THE_CLOCK, BUSINESS_HOURS, NONE


def toy_load(*rates, availability=AROUND_THE_CLOCK, **asked):
    """A load around the clock, so that a spare stands."""
    return load_of(*rates, availability=availability, **asked)


ON_DEMAND = ("two", ("tiny", 2, 2.0, np.nan, np.nan, np.nan))
"""A machine of two GPUs at 2 USD/h on demand, nothing else."""


def bill(machines, load, gpu="cheapest", rate=0.0, terms=3, figures=(), course=1.0):
    """Bill of machines that all stand: bursts on machines that follow the load so badly never pay."""
    never = {f"autoscale.stretch.cv_{cv}": 1e6 for cv in ("0.38", "0.71", "1.34")}
    facts = toy_facts(machines, figures=never | dict(figures))
    need = replicas.needed(facts, "toy", load)
    number = len(load.requests)
    factors = finance.discount_factors(np.full(number, rate), load.live.shape[1])
    work = replicas.Workload(load, need, np.full(number, gpu, dtype=object), factors, course=course)
    return rented_gpus.alone(rented_gpus.cloud(facts), rented_gpus.machines(facts, work), work, terms)


def slots(number) -> dict[str, float]:
    """The most requests a replica holds at once, on a GPU of any size."""
    return {"serving.max_sequences": number, "serving.max_sequences_large_gpu": number}


def usd(found, line, scenario=0) -> list[float]:
    return found.lines[line][scenario].tolist()


# 5 requests/s x 4 (peak) x 0.8 s / 0.8 (derate) = 20 busy replicas. Headroom 1.1 x sqrt(z x 20 / 4 slots),
# with z = (1 + 3^2) / 2 = 5: 1.1 x 5 = 5.5, so 25.5 -> 26 replicas (20 / 0.9 = 22.2 is less): 13 machines
# of two, 14 with the spare that stands around the clock.


def test_the_bill_of_26_replicas_on_13_machines_and_a_spare_is_right_line_by_line():
    found = bill([ON_DEMAND], toy_load())
    assert {name: line[0, 1] for name, line in found.lines.items()} == pytest.approx(
        {
            "machines": 20_440,  # 14 x 2 x 730
            "burst machines": 0,
            "spot machines": 0,
            "contract past the horizon": 0,
            "storage": 1_400,  # room for 28 replicas x 500 GB x 0.1
            "egress": 5.256,  # 13,140,000 requests x 500 tokens x 8 B = 52.56 GB x 0.1
        }
    )
    assert sum(line[0, 0] for line in found.lines.values()) == 0  # nothing on the day of the decision
    assert found.offer.tolist() == ["two"]
    assert found.fits.tolist() == [True]


def test_28_gpus_stand_ready_and_4_of_them_are_at_work_on_average():
    machines = bill([ON_DEMAND], toy_load()).machines
    assert machines.gpus[0, 1] == 28
    assert machines.operating[0].tolist() == [0, 1]  # idle or busy
    assert machines.working[0, 1] == pytest.approx(4)  # 5 requests/s x 0.8 s
    # capacity 28 replicas / (0.8 s / 0.8) = 28 requests/s over a mean of 5; a Gamma law of cv 1 is
    # exponential
    assert machines.spilled[0] == pytest.approx(np.exp(-28 / 5), abs=5e-5)
    assert (machines.contract[0], machines.replica[0], machines.basis[0]) == ("on demand", "1 x tiny, fp8", "fitted")


def test_machines_cost_the_same_idle_or_busy():
    # half the requests at twice the spikiness: the same peak, so the same machines at half the work
    found = bill([ON_DEMAND], joined(toy_load(5, 4), toy_load(2.5, 8)))
    assert found.lines["machines"][:, 1] == pytest.approx([20_440, 20_440])
    assert found.lines["egress"][:, 1] == pytest.approx([5.256, 2.628])
    assert found.machines.working[:, 1] == pytest.approx([4, 2])


def test_with_many_slots_the_busiest_share_decides_over_the_headroom():
    # 100 slots: headroom 1.1 x sqrt(5 x 20 / 100) = 1.1 gives 21.1; 20 / 0.9 = 22.2 -> 23, 12 machines and the spare
    found = bill([ON_DEMAND], toy_load(), figures=slots(100))
    assert usd(found, "storage")[1] == pytest.approx(1_300)  # 26 x 50
    assert usd(found, "machines")[1] == pytest.approx(18_980)  # 13 x 2 x 730


def test_memory_caps_the_slots_where_the_engine_does_not():
    # 80 GiB are 85.9 GB: cache 0.9 x 85.9 - 66.79 - 1.02 x 10 = 0.32 GB;
    # at 8 bit 100,000 / 2 B/token x 1,500 = 75 MB a request:
    # 4 slots, so 26 replicas again (2 slots, the cache at 16 bit, would take 28; 10,000 would take 23)
    found = bill([ON_DEMAND], toy_load(), figures=slots(1e4) | {"serving.memory_overhead_gb": 66.79})
    assert usd(found, "storage")[1] == pytest.approx(1_400)  # 28 x 50


@pytest.mark.parametrize(("small_usd", "taken", "rent"), [(1.03, "one", 20_301.3), (1.04, "two", 20_440)])
def test_whole_machines_decide_which_is_cheapest(small_usd, taken, rent):
    # 26 machines of one and a spare: 27 x 1.03 x 730 = 20,301.30 is below 14 x 2 x 730 = 20,440; 27 x 1.04 x 730 =
    # 20,498.40 is above
    found = bill([ON_DEMAND, ("one", ("tiny", 1, small_usd, np.nan, np.nan, np.nan))], toy_load())
    assert found.offer.tolist() == [taken]
    assert usd(found, "machines")[1] == pytest.approx(rent)


def test_who_insists_on_a_gpu_pays_for_it():
    found = bill([ON_DEMAND, ("dear", ("other", 2, 3.0, np.nan, np.nan, np.nan))], toy_load(), gpu="other")
    assert found.offer.tolist() == ["dear"]
    assert usd(found, "machines")[1] == pytest.approx(30_660)  # 14 x 3 x 730


def test_a_gpu_nobody_rents_out_serves_nothing():
    assert bill([ON_DEMAND], toy_load(), gpu="other").fits.tolist() == [False]


CONTRACTS = ("two", ("tiny", 2, 4.0, 2.5, 2.0, np.nan))
"""On demand 4 USD/h, for a year 2.50, for three years 2."""


@pytest.mark.parametrize(
    ("horizon", "contract", "price", "owed_months"),
    [
        (6, "on demand", 4.0, 0),  # 6 x 4 = 24 < 12 x 2.5 = 30 < 36 x 2 = 72
        (7, "on demand", 4.0, 0),  # 7 x 4 = 28 < 30
        (8, "reserved 1 year", 2.5, 4),  # 8 x 4 = 32 > 30
        (12, "reserved 1 year", 2.5, 0),  # 30 < 48
        (18, "reserved 1 year", 2.5, 6),  # 24 x 2.5 = 60 < 18 x 4 = 72 = 36 x 2
        (25, "reserved 3 years", 2.0, 11),  # 36 x 2.5 = 90 > 36 x 2 = 72 < 25 x 4 = 100
        (36, "reserved 3 years", 2.0, 0),
    ],
)
def test_the_cheapest_contract_counts_what_it_owes_past_the_horizon(horizon, contract, price, owed_months):
    found = bill([CONTRACTS], toy_load(horizon=horizon))
    monthly = 14 * price * 730
    assert found.machines.contract.tolist() == [contract]
    assert usd(found, "machines") == pytest.approx([0] + [monthly] * horizon)
    assert usd(found, "contract past the horizon") == pytest.approx([0] * horizon + [owed_months * monthly])


def halved_each_year(months):
    return finance.price_course(np.array([0.5]), months + 1)


def test_on_demand_follows_a_falling_rent_month_by_month():
    # 14 x 2 x 730 = 20,440 today; half after a year, 0.5^(6/12) = 0.7071 after six months
    rent = usd(bill([ON_DEMAND], toy_load(horizon=12), course=halved_each_year(12)), "machines")
    assert [rent[6], rent[12]] == pytest.approx([14_453.26, 10_220])


def test_a_contract_keeps_the_price_of_the_month_it_began_in():
    # rents halve each year: 0.943874 of today's in month 1, 0.471937 in month 13. Over 18 months a year costs 2.5 x 12
    # x (0.943874 + 0.471937) = 42.5, less than on demand, 4 x 10.8715 = 43.5, and three years, 2 x 36 x 0.943874 = 68.0
    found = bill([CONTRACTS], toy_load(horizon=18), course=halved_each_year(18))
    assert found.machines.contract.tolist() == ["reserved 1 year"]
    first, second = 14 * 2.5 * 730 * 0.943874, 14 * 2.5 * 730 * 0.471937
    assert usd(found, "machines")[1:] == pytest.approx([first] * 12 + [second] * 6, rel=1e-5)
    assert usd(found, "contract past the horizon")[18] == pytest.approx(6 * second, rel=1e-5)


def test_where_rents_fall_nobody_binds_for_three_years():
    # over 36 months three years cost 2 x 36 x 0.943874 = 68, a year each time 2.5 x 12 x 0.943874 x 1.75 = 49.6
    load = toy_load(horizon=36)
    assert bill([CONTRACTS], load).machines.contract.tolist() == ["reserved 3 years"]
    assert bill([CONTRACTS], load, course=halved_each_year(36)).machines.contract.tolist() == ["reserved 1 year"]


def test_contracts_are_chosen_scenario_by_scenario_in_one_block():
    found = bill(
        [CONTRACTS], joined(toy_load(horizon=6, months=36), toy_load(horizon=18, months=36), toy_load(horizon=36))
    )
    assert found.machines.contract.tolist() == ["on demand", "reserved 1 year", "reserved 3 years"]
    owed = found.lines["contract past the horizon"].sum(axis=1)
    assert owed == pytest.approx([0, 6 * 14 * 2.5 * 730, 0])
    assert found.lines["machines"][:, 7].tolist() == pytest.approx([0, 14 * 2.5 * 730, 14 * 2 * 730])


def test_discounting_speaks_for_what_is_paid_later():
    # 18 months at 10 % a month: on demand 4 x 8.2014 = 32.8; a year 2.5 x (8.2014 + 6 x 0.17986) = 23.2;
    # three years 2 x (8.2014 + 18 x 0.17986) = 22.9, because what is owed falls due in the last month
    found = bill([CONTRACTS], toy_load(horizon=18), rate=0.1)
    assert found.machines.contract.tolist() == ["reserved 3 years"]


def test_where_only_one_term_is_allowed_machines_are_rented_on_demand():
    found = bill([CONTRACTS], toy_load(horizon=36), terms=1)
    assert found.machines.contract.tolist() == ["on demand"]
    assert usd(found, "machines")[1:] == pytest.approx([14 * 4 * 730] * 36)


def test_a_term_pays_all_along_for_the_most_machines_any_of_its_months_needs():
    # half the machines in the first 6 months: 2.5 requests/s x 4 = 10 busy, + 1.1 x sqrt(5 x 10 / 4) = 3.9
    # -> 14: 7 machines of two, 8 with the spare. A year of 14 at 2.5 = 420; on demand 6 x 8 x 4 + 6 x 14 x
    # 4 = 528
    load = toy_load([2.5] * 6 + [5.0] * 6)
    assert usd(bill([CONTRACTS], load), "machines")[1:] == pytest.approx([14 * 2.5 * 730] * 12)
    # on demand each month pays for its own
    on_demand = usd(bill([CONTRACTS], load, terms=1), "machines")
    assert on_demand[1:] == pytest.approx([8 * 4 * 730] * 6 + [14 * 4 * 730] * 6)


def test_a_contract_that_pays_for_idle_machines_loses_to_hours_on_demand():
    # 14 machines in one month of twelve, 8 in the others. On demand at 4: 4 x (14 + 11 x 8) = 408; a year
    # at 2.5: 420, because all its months pay for 14
    found = bill([CONTRACTS], toy_load([2.5] * 11 + [5.0]))
    assert found.machines.contract.tolist() == ["on demand"]
    assert sum(usd(found, "machines")) == pytest.approx(408 * 730)


SPOT = ("two", ("tiny", 2, 2.0, np.nan, np.nan, 0.5))


def test_what_can_wait_fills_idle_hours_and_runs_on_spot_beyond_them():
    # 90 % can wait: 0.5 requests/s cannot. Peak 0.5 x 2 = 1 busy replica, + 1.1 x sqrt(5 / 4) = 2.23 -> 3:
    # two machines. Idle up to 90 %: 4 x 0.9 - 0.5 x 0.8 = 3.2 replicas; waiting work 4.5
    # x 0.8 = 3.6. 0.4 replicas beyond = 0.2 machines, 15 % done twice: 0.23
    found = bill([SPOT], toy_load(5, 2, batch_share=0.9, availability=BUSINESS_HOURS))
    assert usd(found, "machines")[1] == pytest.approx(2_920)  # 2 x 2 x 730
    assert usd(found, "spot machines")[1] == pytest.approx(83.95)  # 0.23 x 0.5 x 730
    # 0.46 GPUs of spot beside the 4 that stand ready and work up to 90 %
    assert found.machines.count[0, 1] == 2
    assert found.machines.gpus[0, 1] == pytest.approx(4.46)
    assert found.machines.working[0, 1] == pytest.approx(4.06)  # 4 x 0.9 + 0.46


def test_around_the_clock_a_spare_machine_finds_room_for_it():
    # three machines: 6 x 0.9 - 0.4 = 5 replicas are idle, for 3.6
    found = bill([SPOT], toy_load(5, 2, batch_share=0.9))
    assert usd(found, "machines")[1] == pytest.approx(4_380)  # 3 x 2 x 730
    assert usd(found, "spot machines")[1] == 0


@pytest.mark.parametrize(
    ("availability", "count", "spare"), [(NONE, 13, 0), (BUSINESS_HOURS, 13, 0), (AROUND_THE_CLOCK, 14, 1)]
)
def test_in_business_hours_a_fresh_machine_is_the_spare(availability, count, spare):
    machines = bill([ON_DEMAND], toy_load(availability=availability)).machines
    assert (machines.count[0, 1], machines.spare[0, 1]) == (count, spare)


def test_waiting_work_that_fits_into_idle_hours_costs_nothing_more():
    # 40 % can wait: peak 3 x 4 = 12 busy, + 1.1 x sqrt(5 x 12 / 4) = 16.26 -> 17: 9 machines with
    # 18 x 0.9 - 3 x 0.8 = 13.8 idle replicas for 2 x 0.8 = 1.6
    found = bill([SPOT], toy_load(5, 4, batch_share=0.4, availability=BUSINESS_HOURS))
    assert usd(found, "machines")[1] == pytest.approx(13_140)  # 9 x 2 x 730
    assert usd(found, "spot machines")[1] == 0


def test_when_all_can_wait_nothing_stands_ready():
    # 5 x 0.8 = 4 replicas = 2 machines, 2.3 with what is done twice
    found = bill([SPOT], toy_load(5, 4, batch_share=1.0))
    assert usd(found, "machines")[1] == 0
    assert usd(found, "spot machines")[1] == pytest.approx(839.5)  # 2.3 x 0.5 x 730
    # 2.3 machines of two GPUs, all at work
    assert found.machines.gpus[0, 1] == pytest.approx(4.6)
    assert found.machines.working[0, 1] == pytest.approx(4.6)


def test_without_a_spot_price_waiting_work_pays_the_price_on_demand():
    found = bill([ON_DEMAND], toy_load(5, 4, batch_share=1.0))
    assert usd(found, "spot machines")[1] == pytest.approx(3_358)  # 2.3 x 2 x 730


def test_no_requests_need_no_machines():
    found = bill([ON_DEMAND], toy_load(0.0))
    assert sum(line.sum() for line in found.lines.values()) == 0
