"""Parts: what the routing an option took sends to each place, and the base among them that passes bursts on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from . import own_base, own_gpus
from .bills import Bill, Machines, Offers, offers
from .bursts import Pool
from .evaluate import Answer
from .options import Outcome
from .pools import OFFERS, Based, Question, based, carried, limits, overflow
from .routings import NAMES, NOWHERE, OWN, Routing
from .scenario import PLACES
from .units import Array


@dataclass(frozen=True)
class Part:
    """What a routing sends to one place, arrays over the one scenario: the share of all requests, the part of it that
    `may` overflow, and the place that goes to.
    """

    question: Question
    place: int
    second: int
    share: Array
    may: Array
    least_api: bool

    @property
    def bill(self) -> Bill:
        """The bill of the place, without what overflows."""
        if self.second == NOWHERE:
            return carried(self.question, self.place, self.share, self.least_api)
        return self.based.bill

    @property
    def based(self) -> Based:
        """The base and what it passes on; of a part with overflow alone."""
        return based(self.question, (self.place, self.second), self.share, self.may, self.least_api)

    @property
    def machines(self) -> Machines:
        """The machines of the base."""
        found = self.bill.machines
        assert found is not None, "an API has no machines"
        return found

    @property
    def offer(self) -> tuple[Offers, Array]:
        """The offers of the base's place, and the position of the one taken."""
        choice = offers(self.question.facts, OFFERS[self.place], self.question.model)
        same = (choice.columns["key"] == self.bill.offer[0]) & (choice.words["replica"] == self.machines.replica[0])
        return choice, np.flatnonzero(same)[:1]

    @property
    def overflow_offer(self) -> str:
        """What takes the overflow."""
        bursts = self.based.bursts
        return str((bursts.offer if bursts else self.question.api(self.least_api).offer)[0])


def parts(question: Question, routing: Routing) -> Iterator[Part]:
    """What a routing sends to each place it uses."""
    for place in range(len(PLACES)):
        at = question.shares * (routing.place == place)
        share = at.sum(axis=1)
        if share[0] > 0:
            goes = np.where(at > 0, routing.overflow, NOWHERE)
            second = int(goes.max())
            may = (at * (goes == second)).sum(axis=1) / share if second != NOWHERE else share * 0
            yield Part(question, place, second, share, may, routing.least_api)


def taken(answer: Answer, option: str) -> tuple[Question, Routing, Outcome]:
    """The question of a one-row answer, the routing an option took, and what that came to."""
    block = answer._opened[0]
    number = int(block.found.taken[0, NAMES.index(option)])
    return block.question, block.found.routings[number], block.found.costed[number][1]


def base_of(answer: Answer, option: str) -> Part | None:
    """The part of an option that overflows; none where nothing does, or where nothing on offer can serve."""
    question, routing, outcome = taken(answer, option)
    if not outcome.fits[0]:
        return None
    return next((part for part in parts(question, routing) if part.second != NOWHERE), None)


def pool(part: Part, months: Array) -> Pool:
    """The pool of the offer the base took, one pair, in some months."""
    load, need = part.question.needs(part.share)
    outlet, _ = overflow(part.question, part.second, part.share, part.may, part.least_api)
    load, need = load.at(months), need.at(months)
    choice, offer = part.offer
    here, kept = np.zeros(1, np.intp), need.part(1 - part.may)
    return Pool(load, need, kept, outlet, choice.kind[offer], here, choice.each[offer], np.zeros(1))


def usd_per_machine(part: Part, month: int) -> float:
    """What a machine of the base costs in a month [USD/month].

    A rented one its rent under the contract taken, and storage; an own server what having it in that month adds to the
    bill: the value it loses, interest, power at rest, housing and upkeep.
    """
    question, (choice, offer) = part.question, part.offer
    if part.place != OWN:
        rent = part.bill.lines["machines"] + part.bill.lines["storage"]
        return float(rent[0, month] / part.machines.count[0, month])
    operating = own_gpus.in_operation(question.facts, question.load)
    user = own_base.user_cost(question.facts, question.load, limits(question), question.factors, choice, offer)
    return float((user[0] / np.maximum(question.factors * operating, 1e-12)[0])[month])
