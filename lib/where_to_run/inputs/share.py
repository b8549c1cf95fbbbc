"""Share: a scenario as the query of a link and as a YAML file, and back; nothing that is read is trusted."""

import difflib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd
import yaml

from . import question
from .question import ScenarioError

LONGEST = 20_000
"""Characters of a link's query or of a scenario file; the longest scenario there is takes a tenth of it."""

NOT_OURS = {"token", "theme", "template", "voila-theme", "voila-template", "reset", "path"}
"""Names in a query that speak to the server."""

OF_MAIL = {"fbclid", "gclid", "msclkid", "mc_cid", "mc_eid", "mkt_tok", "igshid", "_hsenc", "_hsmi"}
"""Names that mail programs and search engines add to a link, beside those that begin with utm_."""


def ours(name: str) -> bool:
    """Whether a name in a query is meant for the scenario."""
    return name not in NOT_OURS | OF_MAIL and not name.startswith("utm_")


def query(changes: Mapping[str, Any], preset: str) -> str:
    """The query of a link: the preset, and the fields that differ from it (`question.changed`)."""
    given = {"preset": preset} if preset else {}
    return urlencode(given | {name: _written(value) for name, value in changes.items()})


def from_query(text: str) -> tuple[pd.DataFrame, str, str]:
    """The scenario a link's query asks for, its preset, and words on names it has that are no fields.

    What mail programs add is left out. Refuses what `question.grid` refuses, and repeats.
    """
    # a plus in a query stands for a blank, so 1e+07 comes as "1e 07"
    read = re.sub(r"(?<=\d[eE])\+(?=\d)", "%2B", _short(text))
    asked = [(name, value) for name, value in parse_qsl(read, keep_blank_values=True) if ours(name)]
    pairs = [(name, value) for name, value in asked if name == "preset" or name in question.BY_NAME]
    others = sorted({name[:60] for name, _ in asked} - {name for name, _ in pairs})
    for name in others:
        if difflib.get_close_matches(name, question.BY_NAME, 1):
            question.field(name)  # a slip of the pen is refused, with the name that is meant
    words = f"The link also says {', '.join(others[:5])}, which is no field and was left out." if others else ""
    given = dict(pairs)
    twice = sorted(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    if twice:
        raise ScenarioError(f"the link gives {twice[0][:60]} more than once; give it once")
    preset = given.pop("preset", "")
    return *one(preset, {name: question.parse(name, value) for name, value in given.items()}), words


def to_yaml(changes: Mapping[str, Any], preset: str) -> str:
    """A scenario file: the preset, and the fields that differ from it (`question.changed`)."""
    fields = {name: _plain(value) for name, value in changes.items()}
    return str(yaml.safe_dump({"preset": preset, "fields": fields}, sort_keys=False, allow_unicode=True))


class Plain(yaml.SafeLoader):
    """YAML without names given twice, and without aliases.

    A scenario needs no alias, and with them a short file can ask for all memory.

    Written in Python, it stops at deep nesting with an error where the quicker one might not stop.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node; refuses an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Names and values; refuses a name given twice."""
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise ScenarioError(f"{name[:60]} is given twice in the file; give it once")
        return super().construct_mapping(node, deep)


def from_yaml(text: str) -> tuple[pd.DataFrame, str]:
    """The scenario of a file made by `to_yaml` or of a story of data/scenarios, and its preset.

    Refuses what is no such file, and what `question.grid` refuses.
    """
    short = _short(text)
    try:
        given = yaml.load(short, Loader=Plain)
    except ScenarioError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" in line {line + 1}" if line is not None else ""
        raise ScenarioError(f"the file is not YAML{where}; {EXPECTED}") from None
    if not isinstance(given, dict) or not isinstance(given.get("fields", {}), dict):
        raise ScenarioError(f"the file holds no scenario; {EXPECTED}")
    return one(given.get("preset") or "", given.get("fields", {}))


EXPECTED = "write `preset: hospital` and below `fields:` a line for each field, as `  spikiness: 8`"


def one(preset: Any, fields: dict[Any, Any]) -> tuple[pd.DataFrame, str]:
    """The one scenario of a preset and the fields that differ from it, and the preset."""
    if not isinstance(preset, str):
        raise ScenarioError("preset: give one name, or none")
    for name, value in fields.items():
        known = question.field(str(name)[:60])
        several = known.kind in ("names", "order")
        parts = value if isinstance(value, list) and several else [value]
        if not all(isinstance(part, str | int | float | np.number) for part in parts):
            raise ScenarioError(f"{known.name}: give {'names' if several else 'one value'}; allowed: {known.allowed}")
    rows = question.grid(preset[:60], **{str(name): value for name, value in fields.items()})
    return rows, preset


def _short(text: str) -> str:
    if len(text) > LONGEST:
        raise ScenarioError(f"{len(text):,} characters are no scenario; at most {LONGEST:,} are read")
    return text


def _plain(value: Any) -> Any:
    """A value of a frame as YAML holds it."""
    return value if isinstance(value, str) else int(value) if value == int(value) else float(value)


def _written(value: Any) -> str:
    """A value of a frame as a query holds it, to the last digit."""
    text = str(_plain(value))
    # three decimals might be read as thousands
    return f"{text}0" if question.THOUSANDS.fullmatch(text) else text
