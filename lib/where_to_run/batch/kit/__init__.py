"""The kit: what follows from an answer, as files to start work with.

A module makes files of one kind: `files(answer)` gives what each holds by its name, and READ_ME has for each name what
it is and what a person must fill in.
"""

import io
import zipfile
from pathlib import Path

from ...decision.answer import Answer
from ...decision.routing import TITLES
from ...inputs.question import ScenarioError
from ..store import check_folder, write_files
from . import decision_record, finance, focus, monitoring, routing, serving

MODULES = (routing, serving, monitoring, decision_record, finance, focus)

READ_ME = "README.md"


def files(answer: Answer) -> dict[str, bytes]:
    """Every file of the kit of a one-scenario answer by its name, a README first, which says what each is.

    Refuses an answer to several scenarios, and one in which no option is allowed.
    """
    if len(answer.scenarios) != 1:
        raise ScenarioError(f"a kit is about one scenario; {len(answer.scenarios)} were asked")
    if not any(row["recommended"] for row in answer.rows):
        raise ScenarioError(
            "a kit is about the option that is recommended, and none is allowed here. Change the question until one "
            "is: the report says what opens which option"
        )
    made: dict[str, bytes] = {}
    for module in MODULES:
        made |= module.files(answer)
    return {READ_ME: _read_me(answer, made).encode()} | made


def check(folder: Path) -> None:
    """Refuse, before any work, a folder that holds other things than a kit, or cannot be written (`OSError`)."""
    check_folder(folder, _names(), "a kit")


def write(answer: Answer, folder: Path) -> Path:
    """Write the kit of a one-scenario answer into a folder; returns the folder. Refuses what `files` and `check` do."""
    check(folder)
    return write_files(folder, files(answer), _names())


def _names() -> set[str]:
    return {READ_ME, *(name for module in MODULES for name, *_ in module.READ_ME)}


def packed(answer: Answer) -> bytes:
    """The files of the kit as a ZIP archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packing:
        for name, content in files(answer).items():
            packing.writestr(name, content)
    return archive.getvalue()


def _read_me(answer: Answer, made: dict[str, bytes]) -> str:
    title = TITLES[routing.recommended(answer)]
    rows = [row for module in MODULES for row in module.READ_ME if row[0] in made]
    table = [f"| `{name}` | {what} | {fill_in} |" for name, what, fill_in in rows]
    about = f"Made by Where to Run for the option it recommends, {title}, with facts of {answer.facts.as_of}."
    head = ["# From answer to action", "", f"{about} Change the question and these files change with it.", ""]
    return "\n".join([*head, "| file | what it is | what you fill in |", "|---|---|---|", *table]) + "\n"
