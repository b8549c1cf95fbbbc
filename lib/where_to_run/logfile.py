"""Log file: what kind of file somebody gave, and its rows as text; nothing in it is trusted or executed."""

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pandas as pd

from .layouts import Layout, UsageError

PEEK = 1 << 18
"""Bytes looked at to tell what a file is."""

MOST_TIMES_PACKED = 200
"""How much larger than its packed size a file may be: logs come to 5 to 30 times, a bomb to 1,000 and more."""

MOST_IN_MEMORY = 2_000_000_000
"""Bytes an upload may unpack to."""

MOST_COLUMNS, MOST_ROWS = 2_000, 2_000_000_000
"""What a file may say it has."""

LARGEST_LINE, LARGEST_OBJECT = 1 << 24, 1 << 27
"""Bytes of one JSON object, in a file of lines and in a file that is one document."""

MEMORY = "1GB"
"""What the reader holds at once. Of a file on this machine the rest is on disk for as long as the reading takes."""

KINDS = "a CSV, JSON, JSON-lines or Parquet file; all but Parquet may be packed with gzip"


@dataclass
class Source:
    """An open file: the names of its columns, and SQL for its rows and for what is in them.

    SQL is made of fixed words and numbered columns; what comes from the file or a visitor is handed over beside it.
    """

    connection: Any
    kind: str
    names: list[str] = field(default_factory=list)
    relation: str = ""
    objects: list[str] = field(default_factory=list)
    pairs: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def value(self, given: Any) -> str:
        """The place in the SQL of a value that is handed over beside it."""
        name = f"v{len(self.values):04}"
        self.values[name] = given
        return f"${name}"

    def frame(self, sql: str) -> pd.DataFrame:
        """What a query gives."""
        frame: pd.DataFrame = self.connection.execute(
            sql, {n: v for n, v in self.values.items() if f"${n}" in sql}
        ).df()
        return frame

    def unnest(self, layout: Layout) -> None:
        """Take the rows of a JSON document from where the layout says they are; an empty list is one row of nothing."""
        self.pairs = layout.pairs
        for level in layout.rows if self.objects else ():
            if level not in self.names:
                continue
            at, every = (self.value(f"$.{json.dumps(level)}{end}") for end in ("", "[*]"))
            inner = self.objects[-1]
            found = (
                f"CASE WHEN json_array_length({inner}, {at}) > 0 THEN json_extract({inner}, {every}) "
                f"WHEN json_type({inner}, {at}) = 'ARRAY' THEN [NULL] ELSE [{inner}] END"
            )
            self.objects.append(f"o{len(self.objects)}")
            self.relation = f"(SELECT *, unnest({found}) AS {self.objects[-1]} FROM {self.relation})"

    def text(self, path: str) -> str:
        """SQL of the text in a column, or at a path of keys `a > b`; NULL where there is none."""
        head, *rest = path.split(" > ")
        if self.pairs and head == self.pairs:
            return f"coalesce({', '.join(self._paired(o, head, rest[0]) for o in reversed(self.objects))})"
        if self.objects:
            at = self._at([head, *rest])
            return f"coalesce({', '.join(f'json_extract_string({o}, {at})' for o in reversed(self.objects))})"
        if head not in self.names:
            return "NULL"
        column = f"c{self.names.index(head)}"
        if not rest:
            return f"nullif(CAST({column} AS VARCHAR), '')"
        whole = column if self.kind == "csv" else f"CAST(to_json({column}) AS VARCHAR)"
        return f"CASE WHEN json_valid({whole}) THEN json_extract_string({whole}, {self._at(rest)}) END"

    def _at(self, keys: list[str]) -> str:
        return self.value("$" + "".join(f".{json.dumps(key)}" for key in keys))

    def _paired(self, o: str, head: str, key: str) -> str:
        """The value of a key in a list of key and value, as OTLP writes attributes."""
        every = f"json_extract({o}, {self.value(f'$.{json.dumps(head)}[*]')})"
        entry = f"list_filter({every}, lambda x: json_extract_string(x, '$.key') = {self.value(key)})[1]"
        return f"coalesce({', '.join(f'json_extract_string({entry}, $$$.value.{kind}Value$$)' for kind in KEPT)})"

    @property
    def row(self) -> str:
        """SQL of all of a row, to tell rows apart."""
        return ", ".join(self.objects or (f"c{number}" for number in range(len(self.names))))

    def rejected(self) -> dict[str, int]:
        """Lines that are no rows, by reason; known once the rows were read."""
        if self.kind != "csv":
            return {}
        found = self.frame("SELECT error_type AS why, count(DISTINCT line) AS number FROM reject_errors GROUP BY why")
        return {f"line with {str(why).lower()}": int(number) for why, number in found.itertuples(index=False)}


KEPT = ("int", "double", "string")
"""Kinds of values of a pair that are read."""


@contextmanager
def opened(given: Path | bytes) -> Iterator[Source]:
    """A file on this machine, or the bytes of one, ready to be read; closed at the end, and nothing of it is kept.

    Refuses what is no such file, what is empty, and what unpacks to far more than it is.
    """
    import duckdb
    import fsspec

    head, packed = _peek(given)
    kind = _kind(head)
    if kind == "parquet" and packed:
        raise UsageError("the file is a packed Parquet file; unpack it first")
    memory, name = fsspec.filesystem("memory"), f"/where-to-run-{id(given)}"
    with tempfile.TemporaryDirectory() as spill:
        safe: dict[str, Any] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": MEMORY,
        }
        connection = duckdb.connect(config={**safe, "temp_directory": spill if isinstance(given, Path) else ""})
        try:
            connection.execute("SET enable_progress_bar = false")
            if isinstance(given, bytes):
                memory.pipe_file(name, given)
                connection.register_filesystem(memory)
            source = Source(connection, kind)
            at = source.value(f"memory://{name}" if isinstance(given, bytes) else str(given))
            {"csv": _csv, "json": _json, "parquet": _parquet}[kind](source, at, head, packed)
            yield source
        except duckdb.Error as error:
            raise UsageError(f"the file cannot be read as {kind}: {str(error).splitlines()[0][:200]}") from None
        finally:
            connection.close()
            if memory.exists(name):
                memory.rm_file(name)


def _peek(given: Path | bytes) -> tuple[bytes, bool]:
    """The first bytes of a file, unpacked, and whether it is packed; refuses one that unpacks to too much."""
    try:
        with given.open("rb") if isinstance(given, Path) else io.BytesIO(given) as file:
            head = file.read(PEEK)
            if head[:2] != b"\x1f\x8b":
                return head, False
            most = file.seek(0, io.SEEK_END) * MOST_TIMES_PACKED + PEEK
            most = min(most, MOST_IN_MEMORY) if isinstance(given, bytes) else most
            file.seek(0)
            return _unpacked(file, most), True
    except (OSError, EOFError, ArithmeticError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
        raise UsageError(f"the file cannot be read: {str(error)[:200]}") from None


def _unpacked(file: IO[bytes], most: int) -> bytes:
    with gzip.open(file) as unpacked:
        head = unpacked.read(PEEK)
        seen = len(head)
        while part := unpacked.read(1 << 22):
            seen += len(part)
            if seen > most:
                allowed = f"{MOST_TIMES_PACKED} times its size, and {MOST_IN_MEMORY:,} bytes of an upload"
                raise UsageError(f"the file unpacks to more than {most:,} bytes; read are at most {allowed}")
    return head


def _kind(head: bytes) -> str:
    """Whether a file is csv, json or parquet, by its first bytes."""
    start = head.removeprefix(BOM).lstrip()
    if not start:
        raise UsageError(f"the file is empty; give {KINDS}")
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:2] == b"PK":
        raise UsageError("the file is a zip archive or a spreadsheet; unpack it, or save the sheet as CSV")
    if start[:1] == b"<":
        raise UsageError(f"the file is a page (HTML or XML) and no export; give {KINDS}")
    if b"\x00" in head:
        raise UsageError(f"the file is not text in UTF-8; give {KINDS}")
    return "json" if start[:1] in b"[{" else "csv"


BOM = b"\xef\xbb\xbf"
"""What some programs write before text in UTF-8."""


def _csv(source: Source, at: str, head: bytes, packed: bool) -> None:
    lines = head.removeprefix(BOM).decode("utf-8", "replace").splitlines()[:5]
    cells = {mark: [next(csv.reader([line], delimiter=mark), []) for line in lines] for mark in ",;\t|"}
    mark = max(cells, key=lambda mark: min(map(len, cells[mark])))
    _name(source, cells[mark][0])
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(source.names)))
    quoting = f"delim = '{mark}', quote = '\"', escape = '\"', compression = '{'gzip' if packed else 'none'}'"
    options = f"header = true, auto_detect = false, store_rejects = true, {quoting}"
    source.relation = f"read_csv({at}, columns = {{{types}}}, {options})"


def _parquet(source: Source, at: str, head: bytes, packed: bool) -> None:
    rows = source.frame(f"SELECT sum(num_rows) AS number FROM parquet_file_metadata({at})")["number"].iloc[0]
    if rows > MOST_ROWS:
        raise UsageError(f"the file says it holds {rows:,.0f} rows; at most {MOST_ROWS:,} are read")
    _name(source, list(source.frame(f"DESCRIBE SELECT * FROM read_parquet({at})")["column_name"]))
    source.relation = f"read_parquet({at}) AS t({source.row})"


def _name(source: Source, names: list[str]) -> None:
    source.names = [name.strip() for name in names]
    many = len(names) > MOST_COLUMNS
    twice = "" if many else next((name for name in source.names if name and source.names.count(name) > 1), "")
    if many or twice or not any(source.names):
        what = f"the column {twice[:60]!r} twice" if twice else f"{len(names):,} columns"
        raise UsageError(f"the first line names {what}; it must name the columns, each once, at most {MOST_COLUMNS:,}")


def _json(source: Source, at: str, head: bytes, packed: bool) -> None:
    first, newline, _ = head.removeprefix(BOM).lstrip().partition(b"\n")
    lines = not first.startswith(b"[") and (not newline or _keys_of(first.decode("utf-8", "replace")) is not None)
    form = "newline_delimited" if lines else "array" if first.startswith(b"[") else "unstructured"
    size = f"maximum_object_size = {LARGEST_LINE if lines else LARGEST_OBJECT}"
    options = (
        f"format = '{form}', ignore_errors = {lines}, compression = '{'gzip' if packed else 'uncompressed'}', {size}"
    )
    source.objects, source.relation = ["o0"], f"(SELECT json AS o0 FROM read_json_objects({at}, {options}))"
    some = source.frame(f"SELECT CAST(o0 AS VARCHAR) AS text FROM {source.relation} LIMIT 50")["text"].dropna()
    source.names = sorted({name for text in some for name in _keys_of(text) or ()})
    if not source.names:
        raise UsageError(f"the file holds no JSON objects; give {KINDS}")


def _keys_of(text: str) -> set[str] | None:
    """The keys of a JSON object and of the objects in its lists, None where the text is not JSON."""
    try:
        return set(_keys(json.loads(text)))
    except (ValueError, RecursionError):
        return None


def _keys(value: Any, depth: int = 0) -> Iterator[str]:
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield key
        if depth < 3 and isinstance(inner, list):
            for one in inner[:50]:
                yield from _keys(one, depth + 1)
