"""Check of the data: what check-data refuses of the figures of quality, in its words."""

import pytest

from damaged import cell
from where_to_run.analysis import data_check


@pytest.mark.parametrize(
    ("key", "column", "value", "words"),
    [
        ("glm-5.3:general", "version", "v4.2", "v4.2 does not mix with AA Intelligence Index v4.3, the scale of"),
        ("glm-5.3:general", "benchmark", "LiveBench", "LiveBench v4.3 does not mix with AA Intelligence Index v4.3"),
        ("glm-5.3:general", "model", "glm-6", "model 'glm-6' is no key of models.csv or api_offers.csv"),
        ("glm-5.3:general", "value", "", "give a value, or basis none with the reason in note"),
        ("glm-5.3:general", "basis", "none", "give a value, or basis none with the reason in note"),
        ("openai/gpt-6.2-sol:general", "note", "", "give a value, or basis none with the reason in note"),
        ("glm-5.3:long_documents", "basis", "converted", "long_documents may not be converted"),
        ("glm-5.3:coding", "low", "", "or the conversion has no low and high"),
        ("glm-5.3:coding", "low", "80", "value 74.2 is outside its own range 80 to 76.9"),
        ("glm-5.3:coding", "family", "poetry", "family 'poetry' is no key of quality_levels.csv"),
    ],
)
def test_check_data_refuses_a_figure_that_does_not_compare(damage, key, column, value, words):
    damage("quality", cell(key, column, value))
    problems = data_check.problems()
    assert any(problem.startswith(f"quality.csv, key {key!r}: ") and words in problem for problem in problems), problems


def test_check_data_refuses_a_model_and_an_offer_without_a_general_figure(damage):
    damage("quality", lambda rows: rows[~rows["key"].isin(["xai/grok-4.6:general", "mixtral-8x7b:general"])])
    assert data_check.problems() == [
        f"{who} has no general figure in quality.csv, nor a reason why not"
        for who in (
            "api_offers.csv, key 'xai/grok-4.6': its model 'xai/grok-4.6'",
            "models.csv, key 'mixtral-8x7b': it",
        )
    ]


def test_check_data_refuses_an_offer_with_the_figures_of_a_model_nobody_knows(damage):
    damage("api_offers", cell("openai/gpt-5.5", "quality_model", "gpt-5.5"))
    (problem,) = data_check.problems()
    assert problem.startswith("api_offers.csv, key 'openai/gpt-5.5': its model 'gpt-5.5' has no general figure")


@pytest.mark.parametrize(
    ("table", "edit", "words"),
    [
        ("vendors", lambda rows: rows[rows["key"] != "Vultr"], "'Vultr' is no key of vendors.csv"),
        ("passports", lambda rows: rows[rows["vendor"] != "xAI"], "no row of passports.csv says what 'xAI' signs"),
        ("regions", lambda rows: rows[rows["key"] != "OCI/cloud/all"], "no row of regions.csv is of 'OCI/cloud/all'"),
        ("passports", cell("AWS/cloud/baa", "paper", "handshake"), "its key must be AWS/cloud/handshake"),
        ("passports", cell("AWS/cloud/baa", "paper", "exit_test"), "'exit_test' is no paper a vendor gives"),
        ("passports", cell("AWS/cloud/baa", "region", "mars-1"), "no row of regions.csv has 'mars-1'"),
        ("regions", cell("AWS/cloud/us-east-1", "jurisdiction", "mars"), "jurisdiction 'mars' is no choice"),
        (
            "regions",
            cell("Together/api/us", "models", "together/glm-6"),
            "'together/glm-6' is no key of api_offers.csv",
        ),
        ("vendors", cell("Vultr", "owned_in", "mars"), "owned_in 'mars' is no choice"),
    ],
)
def test_check_data_wants_a_vendor_a_passport_and_a_region_for_every_offer(damage, table, edit, words):
    damage(table, edit)
    problems = data_check.problems()
    assert any(words in problem for problem in problems), problems
