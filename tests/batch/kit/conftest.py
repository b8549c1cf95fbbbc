"""What the tests of the kit share."""

import pytest

import kits


@pytest.fixture(autouse=True)
def _stakes_by_hand(monkeypatch):
    kits.tell_stakes(monkeypatch)
