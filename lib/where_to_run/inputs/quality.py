"""Quality: which rows of data/quality.csv speak of an offer."""

import pandas as pd

GENERAL = "general"
"""The family of tasks every model has a figure for, or a reason why not."""


def quality_models(offers: pd.DataFrame) -> pd.Series:
    """The model of data/quality.csv that an API offer serves, by offer.

    `quality_model` where given (a model several vendors sell), else the open weights it hosts, else the offer itself.
    """
    own = offers.index.to_series()
    hosted = offers["open_model"].where(offers["open_model"] != "", own)
    return offers["quality_model"].where(offers["quality_model"] != "", hosted)
