"""Price maps: what two public ones say of offers, each read out of a wheel that the user's own pip fetches.

The wheels are read as zips: nothing in them is imported or run.
"""

import ast
import io
import json
import lzma
import re
import subprocess
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from ..units import TOKENS_PER_MTOK
from .tables import FactsError, columns_of, is_day

MINUTES = 10
MOST_WHEEL, MOST_FILE, MOST_TOKENS = 200_000_000, 10_000_000, 1_000_000
"""Bytes of a wheel and of the file read in it, and tokens of Python in that: three to six times those of 2026."""

SAME = 0.005
"""Share up to which two figures are the same."""

PRICES = {
    "input_usd_per_mtok": ("input_mtok", "input_cost_per_token"),
    "cached_input_usd_per_mtok": ("cache_read_mtok", "cache_read_input_token_cost"),
    "output_usd_per_mtok": ("output_mtok", "output_cost_per_token"),
    "cache_write_usd_per_mtok": ("cache_write_mtok", "cache_creation_input_token_cost"),
}
"""Prices by column, with the names genai-prices and litellm have for them."""

BASE = [(column, names) for column, names in PRICES.items() if column in ("input_usd_per_mtok", "output_usd_per_mtok")]
LONG = ("long_prompt_tokens", "long_input_usd_per_mtok", "long_output_usd_per_mtok")


@dataclass(frozen=True)
class Said:
    """What a price map says of an offer from a day on: its figures by column, and the day it ends where it has one."""

    figures: Mapping[str, float]
    since: str = ""
    ends_on: str = ""


def is_same(one: float, other: float) -> bool:
    """Whether two figures are the same but for rounding."""
    return abs(one - other) <= SAME * max(abs(one), abs(other))


# the wheels


def fetched(packages: Sequence[str], folder: Path) -> dict[str, tuple[Path, str]]:
    """The wheel of each package in a folder and its version, by the user's own pip; refuses where pip cannot.

    Wheels alone: the source of a package would be built, and so run.
    """
    asked = ["pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input", "--quiet", "--dest", str(folder)]
    both = " and ".join(packages)
    try:
        # -P: a pip.py in the folder where somebody stands is not pip
        done = subprocess.run(
            [sys.executable, "-P", "-m", *asked, *packages],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60 * MINUTES,
        )
    except subprocess.TimeoutExpired:
        raise FactsError(f"pip took more than {MINUTES} minutes to fetch {both}; try again later") from None
    if "No module named pip" in done.stderr:
        raise FactsError(f"this Python has no pip to fetch {both} with. Add it: python -m ensurepip")
    if done.returncode:
        lines = done.stderr.splitlines()
        said = " ".join([line for line in lines if line.startswith("ERROR")] or lines[-1:])
        heard = "".join(letter for letter in said if letter.isprintable())[:300]
        raise FactsError(
            f"pip could not fetch {both}; it takes a network, or an index named in pip's own settings. "
            f"It said: {heard or 'nothing'}"
        )
    return {package: _wheel(package, folder) for package in packages}


def _wheel(package: str, folder: Path) -> tuple[Path, str]:
    """The one wheel of a package in a folder, and its version."""
    form = re.compile(rf"{package.replace('-', '_')}-(\d[\w.+!]{{0,40}})-[\w.-]+\.whl", re.ASCII)
    named = [(path, match[1]) for path in folder.iterdir() if (match := form.fullmatch(path.name))]
    if len(named) != 1:
        raise FactsError(f"pip fetched {len(named)} wheels of {package}; it takes one")
    return named[0]


def content(wheel: Path, name: str) -> bytes:
    """What a file of a wheel holds; refuses one that is not there, or larger than a price map can be (`FactsError`)."""
    try:
        if wheel.stat().st_size > MOST_WHEEL:
            raise FactsError(f"{wheel.name} has more than {MOST_WHEEL / 1e6:.0f} MB; it is not read")
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as file:
            found = file.read(MOST_FILE + 1)
    except KeyError:
        raise FactsError(f"{wheel.name} has no {name}; its form is not the one read here") from None
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        raise FactsError(f"cannot read {name} in {wheel.name}: {error}") from None
    if len(found) > MOST_FILE:
        raise FactsError(f"{name} in {wheel.name} has more than {MOST_FILE / 1e6:.0f} MB; it is not read")
    return found


# what the maps say


def _said(read_one: Callable[[Any], list[Said]], entry: Any) -> list[Said]:
    """What a map says of an offer; nothing where it is in no form read here, or a price is none."""
    try:
        return read_one(entry)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return []


def _figures(given: Mapping[str, Any], batch: Mapping[str, float]) -> dict[str, float]:
    """Figures by column, all of which the table may hold; a price of nothing beside input and output is not given.

    `batch` are prices of input and output for what can wait.
    """
    figures = {column: _figure(column, figure) for column, figure in given.items()}
    off = [1 - price / figures[column] for column, price in batch.items() if figures[column]]
    if off and max(off) - min(off) < SAME:
        figures["batch_discount_share"] = _figure("batch_discount_share", off[0])
    needed = {"input_usd_per_mtok", "output_usd_per_mtok"}
    if not needed <= figures.keys():
        raise ValueError("no price of input and output")
    return {column: figure for column, figure in figures.items() if figure or column in needed}


def _figure(column: str, figure: Any) -> float:
    """A figure the column may hold, without what is left of multiplying; refuses any other."""
    spec = columns_of("api_offers")[column]
    if isinstance(figure, bool) or not spec["low"] <= figure <= spec["high"]:
        raise ValueError(f"{column} {figure!r}")
    return float(f"{figure:.10g}")


def genai_prices(source: bytes, names: Collection[str]) -> dict[str, list[Said]]:
    """What genai-prices says by provider/model: Python that lists providers, read as a text.

    Refuses a text of another form (`FactsError`).
    """
    try:
        if sum(1 for _ in islice(tokenize.tokenize(io.BytesIO(source).readline), MOST_TOKENS)) == MOST_TOKENS:
            raise ValueError("it is too long")
        lists = [node.value for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
        models = {
            f"{_literal(provider['id'])}/{_literal(model['id'])}": model
            for provider in map(_given, lists[0].elts)  # type: ignore[union-attr]
            for model in map(_given, provider["models"].elts)  # type: ignore[attr-defined]
        }
    except (
        LookupError,
        AttributeError,
        ValueError,
        SyntaxError,
        MemoryError,
        RecursionError,
        tokenize.TokenError,
    ) as error:
        raise FactsError(f"genai-prices has its prices in a form that is not read here: {error!r:.200}") from None
    return {name: _said(_by_genai_prices, models[name]) for name in names if name in models}


def _given(call: ast.expr) -> dict[str, ast.expr]:
    """What a call names, unread."""
    return {word.arg: word.value for word in call.keywords if word.arg} if isinstance(call, ast.Call) else {}


def _literal(node: ast.expr) -> Any:
    """What a literal says; a number or day is one, and another call is what it names. Refuses everything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_literal(key): _literal(value) for key, value in zip(keys, values, strict=True) if key}
        case ast.Call(func=ast.Name(id="Decimal"), args=[ast.Constant(value=str() as text)]):
            return float(text)
        case ast.Call(func=ast.Attribute(attr="date"), args=args):
            return date(*map(_literal, args)).isoformat()
        case ast.Call(func=ast.Attribute(attr="time")):
            return "a time of day"
        case ast.Call():
            return {name: _literal(value) for name, value in _given(node).items()}
    raise ValueError(f"{type(node).__name__} is no literal")


def _by_genai_prices(model: Mapping[str, ast.expr]) -> list[Said]:
    """What genai-prices says of a model from each day on which its price or its price for batches starts.

    The last of the prices that have started holds. Those for hours of the day are left out.
    """
    prices = _literal(model["prices"])
    dated = _dated(prices if isinstance(prices, list) else [{"prices": prices}])
    variants = _literal(model["price_variants"]) if "price_variants" in model else []
    batches = _dated([variant for variant in variants if variant["when"] == {"processing": "batch"}])
    said = []
    for day in sorted({start for start, _ in (*dated, *batches)}):
        since, price = [one for one in dated if one[0] <= day][-1]
        # a price for batches that is older than the price is off that of before
        batch = ([batch for start, batch in batches if since <= start <= day] or [{}])[-1]
        given = {column: _base(price[name]) for column, (name, _) in PRICES.items() if name in price}
        said.append(Said(_figures(given | _long(price), {c: _base(batch[n]) for c, (n, _) in BASE if n in batch}), day))
    return said


def _dated(prices: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any]]:
    """Prices with the day each starts, nothing for one that always held; without those for hours of the day."""
    limits = [(price.get("constraint", {}), price["prices"]) for price in prices]
    return [(limit.get("start_date", ""), price) for limit, price in limits if limit.keys() <= {"start_date"}]


def _base(price: Any) -> Any:
    """A price, that of short prompts where it goes by their length."""
    return price["base"] if isinstance(price, dict) else price


def _long(price: Mapping[str, Any]) -> dict[str, Any]:
    """The tariff of long prompts, where there is one and no second."""
    tiers = [
        price[name].get("tiers", []) if isinstance(price[name], dict) else [] for name in ("input_mtok", "output_mtok")
    ]
    if [len(of) for of in tiers] != [1, 1] or tiers[0][0]["start"] != tiers[1][0]["start"]:
        return {}
    # some start a token early
    return dict(zip(LONG, (round(tiers[0][0]["start"], -1), tiers[0][0]["price"], tiers[1][0]["price"]), strict=True))


def litellm(source: bytes, names: Collection[str]) -> dict[str, list[Said]]:
    """What litellm says by its names: JSON with prices a token. Refuses a text of another form (`FactsError`)."""
    try:
        entries = json.loads(source)
        return {name: _said(_by_litellm, entries[name]) for name in names if name in entries}
    except (TypeError, ValueError, MemoryError, RecursionError) as error:
        raise FactsError(f"litellm has its prices in a form that is not read here: {error!r:.200}") from None


def _by_litellm(entry: Mapping[str, Any]) -> list[Said]:
    """What litellm says of an offer; where it has prices off the peak, those are the ones our table lists."""
    price = {name: of for name, of in {**entry, **entry.get("off_peak_pricing", {})}.items() if of is not None}
    given = {column: price[name] * TOKENS_PER_MTOK for column, (_, name) in PRICES.items() if name in price}
    above = [
        match for name in price if (match := re.fullmatch(r"input_(cost_per_token_above_(\d{1,5})k_tokens)", name))
    ]
    if len(above) == 1 and f"output_{above[0][1]}" in price:
        tariff = [price[f"{of}_{above[0][1]}"] * TOKENS_PER_MTOK for of in ("input", "output")]
        given |= dict(zip(LONG, (int(above[0][2]) * 1000, *tariff), strict=True))
    batch = {c: price[f"{n}_batches"] * TOKENS_PER_MTOK for c, (_, n) in BASE if f"{n}_batches" in price}
    ends_on = str(price.get("deprecation_date", ""))
    return [Said(_figures(given, batch), ends_on=ends_on if is_day(ends_on) else "")]


READERS = {"genai-prices": genai_prices, "litellm": litellm}
