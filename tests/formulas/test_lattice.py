"""Lattice: the best plan equals full enumeration, published thresholds and options; what it costs is what it says."""

import numpy as np
import pytest
from scipy.optimize import brentq

from where_to_run.formulas.lattice import STAY, Programme, course, edge, solve, wait

RANDOM = 20261122


def drawn(rng, months=4, states=3):
    """A small programme at random: three states, every move open in most months, leads of 0 to 2 months."""
    pairs = np.array([(i, j) for i in range(states) for j in range(states) if i != j])
    shape, moves = (months, months + 1, states), len(pairs)
    price = rng.uniform(0, 4, (months, moves))
    return Programme(
        running=rng.uniform(0, 10, shape),
        end=rng.uniform(-5, 5, shape[1:]),
        bound=rng.uniform(0, 2, shape),
        start=pairs[:, 0],
        to=np.tile(pairs[:, 1], (months, 1)),
        price=np.where(rng.random(price.shape) < 0.8, price, np.inf),
        lead=rng.integers(0, 3, moves),
        beside=rng.uniform(0, 1, moves),
        left=rng.uniform(0, 1, moves),
        up=float(rng.uniform(0.2, 0.8)),
        discount=float(rng.uniform(0.9, 1)),
    )


def enumerated(p, t, k, state, coming=None, due=0, beside=0.0):
    """Least expected cost by trying everything on the tree of months, orders carried from month to month."""
    if t == p.months:
        return p.end[k, state] if due == 0 else 1e18
    if due == 0 and coming is None:
        found = [enumerated(p, t, k, state, state)]
        for m in np.flatnonzero((p.start == state) & np.isfinite(p.price[t])):
            asked = p.price[t, m] + p.left[m] * p.bound[t, k, state]
            at_once = p.lead[m] == 0
            runs = int(p.to[t, m]) if at_once else state
            found.append(asked + enumerated(p, t, k, runs, int(p.to[t, m]), int(p.lead[m]), p.beside[m]))
        return min(found)
    cost = p.running[t, k, state] + (beside * p.running[t, k, coming] if due == 1 else 0)
    arrived = due <= 1
    then = (coming, None, 0) if arrived else (state, coming, due - 1, beside)
    later = sum(chance * enumerated(p, t + 1, k + step, *then) for step, chance in ((1, p.up), (0, 1 - p.up)))
    return p.discount * (cost + later)


@pytest.mark.parametrize("seed", range(200))
def test_the_best_plan_is_the_best_of_all_plans(seed):
    p = drawn(np.random.default_rng([RANDOM, seed]))
    value = solve(p).value
    for state in range(3):
        assert value[0, 0, state] == pytest.approx(enumerated(p, 0, 0, state), rel=1e-12)


def on_a_price(step, months, early, running, end, bound, price, discount, up=None, shift=0.0):
    """A programme of two states on a price that goes up or down by e^step, with a move each way and no lead."""
    t, k = np.arange(months + 1)[:, None], np.arange(early + months + 1)
    prices, pairs = np.exp(step * (2 * k - t - early + shift)), np.array([0, 1])
    flow = np.stack(np.broadcast_arrays(*running(prices[:-1])), axis=-1)
    return prices, Programme(
        running=flow,
        end=np.stack(np.broadcast_arrays(*end(prices[-1])), axis=-1),
        bound=np.stack(np.broadcast_arrays(*bound(prices[:-1])), axis=-1),
        start=pairs,
        to=np.tile(pairs[::-1], (months, 1)),
        price=np.tile(np.array(price, float), (months, 1)),
        lead=np.zeros(2, int),
        beside=np.zeros(2),
        left=np.ones(2),
        up=1 / (1 + np.exp(step)) if up is None else up,
        discount=discount,
        early=early,
    )


def threshold(prices, plan, state, last):
    """The price in month 0 at which a state is left: the first from below, or the last."""
    p = plan.programme
    move, gain = (part[0, : p.levels(0), state] for part in (plan.move, plan.gain))
    change = np.flatnonzero(np.diff(move == STAY))[-1 if last else 0]
    at = [change + 2, change + 1, change] if last else [change - 1, change, change + 1]
    return np.exp(edge(np.log(prices[0, at]), gain[at]))


def firm(year, years, early, shift=0.0):
    """Dixit 1989 (JPE 97:620): mu 0, sigma 0.1, rho 0.025, w 1, k 4, l 0, so many decisions a year, then no more.

    What flows within a step is worth more than at its end: by (e^(rho h) - 1) / rho over h.
    """
    rho, step = 0.025, 0.1 / np.sqrt(year)
    flow = np.expm1(rho / year) / rho
    return on_a_price(
        step,
        years * year,
        early,
        running=lambda v: (0 * v, (1 - v) * flow),
        end=lambda v: (0 * v, (1 - v) / rho),
        bound=lambda v: (0 * v, 0 * v),
        price=(4, 0),
        discount=float(np.exp(-rho / year)),
        shift=shift / step,
    )


DIXIT = (1.4667, 0.7657)
"""Prices at which the firm enters and leaves; the static thresholds would be w + rho k = 1.10 and 1.00."""


def test_triggers_read_off_between_two_volumes_are_those_of_dixit():
    # decisions 16 times a year: the smooth boundary is found to a quarter of a per cent, the size of half a step
    prices, p = firm(16, 80, 48)
    plan = solve(p)
    assert threshold(prices, plan, 0, last=False) == pytest.approx(DIXIT[0], rel=2.5e-3)
    assert threshold(prices, plan, 1, last=True) == pytest.approx(DIXIT[1], rel=2.5e-3)


@pytest.mark.parametrize(("state", "near"), [(0, (1.40, 1.46)), (1, (0.77, 0.79))])
def test_a_firm_enters_and_leaves_at_the_thresholds_of_dixit(state, near):
    # cases H01, to 2 in 10,000. A firm that decides n times a year moves too soon by the root of 1 / n, so from the
    # prices at which it is indifferent at 9 and 25 decisions a year that of one that always decides (Richardson).
    def indifferent(year):
        gain = lambda at: solve(firm(year, 60, 2, at)[1]).gain[0, 1, state]  # noqa: E731
        return np.exp(brentq(gain, *np.log(near), xtol=1e-5))

    nine, more = indifferent(9), indifferent(25)
    assert (5 * more - 3 * nine) / 2 == pytest.approx(DIXIT[state], rel=2e-4)


def test_an_investment_that_can_wait_is_made_at_twice_its_price():
    # Dixit and Pindyck 1994, chapter 5: r and dividend 4 %, sigma 0.2, beta 2, so V* = 2 I
    year = 16
    prices, p = on_a_price(
        0.2 / np.sqrt(year),
        80 * year,
        40,
        running=lambda v: (0 * v, 0 * v),
        end=lambda v: (0 * v, 0 * v),
        bound=lambda v: (1 - v, 0 * v),
        price=(0, np.inf),
        discount=float(np.exp(-0.04 / year)),
    )
    assert threshold(prices, solve(p), 0, last=False) == pytest.approx(2.0, rel=1e-2)


def test_the_american_put_of_hull_is_worth_4_49():
    # Hull, Options, Futures and Other Derivatives: S = K = 50, r 10 %, sigma 0.4, five months in five steps
    step = 0.4 * np.sqrt(1 / 12)
    _, p = on_a_price(
        step,
        5,
        0,
        running=lambda v: (0 * v, 0 * v),
        end=lambda v: (-np.maximum(0, 50 - 50 * v), 0 * v),
        bound=lambda v: (50 * v - 50, 0 * v),
        price=(0, np.inf),
        discount=float(np.exp(-0.1 / 12)),
        up=float((np.exp(0.1 / 12) - np.exp(-step)) / (np.exp(step) - np.exp(-step))),
    )
    assert -solve(p).value[0, 0, 0] == pytest.approx(4.49, abs=0.005)


@pytest.mark.parametrize("seed", range(5))
def test_the_course_of_a_plan_is_that_of_all_paths(seed):
    p = drawn(np.random.default_rng([RANDOM, seed]), months=6)
    plan = solve(p)
    found = course(plan, 0)
    assert found.runs.sum(axis=1) == pytest.approx(1)
    # every path with its chance, months of lead and orders counted by hand
    runs, ordered = np.zeros(found.runs.shape), np.zeros(found.ordered.shape)
    for path in np.ndindex(*[2] * p.months):
        chance = np.prod([p.up if step else 1 - p.up for step in path])
        level, state, coming, due = 0, 0, 0, 0
        for t, step in enumerate(path):
            if due == 0 and (move := plan.move[t, level, state]) != STAY:
                ordered[t, move] += chance
                coming, due = p.to[t, move], p.lead[move]
                state = coming if due == 0 else state
            runs[t, state] += chance
            due = max(0, due - 1)
            state = coming if due == 0 and coming is not None else state
            coming, level = (state, level + step) if due == 0 else (coming, level + step)
    assert found.runs == pytest.approx(runs)
    assert found.ordered == pytest.approx(ordered)


def test_waiting_is_worth_running_on_and_then_the_plan():
    p = drawn(np.random.default_rng(RANDOM))
    plan = solve(p)
    assert wait(plan, 0, 0) == plan.value[0, 0, 0]
    # by hand: a month at the level it stands on, then the plan up or down
    one = p.discount * (p.running[0, 0, 0] + p.up * plan.value[1, 1, 0] + (1 - p.up) * plan.value[1, 0, 0])
    assert wait(plan, 0, 1) == pytest.approx(one)
    assert all(wait(plan, 0, months) >= plan.value[0, 0, 0] - 1e-12 for months in range(5))
