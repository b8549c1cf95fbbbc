"""Groups of the tests, and the browser that some share."""

import shutil

import pytest

import browser
from damaged import changed
from where_to_run.inputs import facts, tables
from where_to_run.paths import DATA

SERVED = {"test_app", "test_lab", "test_server", "test_downloads"}
"""Tests with servers and a browser: `pytest -n 2 --dist loadgroup` runs them beside the others."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group("served" if item.path.stem in SERVED else "others"))


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
