"""Calls: what a request costs at the API asked for, or at the cheapest vendor that hosts the same open weights."""

from dataclasses import dataclass, replace

import numpy as np

from . import vendor_api
from .bills import Bill, added_up
from .facts import Facts
from .replicas import Load
from .units import Array


@dataclass(frozen=True)
class Api:
    """The API each scenario calls: its offer, whether that fits, and the lines of one request a month, over
    (scenario, 1), that cannot wait (`prompt`) and, where any can, of one that can (`waiting`).
    """

    offer: Array
    fits: Array
    prompt: dict[str, Array]
    waiting: dict[str, Array]

    def bill(self, prompt: Array, waiting: Array) -> Bill:
        """Bill of requests a month over (scenario, month)."""
        lines = {name: line * prompt for name, line in self.prompt.items()}
        if waiting.any():
            lines = {name: line + self.waiting[name] * waiting for name, line in lines.items()}
        return Bill(lines, self.offer, self.fits)

    def usd(self, waiting: bool = False) -> Array:
        """Price of a request [USD], by scenario."""
        return added_up((self.waiting if waiting else self.prompt).values())[:, 0]


def api(facts: Facts, load: Load, asked: Array, in_region: Array, model: str = "") -> Api:
    """The API offers asked, one a scenario; with an open model, the cheapest of them and those that host it.

    `in_region` is true where data must stay in a region. Of offers that take the requests at all, by their price.
    """
    table = facts.table("api_offers")
    one = replace(load, requests=np.ones((len(asked), 1)), live=np.ones((len(asked), 1)))

    def priced(names: Array) -> Api:
        shares = (0.0, 1.0) if load.batch_share.any() else (0.0,)
        made = [
            vendor_api.bill(facts, replace(one, batch_share=np.full((len(asked), 1), share)), names, in_region)
            for share in shares
        ]
        return Api(names, made[0].fits, made[0].lines, made[-1].lines)

    found, tokens = priced(asked), (load.input_tokens + load.output_tokens)[:, 0]
    for name in table.index[table["open_model"] == model] if model else ():
        other = priced(np.full(len(asked), name, dtype=object))
        holds = other.fits & (tokens <= facts.table("models").at[model, "context_tokens"])
        batch = load.batch_share[:, 0]
        price, price_now = (a.usd() * (1 - batch) + a.usd(waiting=True) * batch for a in (other, found))
        found = _cheaper(found, other, holds & ((price < price_now) | ~found.fits))
    return found


def _cheaper(found: Api, other: Api, better: Array) -> Api:
    if not better.any():
        return found
    lines = [
        {name: np.where(better[:, None], b[name], a[name]) for name in a}
        for a, b in ((found.prompt, other.prompt), (found.waiting, other.waiting))
    ]
    return Api(np.where(better, other.offer, found.offer), found.fits | better, *lines)
