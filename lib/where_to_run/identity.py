"""Identity: what decides the results of a sweep, as one key, and the software that makes them."""

import ast
import json
import platform
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .facts import Facts
from .paths import DATA
from .plan import Plan

PACKAGES = ("where-to-run", "numpy", "pandas", "scipy", "pyarrow", "dask", "distributed", "fsspec", "papermill")
DECIDING = ("where-to-run", "numpy", "pandas", "scipy", "pyarrow")
"""Packages whose version can show in the results."""


@cache
def software() -> dict[str, str]:
    """Versions of what makes the results, and a hash of this library's code."""
    versions = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions, "code sha256": code()}


@cache
def code() -> str:
    """Hash of the code that makes the results: `batch`, and every module it imports, and those import."""
    found: dict[str, str] = {}
    waiting = ["batch"]
    while waiting:
        name = waiting.pop()
        path = Path(__file__).with_name(f"{name}.py")
        if name in found or not path.exists():
            continue
        found[name] = sha256(path.read_bytes()).hexdigest()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                waiting += [node.module] if node.module else [alias.name for alias in node.names]
    question = {
        path.name: sha256(path.read_bytes()).hexdigest() for path in (DATA / "question.yaml", DATA / "tables.yaml")
    }
    return _hash(found | question)


@cache
def engine() -> str:
    """One word for the software that decides the results: the same on every worker, or the results are not one."""
    found = software()
    return _hash({name: found[name] for name in ("python", *DECIDING, "code sha256")})


def facts_told(facts: Facts) -> dict[str, Any]:
    """The facts of a sweep: the day they hold on, a hash of every table, and the overrides laid over them."""
    tables = {
        name: {"rows": len(rows), "sha256": sha256(rows.to_csv().encode()).hexdigest()}
        for name, rows in facts.tables.items()
    }
    rules = {"rows": len(facts.rules["rules"]), "sha256": _hash(facts.rules)}
    return {"as_of": facts.as_of, "tables": tables | {"rules": rules}, "overrides": facts.overrides.to_dict("records")}


def key(plan: Plan, facts: Facts) -> str:
    """The key of a sweep: what has the same key has the same results, byte by byte."""
    return _hash({"plan": plan.told, "facts": facts_told(facts), "engine": engine()})


def _hash(told: Mapping[str, Any]) -> str:
    return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]
