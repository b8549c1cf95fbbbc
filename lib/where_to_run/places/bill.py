"""Bill: the common form of what a place costs and needs.

Every bill stands on months 0 to H: month 0 is the day of the decision, month m the m-th month of service. Arrays are
over (offer, scenario, month) while offers are compared and (scenario, month) once the cheapest is chosen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, cached_property

import numpy as np

from ..inputs.tables import FactsError, read, schema
from ..units import Array
from .offers import pick
from .replicas import Workload
from .workload import Load

GROUPS: dict[str, str] = schema()["lines"]["columns"]["kind"]["among"]
"""The kinds of lines, and the words for each in a chart or a table, in order; two kinds may share theirs."""


@dataclass(frozen=True)
class Line:
    """A cost line as data/lines.csv declares it, every column a text."""

    name: str
    place: str
    kind: str
    cash: str
    rests_on: str
    price: str
    meaning: str

    @cached_property
    def group(self) -> str:
        """The words for its kind."""
        return GROUPS[self.kind]


@cache
def declared() -> dict[str, Line]:
    """Every cost line by name, in the order of data/lines.csv; refuses a damaged table (`FactsError`)."""
    return {row["name"]: Line(**row) for row in read("lines").to_dict("records")}


def line(name: str) -> Line:
    """The cost line of a name; refuses one that data/lines.csv does not declare (`FactsError`)."""
    if name not in declared():
        near = ", ".join(get_close_matches(name, list(declared()), n=3)) or "nothing"
        raise FactsError(f"no line {name!r} in data/lines.csv; near it: {near}. Declare it there, a row a line")
    return declared()[name]


def of_kind(kind: str) -> tuple[str, ...]:
    """Names of the lines of a kind."""
    return tuple(name for name, line in declared().items() if line.kind == kind)


NO_CASH = tuple(name for name, line in declared().items() if line.cash == "no")
"""Lines that are no payment."""

EXPECTED = of_kind("outage")
"""Of these, what is to be expected, which counts as cost and not in the budget."""

(CAPITAL,) = (name for name in NO_CASH if name not in EXPECTED)
"""The other, which present values leave out, because discounting already counts it."""

HARDWARE = of_kind("hardware")
"""What of these lines falls due on the day of the decision counts against the capital limit."""

OWN_TIME = of_kind("own_time")
"""Lines of what people who are there already are paid anyway: a cost, but no charge on the running budget."""

WORTH = of_kind("worth")
"""Lines that follow from what hardware is still worth."""


@dataclass
class Machines:
    """The machines of a bill, by scenario and, where said, by month.

    By month: `count` of machines, of which so many are `spare`, and `gpus` that stand ready, GPUs `working` on average,
    and the share of the month they are `operating`. By scenario: `spilled`, the share of the traffic in hours above the
    capacity of the first month of service, and the words `contract`, `replica` and `basis` (fitted, scaled or
    roofline).
    """

    count: Array
    spare: Array
    gpus: Array
    working: Array
    operating: Array
    spilled: Array
    contract: Array
    replica: Array
    basis: Array

    @property
    def first(self) -> Array:
        """GPUs that stand ready in the first month of service, by scenario; none where there is no such month."""
        return pick(self.gpus.T, (self.operating > 0).argmax(axis=1))


@dataclass
class Bill:
    """What one place costs for one load: lines in USD by (scenario, month 0..H), and the offer taken.

    `fits` is false where no offer of the place can serve the load at all. An API has no machines.
    """

    lines: dict[str, Array]
    offer: Array
    fits: Array
    machines: Machines | None = None

    @cached_property
    def total(self) -> Array:
        """All lines together [USD by month]."""
        return added_up(self.lines.values())

    def times(self, factor: Array | float) -> "Bill":
        """The bill at prices that are a factor of these, over (scenario, 1) or 1."""
        if isinstance(factor, float):
            return self
        return replace(self, lines={name: line * factor for name, line in self.lines.items()})


def nothing(load: Load) -> Bill:
    """The bill where a place has no offer at all for the model: it costs nothing and does not fit."""
    number = len(load.requests)
    return Bill({"machines": np.zeros(load.requests.shape)}, np.full(number, "", dtype=object), np.zeros(number, bool))


def added_up(lines: Iterable[Array]) -> Array:
    """Sum of lines of one shape."""
    first, *others = lines
    total = first.copy()
    for line in others:
        total += line
    return total


def added(lines: Iterable[dict[str, Array]]) -> dict[str, Array]:
    """Lines of several bills as those of one."""
    total: dict[str, Array] = {}
    for bill in lines:
        for name, line in bill.items():
            total[name] = total[name] + line if name in total else line
    return total


def either(here: Array, first: Bill, second: Bill) -> Bill:
    """The first bill in some scenarios, the second in the others; both have machines, or neither."""
    if here.all() or not here.any():
        return first if here.all() else second

    def pick_one(a: Array, b: Array) -> Array:
        return np.where(here.reshape(-1, *[1] * (np.ndim(a) - 1)), a, b)

    none = np.zeros_like(next(iter(first.lines.values())))
    names = dict.fromkeys([*first.lines, *second.lines])
    lines = {name: pick_one(first.lines.get(name, none), second.lines.get(name, none)) for name in names}
    machines = first.machines and Machines(
        **{n: pick_one(getattr(first.machines, n), getattr(second.machines, n)) for n in Machines.__dataclass_fields__}
    )
    return Bill(lines, pick_one(first.offer, second.offer), pick_one(first.fits, second.fits), machines)


def spilled(work: Workload, carried: Array, kind: Array, month: Array) -> Array:
    """Share of what cannot wait that comes in hours above `carried` replicas in a month, by the Gamma law."""
    rate, seconds = pick(work.need.prompt.T, month), pick(work.need.planned, kind)
    with np.errstate(invalid="ignore", divide="ignore"):
        multiple = np.where((rate > 0) & (carried > 0), carried / seconds / rate, np.inf)
    return work.load.curve.spill(multiple, np.arange(len(rate)))
