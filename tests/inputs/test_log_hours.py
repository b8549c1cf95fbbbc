"""Logs: every layout is read as its rows say, what cannot be read is counted, and nothing in a file is executed."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from logbook import FILES, NINE, REQUESTS, SCRIPT, UNCACHED, jsonl, langfuse, lines
from where_to_run.inputs.log_formats import COUNTS, UsageError, layouts
from where_to_run.inputs.log_hours import read
from where_to_run.inputs.log_times import HOUR


def test_every_layout_says_where_it_is_from():
    assert all(one.source.startswith("https://") for one in layouts())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("way", ["bytes", "path", "gzip"])
def test_a_file_of_every_layout_is_read(name, way, tmp_path):
    given = gzip.compress(FILES[name]) if way == "gzip" else FILES[name]
    if way == "path":
        given = tmp_path / "a [1]'.log"
        given.write_bytes(FILES[name])
    log = read(given)
    assert log.layout.name == name
    got = log.hours[log.hours["input"] > 0]
    assert got["input"].tolist() == [100, 300] and got["output"].tolist() == [10, 30]
    assert got["cached"].dropna().tolist() == ([] if name in UNCACHED else [40, 60])
    assert [None if n != n else n for n in got["requests"]] == REQUESTS.get(name, [1, 1])
    assert got.index[1] - got.index[0] == (24 if name == "anthropic_console" else 1)
    assert log.relative == (name in {"burstgpt", "mooncake"}) and log.relative == (got.index[0] == 96 + 9)
    assert log.relative or got.index[0] == (NINE - 9 if name == "anthropic_console" else NINE)


NAMED = {"time": "when", "input": "in", "output": "out"}


def test_a_stretch_of_time_in_which_nothing_is_counted_had_no_request():
    log = read(FILES["openai_usage"])
    assert log.hours.loc[NINE + 2, list(COUNTS)].tolist() == [0, 0, 0, 0] and log.step_h == 1


def test_columns_somebody_names_are_read_from_csv_json_lines_and_parquet(tmp_path):
    rows = [
        {"when": "2026-03-02T09:10:00.5Z", "in": 100, "out": 10, "x": SCRIPT},
        {"when": "2026-03-02T10:10:00.5Z", "in": 300, "out": 30, "x": ""},
    ]
    path = tmp_path / "a.parquet"
    pd.DataFrame(rows).assign(when=pd.to_datetime([row["when"] for row in rows])).to_parquet(path)
    csv_file = lines(list(rows[0]), *(row.values() for row in rows), mark=";")
    for given in (
        csv_file,
        b"\xef\xbb\xbf" + csv_file,
        csv_file.replace(b"\r\n", b"\n"),
        jsonl(*rows),
        path,
        path.read_bytes(),
    ):
        log = read(given, NAMED)
        assert log.hours["input"].to_dict() == {NINE: 100, NINE + 1: 300}
        assert log.hours["output"].tolist() == [10, 30] and log.hours["requests"].tolist() == [1, 1]


def test_keys_inside_an_object_can_be_named():
    given = jsonl(
        {"t": "2026-03-02T09:10Z", "u": {"a b": {"n": 5}}}, {"t": "2026-03-02T10:10Z", "u": {"a b": {"n": 7}}}
    )
    assert read(given, {"time": "t", "input": "u > a b > n"}).hours["input"].tolist() == [5, 7]


@pytest.mark.parametrize(
    "evil", ['in"; DROP TABLE x; --', "in'); COPY (SELECT 1) TO 'x.csv'; --", 'it\'s "ö"', "c0", "a > b"]
)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_name_is_never_read_as_sql(evil, form):
    rows = [{"t": f"2026-03-02T{hour:02}:10:00Z", evil: hour} for hour in (9, 10)]
    given = jsonl(*rows) if form == "json" else lines(["t", evil], *(row.values() for row in rows))
    assert read(given, {"time": "t", "input": evil}).hours["input"].tolist() == [9, 10]


def test_every_row_that_cannot_be_used_is_counted_by_reason():
    log = read(
        lines(
            ["when", "in", "out"],
            ["2026-03-02 09:10:00.5", 100, 10],
            ["", 1, 1],
            ["soon", 1, 1],
            ["1970-01-01 00:00:00", 1, 1],
            ["2026-03-02 09:11:00", "=1+1", 1],
            ["2026-03-02 09:11:00", "inf", 1],
            ["2026-03-02 09:11:00", -5, 1],
            ["2026-03-02 09:12:00", 1, SCRIPT],
            ["2026-03-02 09:12:00", "", ""],
            ["2026-03-02 09:13:00", 1],
            ["2026-03-02 09:13:00", 1, 2, 3],
            ["2026-03-02 09:14:00", 5, 0],
            *([f"2026-03-02 10:10:{second}.5", 300, 30] for second in range(10, 49)),
        ),
        NAMED,
    )
    assert log.rows == 51 and log.hours["input"].tolist() == [100, 39 * 300]
    assert log.bad == {
        "no time": 1,
        "time not understood": 1,
        "time before 2000 or after 2100": 1,
        "input tokens: not a number from 0 up": 3,
        "output tokens: not a number from 0 up": 1,
        "no tokens": 1,
        "no answer: failed, or no call of a model that writes": 1,
        "line with missing columns": 1,
        "line with too many columns": 1,
    }


def test_torn_lines_cost_no_good_row_and_more_than_a_fifth_of_them_are_refused():
    # lines that lack a column and end in another way, among a hundred that do not
    good = [["when", "in", "out"], *([f"2026-03-02 09:10:10.{n}", 100, 10] for n in range(100, 200))]
    log = read(lines(*good[:60]) + b"torn,1\n" * 25 + lines(*good[60:]), NAMED)
    assert log.bad == {"line with missing columns": 25} and log.hours["requests"].tolist() == [100]
    with pytest.raises(UsageError, match=r"26 of 126 rows cannot be used \(line with missing columns: 26\)"):
        read(lines(*good[:60]) + b"torn,1\n" * 26 + lines(*good[60:]), NAMED)


def test_text_in_a_cell_may_hold_line_ends_and_bytes_that_are_no_text():
    rows = [[f"2026-03-02 {hour:02}:10:00.5", 100, 10, 'a "b"\nc, d'] for hour in (9, 10)]
    given = lines(["when", "in", "out", "text"], *rows) + b"2026-03-02 11:10:00.5,100,10,\xff\xfe\n"
    assert read(given, NAMED).hours["requests"].tolist() == [1, 1, 1]


def test_one_time_that_is_far_off_does_not_change_the_unit_of_the_others():
    at = NINE * 3600
    given = [[at, 1, 1], [at + 3600, 2, 2], [10**30, 3, 3], [at + 7200, 4, 4], [at + 10800, 5, 5]]
    log = read(lines(["when", "in", "out"], *given), NAMED)
    assert log.hours["input"].tolist() == [1, 2, 4, 5] and log.bad == {"time not understood": 1}


def test_lines_that_are_no_json_and_spans_that_are_no_calls_are_counted():
    assert read(FILES["otlp"]).bad == {"no call of a model": 1}
    assert read(FILES["langfuse"]).bad == {"no call of a model": 1}
    good = [{"timestamp": 36_000_000 + n, "input_length": 5, "output_length": 5, "hash_ids": [n]} for n in range(20)]
    torn = FILES["mooncake"].replace(b"\n", b"\nnot json\n") + b"\n" + jsonl(*good) + b'\n{"timestamp": 36'
    assert read(torn).bad == {"line is not JSON": 2}


def test_rows_out_of_order_count_where_they_belong():
    log = read(
        lines(["when", "in", "out"], ["2026-03-02 10:10:00.5", 300, 30], ["2026-03-02 09:10:00.5", 100, 10]), NAMED
    )
    assert log.late == 1 and log.hours["input"].to_dict() == {NINE: 100, NINE + 1: 300}


def test_a_row_that_comes_again_counts_once_where_it_can_be_told():
    again = FILES["azure_llm_trace"] + FILES["azure_llm_trace"].split(b"\r\n", 1)[1]
    with pytest.raises(UsageError, match="2 of 4 rows are there more than once; name the column of the id"):
        read(again)
    same_id = FILES["helicone"] + b"a,2026-03-02T09:10:00.5+00:00,60,10,39\r\n"
    assert read(same_id).repeats == 1 and read(same_id).hours["requests"].tolist() == [1, 1]
    mended = read(FILES["helicone"].replace(b"60,10,40", b"oops,10,40") + b"a,2026-03-02T09:10:00.5+00:00,60,10,40\r\n")
    assert mended.bad == {} and mended.hours["input"].tolist() == [100, 300], "of an id what can be used counts"
    whole_seconds = FILES["burstgpt"] + FILES["burstgpt"].split(b"\r\n", 1)[1]
    log = read(whole_seconds)
    assert (log.repeats, log.equal) == (0, 2) and log.hours["requests"].tolist() == [2, 2]
    assert log.prompts.to_dict() == {100: 2, 300: 2} and log.hours["input"].tolist() == [200, 600]


def test_a_time_zone_holds_for_times_that_do_not_say_theirs():
    given = lines(
        ["when", "in", "out"],
        ["2026-03-02 10:10:00.5", 1, 1],
        ["2026-03-02T10:10:00.5Z", 2, 2],
        ["2026-07-01 10:10:00.5", 3, 3],
    )
    july = int(pd.Timestamp("2026-07-01T08:00Z").value // 1000 // HOUR)
    assert read(given, NAMED, "Europe/Berlin").hours["input"].to_dict() == {NINE: 1, NINE + 1: 2, july: 3}
    # the night the clocks go back has two hours from two to three, the one they go forward none
    autumn = lines(["when", "in", "out"], ["2026-10-25 01:30", 1, 1], ["2026-10-25 03:30", 2, 2])
    assert (
        read(autumn, NAMED, "Europe/Berlin").hours.index.to_numpy()[[1]]
        - read(autumn, NAMED, "Europe/Berlin").hours.index[0]
    ) == 3


@pytest.mark.parametrize(("unit", "size"), [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_the_unit_of_a_time_is_told_by_its_size(unit, size):
    at = NINE * 3600
    given = lines(["when", "in", "out"], [int(at * size), 1, 1], [int((at + 3600) * size), 2, 2])
    assert read(given, NAMED).hours["input"].to_dict() == {NINE: 1, NINE + 1: 2}
    assert read(given, NAMED | {"unit": unit}).hours["input"].to_dict() == {NINE: 1, NINE + 1: 2}
    assert not read(given, NAMED).relative


RATE = {"time": "t", "requests": "rate", "counting": "rate", "unit": "s"}


def test_a_rate_counts_over_the_time_to_the_next_row():
    # by hand: 600 s x 2/s + 600 s x 4/s = 3600 requests in the first hour that has two rows of ten minutes: one is lost
    log = read(lines(["t", "rate"], [0, 2], [600, 4], [3600, 1]), RATE)
    assert log.hours["requests"].tolist() == [3600, 600] and log.relative


def test_a_counter_counts_what_it_grows_by_and_begins_again_at_zero():
    at = ["2026-03-02 09:00", "2026-03-02 09:30", "2026-03-02 10:00", "2026-03-02 10:30", "2026-03-02 14:00"]
    rows = [[when, "a", total, 10 * total] for when, total in zip(at, [100, 150, 20, 50, 500], strict=True)]
    rows += [[when, "b", total, 10 * total] for when, total in zip(at[:3], [7, 7, 9], strict=True)]
    named = {"time": "when", "requests": "total", "input": "in", "id": "who", "counting": "counter"}
    log = read(lines(["when", "who", "total", "in"], *rows), named)
    # a: +50 to half past nine, 20 after the reset to ten, +30 to half past; b: +0 and +2. After a gap nothing is known
    assert log.hours["requests"].dropna().to_dict() == {NINE: 72, NINE + 1: 30} and log.resets == 1
    assert log.hours["input"].dropna().tolist() == [720, 300] and log.bad == {"first reading of a counter": 3}


def bomb() -> bytes:
    return gzip.compress(b"TIMESTAMP,ContextTokens,GeneratedTokens\n" + bytes(40_000_000))


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(1_000_000))
    return file.getvalue()


HEADS = b"TIMESTAMP,ContextTokens,GeneratedTokens\n"
WRONG = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n ", "is empty"),
    "garbage": (bytes(range(256)) * 99, "not text"),
    "zip bomb": (zipped(), "zip archive or a spreadsheet"),
    "gzip bomb": (bomb(), "unpacks to more than .* at most 200 times its size"),
    "torn gzip": (gzip.compress(FILES["burstgpt"])[:-9], "cannot be read"),
    "fake gzip": (b"\x1f\x8bnothing", "cannot be read"),
    "page": (f"<!doctype html><script>{SCRIPT}</script>".encode(), "page"),
    "head alone": (HEADS, "no two usable rows"),
    "head without an end": (HEADS.strip(), "no two usable rows"),
    "one row": (HEADS + b"2026-03-02 09:10:00,1,1\n", "no two usable rows"),
    "one time": (HEADS + b"2026-03-02 09:10:00.5,1,1\n2026-03-02 09:10:00.5,2,1\n", "no two usable rows"),
    "no good row": (HEADS + b"soon,1,1\n=now(),1,1\n", r"time not understood: 2"),
    "unknown": (b"a,b\n1,2\n", "none of the layouts known by name .* a, b. Name yours"),
    "script": (f"b,{SCRIPT}\n1,2\n".encode(), "none of the layouts"),
    "twice": (b"a,a\n1,2\n", "column 'a' twice"),
    "wide": (b"a," * 5000 + b"b\n", "5,001 columns"),
    "no end of a quote": (
        HEADS + b'"' + b"a,\n" * 12_000_000,
        "longer than 16,777,216 bytes, .* or a quote does not end",
    ),
    "long name": (b"a" * 200_000, "longer than 16,777,216 bytes"),
    "long JSON": (b'{"t": 1}\n{"t": "' + bytes(b"a" * 40_000_000) + b'"}\n', "longer than 16,777,216 bytes"),
    "no time at all": (HEADS + b"nan,1,1\n" * 9, "no time: 9"),
    "torn parquet": (b"PAR1" + bytes(99), "cannot be read as parquet"),
    "deep": (b"[" * 100_000, "cannot be read as json|no JSON objects"),
    "json text": (b'["a", "b"]', "no JSON objects"),
    "zeros": (
        lines(["time", "n"], *([f"2026-{1 + day // 28:02}-{1 + day % 28:02}", 0] for day in range(336))),
        r"every count in the file is zero \(336 rows\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_log_is_refused_in_words(name):
    given, said = WRONG[name]
    with pytest.raises(UsageError, match=said) as error:
        read(given, {"time": "time", "requests": "n"} if name == "zeros" else {})
    assert "\n" not in str(error.value) and len(str(error.value)) < 1_500


@pytest.mark.parametrize(
    ("columns", "zone", "said"),
    [
        ({"time": "nowhere"}, "UTC", "no column 'nowhere' in the file; it has: .*when"),
        ({"input": "in"}, "UTC", "not the one of the time"),
        ({"time": "when", "colour": "in"}, "UTC", "no 'colour' among what can be named"),
        ({"time": "when", "unit": "weeks"}, "UTC", "unit: got 'weeks'; allowed: s, ms, us, ns"),
        ({"time": "when", "counting": "counter"}, "UTC", "needs the column of the requests"),
        ({"time": "when"}, "Mars/Base", "no time zone 'Mars/Base'"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_words(columns, zone, said):
    with pytest.raises(UsageError, match=said):
        read(lines(["when", "in"], ["2026-03-02 09:10", 1]), columns, zone)


def test_a_parquet_file_that_claims_too_many_rows_is_refused(tmp_path, monkeypatch):
    pd.DataFrame({"when": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr("where_to_run.inputs.log_file.MOST_ROWS", 1)
    with pytest.raises(UsageError, match="says it holds 2 rows; at most 1"):
        read(tmp_path / "a.parquet", {"time": "when"})


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "nowhere.csv")


def test_nothing_stays_of_what_was_read(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    memory = fsspec.filesystem("memory")
    before = memory.find("/", withdirs=True)  # other tests keep buckets there
    read(FILES["azure_llm_trace"])
    assert memory.find("/", withdirs=True) == before and list(tmp_path.rglob("*")) == []
    assert not Path(".tmp").exists()


def test_a_file_that_takes_more_than_the_memory_goes_on_on_disk_and_an_upload_is_refused(tmp_path, monkeypatch):
    rows = (f"2026-03-02 09:{n // 10_000:02}:{n % 10_000 / 200:09.6f},{n % 7},{n % 5 + 1}\n" for n in range(500_000))
    given = HEADS + "".join(rows).encode()
    (tmp_path / "a.csv").write_bytes(given)
    monkeypatch.setattr("where_to_run.inputs.log_file.MEMORY", "40MB")
    log = read(tmp_path / "a.csv")
    # by hand: 71,428 times 0 to 6, and 0 to 3; 100,000 times 1 to 5
    assert log.hours["input"].tolist() == [71_428 * 21 + 6] and log.hours["output"].tolist() == [1_500_000]
    assert (log.rows, log.repeats, log.bad) == (500_000, 0, {})
    with pytest.raises(UsageError, match="takes more than 40MB of memory to read; give a part of it"):
        read(given)


def test_objects_in_the_cells_of_a_table_are_read_as_in_json(tmp_path):
    rows = [langfuse("a", "2026-03-02 09:10:00.5", 60, 40, 10), langfuse("b", "2026-03-02 10:10:00.5", 240, 60, 30)]
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    as_text = pd.DataFrame(rows).assign(usage_details=[json.dumps(row["usage_details"]) for row in rows])
    as_text.to_parquet(tmp_path / "text.parquet")
    cells = [[json.dumps(value) if isinstance(value, dict) else value for value in row.values()] for row in rows]
    for given in (
        tmp_path / "a.parquet",
        tmp_path / "text.parquet",
        lines(list(rows[0]), *cells, ["c", "GENERATION", "2026-03-02 11:10:00.5", "{"]),
    ):
        log = read(given)
        assert log.layout.name == "langfuse" and log.hours["cached"].tolist() == [40, 60]
        assert log.hours["input"].tolist() == [100, 300] and log.hours["output"].tolist() == [10, 30]
        assert log.bad == ({} if isinstance(given, Path) else {"generation without usage": 1})
