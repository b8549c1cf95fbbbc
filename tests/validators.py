"""Programs that check the files of the kit, where `make validators` or the machine has them."""

import os
import shutil

import pytest

from where_to_run.paths import PROJECT


def program(name: str) -> str:
    """Path of a program; where it is missing the test is skipped with a line that says so, and fails in CI."""
    found = shutil.which(name, path=f"{PROJECT / '.validators' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if found:
        return found
    said = f"not checked: {name} is not here; `make validators` brings it"
    pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
