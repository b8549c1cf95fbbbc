"""The advice for the default question and every preset, each with the reason an expert would give for it."""

import pytest

from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import API, NOWHERE, OWN, RENTED
from where_to_run.inputs import facts, question

# where requests go, in the order of the places, and whether some may overflow
ADVICE = {
    None: (
        {API},
        False,
        "3 million short requests that nothing regulates: tokens cost less than the people who would run machines",
    ),
    "startup": ({API}, False, "live in four weeks with nobody who has run a GPU; only an API is in time"),
    "software_company": (
        {API},
        False,
        "hard code needs a frontier model, which is an API's, and the easy nine tenths are cheap by the token",
    ),
    "hospital": (
        {API},
        False,
        "a vendor that signs the business associate agreement may see the data; the bill is a quarter of a machine's",
    ),
    "bank": (
        {API, RENTED},
        False,
        "sensitive data stays on machines the bank rents in the EU, open requests go to an API with the DORA clauses",
    ),
    "public_body": (
        {OWN},
        False,
        "machines nobody else shares, a machine room, people, five years, and control worth four fifths more",
    ),
    "defence_supplier": (
        {API, OWN},
        False,
        "export control keeps a quarter in its own rooms; the best model, which is an API's, serves the rest",
    ),
    "research_lab": (
        {RENTED},
        False,
        "it trains the weights itself, so needs them in hand; queues overnight fill a rented GPU all day",
    ),
    "consumer_platform": (
        {OWN},
        True,
        "three billion requests a month with hardly a peak pay for servers in own halls; bursts go to an API",
    ),
}


@pytest.mark.parametrize("preset", ADVICE)
def test_the_advice_is_what_an_expert_would_sign(preset):
    places, bursts, reason = ADVICE[preset]
    answer = evaluate(question.grid(preset) if preset else question.grid(), facts.load())
    taken = answer.option(next(row["option"] for row in answer.rows if row["recommended"]))
    assert taken.places == places, reason
    assert any(part.second != NOWHERE for part in taken.parts if part.share[0] > 0) == bursts, reason


def test_every_preset_has_its_advice():
    assert set(ADVICE) == {None, *question.presets()}
