"""Groups of the tests, and the browser that some share."""

import shutil
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

import browser
from damaged import changed
from where_to_run.inputs import facts, tables
from where_to_run.paths import DATA

hypothesis.settings.register_profile("busy", deadline=None)  # a law is none of time, and the machine is shared
hypothesis.settings.load_profile("busy")

SERVED = {"test_app", "test_lab", "test_server", "test_downloads"}
"""Tests with servers and a browser: one worker runs them all, one after the other, beside the rest."""

LONG = ("served", "test_sweep", "test_decide", "test_report", "test_provenance", "test_generalised_cost")
"""Groups that come first, longest first, so that no worker is left with a long one at the end; the others are files."""


def group(nodeid: str) -> str:
    """What of the tests one worker runs in a row, so that servers, answers and reports are made once."""
    stem = Path(nodeid.partition("::")[0]).stem
    return "served" if stem in SERVED else stem


class Groups(LoadScopeScheduling):
    """Gives a worker that is free the next group; `--dist loadgroup` of pytest-xdist 3.8 makes none with pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # which would put the groups of most tests first
    return Groups(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(group(item.nodeid)) if group(item.nodeid) in LONG else len(LONG))


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
