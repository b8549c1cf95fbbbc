"""Evidence: errors by hand, real loads against the law, a simulated pool against theory."""

import numpy as np
import pandas as pd
import pytest

from toy import shipped
from where_to_run.analysis import published
from where_to_run.analysis.published import share_waiting
from where_to_run.formulas.load_curve import Measured
from where_to_run.formulas.throughput import REPLICA
from where_to_run.places.replicas import measured_points
from where_to_run.views import evidence


def test_the_simulated_pool_waits_as_erlang_has_it():
    # Erlang C: 111 slots for 100 busy ones keep 19.98 % waiting; 5 slots for 4 keep 55.41 %
    chance = np.random.default_rng(3)
    assert share_waiting(111, 100, 1.0, 1_500_000, chance) == pytest.approx(0.1998, abs=0.02)
    assert share_waiting(5, 4, 1.0, 400_000, chance) == pytest.approx(0.5541, abs=0.02)


def test_burstier_arrivals_wait_more():
    one, four = (share_waiting(60, 50, cv, 100_000, np.random.default_rng(5)) for cv in (1.0, 4.0))
    assert four > one + 0.1


def test_nobody_waits_in_a_pool_that_is_never_full():
    assert share_waiting(500, 5, 1.0, 20_000, np.random.default_rng(1)) == 0


@pytest.mark.parametrize(("trace", "cv", "p99"), [("servegen", 0.359, 1.817), ("azure", 0.218, 1.48)])
def test_the_traces_are_those_that_were_published(trace, cv, p99):
    # ServeGen m-large: 336 hours, cv 0.3591 and p99 over mean 1.817 on the 10-minute file; Azure: 58 whole minutes
    told = published.book()["traces"][trace]
    seen = Measured(pd.read_csv(published.FOLDER / told["file"]).iloc[:, 1].to_numpy(float))
    assert len(seen.hours) == {"hour": 336, "minute": 58}[told["each"]]
    assert seen.cv[0, 0] == pytest.approx(cv, abs=5e-4)
    assert np.quantile(seen.hours, 0.99) == pytest.approx(p99, abs=5e-3)


def test_the_azure_minutes_hold_almost_all_of_its_requests():
    # 19,366 requests; the first and the last minute are cut and left out: 191 and 37
    counted = pd.read_csv(published.FOLDER / "azure_2023_conversation_minutes.csv")["requests"].sum()
    assert 19_366 - 500 < counted < 19_366


def test_a_base_chosen_by_the_law_costs_nothing_more_on_a_load_that_follows_it():
    # quantiles of the exponential law, which is the Gamma law of cv 1
    hours = -np.log1p(-(np.arange(20_000) + 0.5) / 20_000)
    assert evidence.regret(Measured(hours)) == pytest.approx(0, abs=1e-4)


def test_a_base_chosen_by_the_law_costs_more_where_the_load_is_on_or_off():
    # Half of the hours nothing, half twice the mean: at any price below one a base of 2 is best for r < 0.5, none above
    assert evidence.regret(Measured(np.tile([0.0, 2.0], 50))) > 0.05


def test_held_out_errors_are_shown_for_every_gpu_that_has_them():
    figure, words, every = evidence.throughput_errors(shipped())
    assert "fitted" in words and "scaled" in words
    points = measured_points(shipped()).drop(columns="basis")
    again = points[points.groupby(REPLICA)["gpu"].transform("size") > 1]
    told = every.whole()
    assert told.count("<tr>") == len(again) + 1 > 250 and "within the spread we draw</td>" in told
    assert all(f">{value:,.0f}</td>" in told for value in again["output_tokens_per_s"])
    assert "h100" in {row for row in figure.data["d0"]["gpu"]}


def test_panels_tell_verdicts_and_sources():
    words = evidence.recomputed("lenovo2026").words
    assert "29 figures" in words and "differs: 1" in words and "lenovopress.lenovo.com" in words
    fell = evidence.headlines("pan2025").words
    assert fell.count("never pays back") == 14
    assert "CC-BY 4.0" in evidence.loads("azure").words and "Apache-2.0" in evidence.loads("servegen").words


def test_the_panel_of_queues_has_every_service_level(monkeypatch):
    monkeypatch.setattr(evidence, "REQUESTS", 2_000)
    words = evidence.queueing(shipped()).words
    assert all(level in words for level in ("batch", "chat", "interactive")) and "more wait" in words
