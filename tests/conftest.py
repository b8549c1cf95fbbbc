"""Groups of the tests, and the browser that some share."""

import shutil

import pytest

import browser
from damaged import changed
from where_to_run.inputs import facts, tables
from where_to_run.paths import DATA

SERVED = {"test_app", "test_lab", "test_server", "test_downloads"}
"""Tests with servers and a browser: one worker runs them all, one after the other, beside the rest."""

LONG = ("served", "test_sweep", "test_decide", "test_report", "test_provenance", "test_generalised_cost")
"""Groups that come first, longest first, so that no worker is left with a long one at the end; the others are files."""


def group(item) -> str:
    """What of the tests one worker runs in a row."""
    return "served" if item.path.stem in SERVED else item.path.stem


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(group(item)) if group(item) in LONG else len(LONG))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as one:
        yield one


@pytest.fixture
def damage(tmp_path, monkeypatch):
    """Changes one table in a copy of data/ that facts then reads."""
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    for reader in (facts, tables):
        monkeypatch.setattr(reader, "DATA", copy)
    return changed(copy)
