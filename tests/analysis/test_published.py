"""The figures other people print come out of the ordinary engine with their facts laid over ours."""

import numpy as np
import pytest

from where_to_run.analysis import published
from where_to_run.analysis.published import CUT, DIFFERS, FOLDER, LAST_DIGIT, SAME
from where_to_run.inputs import facts
from where_to_run.places import replicas


@pytest.fixture(scope="module")
def pan():
    return published.recomputed("pan2025").set_index("row")


@pytest.fixture(scope="module")
def lenovo():
    return published.recomputed("lenovo2026").set_index(["row", "figure"])


def test_seventeen_of_the_eighteen_rows_of_pan_come_out_to_the_printed_digit(pan):
    assert len(pan) == 18
    assert pan.index[pan["verdict"] != SAME].tolist() == ["Kimi-K2 against Claude-4 Opus"]


def test_the_page_says_how_many_figures_of_a_study_come_out(pan, lenovo):
    said = {name: study["reproduced"] for name, study in published.book()["studies"].items()}
    assert said["pan2025"].startswith(f"{(pan['verdict'] == SAME).sum()} of {len(pan)} ")
    assert said["lenovo2026"].startswith(f"{(lenovo['verdict'] != DIFFERS).sum()} of {len(lenovo)} ")


def test_the_row_of_pan_that_does_not_says_why(pan):
    # By hand: 240,000 / (506.88 Mtok x 55 USD - 126.72 USD) = 8.648, and the paper prints 8.7
    row = pan.loc["Kimi-K2 against Claude-4 Opus"]
    assert row["ours"] == pytest.approx(240_000 / (506.88 * 55 - 126.72))
    assert row["verdict"] == LAST_DIGIT and "8.65" in row["why"]


def test_a_row_of_pan_by_hand(pan):
    # By hand: 200 tok/s x 176 h x 3,600 s = 126.72 Mtok at (1.25 + 2 x 10) / 3 USD = 897.60 USD a month;
    # one card of 500 W for 176 h at 0.15 USD = 13.20 USD; 2,000 / 884.40 = 2.2614 months
    assert pan.at["EXAONE 4.0 32B against GPT-5", "ours"] == pytest.approx(2_000 / (897.60 - 13.20))


def test_twenty_eight_of_the_twenty_nine_figures_of_lenovo_come_out_as_printed(lenovo):
    assert len(lenovo) == 29
    assert lenovo.index[lenovo["verdict"] == DIFFERS].tolist() == [("D an hour", "owning an hour")]
    # printed 7591 of 7591.56, 3.42 of 3.4266 and 3.80 of 3.8068; and 6800 of 6799.18
    assert (lenovo["verdict"] == CUT).sum() == 3 and (lenovo["verdict"] == LAST_DIGIT).sum() == 1


@pytest.mark.parametrize(
    ("row", "figure", "by_hand"),
    [
        # 250,141.80 USD / (98.32 - 6.37) USD an hour
        ("Case 1: A against Azure on demand", "hours to pay back against renting", 250_141.80 / (98.32 - 6.37)),
        # 142.42 USD x 43,800 hours of five years; 461,567.50 USD + 12.60 USD x 43,800
        ("Case 2: AWS B300 for five years", "renting over the horizon", 142.42 * 43_800),
        ("Case 2: D for five years", "owning over the horizon", 461_567.50 + 12.60 * 43_800),
        # 461,567.50 / 43,800 + 12.60 = 23.138, and the study prints 23.19
        ("D an hour", "owning an hour", 461_567.50 / 43_800 + 12.60),
        # (250,141.80 / 43,800 + 6.37) USD over 30,576.5 tok/s x 3,600 s
        ("A, Llama 70B", "owning a million output tokens", (250_141.80 / 43_800 + 6.37) / (30_576.5 * 0.0036)),
        ("AWS B300, Llama 405B", "renting a million output tokens", 142.42 / (1_360 * 0.0036)),
    ],
)
def test_a_figure_of_lenovo_by_hand(lenovo, row, figure, by_hand):
    assert lenovo.at[(row, figure), "ours"] == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize(
    ("printed", "digit", "ours", "says"),
    [
        (34.0, 0.1, 34.049, SAME),
        (34.0, 0.1, 33.951, SAME),
        (3.42, 0.01, 3.4266, CUT),
        (8.7, 0.1, 8.648, LAST_DIGIT),
        (8.7, 0.1, 8.599, DIFFERS),
        (6_238_000, 1_000, 6_237_996, SAME),
        (6_238_000, 1_000, 6_239_001, DIFFERS),
    ],
)
def test_a_verdict_is_held_to_the_last_digit_printed(printed, digit, ours, says):
    assert published.verdict(printed, digit, ours) == says


def test_at_a_real_load_the_headlines_fall():
    became = published.headlines("pan2025").set_index("row")
    for row in ("EXAONE 4.0 32B against GPT-5", "Magistral Small against GPT-5"):
        # 8-bit weights leave no room on one card, so two or 4 bit; and a card stands against failures: twice the price
        assert became.loc[row, "at a real load"] > 1.9 * float(became.loc[row, "published"])
        assert np.isinf(became.loc[row, "with all costs"])


def test_weights_that_leave_no_room_take_a_second_card_or_fewer_bits():
    # 32 GiB are 34.36 GB: 0.9 x 34.36 - 2 = 28.9 GB for 1.02 x 32 GB of 8-bit weights
    known = facts.load(overrides=[FOLDER / "bare_costs.csv", FOLDER / "pan2025.csv"])
    kinds = replicas.kinds(known, "pan2025/exaone-4.0-32b").query("gpu == 'pan2025/rtx5090'")
    assert {(row.gpus, row.precision) for row in kinds.itertuples()} == {(2, "fp8"), (1, "w4a16")}
