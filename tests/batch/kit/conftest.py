"""What is most at stake, told by hand: to find it takes a minute, and its own tests hold it to what it should be."""

import pandas as pd
import pytest

from where_to_run.batch.kit import triggers
from where_to_run.batch.kit.routing import recommended

STAKES = pd.DataFrame(
    {
        "table": ["assumptions", "assumptions"],
        "key": ["api.retry_share", "router.usd_per_request"],
        "value": [0.02, 0.00002],
        "low": [0.0, 0.000005],
        "high": [0.08, 0.0001],
        "unit": ["share", "USD"],
        "option_at_low": ["RECOMMENDED", "RECOMMENDED"],
        "option_at_high": ["RECOMMENDED", "another"],
    }
)


@pytest.fixture(autouse=True)
def _stakes_by_hand(monkeypatch):
    monkeypatch.setattr(triggers, "at_stake", lambda answer: STAKES.replace("RECOMMENDED", recommended(answer)))
