"""Log file: what kind of file somebody gave, and its rows as text; nothing in it is trusted or executed."""

import csv
import gzip
import io
import json
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from .log_formats import Layout, UsageError

PEEK = 1 << 18
"""Bytes looked at to tell what a file is."""

MOST_TIMES_PACKED = 200
"""How much larger than its packed size a file may be: logs come to 5 to 30 times, a bomb to 1,000 and more."""

MOST_IN_MEMORY = 2_000_000_000
"""Bytes an upload may unpack to."""

MOST_COLUMNS, MOST_ROWS = 2_000, 2_000_000_000
"""What a file may say it has."""

LARGEST_LINE, LARGEST_DOCUMENT = 1 << 24, 1 << 27
"""Bytes of one row, and of a JSON file that is one document."""

TOO_LONG = f"a row is longer than {LARGEST_LINE:,} bytes, a document than {LARGEST_DOCUMENT:,}, or a quote does not end"

MEMORY = "1GB"
"""What the reader holds at once. Of a file on this machine the rest is on disk for as long as the reading takes."""

KINDS = "a CSV, JSON, JSON-lines or Parquet file; all but Parquet may be packed with gzip"


@dataclass
class Source:
    """An open file: names of columns, SQL for its rows (`few`: some) and for what is in them, and rows that were torn.

    SQL is made of fixed words, numbered columns and `quoted` text. `objects` are the columns of a JSON file: an object,
    one inside it, and so on.
    """

    connection: Any
    file: str
    names: list[str] = field(default_factory=list)
    rows: str = ""
    few: str = ""
    objects: list[str] = field(default_factory=list)
    pairs: str = ""
    torn: Counter[str] = field(default_factory=Counter)

    def one(self, sql: str) -> tuple[Any, ...]:
        """The one row a query gives."""
        row: tuple[Any, ...] = self.connection.execute(sql).fetchone()
        return row

    def unnest(self, layout: Layout) -> None:
        """Take the rows of a JSON document from where the layout says they are; an empty list is one row of nothing."""
        self.pairs = layout.pairs
        for level in layout.rows if self.objects else ():
            if level in self.names:
                outer, inner = self.objects[-1], f"o{len(self.objects)}"
                found = f"json_extract({outer}, {_path(level)})"
                every = f"CASE json_type({found}) WHEN 'ARRAY' THEN json_extract({found}, '$[*]') ELSE [{outer}] END"
                self.rows = f"(SELECT *, unnest(if(len({every}) = 0, [NULL], {every})) AS {inner} FROM {self.rows})"
                self.objects.append(inner)

    def text(self, path: str) -> str:
        """SQL of the text in a column, or at a path of keys `a > b`; NULL where there is none."""
        head, *rest = path.split(" > ")
        if self.objects:
            inside = self._paired if head == self.pairs else _inside
            return f"coalesce({', '.join(inside(o, head, *rest) for o in reversed(self.objects))})"
        if head not in self.names:
            return "NULL"
        column = f"c{self.names.index(head)}"
        return f"CASE WHEN json_valid({column}) THEN {_inside(column, *rest)} END" if rest else f"nullif({column}, '')"

    def _paired(self, o: str, head: str, key: str) -> str:
        """The value of a key in a list of key and value, as OTLP writes attributes."""
        named = f"lambda pair: json_extract_string(pair, '$.key') = {quoted(key)}"
        entry = f"list_filter(json_extract({o}, {_path(head)} || '[*]'), {named})[1]"
        return f"json_extract_string({entry}, '$.value.*')[1]"

    @property
    def whole(self) -> str:
        """SQL of all of a row, to tell rows apart."""
        return ", ".join(self.objects or (f"c{number}" for number in range(len(self.names))))


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _path(*keys: str) -> str:
    return quoted("$" + "".join(f".{json.dumps(key, ensure_ascii=False)}" for key in keys))


def _inside(o: str, *keys: str) -> str:
    return f"json_extract_string({o}, {_path(*keys)})"


@contextmanager
def opened(given: Path | bytes) -> Iterator[Source]:
    """A file on this machine, or the bytes of one, ready to be read; closed at the end, and nothing of it is kept.

    Refuses what is no such file, what is empty, and what unpacks to far more than it is.
    """
    import duckdb
    import fsspec
    import pyarrow

    head, packed = _peek(given)
    kind = _kind(head, packed)
    memory, on_disk = fsspec.filesystem("memory"), isinstance(given, Path)
    file = str(given) if on_disk else f"memory:///where-to-run-{id(given)}"
    with tempfile.TemporaryDirectory() as spill:
        safe: dict[str, Any] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": MEMORY,
        }
        connection = duckdb.connect(config={**safe, "temp_directory": spill if on_disk else ""})
        try:
            connection.execute("SET enable_progress_bar = false")
            if isinstance(given, bytes):
                memory.pipe_file(file, given)
                connection.register_filesystem(memory)
            source = Source(connection, file)
            if kind == "csv":
                _csv(source, given, head, packed)
            elif kind == "json":
                _json(source, head, packed)
            else:
                _parquet(source)
            yield source
        except duckdb.OutOfMemoryException:
            raise UsageError(f"the file takes more than {MEMORY} of memory to read; give a part of it") from None
        except (duckdb.Error, pyarrow.ArrowException, csv.Error, OSError) as error:
            said = str(error).partition("\n")[0].replace(file, "the file")[:200]
            said = TOO_LONG if any(sign in said for sign in ("straddl", "field limit", "maximum_object")) else said
            raise UsageError(f"the file cannot be read as {kind}: {said}") from None
        finally:
            connection.close()
            if memory.exists(file):
                memory.rm_file(file)


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
            with gzip.open(file) as unpacked:
                head = unpacked.read(PEEK)
                while unpacked.tell() <= most:
                    if not unpacked.read(1 << 22):
                        return head, True
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"the file cannot be read: {str(error)[:200]}") from None
    allowed = f"{MOST_TIMES_PACKED} times its size, and {MOST_IN_MEMORY:,} bytes of an upload"
    raise UsageError(f"the file unpacks to more than {most:,} bytes; read are at most {allowed}")


def _kind(head: bytes, packed: bool) -> str:
    """Whether a file is csv, json or parquet, by its first bytes."""
    start = head.removeprefix(BOM).lstrip()
    refused = (
        (not start, f"is empty; give {KINDS}"),
        (start[:4] == PARQUET and packed, "is a packed Parquet file; unpack it first"),
        (start[:2] == b"PK", "is a zip archive or a spreadsheet; unpack it, or save the sheet as CSV"),
        (start[:1] == b"<", f"is a page (HTML or XML) and no export; give {KINDS}"),
        (b"\x00" in head and start[:4] != PARQUET, f"is not text in UTF-8; give {KINDS}"),
    )
    if why := next((why for applies, why in refused if applies), ""):
        raise UsageError(f"the file {why}")
    return "parquet" if start[:4] == PARQUET else "json" if start[:1] in b"[{" else "csv"


PARQUET = b"PAR1"
"""What a Parquet file begins with."""

BOM = b"\xef\xbb\xbf"
"""What some programs write before text in UTF-8."""


def _csv(source: Source, given: Path | bytes, head: bytes, packed: bool) -> None:
    """Rows by PyArrow: it counts every torn line in bounded memory, where DuckDB's own reader loses good rows too."""
    import pyarrow
    import pyarrow.csv as arrow

    def torn(row: Any) -> str:
        source.torn[f"line with {'too many' if row.actual_columns > row.expected_columns else 'missing'} columns"] += 1
        return "skip"

    lines = head.removeprefix(BOM).decode("utf-8", "replace").splitlines()[:5]
    cells = {mark: [next(csv.reader([line], delimiter=mark), []) for line in lines if line] for mark in ",;\t|"}
    mark = max(cells, key=lambda mark: min(map(len, cells[mark])))
    _name(source, cells[mark][0])
    columns = [f"c{number}" for number in range(len(source.names))]
    source.rows = "file"
    if len(lines) == 1 and len(head) < PEEK:
        # a head alone, which PyArrow refuses where no line ends
        source.connection.register("file", pyarrow.schema([(name, pyarrow.string()) for name in columns]).empty_table())
        return
    file = str(given) if isinstance(given, Path) else pyarrow.py_buffer(given)
    reader = arrow.open_csv(
        pyarrow.input_stream(file, "gzip" if packed else None),
        arrow.ReadOptions(column_names=columns, skip_rows_after_names=1, block_size=LARGEST_LINE),
        arrow.ParseOptions(delimiter=mark, newlines_in_values=True, invalid_row_handler=torn),
        arrow.ConvertOptions(column_types=dict.fromkeys(columns, pyarrow.string()), check_utf8=False),
    )
    few = next(iter(reader), pyarrow.RecordBatch.from_pylist([], reader.schema))
    source.connection.register("few", few)
    source.connection.register("file", pyarrow.RecordBatchReader.from_batches(reader.schema, chain([few], reader)))
    source.few = "few"


def _parquet(source: Source) -> None:
    at = quoted(source.file)
    (rows,) = source.one(f"SELECT sum(num_rows) FROM parquet_file_metadata({at})")
    if rows > MOST_ROWS:
        raise UsageError(f"the file says it holds {rows:,.0f} rows; at most {MOST_ROWS:,} are read")
    described = source.connection.execute(f"DESCRIBE SELECT * FROM read_parquet({at})").fetchall()
    _name(source, [name for name, *_ in described])
    nested = ["(" in kind or "[" in kind for _, kind, *_ in described]
    texts = (f"CAST({'to_json' * deep}(c{n}) AS VARCHAR) AS c{n}" for n, deep in enumerate(nested))
    source.rows = f"(SELECT {', '.join(texts)} FROM read_parquet({at}) AS t({source.whole}))"


def _name(source: Source, names: list[str]) -> None:
    source.names = [name.strip() for name in names]
    many = len(names) > MOST_COLUMNS
    twice = "" if many else next((name for name in source.names if name and source.names.count(name) > 1), "")
    if many or twice or not any(source.names):
        what = f"the column {twice[:60]!r} twice" if twice else f"{len(names):,} columns"
        raise UsageError(f"the first line names {what}; it must name the columns, each once, at most {MOST_COLUMNS:,}")


def _json(source: Source, head: bytes, packed: bool) -> None:
    first, newline, _ = head.removeprefix(BOM).lstrip().partition(b"\n")
    lines = not first.startswith(b"[") and (not newline or _keys_of(first.decode("utf-8", "replace")) is not None)
    form = "newline_delimited" if lines else "array" if first.startswith(b"[") else "unstructured"
    options = f"format = '{form}', ignore_errors = {lines}, compression = '{'gzip' if packed else 'uncompressed'}'"
    options += f", maximum_object_size = {LARGEST_LINE if lines else LARGEST_DOCUMENT}"
    source.objects = ["o0"]
    source.rows = f"(SELECT json AS o0 FROM read_json_objects({quoted(source.file)}, {options}))"
    some = source.connection.execute(f"SELECT CAST(o0 AS VARCHAR) FROM {source.rows} LIMIT 50").fetchall()
    source.names = sorted({name for (text,) in some if text for name in _keys_of(text) or ()})
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
