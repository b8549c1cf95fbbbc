"""The bill of the recommended option by month in FOCUS, the FinOps Open Cost and Usage Specification, as a forecast."""

import csv
import datetime
import io
from collections.abc import Iterator
from typing import Any

from ...decision.answer import Answer
from ...decision.block import OFFERS
from ...formulas.finance import price_course
from ...inputs.facts import Facts, rows_of
from ...inputs.question import PLACES
from ...paths import DATA, read_yaml
from ...places.bill import NO_CASH, line
from ...units import MONTHS_PER_YEAR, TOKENS_PER_MTOK, Array
from . import finance
from .routing import recommended

NAME = "focus.csv"

READ_ME = (
    (
        NAME,
        "The bill by month in FOCUS 1.2, to be laid beside the bills that come: a forecast, so x_Forecast says yes. "
        "Month 0 is the month of the prices. What nobody is paid for is left out.",
        "BillingAccountId, by what your providers call your account; the first month, where it is another.",
    ),
)

OURSELVES = "own organisation"
"""Who provides what no vendor is paid for: people, and servers that are owned."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet program would take for a formula."""


def files(answer: Answer) -> dict[str, bytes]:
    """The bill of a one-row answer by its name."""
    written, columns = io.StringIO(), [column["name"] for column in read_yaml(DATA / "focus.yaml")["columns"]]
    out = csv.DictWriter(written, columns, lineterminator="\n")
    out.writeheader()
    out.writerows({name: _safe(value) for name, value in charge.items()} for charge in _charges(answer))
    return {NAME: written.getvalue().encode()}


def _safe(value: Any) -> Any:
    """A text that no spreadsheet program takes for a formula; a number as it is, of which `repr` loses nothing."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _charges(answer: Answer) -> Iterator[dict[str, Any]]:
    """A charge for each line, offer and month in which something is paid."""
    option = answer.option(recommended(answer))
    categories = read_yaml(DATA / "focus.yaml")["categories"]
    for row in finance.lines(option):
        if row.name in NO_CASH:
            continue
        provider, tokens = _provider(answer.facts, row), _tokens(answer, row)
        for month, usd in enumerate(row.usd.tolist()):
            if not usd:
                continue
            start, end = (_day(answer.facts.as_of, month + ahead) for ahead in (0, 1))
            usage = line(row.name).kind in ("token", "rent") and usd > 0
            yield {
                **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), usd),
                **dict.fromkeys(("BillingPeriodStart", "ChargePeriodStart"), start),
                **dict.fromkeys(("BillingPeriodEnd", "ChargePeriodEnd"), end),
                **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName"), provider),
                "BillingAccountId": "to be filled in",
                "BillingCurrency": "USD",
                "ChargeCategory": "Usage" if usage else "Credit" if usd < 0 else "Purchase",
                "ChargeFrequency": "Usage-Based" if usage else "Recurring" if month else "One-Time",
                "ChargeDescription": f"{row.name}: {line(row.name).meaning}",
                "ServiceCategory": categories.get(row.place, "Other"),
                "ServiceName": row.offer or row.place,
                "x_Forecast": "yes",
                "x_Line": row.name,
                "x_Place": row.place,
            } | _quantities(usage, None if tokens is None else float(tokens[month]), usd)


def _quantities(usage: bool, tokens: float | None, usd: float) -> dict[str, Any]:
    """What is priced and, of usage, what is consumed: tokens, or one unit where a line is no tokens at one price."""
    if usd < 0:
        return {}
    if tokens is None:
        priced = {"PricingQuantity": 1, "PricingUnit": "Units"}
        return priced | ({"ConsumedQuantity": 1, "ConsumedUnit": "Units"} if usage else {})
    priced = {"PricingQuantity": tokens / TOKENS_PER_MTOK, "PricingUnit": f"{TOKENS_PER_MTOK:.0f} Tokens"}
    return priced | {"ConsumedQuantity": tokens, "ConsumedUnit": "Tokens"}


def _tokens(answer: Answer, row: finance.Row) -> Array | None:
    """Tokens by month behind a line that is tokens at one price of an API, whatever course prices take."""
    if row.price is None or row.price[0] != "api_offers":
        return None
    usd_per_mtok = rows_of(answer.facts, "api_offers")[row.price[1]][row.price[2]]
    course = price_course(1 - answer.asked["api_price_decline"], len(row.usd))
    return row.usd / (usd_per_mtok * course) * TOKENS_PER_MTOK if usd_per_mtok > 0 else None


def _provider(facts: Facts, row: finance.Row) -> str:
    """Who is paid for a line: the vendor or the cloud of its offer, or nobody but ourselves."""
    if not row.offer or row.place not in PLACES:
        return OURSELVES
    offers = rows_of(facts, "api_offers")
    if row.place == PLACES[0] and row.offer in offers:
        return str(offers[row.offer]["vendor"])
    return str(rows_of(facts, OFFERS[PLACES.index(row.place)])[row.offer].get("provider", OURSELVES))


def _day(as_of: str, month: int) -> str:
    """The first moment of a month, counted from that of a day."""
    day = datetime.date.fromisoformat(as_of)
    years, months = divmod(day.month - 1 + month, MONTHS_PER_YEAR)
    return f"{day.year + years:04d}-{months + 1:02d}-01T00:00:00Z"
