"""Order of the tests, and the browser that some share.

Tests that fork a warm process come before those that draw, after which it could not fork.
"""

import pytest

import browser


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem != "test_report")


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as one:
        yield one
