"""Groups of the tests, and the browser that some share."""

import pytest

import browser

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
