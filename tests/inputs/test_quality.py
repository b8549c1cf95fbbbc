"""Quality: golden figures and levels from the text they were written down in, what an offer's are, and their ends."""

import pandas as pd
import pytest

from damaged import cell
from where_to_run.inputs import facts, tables
from where_to_run.inputs.quality import quality_models


@pytest.fixture(scope="module")
def shipped():
    return facts.load("2026-11-29")


# golden rows: written down by hand in the project's notes on choosing of 2026-11-29, and read from the pages they name


@pytest.mark.parametrize(
    ("key", "value", "basis"),
    [
        ("llama-3.3-70b:general", 5.7, "converted"),
        ("openai/gpt-5.4-mini:general", 24.6, "measured"),
        ("openai/gpt-5.5:general", 38.6, "measured"),
        ("anthropic/claude-haiku-5.5:general", 43.4, "measured"),
        ("anthropic/claude-sonnet-5.5:general", 56.0, "measured"),
        ("gpt-oss-120b:general", 12.3, "measured"),
        ("llama-3.3-70b:agents", 0.3, "measured"),
        ("llama-3.3-70b:summarising", 95.9, "measured"),
        ("openai/gpt-5.4:summarising", 93.0, "measured"),
        ("glm-5.3:general", 44.9, "measured"),
        ("kimi-k3:general", 43.8, "measured"),
        ("glm-5.3-flash:general", 41.9, "measured"),
        ("deepseek-v4-pro-0813:general", 36.3, "measured"),
        ("qwen3.8-27b:general", 33.9, "measured"),
        ("minimax-m3:general", 29.6, "measured"),
        # by hand: -23.2 + 1.120 x 52.6 = 35.7; 9.96 + 0.766 x 79.8 = 71.1; 1.87 + 0.897 x 48.2 = 45.1
        ("glm-5.2:general", 35.7, "converted"),
        ("qwen3.8-27b:coding", 71.1, "converted"),
        ("qwen3.8-27b:agents", 45.1, "converted"),
        # by hand: -106.7 + 1.933 x 75.5 = 39.2
        ("deepseek-v4.1-flash:general", 39.2, "converted"),
    ],
)
def test_a_figure_is_the_one_that_was_written_down(shipped, key, value, basis):
    row = shipped.table("quality").loc[key]
    assert row["value"] == pytest.approx(value)
    assert row["basis"] == basis
    assert (row["low"] <= value <= row["high"]) if basis == "converted" else pd.isna(row["low"])


@pytest.mark.parametrize(
    ("family", "steps"),
    [
        ("general", [10, 24, 38, 50]),
        ("coding", [30, 45, 70, 78]),
        ("agents", [13, 27, 40, 50]),
        ("long_documents", [50, 70, 79, 82]),
        ("extraction", [50, 65, 75, 80]),
        ("summarising", [85, 90, 93, 95]),
        ("chat", [1300, 1400, 1450, 1480]),
    ],
)
def test_the_levels_are_the_judgement_that_was_written_down(shipped, family, steps):
    assert shipped.table("quality_levels").loc[family, ["light", "medium", "demanding", "frontier"]].tolist() == steps


def test_gpt_oss_120b_passes_light_and_llama_70b_does_not_and_haiku_passes_demanding(shipped):
    general, levels = shipped.table("quality")["value"], shipped.table("quality_levels").loc["general"]
    assert levels["light"] <= general["gpt-oss-120b:general"] < levels["medium"]
    assert general["llama-3.3-70b:general"] < levels["light"]
    assert levels["demanding"] <= general["anthropic/claude-haiku-5.5:general"] < levels["frontier"]


def test_long_documents_forms_faithfulness_and_chat_are_never_converted(shipped):
    rows = shipped.table("quality")
    assert set(rows["family"][rows["basis"] == "converted"]) == {"general", "coding", "agents"}


def test_the_models_without_a_general_figure_say_why(shipped):
    rows = shipped.table("quality")
    none = rows[rows["basis"] == "none"]
    assert set(none["model"]) == {"openai/gpt-6.2-sol", "google/gemini-4-argon", "mistral/mistral-large-4"}
    assert none["note"].str.startswith("no figure found").all()


# from an offer to its figures


def test_an_offer_has_the_figures_of_its_quality_model_else_of_its_open_weights_else_its_own():
    offers = pd.DataFrame(
        {"open_model": ["", "open", "", "open"], "quality_model": ["", "", "a", "a"]}, index=["a", "b", "c", "d"]
    )
    assert quality_models(offers).to_dict() == {"a": "a", "b": "open", "c": "a", "d": "a"}


def test_every_offer_in_force_finds_a_general_row(shipped):
    models = quality_models(shipped.table("api_offers"))
    assert set(models + ":general") <= set(shipped.table("quality").index)
    assert models["groq/gpt-oss-120b"] == "gpt-oss-120b"
    assert models["anthropic/claude-haiku-5.5"] == "anthropic/claude-haiku-5.5"


# an end is a fact with a date


@pytest.mark.parametrize(("day", "sold"), [("2026-08-15", True), ("2026-08-16", False), ("2026-11-29", False)])
def test_an_offer_is_not_in_force_from_the_day_it_ends_on(day, sold):
    assert ("groq/llama-3.1-8b" in facts.load(day).table("api_offers").index) == sold


@pytest.mark.parametrize(("day", "sold"), [("2026-12-14", True), ("2026-12-15", False)])
def test_an_end_that_is_known_beforehand_holds_from_its_day(day, sold):
    assert ("azure/deepseek-v4.1-flash" in facts.load(day).table("api_offers").index) == sold


@pytest.mark.parametrize(("day", "usd"), [("2026-11-30", 10), ("2026-12-01", 20)])
def test_a_promotion_ends_with_the_row_of_the_ordinary_price(day, usd):
    assert facts.load(day).table("api_offers").loc["google/gemini-4-argon", "output_usd_per_mtok"] == usd


def test_an_offer_that_comes_back_is_in_force_again():
    rows = pd.DataFrame(
        {"key": "a", "effective_from": ["2026-01-01", "2026-02-01", "2026-03-01"], "ends_on": ["", "2026-02-01", ""]}
    )
    assert [len(facts.in_force(rows, day)) for day in ("2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")] == [
        1,
        0,
        0,
        1,
    ]


def test_an_end_that_is_no_day_is_refused(damage):
    damage("api_offers", cell("openai/gpt-6-astra", "ends_on", "soon"))
    problem, *_ = tables.problems()
    assert "column ends_on: got 'soon'; allowed: a date as 2026-11-22" in problem


# weights exist at some precisions


def test_a_model_without_weights_at_any_precision_is_refused(damage):
    damage("models", cell("kimi-k3", "weights_gb_4bit", ""))
    assert tables.problems() == ["models.csv, key 'kimi-k3': weights at no precision; give those it is published at"]


@pytest.mark.parametrize(
    ("model", "sizes"),
    [("gpt-oss-120b", ["", "", 65.2]), ("kimi-k3", ["", "", 1561]), ("deepseek-v3.2", ["", 671, ""])],
)
def test_weights_are_given_at_the_precisions_a_model_is_published_at(shipped, model, sizes):
    row = shipped.table("models").loc[model, [f"weights_gb_{bits}bit" for bits in (16, 8, 4)]]
    assert ["" if pd.isna(size) else size for size in row] == sizes
