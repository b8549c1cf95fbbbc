"""The bill of a vendor's API: it grows with every request and needs no machine."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..formulas import demand
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts, of_tables
from ..units import SECONDS_PER_MONTH, TOKENS_PER_MTOK, Array
from . import provisioned
from .bill import Bill, added_up
from .provisioned import Units
from .workload import Load

PRICES = (
    "input_usd_per_mtok",
    "cached_input_usd_per_mtok",
    "output_usd_per_mtok",
    "batch_discount_share",
    "long_prompt_tokens",
    "long_input_usd_per_mtok",
    "long_output_usd_per_mtok",
    "context_tokens",
)


@dataclass(frozen=True)
class Tariffs:
    """Prices of every offer over (offer, 1), with nothing missing: no cache price is the input price, no threshold is
    never reached, no context is that of the open model hosted. What is `sold` by the unit, positions of offers by key;
    the spread of prompt lengths [ratio], and the share of requests that are sent again.
    """

    prices: dict[str, Array]
    sold: dict[str, Array]
    position: dict[str, int]
    spread: float
    retry_share: float


@of_tables
def tariffs(facts: Facts) -> Tariffs:
    """What data/api_offers.csv, and the figures beside it, say."""
    table = facts.table("api_offers")
    column = {name: table[name].to_numpy(float)[:, None] for name in PRICES}
    missing: dict[str, Array | float] = {
        "cached_input_usd_per_mtok": column["input_usd_per_mtok"],
        "batch_discount_share": 0.0,
        "long_prompt_tokens": np.inf,
        "long_input_usd_per_mtok": column["input_usd_per_mtok"],
        "long_output_usd_per_mtok": column["output_usd_per_mtok"],
        "context_tokens": np.inf,
    }
    whole = {name: np.where(np.isnan(column[name]), other, column[name]) for name, other in missing.items()}
    of_model = table["open_model"].map(facts.table("models")["context_tokens"]).fillna(np.inf)
    whole["context_tokens"] = np.minimum(whole["context_tokens"], of_model.to_numpy(float)[:, None])
    return Tariffs(
        column | whole,
        provisioned.sold(facts),
        {key: number for number, key in enumerate(table.index)},
        facts.value("demand.input_tokens_cv"),
        facts.value("api.retry_share"),
    )


def bill(tariffs: Tariffs, load: Load, offers: Array, uplift: Array) -> Bill:
    """Bill of the offers named, one a scenario [USD by month].

    input + cached input + output + long prompts - batch discount + residency uplift + retries, by the prices of
    data/api_offers.csv. `uplift` is what is added where data must stay in a region [share].
    """
    rows = np.array([tariffs.position[offer] for offer in offers])
    price = {name: column[rows] for name, column in tariffs.prices.items()}
    tokens_in = load.requests * load.input_tokens / TOKENS_PER_MTOK
    lines = {
        "input tokens": tokens_in * (1 - load.cached_share) * price["input_usd_per_mtok"],
        "cached input tokens": tokens_in * load.cached_share * price["cached_input_usd_per_mtok"],
        "output tokens": load.requests * load.output_tokens / TOKENS_PER_MTOK * price["output_usd_per_mtok"],
    }
    lines["long prompts"] = _long_prompts(tariffs.spread, load, price, lines)
    total = sum(lines.values(), np.zeros(1))
    lines["batch discount"] = -total * load.batch_share * price["batch_discount_share"]
    total = total + lines["batch discount"]
    lines["residency uplift"] = total * uplift[:, None]
    lines["retries"] = (total + lines["residency uplift"]) * tariffs.retry_share
    fits: Array = (load.input_tokens + load.output_tokens <= price["context_tokens"])[:, 0]
    return Bill(lines, offers, fits)


def _long_prompts(spread: float, load: Load, price: dict[str, Array], lines: dict[str, Array]) -> Array:
    """What prompts above the threshold cost more: they pay the long tariff for all their tokens and their answer.

    How many are longer follows from a log-normal spread of lengths about the mean.
    """
    prompts, tokens = demand.long_prompt_shares(price["long_prompt_tokens"], load.input_tokens, spread)
    dearer_in = price["long_input_usd_per_mtok"] / np.maximum(1e-12, price["input_usd_per_mtok"]) - 1
    dearer_out = price["long_output_usd_per_mtok"] / np.maximum(1e-12, price["output_usd_per_mtok"]) - 1
    whole_input = lines["input tokens"] + lines["cached input tokens"]
    return whole_input * tokens * dearer_in + lines["output tokens"] * prompts * dearer_out


@dataclass(frozen=True)
class Api:
    """The API each scenario calls: its offer, whether that fits, and the lines of one request a month, over
    (scenario, 1), that cannot wait (`prompt`) and, where any can, of one that can (`waiting`). `course` is what prices
    are of today's, over (scenario, month), and `mean_course` its mean over all requests, by scenario. `units` are the
    steps in which its capacity is sold beside its tokens.
    """

    offer: Array
    fits: Array
    prompt: dict[str, Array]
    waiting: dict[str, Array]
    course: Array | float = 1.0
    mean_course: Array | float = 1.0
    units: Units | None = None

    def bill(self, prompt: Array, waiting: Array, curve: Curve | None = None) -> Bill:
        """Bill of requests a month over (scenario, month); of what cannot wait by the unit where that costs less.

        That takes the `curve` of their hours; none is known of what overflows.
        """
        steps, above = np.zeros((1, 1)), np.ones((1, 1))
        if self.units and curve:
            steps, above = self.units.bought(prompt / SECONDS_PER_MONTH, added_up(self.prompt.values()), curve)
        prompt, waiting = prompt * above * self.course, waiting * self.course
        lines = {name: line * prompt for name, line in self.prompt.items()}
        if waiting.any():
            lines = {name: line + self.waiting[name] * waiting for name, line in lines.items()}
        if self.units and steps.any():
            lines["provisioned throughput"] = steps * self.units.usd * self.course
        return Bill(lines, self.offer, self.fits)

    def usd(self, waiting: bool = False) -> Array:
        """Price of a request [USD], by scenario; the mean one where prices change."""
        return added_up((self.waiting if waiting else self.prompt).values())[:, 0] * self.mean_course

    @cached_property
    def least_usd(self) -> Array:
        """The less of the prices of a request that cannot wait and of one that can, in the month in which they are
        least [USD], by scenario.
        """
        least = np.minimum(self.usd(), self.usd(waiting=True)) / self.mean_course
        least = np.minimum(least, self.units.least_usd()) if self.units else least
        return least * np.min(self.course, axis=-1)

    def mixed(self, other: "Api", share: Array) -> "Api":
        """A share of the requests, one a scenario, at another API; called by the name of this one, and fit where those
        are that get any.
        """
        lines = [
            {name: line + (there[name] - line) * share[:, None] for name, line in here.items()}
            for here, there in ((self.prompt, other.prompt), (self.waiting, other.waiting))
        ]
        fits = (self.fits | (share == 1)) & (other.fits | (share == 0))
        return replace(self, fits=fits, prompt=lines[0], waiting=lines[1])

    def take(self, rows: Array, months: int) -> "Api":
        """The APIs of some of the scenarios, for so many months."""
        prompt, waiting = ({name: line[rows] for name, line in of.items()} for of in (self.prompt, self.waiting))
        course, mean = self.course, self.mean_course
        if isinstance(course, np.ndarray) and isinstance(mean, np.ndarray):
            course, mean = course[rows, :months], mean[rows]
        units = self.units.take(rows) if self.units else None
        return Api(self.offer[rows], self.fits[rows], prompt, waiting, course, mean, units)

    def over(self, course: Array, weights: Array) -> "Api":
        """The same with prices that change over (scenario, month), and the weights of the months in their mean."""
        mean = (course * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-12)
        return replace(self, course=course, mean_course=mean)


def api(tariffs: Tariffs, load: Load, offers: Array, weight: Array, uplift: Array, beside: Array) -> Api:
    """The API each scenario calls: of some offers the one whose price a request times `weight` is least.

    `offers` are keys over (offer); `weight` over (offer, scenario) is infinite where an offer is not to be taken.
    `uplift` over the same is added to the price where data must stay in a region [share], and what is paid `beside` it
    whichever is taken is by scenario [USD a request]. Of offers that take the requests at all.
    """
    number = weight.shape[1]
    names, every = np.repeat(offers, number), np.tile(np.arange(number), len(offers))
    size = {
        name: getattr(load, name)[every] for name in ("input_tokens", "output_tokens", "cached_share", "batch_share")
    }
    one = replace(load, requests=np.ones((len(every), 1)), live=np.ones((len(every), 1)), **size)
    prompt, waiting = (
        bill(tariffs, replace(one, batch_share=np.full((len(every), 1), share)), names, uplift.ravel())
        for share in (0.0, 1.0 * load.batch_share.any())
    )
    batch = one.batch_share[:, 0]
    price = prompt.total[:, 0] * (1 - batch) + waiting.total[:, 0] * batch
    # what is too long for all is told of the one that would be taken
    worth = (np.where(prompt.fits, price, 1e9 * (1 + price)).reshape(weight.shape) + beside) * weight
    taken = worth.argmin(axis=0) * number + np.arange(number)
    lines = [{name: line[taken] for name, line in bill.lines.items()} for bill in (prompt, waiting)]
    rows = np.array([tariffs.position[offer] for offer in names[taken]])
    units = provisioned.units(tariffs.sold, rows, load, uplift.ravel()[taken])
    return Api(names[taken], prompt.fits[taken], lines[0], lines[1], units=units)
