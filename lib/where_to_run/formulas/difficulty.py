"""Difficulty: what it costs to send easy requests to a small model and hard ones to a big one."""

from ..units import Number


def router_cost(small: Number, big: Number, hard_share: Number, router: Number) -> Number:
    """Mean cost of a request that a router sends to one of two models, in the costs' unit: r + (1 - e) s + e b."""
    return router + (1 - hard_share) * small + hard_share * big


def router_limit(small: Number, big: Number, router: Number) -> Number:
    """Share of hard requests below which a router costs less than the big model alone [share]: 1 - r / (b - s)."""
    return 1 - router / (big - small)


def cascade_cost(small: Number, big: Number, hard_share: Number, judge: Number) -> Number:
    """Mean cost of a request that the small model answers first, and the big one where a judge is not content.

    s + j + e b, in the unit of the costs. A cascade is not as good as its big model: the judge errs.
    """
    return small + judge + hard_share * big


def cascade_limit(small: Number, big: Number, judge: Number) -> Number:
    """Share of hard requests below which a cascade costs less than the big model alone [share]: 1 - (s + j) / b."""
    return 1 - (small + judge) / big
