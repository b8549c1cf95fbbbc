"""Bundle: the Board's script with Vega inside, made once and kept beside its sources."""

import hashlib
import os
import tempfile
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import vl_convert

from .figures import VEGA_LITE

STATIC = Path(__file__).with_name("static")
SOURCES = ("figures.js", "pieces.js", "controls.js", "board.js")
KEPT = STATIC / "bundle.js"


@lru_cache(maxsize=1)
def script() -> str:
    """The Board's script as one module that loads nothing; made anew, in some seconds, where its sources changed."""
    source = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in SOURCES)
    made_of = f"{metadata.version('vl-convert-python')} {VEGA_LITE} {source}"
    tag = f"// {hashlib.sha256(made_of.encode()).hexdigest()}\n"
    if KEPT.exists() and (kept := KEPT.read_text(encoding="utf-8")).startswith(tag):
        return kept
    made = tag + vl_convert.javascript_bundle(source, vl_version=VEGA_LITE)
    _keep(made)
    return made


def style() -> str:
    """How the Board and what it shows look."""
    panels = Path(__file__).with_name("templates") / "report" / "panels.css"
    return panels.read_text(encoding="utf-8") + (STATIC / "board.css").read_text(encoding="utf-8")


def _keep(made: str) -> None:
    """Keep a bundle for the next process; where the folder is closed to us each process makes its own."""
    try:
        handle, aside = tempfile.mkstemp(dir=STATIC, suffix=".tmp")
    except OSError:
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(made)
    Path(aside).replace(KEPT)
