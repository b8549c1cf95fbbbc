"""Log file: what kind of file somebody gave, and its rows as text; nothing in it is trusted or executed."""

import csv
import io
import json
import re
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from .log_formats import UsageError

PEEK = 1 << 18
"""Bytes looked at to tell what a file is."""

MOST_TIMES_PACKED = 200
"""How much larger than its packed size a file may be: logs come to 5 to 30 times, a bomb to 1,000 and more."""

MOST_IN_MEMORY = 2_000_000_000
"""Bytes an upload may unpack to."""

MOST_COLUMNS, MOST_ROWS = 2_000, 2_000_000_000
"""What a file may say it has."""

MOST_LOOKED, DEEPEST, PLACES = 50_000, 6, ("[0]", "[1]")
"""Rows of JSON whose keys are looked at, how deep rows are looked for, and the places in a row that is a list."""

LARGEST_LINE, LARGEST_DOCUMENT = 1 << 24, 1 << 27
"""Bytes of one row, and of a JSON file that is one document."""

TOO_LONG = f"a row is longer than {LARGEST_LINE:,} bytes, a document than {LARGEST_DOCUMENT:,}, or a quote does not end"

MEMORY = "1GB"
"""What the reader holds at once. Of a file on this machine the rest is on disk for as long as the reading takes."""

KINDS = "a CSV, JSON, JSON-lines or Parquet file; all but Parquet may be packed with gzip or zstd"


@dataclass
class Source:
    """An open file: names of columns, SQL for its rows (`few`: the first of them), and rows that were torn.

    SQL is made of fixed words, numbered columns and `quoted` text. `structure` is that of a row of JSON.
    `whole` says whether `few` are all rows.
    """

    connection: Any
    file: str
    names: list[str] = field(default_factory=list)
    rows: str = ""
    few: str = ""
    structure: dict[str, Any] | None = None
    whole: bool = True
    nested: bool = False
    torn: Counter[str] = field(default_factory=Counter)
    texts: dict[str, str] = field(default_factory=dict)

    def one(self, sql: str) -> tuple[Any, ...]:
        """The one row a query gives."""
        rows: list[tuple[Any, ...]] = self.connection.execute(sql).fetchall()
        return rows[0]

    def under(self, heads: Collection[str]) -> list[str] | None:
        """The keys under which rows with these columns are, outermost first; None where there are none.

        Of a row inside others the columns of those count too. Refuses rows in two places.
        """
        if self.structure is None:
            return [] if set(heads) <= set(self.names) else None
        level: list[tuple[list[str], Any, set[str]]] = [([], self.structure, set())]
        for _ in range(DEEPEST):
            level = [(path, node, known | set(node)) for path, node, known in level]
            found = [path for path, _, known in level if set(heads) <= known]
            if len(found) > 1:
                raise UsageError(
                    f"rows are under {' and '.join(' > '.join(path) for path in found[:3])}; give one of them"
                )
            if found:
                return found[0]
            inner = (
                (p, k, n[0] if isinstance(n, list) else n, known) for p, node, known in level for k, n in node.items()
            )
            listed = ((p, k, dict.fromkeys(PLACES) if isinstance(n, list) else n, known) for p, k, n, known in inner)
            level = [([*p, k], n, known) for p, k, n, known in listed if isinstance(n, dict)][:MOST_COLUMNS]
        return None

    def take(self, under: list[str], wanted: Collection[str]) -> None:
        """Take the rows under these keys, with the text at each wanted path `a > b`, NULL where there is none.

        An empty list is one row of nothing. What is not wanted is not carried along.
        """
        self.texts, self.nested = {path: f"w{n}" for n, path in enumerate(dict.fromkeys(wanted))}, bool(under)
        self.rows, self.few = (self._taken(rows, under) for rows in (self.rows, self.few))

    def _taken(self, rows: str, under: list[str]) -> str:
        if self.structure is None:
            cells = ", ".join(f"{self._cell(path)} AS {name}" for path, name in self.texts.items())
            every = ", ".join(f"c{number}" for number in range(len(self.names)))
            return f"(SELECT {cells}, hash({every}) AS whole, false AS torn FROM {rows})"
        node: Any = self.structure
        names = ", ".join(self.texts.values())
        first = ", ".join(f"{_inside('o', path, node, not under)} AS {name}" for path, name in self.texts.items())
        sql = f"(SELECT {first}, hash(o) AS whole, o IS NULL AS torn, o FROM {rows})"
        for depth, key in enumerate(under, start=1):
            node, listed = (node[key][0], True) if isinstance(node[key], list) else (node[key], False)
            node = dict.fromkeys(PLACES) if isinstance(node, list) else node
            every = f"json_extract(o, {_path(key)[:-1]}[*]')" if listed else f"[json_extract(o, {_path(key)})]"
            sql = f"(SELECT {names}, whole, torn, {every} AS l FROM {sql})"
            sql = f"(SELECT * EXCLUDE (l), if(len(l) = 0, [NULL], l) AS l FROM {sql})"
            sql = f"(SELECT {names}, whole, torn, unnest(l) AS o, generate_subscripts(l, 1) AS n FROM {sql})"
            last = depth == len(under)
            inner = ((_inside("o", path, node, last), name) for path, name in self.texts.items())
            cells = ", ".join(name if text == "NULL" else f"coalesce({text}, {name}) AS {name}" for text, name in inner)
            sql = f"(SELECT {cells}, hash(whole, n) AS whole, torn, o FROM {sql})"
        return f"(SELECT * EXCLUDE (o) FROM {sql})"

    def _cell(self, path: str) -> str:
        head, *rest = [path] if path in self.names else path.split(" > ")
        if head not in self.names:
            return "NULL"
        column = f"c{self.names.index(head)}"
        return f"CASE WHEN json_valid({column}) THEN {_within(column, *rest)} END" if rest else f"nullif({column}, '')"

    def text(self, path: str) -> str:
        """SQL of the text at a wanted path."""
        return self.texts[path]


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _path(*keys: str) -> str:
    return quoted("$" + "".join(key if key in PLACES else f".{json.dumps(key, ensure_ascii=False)}" for key in keys))


def _inside(o: str, path: str, node: Any, last: bool) -> str:
    """The text at a path of an object, of a list of key and value (as OTLP writes attributes), or of JSON in a text."""
    head, *rest = path.split(" > ")
    if head not in node and path not in node:
        # a row may have a key that none of the first rows has
        return _within(o, head, *rest) if last and not node.keys() >= set(PLACES) else "NULL"
    if path in node or not rest:
        return _within(o, path)
    if isinstance(node[head], list) and isinstance(node[head][0], dict) and {"key", "value"} <= set(node[head][0]):
        named = f"lambda pair: json_extract_string(pair, '$.key') = {quoted(rest[0])}"
        entry = f"list_filter(json_extract({o}, {_path(head)} || '[*]'), {named})[1]"
        return f"json_extract_string({entry}, '$.value.*')[1]"
    inner = f"json_extract_string({o}, {_path(head)})"
    return f"CASE WHEN json_valid({inner}) THEN {_within(inner, *rest)} END"


def _within(o: str, *keys: str) -> str:
    """The text at keys of an object; of a last key with `*` the sum of all whose name has it."""
    if "*" not in keys[-1]:
        return f"nullif(json_extract_string({o}, {_path(*keys)}), '')"
    at = f"json_extract({o}, {_path(*keys[:-1])})"
    of = f"list_zip(json_keys({at}), json_extract_string({at}, '$.*'))"
    some = f"lambda pair: contains(pair[1], {quoted(keys[-1].strip('*'))}) AND pair[2] IS NOT NULL"
    return f"CAST(list_sum(list_transform(list_filter({of}, {some}), lambda pair: {number('pair[2]')})) AS VARCHAR)"


def number(text: str, plain: str = "") -> str:
    """SQL of the count in a text, NULL where a word says that there is none, NaN where it is no count.

    `plain` is the column where the text is read as a number already.
    """
    plain = plain or f"try_cast({text} AS DOUBLE)"
    return f"""CASE WHEN {plain} BETWEEN 0 AND {LARGEST} THEN {plain} WHEN {text} IS NULL OR {none(text)} THEN NULL
        ELSE coalesce(CASE WHEN try_cast(trim({text}, ' "') AS DOUBLE) BETWEEN 0 AND {LARGEST}
            THEN try_cast(trim({text}, ' "') AS DOUBLE) END, 'nan'::DOUBLE) END"""


def none(text: str) -> str:
    """SQL of whether a text is a word for nothing."""
    return f"lower(trim({text}, ' \"')) IN ({', '.join(map(quoted, NO_VALUE))})"


NO_VALUE = (
    "",
    "null",
    "none",
    "nil",
    "nan",
    "n/a",
    "na",
    "#n/a",
    "-",
    "--",
    "\\n",
    "undefined",
    "<na>",
    "nat",
    "(null)",
)
"""What programs write where there is nothing."""

LARGEST = 1e15
"""A count above is a mistake."""


@contextmanager
def opened(given: Path | bytes) -> Iterator[Source]:
    """A file on this machine, or the bytes of one, ready to be read; closed at the end, and nothing of it is kept.

    Refuses what is no such file, what is empty, and what unpacks to far more than it is.
    """
    import duckdb
    import fsspec
    import pyarrow

    head, packing = _peek(given)
    kind = _kind(head, packing)
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
            source = Source(connection, file)
            if kind == "csv":
                _csv(source, given, head, packing)
            elif kind == "json":
                _json(source, given, head, packing)
            else:
                if isinstance(given, bytes):
                    memory.pipe_file(file, given)
                    connection.register_filesystem(memory)
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


def _stream(given: Path | bytes, packing: str | None) -> Any:
    import pyarrow

    file = str(given) if isinstance(given, Path) else pyarrow.py_buffer(given)
    return pyarrow.input_stream(file, packing)


def _peek(given: Path | bytes) -> tuple[bytes, str | None]:
    """The first bytes of a file, unpacked, and how it is packed; refuses one that unpacks to too much."""
    try:
        with given.open("rb") if isinstance(given, Path) else io.BytesIO(given) as file:
            head = file.read(PEEK)
            size = file.seek(0, io.SEEK_END)
        packing = next((name for magic, name in PACKED.items() if head.startswith(magic)), None)
        if not packing:
            return head, None
        most = size * MOST_TIMES_PACKED + PEEK
        most = min(most, MOST_IN_MEMORY) if isinstance(given, bytes) else most
        with _stream(given, packing) as unpacked:
            head, at = unpacked.read(PEEK), PEEK
            while at <= most:
                part = len(unpacked.read(1 << 22))
                at += part
                if not part:
                    return head, packing
    except (OSError, EOFError) as error:
        raise UsageError(f"the file cannot be read: {str(error)[:200]}") from None
    allowed = f"{MOST_TIMES_PACKED} times its size, and {MOST_IN_MEMORY:,} bytes of an upload"
    raise UsageError(f"the file unpacks to more than {most:,} bytes; read are at most {allowed}")


def _kind(head: bytes, packing: str | None) -> str:
    """Whether a file is csv, json or parquet, by its first bytes."""
    start = head.removeprefix(BOM).lstrip()
    parquet = start[:4] == PARQUET and b"\x00" in head
    refused = (
        (not start, f"is empty; give {KINDS}"),
        (parquet and packing, "is a packed Parquet file; unpack it first"),
        (
            start[:4] in (b"PK\x03\x04", b"PK\x05\x06"),
            "is a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
        ),
        (PAGE.match(start), f"is a page (HTML or XML) and no export; give {KINDS}"),
        (b"\x00" in head and not parquet, f"is not text in UTF-8; give {KINDS}"),
    )
    if why := next((why for applies, why in refused if applies), ""):
        raise UsageError(f"the file {why}")
    return "parquet" if parquet else "json" if JSON.match(start) else "csv"


PARQUET = b"PAR1"
"""What a Parquet file begins with."""

PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""What packed files begin with."""

BOM = b"\xef\xbb\xbf"
"""What some programs write before text in UTF-8."""

PAGE = re.compile(rb"<(!|\?|(html|head|body|table|div|script|svg|xml)\b)", re.IGNORECASE)
JSON = re.compile(rb"\{\s*[\"}]|\[\s*[\[{\"\]]")
VALUE = re.compile(r"[-+]?\d[\d.,:/TZ+ -]*")
"""How a page and a JSON file begin, and a cell that is a number or a time and no name."""


def _csv(source: Source, given: Path | bytes, head: bytes, packing: str | None) -> None:
    """Rows by PyArrow: it counts every torn line in bounded memory, where DuckDB's own reader loses good rows too."""
    import pyarrow
    import pyarrow.csv as arrow

    def torn(row: Any) -> str:
        source.torn[f"line with {'too many' if row.actual_columns > row.expected_columns else 'missing'} columns"] += 1
        return "skip"

    lines = head.removeprefix(BOM).decode("utf-8", "replace").splitlines()[:5]
    cells = {mark: [next(csv.reader([line], delimiter=mark), []) for line in lines if line] for mark in ",;\t|"}
    mark = max(cells, key=lambda mark: min(map(len, cells[mark])))
    named = not any(VALUE.fullmatch(cell.strip()) for cell in cells[mark][0])
    _name(source, cells[mark][0] if named else [f"column {n}" for n in range(1, len(cells[mark][0]) + 1)])
    columns = [f"c{number}" for number in range(len(source.names))]
    if len(lines) == 1 and named and len(head) < PEEK:
        # a head alone, which PyArrow refuses where no line ends
        source.connection.register("file", pyarrow.schema([(name, pyarrow.string()) for name in columns]).empty_table())
        source.rows = source.few = "file"
        return
    _table(
        source,
        arrow.open_csv(
            _stream(given, packing),
            arrow.ReadOptions(column_names=columns, skip_rows_after_names=int(named), block_size=LARGEST_LINE),
            arrow.ParseOptions(delimiter=mark, newlines_in_values=True, invalid_row_handler=torn),
            arrow.ConvertOptions(column_types=dict.fromkeys(columns, pyarrow.string()), check_utf8=False),
        ),
    )


def _table(source: Source, reader: Any) -> None:
    """Rows as they are read, and the first part of them to look at."""
    import pyarrow

    few = next(iter(reader), pyarrow.RecordBatch.from_pylist([], reader.schema))
    then = next(iter(reader), None)
    source.whole = then is None
    rest = chain([few] if then is None else [few, then], reader)
    source.connection.register("first", few)
    source.connection.register("file", pyarrow.RecordBatchReader.from_batches(reader.schema, rest))
    source.rows, source.few = "file", "first"


def _parquet(source: Source) -> None:
    at = quoted(source.file)
    (rows,) = source.one(f"SELECT sum(num_rows) FROM parquet_file_metadata({at})")
    if rows > MOST_ROWS:
        raise UsageError(f"the file says it holds {rows:,.0f} rows; at most {MOST_ROWS:,} are read")
    described = source.connection.execute(f"DESCRIBE SELECT * FROM read_parquet({at})").fetchall()
    _name(source, [name for name, *_ in described])
    nested = ["(" in kind or "[" in kind for _, kind, *_ in described]
    texts = (f"CAST({'to_json' * deep}(c{n}) AS VARCHAR) AS c{n}" for n, deep in enumerate(nested))
    columns = ", ".join(f"c{number}" for number in range(len(source.names)))
    source.rows = f"(SELECT {', '.join(texts)} FROM read_parquet({at}) AS t({columns}))"
    source.few = f"(FROM {source.rows} LIMIT {PEEK})"


def _name(source: Source, names: list[str]) -> None:
    source.names = [name.strip() for name in names]
    many = len(names) > MOST_COLUMNS
    twice = "" if many else next((name for name in source.names if name and source.names.count(name) > 1), "")
    if many or twice or not any(source.names):
        what = f"the column {twice[:60]!r} twice" if twice else f"{len(names):,} columns"
        raise UsageError(f"the first line names {what}; it must name the columns, each once, at most {MOST_COLUMNS:,}")


def _json(source: Source, given: Path | bytes, head: bytes, packing: str | None) -> None:
    """Rows of JSON lines as they are read, or the values of a document."""
    import pyarrow
    import pyarrow.csv as arrow

    first, newline, more = head.removeprefix(BOM).lstrip().partition(b"\n")
    if newline and more.strip() and _is_object(first):
        _table(
            source,
            arrow.open_csv(
                _stream(given, packing),
                arrow.ReadOptions(column_names=["line"], block_size=LARGEST_LINE),
                arrow.ParseOptions(delimiter="\x01", quote_char=False, newlines_in_values=False),
                arrow.ConvertOptions(column_types={"line": pyarrow.string()}, check_utf8=False),
            ),
        )
    else:
        source.connection.register("file", pyarrow.table({"line": list(_values(source, given, packing))}))
        source.rows = source.few = "file"
    valid = "CASE WHEN json_valid(line) AND json_type(line) IN ('OBJECT', 'ARRAY') THEN CAST(line AS JSON) END AS o"
    source.rows, source.few = (f"(SELECT {valid} FROM {rows})" for rows in (source.rows, source.few))
    if first.startswith(b"["):
        source.rows = source.few = f"(SELECT unnest(json_extract(o, '$[*]')) AS o FROM {source.few})"
    looked = f"(SELECT o FROM {source.few} WHERE o IS NOT NULL LIMIT {MOST_LOOKED})"
    (found,) = source.one(f"SELECT json_group_structure(o) FROM {looked}")
    source.structure = json.loads(found) if found and found.startswith("{") else {}
    source.names = sorted({*_keys(source.structure)})
    if not source.names:
        raise UsageError(f"the file holds no JSON objects; give {KINDS}")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _values(source: Source, given: Path | bytes, packing: str | None) -> Iterator[str]:
    """The text of a document, or of each of several that follow one another; refuses one that is torn."""
    with _stream(given, packing) as file:
        text = file.read(LARGEST_DOCUMENT + 1)
    if len(text) > LARGEST_DOCUMENT:
        raise UsageError(f"the file is one JSON document of more than {LARGEST_DOCUMENT:,} bytes; give JSON lines")
    text, at, decoder = text.removeprefix(BOM).decode("utf-8", "replace").strip(), 0, json.JSONDecoder()
    if source.connection.execute("SELECT json_valid(?)", [text]).fetchall()[0][0]:
        yield text
        return
    while at < len(text):
        try:
            _, end = decoder.raw_decode(text, at)
            yield text[at:end]
        except (ValueError, RecursionError) as error:
            if not at:
                raise UsageError(f"the file cannot be read as json: {str(error)[:100]}; is it whole?") from None
            source.torn["line is not JSON"] += 1
            end = text.find("\n", at)
        at = end if end > 0 else len(text)
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1


def _keys(node: Any, depth: int = 0) -> Iterator[str]:
    for key, inner in node.items() if isinstance(node, dict) else ():
        yield key
        if depth < DEEPEST and isinstance(inner, list):
            yield from _keys(inner[0], depth + 1)
