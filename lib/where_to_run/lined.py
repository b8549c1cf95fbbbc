"""Lined: a YAML file as plain values that remember the line they stand on, so that a refusal can name it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .scenario import ScenarioError
from .sharing import Plain

LONGEST = 200_000
"""Characters of a file that are read; longer lists belong in a CSV."""

At = tuple[str | int, ...]
"""Where a value stands: names and positions from the top, as ("grid", "spikiness", 2)."""


@dataclass(frozen=True)
class Lined:
    """What a file holds, and the line of every value by where it stands."""

    path: Path
    text: str
    value: Any
    lines: Mapping[At, int]

    def at(self, *at: str | int) -> Any:
        """The value at a place; None where there is none."""
        found = self.value
        for name in at:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def refusal(self, words: str, *at: str | int) -> ScenarioError:
        """A refusal that names the file, and the line of a value or of what it stands in."""
        while at and at not in self.lines:
            at = at[:-1]
        return ScenarioError(f"{self.path.name}, line {self.lines.get(at, 1)}: {words}")

    @contextmanager
    def naming(self, *at: str | int) -> Iterator[None]:
        """What is refused inside is refused with the line of a value."""
        try:
            yield
        except ScenarioError as error:
            raise self.refusal(str(error), *at) from None


def read(path: Path) -> Lined:
    """A YAML file of names and values without aliases; refuses what is none, and names given twice, by line."""
    try:
        if path.stat().st_size > LONGEST:
            raise ScenarioError(f"{path.name} has {path.stat().st_size:,} characters; at most {LONGEST:,} are read")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise ScenarioError(f"cannot read {path}: {error}") from None
    lines: dict[At, int] = {}
    try:
        loader = Plain(text)
        node = loader.get_single_node()
        value = None if node is None else _value(loader, node, (), lines)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ScenarioError):
            raise ScenarioError(f"{path.name}, {error}") from None
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ScenarioError(f"{path.name}{where}: this is not YAML as read here: {_reason(error)}") from None
    return Lined(path, text, value, lines)


def _reason(error: Exception) -> str:
    said = getattr(error, "problem", None) or str(error) or type(error).__name__
    return str(said).splitlines()[0][:100]


def _value(loader: Plain, node: yaml.Node, at: At, lines: dict[At, int]) -> Any:
    """The value of a node and of all below it; their lines are added to `lines`."""
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*at, number), lines) for number, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found: dict[str, Any] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        name = key.value if isinstance(key, yaml.ScalarNode) else None
        if name is None or name in found:
            raise ScenarioError(f"line {line}: {'a name is expected' if name is None else f'{name} is given twice'}")
        lines[*at, name] = line
        found[name] = _value(loader, child, (*at, name), lines)
    return found
