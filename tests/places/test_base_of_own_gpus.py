"""A base of own servers: by hand in the made-up world of toy.py, and against the best path of purchases there is."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import gammaincinv

from toy import exceedance, joined, spare_machines, spill, toy_facts, toy_load
from where_to_run.formulas import finance, load_curve
from where_to_run.places import own_gpus, replicas
from where_to_run.places.fleet import Outlet
from where_to_run.places.spares import AROUND_THE_CLOCK, NONE

SECONDS, HOURS, WEEKS = 730 * 3600, 730, 365.25 / 7 / 12
"""Of a month."""

BUSY, BUSIEST = 0.8, 0.9
"""The toy world: seconds a request takes (1 s of the planned capacity), and the busiest share."""

EIGHT = ("eight", ("tiny", 8, 100_000, 5_000, 4.0))
"""A server of eight GPUs: 100,000 USD, 5,000 USD to install, 4 kW; 120,000 USD with network and spare parts."""


def api(usd, may=1.0, number=1) -> Outlet:
    every = np.ones(number)
    return Outlet(every * may, every * may, every * usd, every * usd, every * 0)


def bill(servers, load, overflow, rate=0.0, limit=1e9, hands=0.0, gpu="cheapest", figures=()):
    facts, number = toy_facts(servers=servers, figures=figures), len(load.requests)
    need = replicas.needed(facts, "toy", load)
    factors = finance.discount_factors(np.zeros(number) + rate, load.live.shape[1])
    upkeep = replace(own_gpus.upkeep(facts, "pcie"), staff_usd=hands)
    work = replicas.Workload(load, need, np.full(number, gpu, dtype=object), factors)
    return own_gpus.bill(upkeep, own_gpus.servers(facts, work, "pcie"), work, np.zeros(number) + limit, overflow)


def plain(load):
    """A load whose replicas need no headroom: n of them carry 0.9 n requests a second."""
    return replace(load, headroom_beta=load.headroom_beta * 0)


# Four months by hand, at no discount. A server carries 8 x 0.9 = 7.2 requests/s; of an exponential load of 5 it leaves
# 5 exp(-1.44 n): 1.18464, 0.28067, 0.06650, 0.01576 to the API with 1 to 4 servers, of 10 requests/s 10 exp(-0.72 n):
# 4.86752, 2.36928, 1.15325, 0.56135, 0.27324. Ordered two months ahead, servers of months 2 and 3 are ordered on the
# day of the decision and serve half of month 2. One costs 131.4 (idle power) + 800 + 1,000 + 2,500 (hands) = 4,431 a
# month.
# One for month 4 costs 120,000 - 90,000 (90 % left after 3 months) + 4,431 = 34,431; to have it from month 2 costs
# 3,333 of its value and 1.5 x 4,431 more, 9,980. A request/s costs 2,628,000 x 0.025 = 65,700 USD a month at the API.
# Month 4: the fourth server saves 0.59190 x 65,700 = 38,888, the fifth 18,929. Before: the third saves 1.5 x 0.21417 x
# 65,700 = 21,106, the fourth 5,001. So three, then four (power at work is far less than these gaps).

GROWING = [5.0, 5.0, 5.0, 10.0]


def four_months(**asked):
    return bill([EIGHT], plain(toy_load(GROWING)), api(0.025), hands=2_500, **asked)


def test_four_months_of_three_and_four_servers_are_right_line_by_line():
    found, passed = four_months()
    assert found.machines.count[0].tolist() == [0, 0, 3, 3, 4]
    assert {name: line[0].tolist() for name, line in found.lines.items()} == {
        "servers": pytest.approx([300_000, 100_000, 0, 0, 0]),
        "network": pytest.approx([30_000, 10_000, 0, 0, 0]),
        "spare parts": pytest.approx([15_000, 5_000, 0, 0, 0]),
        "installation": pytest.approx([15_000, 5_000, 0, 0, 0]),
        # 131.4 a server and 197.1 more for each that is full: 4.9335 requests/s x 0.8 s / 8 = 0.49335 servers, in month
        # 4 9.43865 x 0.1 = 0.943865: 3 x 131.4 + 97.24 = 491.44, half of it in month 2; 4 x 131.4 + 186.04
        "power": pytest.approx([0, 0, 245.72, 491.44, 711.64], rel=1e-3),
        "colocation": pytest.approx([0, 0, 1_200, 2_400, 3_200]),
        "maintenance": pytest.approx([0, 0, 1_500, 3_000, 4_000]),
        # 3 x 86,666.67 at an age of four months, 90,000 at three
        "residual value": pytest.approx([0, 0, 0, 0, -350_000]),
        "capital tied up": pytest.approx([0, 0, 0, 0, 0]),
    }
    assert passed.prompt[0] == pytest.approx([0, 0, 0.03325, 0.0665, 0.56135], rel=5e-3)
    # 0.661... of 22.5 requests/s-months in operation: 2.5 + 5 + 10 = 17.5, of which 0.6611 go
    assert found.machines.spilled[0] == pytest.approx(0.6611 / 17.5, rel=5e-3)


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        (360_000, [0, 0, 3, 3, 4]),  # 3 x 120,000 is just within
        (359_999, [0, 0, 2, 2, 4]),  # month 4 is ordered later
        (120_000, [0, 0, 1, 1, 4]),
        (119_999, [0, 0, 1, 1, 4]),  # not even one: the least there can be, for the limit to refuse
    ],
)
def test_what_is_ordered_on_day_one_keeps_the_capital_limit_where_that_leaves_one(limit, count):
    assert four_months(limit=limit)[0].machines.count[0].tolist() == count


def test_a_server_within_the_capital_limit_is_taken_over_a_better_one_above_it():
    # half an `eight` for 0.6 of its price: 72,000 USD all in
    half = ("half", ("tiny", 4, 60_000, 3_000, 2.4))
    load, taken = plain(toy_load(5.0, horizon=36)), []
    for limit in (120_000, 119_999, 72_000):
        found, _ = bill([EIGHT, half], load, api(0.025), limit=limit)
        taken.append((found.offer[0], found.lines["servers"][0, 0] <= limit))
    assert taken == [("eight", True), ("half", True), ("half", True)]


def test_streams_that_may_not_be_passed_on_get_their_servers_whatever_the_limit():
    # nothing may go: at 5 requests/s 4 x 5 = 20 busy at the peak, / 0.9 = 22.2 -> 23 replicas, 3 servers and a spare;
    # at 10 requests/s 45, 6 servers and a spare
    found, passed = bill([EIGHT], plain(toy_load(GROWING)), api(1e-9, may=0.0), limit=120_000)
    assert found.machines.count[0].tolist() == [0, 0, 4, 4, 7]
    assert passed.prompt.sum() == 0


def test_an_api_for_nothing_leaves_one_server():
    found, _ = bill([EIGHT], plain(toy_load(5.0, horizon=12)), api(1e-12))
    assert found.machines.count[0].tolist() == [0, 0] + [1] * 11


def test_an_api_beyond_all_price_is_hardly_called():
    # 5 requests/s: their exponential law stays below 5 x ln(5,000) = 42.6 but for 2 of 10,000 requests
    found, passed = bill([EIGHT], plain(toy_load(5.0, horizon=12)), api(1e3))
    assert passed.prompt.sum() < 2e-4 * 10.5 * 5
    assert found.machines.count[0, -1] >= 42.6 / 7.2


def test_servers_no_longer_needed_stay_until_the_end():
    found, _ = bill([EIGHT], plain(toy_load([10.0] * 4 + [1.0] * 4)), api(0.025))
    assert found.machines.count[0, 4] > 1
    assert (found.machines.count[0, 4:] == found.machines.count[0, 4]).all()


def test_nothing_is_bought_that_is_delivered_after_the_end():
    found, _ = bill([EIGHT], plain(toy_load(GROWING)), api(0.025), figures={"own.delivery_weeks.pcie": 4 * WEEKS})
    assert sum(abs(line).sum() for line in found.lines.values()) == 0


def test_a_gpu_nobody_sells_serves_nothing():
    assert bill([EIGHT], toy_load(), api(0.025), gpu="other")[0].fits.tolist() == [False]


# Against the best path of purchases, by formulas of our own


HEADROOM = 1.1 * np.sqrt(5 / 4)
"""beta sqrt(z / slots), z = (1 + 3^2) / 2."""


def carried(number):
    """Requests a second: the largest a with a + h sqrt(a) <= n, by bisection, at most the busiest share of n."""
    low, high = number * 0.0, number * 1.0
    for _ in range(60):
        middle = (low + high) / 2
        enough = middle + HEADROOM * np.sqrt(middle) <= number
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return np.minimum(low, BUSIEST * number)


def busiest(case, each, rate):
    """Servers for the busiest hours of what cannot wait."""
    busy = rate * (1 - case["batch"]) * case["peak"]
    return np.ceil(np.ceil(max(1.0, busy + HEADROOM * np.sqrt(busy), busy / BUSIEST)) / each) if busy else 0


def stand_by(case, each, rate):
    """Spare servers beside machines that follow the load, around the clock."""
    starts = case["usd_per_hour"] > 0 and case["may"] > 0 and case["availability"] == AROUND_THE_CLOCK
    return spare_machines(busiest(case, each, rate), 3) if starts else 0


def fewest(case, each, rate):
    """Servers for the busiest hours of what may not be passed on, with their spares; one at work at least."""
    kept = rate * (1 - case["may"])
    at_work = busiest(case, each, kept)
    spare = spare_machines(at_work, 3) if case["availability"] > NONE else 0
    works = kept * BUSY / BUSIEST * (case["batch"] > 0)
    return int(max(max(at_work, 1) + max(spare, stand_by(case, each, rate)), np.ceil(works / each)))


def month(case, number, server, hands, rate):
    """What a month costs with so many servers, here and elsewhere [USD]."""
    _, each, price, _, kw = server
    prompt, waiting, b = rate * (1 - case["batch"]), rate * case["batch"], 1 - case["may"]
    capacity = carried(np.maximum(number - stand_by(case, each, rate), 0) * each)
    cv, stretch = case["cv"], case["stretch"]

    def above(capacity):
        return spill(capacity, prompt, cv) - spill(capacity, b * prompt, cv)

    goes = above(capacity)
    idle = np.maximum(0.0, number * each * BUSIEST - BUSY * (prompt - goes)) / BUSY
    waits = np.clip(waiting - idle, 0, case["may"] * waiting)
    often, far = np.sqrt(exceedance(capacity, prompt, cv)), capacity / stretch
    more = spill(far, prompt, cv) - spill(capacity, prompt, cv)
    ready = np.minimum(stretch * (goes + often * more), stretch * prompt * case["may"]) * (case["may"] > 0)
    hours = (often**2 + often * (exceedance(far, prompt, cv) - often**2)) * (case["may"] > 0)
    elsewhere = (ready * case["usd"] + waits * case["usd_waiting"]) * SECONDS + hours * case["usd_per_hour"] * HOURS
    at_work = (rate - goes - waits) * BUSY / each
    power = kw * 0.75 * 1.5 * HOURS * 0.1 * (0.4 * number + 0.6 * at_work)
    return elsewhere + power + number * (kw * 200 + price * 0.12 / 12) + number * hands


def priced(case, server, delivery, hands, most):
    """Present values over (month, number): of a month with so many servers, and of one server from a month on [USD].

    Before delivery months cost nothing here.
    """
    horizon, (_, _, price, installation, _) = len(case["rates"]), server
    months = np.arange(horizon + 1)
    factor = (1 + case["rate"]) ** -months.astype(float)
    order = np.maximum(0, months - 1 - int(np.ceil(delivery)))
    left = np.interp(horizon - order, np.arange(6) * 12, [1, 0.6, 0.4, 0.3, 0.2, 0.1])
    bought = (price * 1.15 + installation) * factor[order] - price * left * factor[horizon]
    operating = np.clip(months - delivery, 0, 1)
    number = np.arange(most + 1)
    run = [month(case, number, server, hands, rate) for rate in case["rates"]]
    return np.array([0 * number, *run]) * (operating * factor)[:, None], bought


def best_path(case, server, delivery, hands, limit, most):
    """Least present value over all paths of purchases, month by month: V_m(n) = min over k <= n of V_(m-1)(k) + ..."""
    usd, bought = priced(case, server, delivery, hands, most)
    _, each, price, installation, _ = server
    number, first = np.arange(most + 1), 1 + int(np.ceil(delivery))
    held = [0] + [
        fewest(case, each, rate) if month > delivery else 0 for month, rate in enumerate(case["rates"], start=1)
    ]
    at_most = max(limit // (price * 1.15 + installation), 1, *held[: first + 1])
    value = np.where(number == 0, 0.0, np.inf)
    for now in range(1, len(held)):
        value = np.minimum.accumulate(value - number * bought[now]) + number * bought[now] + usd[now]
        barred = (number < held[now]) | ((now <= first) & (number > at_most))
        value = np.where(barred, np.inf, value)
    return value.min()


def best_number(case, server, delivery, hands, limit, most):
    """Least present value of a number of servers that stands from the first month of service on."""
    usd, bought = priced(case, server, delivery, hands, most)
    _, each, price, installation, _ = server
    held = max(fewest(case, each, rate) for rate in case["rates"][int(np.floor(delivery)) :])
    at_most = max(limit // (price * 1.15 + installation), 1, held)
    total = usd.sum(axis=0) + np.arange(most + 1) * bought[1]
    return total[held : int(min(at_most, most)) + 1].min()


FOLLOWER = load_curve.Follower(np.interp(load_curve.CV_NODES, [0, 0.38, 0.71, 1.34], [1, 1.27, 1.76, 10.4]))
"""Machines that follow the load, which stretch it by its coefficient of variation."""


def drawn(draw, growth, may, by_the_hour) -> dict:
    """One scenario: rates of growing or falling months, up to about 80 replicas, beside an API or rented machines."""
    cv, horizon = np.exp(draw.uniform(np.log(0.05), np.log(3))), int(draw.choice([6, 12, 18, 24, 36]))
    peak = cv**2 * gammaincinv(1 / cv**2, 0.99)
    rates = 10 ** draw.uniform(-1, 1.7) * (1 + draw.uniform(*growth)) ** np.arange(horizon)
    usd = 10 ** draw.uniform(-4, -1.5)
    case = {
        "cv": cv,
        "peak": peak,
        "rates": rates * min(1.0, 80 / peak / rates.max()),
        "batch": draw.choice([0, 0, 0, 0.3, 0.8, 1]),
        "may": draw.choice(may),
        "usd": usd,
        "usd_waiting": usd * draw.choice([0.5, 1]),
        "usd_per_hour": 0.0,
        "stretch": 1.0,
        "rate": draw.uniform(0, 0.02),
        "availability": draw.integers(0, 3),
    }
    if by_the_hour:
        # a machine of one to eight GPUs at 1 to 6 USD/h each, and a stretch of the size of rented_gpus.stretch
        gpus, usd_per_hour = draw.choice([1, 2, 4, 8]), draw.uniform(1, 6)
        case["usd"] = usd_per_hour * gpus / carried(np.array([gpus]))[0] / 3600
        case["usd_waiting"], case["usd_per_hour"] = usd_per_hour * 0.4 / 3600, usd_per_hour * gpus / 2
        case["stretch"] = float(FOLLOWER.at(cv))
    return case


@cache
def above_the_best(kind: str) -> np.ndarray:
    """How much more the bill costs today than the best, over random scenarios [share]."""
    growth = (-0.08, 0) if kind.startswith("falling") else (0, 0.08)
    may = [0.0, 0.2, 0.5, 0.9] if "some may go" in kind else [1.0]
    best = best_number if kind.startswith("falling") else best_path
    gaps = []
    for seed in range(4):
        draw = np.random.default_rng(seed)
        servers = {}
        for name in "ab":
            gpus, usd = int(draw.choice([1, 2, 4, 8])), draw.uniform(8e3, 4e4)
            servers[name] = ("tiny", gpus, gpus * usd, gpus * usd * 0.06, gpus * draw.uniform(0.3, 1.5))
        delivery, hands = float(draw.choice([0.7, 1.5, 2, 4.3])), float(draw.choice([0, 2_500]))
        cases = [drawn(draw, growth, may, kind.endswith("by the hour")) for _ in range(18)]
        unlimited = draw.random(len(cases)) < (1 if kind.startswith("falling") else 0.5)
        limit = np.where(unlimited, 1e9, 10 ** draw.uniform(4.5, 6.5, len(cases)))
        fields = ("may", "may", "usd", "usd_waiting", "usd_per_hour")
        follower = FOLLOWER if kind.endswith("by the hour") else None
        overflow = Outlet(*(np.array([case[name] for case in cases], float) for name in fields), follower)
        loads = [toy_load(case["rates"], case["peak"], case["batch"], months=36) for case in cases]
        laws = [load_curve.Gamma(np.full((1, 1), case["cv"])) for case in cases]
        load = joined(*(replace(load, curve=law) for load, law in zip(loads, laws, strict=True)))
        load = replace(load, availability=np.array([[case["availability"]] for case in cases]))
        rate, figures = np.array([case["rate"] for case in cases]), {"own.delivery_weeks.pcie": delivery * WEEKS}
        found, passed = bill(list(servers.items()), load, overflow, rate, limit, hands, figures=figures)
        cash = sum(line for name, line in found.lines.items() if name != "capital tied up") + passed.usd(overflow)
        # people are in another bill, but a server is not taken without them
        cash = cash + found.machines.count * found.machines.operating * hands
        worth = np.einsum(
            "sm,sm->s", cash * np.maximum(load.live, np.arange(37) == 0), (1 + rate[:, None]) ** -np.arange(37.0)
        )
        for s, case in enumerate(cases):
            server = servers[found.offer[s]]
            most = int(max(found.machines.count[s].max() * 1.5, 100 / server[1])) + 3
            gaps.append(worth[s] / best(case, server, delivery, hands, limit[s], most) - 1)
    return np.array(gaps)


KINDS = ("growing", "growing, some may go", "growing, by the hour", "growing, some may go by the hour")
FALLING = ("falling", "falling, some may go", "falling, by the hour")


@pytest.mark.parametrize("kind", KINDS)
def test_no_path_of_purchases_costs_two_percent_less_and_most_of_the_time_none_costs_less(kind):
    gaps = above_the_best(kind)
    assert np.median(gaps) < 1e-4
    assert gaps.max() < 0.02


@pytest.mark.parametrize("kind", FALLING)
def test_of_a_falling_load_no_number_of_servers_costs_less(kind):
    assert above_the_best(kind).max() < 2e-3


@pytest.mark.parametrize("kind", KINDS + FALLING)
def test_the_bill_is_never_below_the_best_there_is(kind):
    assert above_the_best(kind).min() > -2e-3
