"""Provisioned throughput: an API's capacity by the unit and the month, with what comes above it by the token."""

from dataclasses import dataclass

import numpy as np

from ..formulas.load_curve import Curve
from ..inputs.facts import Facts, of_tables
from ..units import SECONDS_PER_MINUTE, SECONDS_PER_MONTH, Array
from .workload import Load


@dataclass(frozen=True)
class Units:
    """Steps in which capacity is sold, over (scenario, 1): what one costs [USD/month], the rate it carries [request/s],
    0 where an offer is not sold so, and the fewest there are.
    """

    usd: Array
    carries: Array
    least: Array

    def take(self, rows: Array) -> "Units":
        """Those of some of the scenarios."""
        return Units(self.usd[rows], self.carries[rows], self.least[rows])

    def least_usd(self) -> Array:
        """Price of a request on a step that is full at all times [USD], infinite where there is none, by scenario."""
        full = self.carries * SECONDS_PER_MONTH
        return np.divide(self.usd, full, out=np.full(full.shape, np.inf), where=full > 0)[:, 0]

    def bought(self, rate: Array, token_usd: Array, curve: Curve) -> tuple[Array, Array]:
        """Steps over (scenario, month) at which a rate [request/s] costs least, none where that is by the token, and
        the share of the requests that is above them and pays `token_usd` each.

        The last step is used in the share of the hours at which it costs what its requests would by the token.
        """
        rows, calls = np.arange(len(rate)), rate * SECONDS_PER_MONTH * token_usd
        share = np.minimum(1.0, self.least_usd()[:, None] / np.maximum(token_usd, 1e-12))
        some = (share < 1) & (rate > 0)
        multiple = np.divide(self.carries, rate, out=np.zeros(rate.shape), where=some)
        wanted = np.where(some, curve.level(share, rows), 0.0) / np.where(some, multiple, 1.0)
        steps, above, usd = np.zeros(rate.shape), np.ones(rate.shape), calls
        for number in (np.floor(wanted), np.ceil(wanted)):
            number = np.maximum(number, self.least)
            left = np.where(some, curve.spill(number * multiple, rows), 1.0)
            cost = np.where(some, number * self.usd + left * calls, np.inf)
            steps, above = np.where(cost < usd, number, steps), np.where(cost < usd, left, above)
            usd = np.minimum(cost, usd)
        return steps, above


@of_tables
def sold(facts: Facts) -> dict[str, Array]:
    """The columns of data/provisioned.csv over the rows of api_offers, 0 where an offer is not sold so."""
    table = facts.table("provisioned").set_index("offer").reindex(facts.table("api_offers").index)
    names = ("tokens_per_minute", "output_weight", "least_units", "step_units", "usd_per_unit_month", "prompt_tokens")
    return {name: table[name].fillna(0.0).to_numpy(float)[:, None] for name in names}


def units(sold: dict[str, Array], rows: Array, load: Load, uplift: Array) -> Units | None:
    """The steps in which the offers in some rows of api_offers are sold, one a scenario; None where none is.

    A request takes input (1 - cached) + weight x output tokens of the input tokens a minute that a unit takes, as the
    vendor has it. `uplift` is what a region adds [share].
    """
    column = {name: values[rows] for name, values in sold.items()}
    if not column["step_units"].any():
        return None
    step, fits = column["step_units"], load.input_tokens <= column["prompt_tokens"]
    tokens = load.input_tokens * (1 - load.cached_share) + column["output_weight"] * load.output_tokens
    carries = fits * step * column["tokens_per_minute"] / SECONDS_PER_MINUTE / tokens
    usd = step * column["usd_per_unit_month"] * (1 + uplift[:, None])
    return Units(usd, carries, np.divide(column["least_units"], step, out=np.ones(step.shape), where=step > 0))
