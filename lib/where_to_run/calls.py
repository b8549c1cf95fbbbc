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
    (scenario, 1), that cannot wait (`prompt`) and, where any can, of one that can (`waiting`). `course` is what prices
    are of today's, over (scenario, month), and `mean_course` its mean over all requests, by scenario.
    """

    offer: Array
    fits: Array
    prompt: dict[str, Array]
    waiting: dict[str, Array]
    course: Array | float = 1.0
    mean_course: Array | float = 1.0

    def bill(self, prompt: Array, waiting: Array) -> Bill:
        """Bill of requests a month over (scenario, month)."""
        prompt, waiting = prompt * self.course, waiting * self.course
        lines = {name: line * prompt for name, line in self.prompt.items()}
        if waiting.any():
            lines = {name: line + self.waiting[name] * waiting for name, line in lines.items()}
        return Bill(lines, self.offer, self.fits)

    def usd(self, waiting: bool = False) -> Array:
        """Price of a request [USD], by scenario; the mean one where prices change."""
        return added_up((self.waiting if waiting else self.prompt).values())[:, 0] * self.mean_course

    def over(self, course: Array, weights: Array) -> "Api":
        """The same with prices that change over (scenario, month), and the weights of the months in their mean."""
        mean = (course * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-12)
        return replace(self, course=course, mean_course=mean)


def api(facts: Facts, load: Load, asked: Array, in_region: Array, model: str = "") -> Api:
    """The API offers asked, one a scenario; with an open model, the cheapest of them and those that host it.

    `in_region` is true where data must stay in a region. Of offers that take the requests at all, by their price.
    """
    table, number = facts.table("api_offers"), len(asked)
    hosted = list(table.index[table["open_model"] == model]) if model else []
    names = np.concatenate([asked, np.repeat(np.array(hosted, dtype=object), number)])
    every = np.tile(np.arange(number), 1 + len(hosted))
    size = {
        name: getattr(load, name)[every] for name in ("input_tokens", "output_tokens", "cached_share", "batch_share")
    }
    one = replace(load, requests=np.ones((len(every), 1)), live=np.ones((len(every), 1)), **size)
    prompt, waiting = (
        vendor_api.bill(facts, replace(one, batch_share=np.full((len(every), 1), share)), names, in_region[every])
        for share in (0.0, 1.0 * load.batch_share.any())
    )
    holds = prompt.fits
    if hosted:
        tokens = (one.input_tokens + one.output_tokens)[number:, 0]
        holds[number:] &= tokens <= facts.table("models").at[model, "context_tokens"]
    batch = one.batch_share[:, 0]
    price = prompt.total[:, 0] * (1 - batch) + waiting.total[:, 0] * batch
    # the first of equals, which is the one asked
    cheapest = np.where(holds, price, np.inf).reshape(-1, number).argmin(axis=0)
    taken = cheapest * number + np.arange(number)
    lines = [{name: line[taken] for name, line in bill.lines.items()} for bill in (prompt, waiting)]
    return Api(names[taken], holds[taken], lines[0], lines[1])
