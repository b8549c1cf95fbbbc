"""Replicas: the weights an engine loads, where a model exists at some precisions alone."""

import numpy as np
import pandas as pd
import pytest

from toy import shipped
from where_to_run.places.offers import offers
from where_to_run.places.replicas import kinds, weights_gb


@pytest.mark.parametrize(
    ("sizes", "loaded"),
    [
        ((100, 50, 28), [100, 50, 28]),
        ((np.nan, 50, 28), [50, 50, 28]),
        ((np.nan, np.nan, 28), [28, 28, 28]),
        ((100, np.nan, np.nan), [100, np.nan, np.nan]),
        ((np.nan, 50, np.nan), [50, 50, np.nan]),
    ],
)
def test_weights_that_do_not_exist_at_a_precision_are_those_of_the_next_lower(sizes, loaded):
    model = pd.Series(sizes, ["weights_gb_16bit", "weights_gb_8bit", "weights_gb_4bit"])
    np.testing.assert_array_equal([weights_gb(model, precision) for precision in ("fp16", "fp8", "fp4")], loaded)


def test_gpt_oss_120b_computes_at_8_bit_on_the_4_bit_weights_there_are():
    rows = kinds(shipped(), "gpt-oss-120b")
    assert rows.loc[(rows["gpu"] == "h200") & (rows["precision"] == "fp8"), "weights_gb"].tolist() == [65.2]


def test_every_model_has_a_machine_that_holds_it():
    facts = shipped()
    assert [model for model in facts.table("models").index if not len(offers(facts, "machines", model))] == []
