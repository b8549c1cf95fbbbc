"""Money over time: present values, the level cost of a token, and what hardware is still worth.

Flows stand on a last axis of months 0 to H: month 0 is the day of the decision, month m the end of month m.
"""

import numpy as np

from ..units import MONTHS_PER_YEAR, Array, Number


def monthly_rate(yearly_rate: Number) -> Number:
    """Rate per month that compounds to the yearly one [share/month]: (1 + i)^(1/12) - 1."""
    return (1 + np.asarray(yearly_rate)) ** (1 / MONTHS_PER_YEAR) - 1


def present_value(flows: Array, factors: Array) -> Array:
    """Worth today of flows at periods 0, 1, 2, ... [unit of the flows]: sum over the last axis of F_t x factor_t."""
    return np.einsum("...t,...t->...", flows, factors)


def discount_factors(rate: Number, periods: int) -> Array:
    """1 / (1 + r)^t for t = 0 to periods - 1, on a new last axis."""
    return np.power(1 + np.asarray(rate)[..., None], -np.arange(periods, dtype=float))


def price_course(yearly: Number, periods: int) -> Array:
    """A price over today's in months 0, 1, 2, ..., on a new last axis: f^(m/12), a factor f of it left each year."""
    return np.power(np.asarray(yearly)[..., None], np.arange(periods) / MONTHS_PER_YEAR)


def levelised_cost(costs: Array, tokens: Array, factors: Array) -> Array:
    """Level cost of a token: present value of the costs over present value of the tokens, NaN where there are none."""
    bought = present_value(tokens, factors)
    return present_value(costs, factors) / np.where(bought > 0, bought, np.nan)


def share_left(age_months: Number, ages: Array, shares: Array) -> Number:
    """Share of its price hardware still fetches at an age, linear between the known ages, 1 when new [share]."""
    return np.interp(age_months, np.append(0.0, ages), np.append(1.0, shares))


def value_left(purchases: Array, ages: Array, shares: Array) -> Array:
    """Worth of all hardware bought so far at each month, for purchases by month on the last axis [unit of purchases].

    value_t = sum over s <= t of purchase_s x share_left(t - s).
    """
    months = np.arange(purchases.shape[-1])
    age = months[None, :] - months[:, None]
    kernel = np.where(age >= 0, share_left(np.maximum(age, 0), ages, shares), 0.0)
    # not @, whose threads keep a core busy long after so small a product
    return np.einsum("...s,st->...t", purchases, kernel)
