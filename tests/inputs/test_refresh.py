import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from where_to_run import cli
from where_to_run.inputs import facts, price_map, refresh, tables
from where_to_run.inputs.price_map import Said
from where_to_run.inputs.tables import FactsError
from where_to_run.paths import DATA

TODAY = "2026-11-30"
PYTHON = """
import datetime
from decimal import Decimal
from .types import *
raise SystemExit('this was run')
providers: list[Provider] = [
    Provider(id='acme', api_pattern='https://acme', models=[
        ModelInfo(id='one', match=ClauseEquals(equals='one'), prices=ModelPrice(
            input_mtok=TieredPrices(base=Decimal('2'), tiers=[Tier(start=199999, price=Decimal('4'))]),
            output_mtok=TieredPrices(base=Decimal('10'), tiers=[Tier(start=199999, price=Decimal('15'))]),
            cache_read_mtok=Decimal('0.2'), web_searches_kcount=Decimal('10')),
            price_variants=[PriceVariant(when={'processing': 'batch'}, prices=ModelPrice(
                input_mtok=Decimal('1'), output_mtok=Decimal('5')),
                constraint=StartDateConstraint(start_date=datetime.date(2026, 10, 14)))]),
        ModelInfo(id='two', prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('0.5'), output_mtok=Decimal('1'))),
            ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2026, 11, 20)),
                prices=ModelPrice(input_mtok=Decimal('0.25'), output_mtok=Decimal('0.5'))),
            ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2027, 1, 1)),
                prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2'))),
            ConditionalPrice(constraint=TimeOfDateConstraint(start_time=datetime.time(1, 0, tzinfo=datetime.UTC)),
                prices=ModelPrice(input_mtok=Decimal('9'), output_mtok=Decimal('9')))]),
    ]),
]
"""
JSON = {
    "sample_spec": {"mode": "one of: chat"},
    "one": {
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 2e-07,
        "cache_creation_input_token_cost": 0.0,
        "input_cost_per_token_batches": 1e-06,
        "output_cost_per_token_batches": 5e-06,
        "input_cost_per_token_above_200k_tokens": 4e-06,
        "output_cost_per_token_above_200k_tokens": 1.5e-05,
    },
    "two": {"input_cost_per_token": 2.5e-07, "output_cost_per_token": 5e-07, "deprecation_date": "2027-05-01"},
    "peaky": {
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 4e-06,
        "off_peak_pricing": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "windows": []},
    },
}
ONE = {
    "input_usd_per_mtok": 2,
    "cached_input_usd_per_mtok": 0.2,
    "output_usd_per_mtok": 10,
    "batch_discount_share": 0.5,
    "long_prompt_tokens": 200_000,
    "long_input_usd_per_mtok": 4,
    "long_output_usd_per_mtok": 15,
}


# what the maps say


def test_genai_prices_is_read_as_a_text_and_never_run():
    said = price_map.genai_prices(PYTHON.encode(), ["acme/one", "acme/two", "acme/three"])
    assert set(said) == {"acme/one", "acme/two"}
    assert said["acme/one"][-1] == Said(ONE, "2026-10-14")
    assert "batch_discount_share" not in said["acme/one"][0].figures
    figures = [(one.since, one.figures["input_usd_per_mtok"]) for one in said["acme/two"]]
    assert figures == [("", 0.5), ("2026-11-20", 0.25), ("2027-01-01", 1)]


def test_a_price_for_batches_older_than_the_price_says_nothing_of_it():
    batch = """price_variants=[PriceVariant(when={'processing': 'batch'},
        prices=ModelPrice(input_mtok=Decimal('0.25'), output_mtok=Decimal('0.5')),
        constraint=StartDateConstraint(start_date=datetime.date(2026, 10, 14)))], prices=["""
    text = PYTHON.replace("ModelInfo(id='two', prices=[", f"ModelInfo(id='two', {batch}")
    said = price_map.genai_prices(text.encode(), ["acme/two"])["acme/two"]
    shares = [(one.since, one.figures.get("batch_discount_share")) for one in said]
    assert shares == [("", None), ("2026-10-14", 0.5), ("2026-11-20", None), ("2027-01-01", None)]


def test_litellm_is_read_per_token_with_its_ends_and_off_the_peak():
    said = price_map.litellm(json.dumps(JSON).encode(), ["one", "two", "peaky", "three"])
    assert said["one"] == [Said(ONE)]
    assert said["two"][0].ends_on == "2027-05-01"
    assert said["peaky"][0].figures == {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    assert "three" not in said


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity", "1e999", "1001"])
def test_a_price_that_is_none_is_not_taken(price):
    text = PYTHON.replace("input_mtok=Decimal('0.5')", f"input_mtok=Decimal('{price}')").encode()
    assert price_map.genai_prices(text, ["acme/two"]) == {"acme/two": []}
    per_token = {"-1": "-1e-6", "1001": "0.001001"}.get(price, price)
    text = f'{{"one": {{"input_cost_per_token": {per_token}, "output_cost_per_token": 1e-6}}}}'
    assert price_map.litellm(text.encode(), ["one"]) == {"one": []}


@pytest.mark.parametrize(
    "price",
    ["__import__('os').system('false')", "open('x')", "-Decimal('1')", "Decimal(input())", "[x for x in y]", "{**a}"],
)
def test_what_is_no_literal_is_not_taken(price):
    text = PYTHON.replace("input_mtok=Decimal('0.5')", f"input_mtok={price}").encode()
    assert price_map.genai_prices(text, ["acme/two"]) == {"acme/two": []}


@pytest.mark.parametrize(
    "entry", ["7", "[]", "null", '"free"', '{"input_cost_per_token": 1e-6}', '{"input_cost_per_token": "1"}']
)
def test_an_entry_of_another_form_is_not_taken(entry):
    assert price_map.litellm(f'{{"one": {entry}}}'.encode(), ["one"]) == {"one": []}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "providers = []",
        "providers: list = 7",
        "providers: list = [Provider(id='a')]",
        "providers: list = [",
        "x" * 30 + "\x00",
        "-" * 300_000 + "1",
        "(" * 300_000,
        "a" + ".a" * 300_000,
        "+".join("1" * 300_000),
        "providers: list = [" + "1," * 600_000 + "]",
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1") + "é(",
    ],
    ids=lambda text: text[:12] or "empty",
)
def test_python_of_another_form_is_refused_and_not_run_out_of_memory(text):
    with pytest.raises(FactsError, match="genai-prices has its prices in a form that is not read here"):
        price_map.genai_prices(text.encode(), ["a/b"])


@pytest.mark.parametrize(
    "text", ["", "7", "[1", "[" * 500_000, "{" * 100, '{"one": ' + "9" * 5000 + "}"], ids=lambda t: t[:9]
)
def test_json_of_another_form_is_refused(text):
    with pytest.raises(FactsError, match="litellm has its prices in a form that is not read here"):
        price_map.litellm(text.encode(), ["one"])


# what is new


def row(**cells):
    known = {"key": "acme/one", "input_usd_per_mtok": "2", "output_usd_per_mtok": "10", "effective_from": "2026-08-01"}
    return dict.fromkeys(tables.columns_of("api_offers"), "") | known | {"read_on": "2026-11-22"} | cells


def maps(left=None, right=None):
    """Two maps, each of which says these dated prices of one offer; nothing where it has none."""
    both = {"genai-prices": left, "litellm": right}
    return [price_map_of(name, {} if said is None else {"x": said}) for name, said in both.items()]


def price_map_of(name, offers):
    return refresh.PriceMap(name, "1.0", f"https://example.org/{name}", offers)


def says(inputs, outputs, since="", ends_on="", **more):
    return [Said({"input_usd_per_mtok": inputs, "output_usd_per_mtok": outputs, **more}, since, ends_on)]


def found(ours, *two, oldest="2026-06-01"):
    names = {"acme/one": {"genai-prices": "x", "litellm": "x"}}
    return refresh.compared(ours, names, maps(*two), TODAY, oldest)


def changed(finding, before):
    return {name: cell for name, cell in finding.row.items() if cell != before[name]}


def test_where_both_agree_a_new_row_has_the_new_figures_and_keeps_the_rest():
    ours = row(vendor="Acme", low="8", high="12", note="old", cached_input_usd_per_mtok="0.2")
    (new,) = found([ours], says(1.5, 8), says(1.5, 8))
    assert new.heading == refresh.AGREED
    assert new.line == "acme/one from 2026-11-30: input_usd_per_mtok 2 -> 1.5, output_usd_per_mtok 10 -> 8"
    assert changed(new, ours) == {
        "input_usd_per_mtok": "1.5",
        "output_usd_per_mtok": "8",
        "low": "",
        "high": "",
        "effective_from": TODAY,
        "read_on": TODAY,
        "source": "https://example.org/genai-prices",
        "note": "genai-prices 1.0 and litellm 1.0 agree; what is not given there is as in the row before",
    }


@pytest.mark.parametrize(
    ("since", "start"), [("", TODAY), ("2026-08-01", TODAY), ("2026-08-02", "2026-08-02"), (TODAY, TODAY)]
)
def test_a_price_that_moved_holds_from_its_day_if_that_is_after_ours(since, start):
    (new,) = found([row()], says(1, 5, since), says(1, 5))
    assert new.row["effective_from"] == start


def test_a_figure_we_had_not_is_taken_from_the_day_of_reading_and_who_gives_it_alone_is_named():
    (new,) = found([row()], says(2, 10, "2026-10-14", batch_discount_share=0.5), says(2, 10))
    assert new.heading == refresh.ALONE
    assert new.row["batch_discount_share"] == "0.5"
    assert new.row["effective_from"] == TODAY
    assert "batch_discount_share by genai-prices 1.0 alone: reported, not confirmed" in new.row["note"]


@pytest.mark.parametrize("two", [(says(1, 5), None), (None, says(1, 5))])
def test_one_alone_makes_a_row_that_says_reported(two):
    new, missing = sorted(found([row()], *two), key=lambda each: each.row is None)
    assert new.heading == refresh.ALONE
    assert re.match(r"by (genai-prices|litellm) 1.0 alone: reported, not confirmed", new.row["note"])
    assert missing.heading == refresh.GONE


@pytest.mark.parametrize("right", [says(1, 6), says(1, 5, cached_input_usd_per_mtok=0.2)])
def test_where_they_disagree_it_is_listed_and_nothing_written(right):
    (line,) = found([row()], says(1, 5, cached_input_usd_per_mtok=0.1), right)
    assert line.heading == refresh.APART
    assert line.row is None


# By hand: 0.5 % of 10 is 0.05
@pytest.mark.parametrize(("price", "rows"), [(10, 0), (9.96, 0), (9.94, 1)])
def test_a_difference_of_less_than_half_a_percent_is_none(price, rows):
    assert len(found([row()], says(2, price), says(2, price))) == rows


@pytest.mark.parametrize(
    ("price", "heading"), [(1, refresh.AGREED), (0.9, refresh.MOVED), (101, refresh.MOVED), (0, refresh.MOVED)]
)
def test_a_price_more_than_ten_times_off_is_listed(price, heading):
    (line,) = found([row()], says(2, price), says(2, price))
    assert (line.heading, line.row is None) == (heading, heading == refresh.MOVED)


def test_a_map_that_has_what_ours_was_before_is_taken_for_old():
    ours = [row(output_usd_per_mtok="8"), row(effective_from="2026-11-22")]
    (line,) = found(ours, says(2, 8), says(2, 8))
    assert (line.heading, line.row) == (refresh.BEHIND, None)


def test_a_row_of_today_is_not_doubled():
    (line,) = found([row(effective_from=TODAY)], says(2, 8), says(2, 8))
    assert (line.heading, line.row) == (refresh.TAKEN, None)


def test_a_price_announced_for_later_is_a_row_of_that_day_by_one_alone():
    later = [*says(2, 10), *says(4, 20, "2027-01-01")]
    (new,) = found([row()], later, says(2, 10))
    assert (new.heading, new.row["effective_from"], new.row["read_on"]) == (refresh.ALONE, "2027-01-01", TODAY)
    assert (
        found(
            [row(), row(effective_from="2027-01-01", input_usd_per_mtok="4", output_usd_per_mtok="20")],
            later,
            says(2, 10),
        )
        == []
    )


@pytest.mark.parametrize(
    ("ends_on", "start"), [("2026-11-30", "2026-11-30"), ("2026-09-01", "2026-09-01"), ("2026-07-31", TODAY)]
)
def test_a_past_end_is_a_row_that_ends_the_offer(ends_on, start):
    ours = row()
    (new,) = found([ours], says(1, 5), says(1, 5, ends_on=ends_on))
    assert new.heading == refresh.ENDED
    assert set(changed(new, ours)) == {"ends_on", "effective_from", "read_on", "source", "note"}
    assert (new.row["ends_on"], new.row["effective_from"]) == (ends_on, start)
    assert refresh.held([ours, new.row], TODAY) is None


def test_an_end_to_come_is_let_be_and_an_offer_that_has_ended_or_not_begun_is_not_compared():
    assert found([row()], says(2, 10), says(2, 10, ends_on="2026-12-01")) == []
    assert found([row(ends_on=TODAY)], says(1, 5), says(1, 5)) == []
    assert found([row(effective_from="2026-12-01")], says(1, 5), says(1, 5)) == []


@pytest.mark.parametrize(("oldest", "rows"), [("2026-11-22", 0), ("2026-11-23", 1)])
def test_figures_read_long_ago_that_both_have_get_a_row_that_confirms_them(oldest, rows):
    new = found([row()], says(2, 10), says(2, 10), oldest=oldest)
    assert [each.heading for each in new] == [refresh.CONFIRMED] * rows
    assert found([row()], says(2, 10), [], oldest=oldest)[0].heading == refresh.UNREAD


# the wheels


def wheel(folder, package, version, files):
    stem = f"{package.replace('-', '_')}-{version}"
    told = {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = Path(folder) / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**told, f"{stem}.dist-info/RECORD": "", **files}.items():
            archive.writestr(name, text)
    return path


def test_one_file_of_a_wheel_is_read(tmp_path):
    assert price_map.content(wheel(tmp_path, "acme", "1.0", {"a/b.json": "{}"}), "a/b.json") == b"{}"


def test_a_wheel_without_the_file_is_refused(tmp_path):
    with pytest.raises(FactsError, match=r"acme-1.0-py3-none-any.whl has no a/c.json; its form is not the one read"):
        price_map.content(wheel(tmp_path, "acme", "1.0", {"a/b.json": "{}"}), "a/c.json")


def test_a_file_that_swells_is_refused_and_not_held(tmp_path):
    bomb = wheel(tmp_path, "acme", "1.0", {"a/b.json": b" " * (price_map.MOST_FILE + 1)})
    assert bomb.stat().st_size < 20_000
    with pytest.raises(FactsError, match=r"a/b.json in acme-1.0-py3-none-any.whl has more than 10 MB"):
        price_map.content(bomb, "a/b.json")


def test_a_large_wheel_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(price_map, "MOST_WHEEL", 100)
    with pytest.raises(FactsError, match="it is not read"):
        price_map.content(wheel(tmp_path, "acme", "1.0", {"a/b.json": "{}"}), "a/b.json")


def test_a_damaged_wheel_is_refused(tmp_path):
    path = wheel(tmp_path, "acme", "1.0", {"a/b.json": json.dumps(JSON)})
    path.write_bytes(path.read_bytes().replace(b"a/b.json", b"a/b.jsom", 1))
    with pytest.raises(FactsError, match=r"cannot read a/b.json in acme"):
        price_map.content(path, "a/b.json")
    path.write_text("no zip")
    with pytest.raises(FactsError, match=r"cannot read a/b.json in acme"):
        price_map.content(path, "a/b.json")


# from an index of one's own, by pip


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index on this machine, and pip told of it alone; returns the folder of a package in it."""
    root = tmp_path / "index"
    (root / "empty").mkdir(parents=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
    monkeypatch.setenv("PIP_FIND_LINKS", str(root / "empty"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "*")

    def of(package):
        folder = root / "simple" / package
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    yield of
    server.shutdown()
    server.server_close()


KEY = "openai/gpt-5-mini"


def put(index, genai, litellm):
    """The two maps in the index, with one offer of ours at these prices of input and output."""
    first, second = genai
    text = f"""
import nothing_of_the_sort
providers: list[Provider] = [Provider(id='openai', models=[ModelInfo(id='gpt-5-mini', prices=ModelPrice(
    input_mtok=Decimal('{first}'), output_mtok=Decimal('{second}')))])]
"""
    prices = dict(zip(("input_cost_per_token", "output_cost_per_token"), litellm, strict=True))
    entry = {"gpt-5-mini": {name: price / 1e6 for name, price in prices.items()}}
    wheel(
        index("genai-prices"), "genai-prices", "9.9", {"genai_prices/data.py": text, "genai_prices/__init__.py": "1/0"}
    )
    name = "litellm/model_prices_and_context_window_backup.json"
    wheel(index("litellm"), "litellm", "8.8.post1", {name: json.dumps(entry)})


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A copy of data/ that a refresh reads and writes."""
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    for reader in (facts, tables, refresh, cli):
        monkeypatch.setattr(reader, "DATA", copy)
    return copy


def test_a_refresh_from_an_index_shows_what_is_new_and_writes_only_when_told(index, data, capsys):
    before = (data / "api_offers.csv").read_bytes()
    put(index, (0.2, 1.5), (0.2, 1.5))
    assert cli.main(["refresh", "--today", TODAY]) == 0
    told = capsys.readouterr().out
    assert f"{KEY} from {TODAY}: input_usd_per_mtok 0.25 -> 0.2, output_usd_per_mtok 2 -> 1.5" in told
    assert "1 new rows for data/api_offers.csv. Nothing is written without --write." in told
    assert (data / "api_offers.csv").read_bytes() == before

    assert cli.main(["refresh", "--today", TODAY, "--write"]) == 0
    assert "1 new rows are in data/api_offers.csv." in capsys.readouterr().out
    after = (data / "api_offers.csv").read_bytes()
    assert after.startswith(before)
    assert tables.problems() == []
    offer = facts.load(TODAY).table("api_offers").loc[KEY]
    assert offer[["input_usd_per_mtok", "output_usd_per_mtok", "read_on"]].tolist() == [0.2, 1.5, TODAY]
    assert "genai-prices 9.9 and litellm 8.8.post1 agree" in offer["note"]
    assert facts.load("2026-11-29").table("api_offers").at[KEY, "input_usd_per_mtok"] == 0.25

    assert cli.main(["refresh", "--today", "2026-12-01", "--write"]) == 0
    assert (data / "api_offers.csv").read_bytes() == after


def test_where_nothing_can_be_written_it_is_said_and_the_table_stays_whole(index, data, capsys, monkeypatch):
    put(index, (0.2, 1.5), (0.2, 1.5))
    before = (data / "api_offers.csv").read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert cli.main(["refresh", "--today", TODAY, "--write"]) == cli.REFUSED
    assert "cannot write: disk full" in capsys.readouterr().err
    assert (data / "api_offers.csv").read_bytes() == before
    assert not list(data.glob(".aside-*"))


def test_a_package_that_is_not_in_the_index_is_refused_with_what_pip_says(index, data, capsys):
    index("genai-prices")
    assert cli.main(["refresh", "--today", TODAY]) == cli.REFUSED
    said = capsys.readouterr().err
    assert "pip could not fetch genai-prices and litellm; it takes a network, or an index named in pip's own" in said
    assert "No matching distribution found for genai-prices" in said


def test_the_source_of_a_package_is_not_taken_for_its_wheel_so_nothing_of_it_is_built(index, data, tmp_path, capsys):
    put(index, (0.2, 1.5), (0.2, 1.5))
    for path in index("litellm").glob("*.whl"):
        path.unlink()
    with zipfile.ZipFile(index("litellm") / "litellm-9.0.zip", "w") as archive:
        archive.writestr("litellm-9.0/setup.py", f"open({str(tmp_path / 'built')!r}, 'w')")
    assert cli.main(["refresh", "--today", TODAY]) == cli.REFUSED
    assert "litellm" in capsys.readouterr().err
    assert not (tmp_path / "built").exists()


def test_without_a_network_pip_says_so(data, capsys, monkeypatch, tmp_path):
    for name, setting in {
        "INDEX_URL": "http://127.0.0.1:9/simple/",
        "FIND_LINKS": str(tmp_path),
        "RETRIES": "0",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", setting)
    assert cli.main(["refresh", "--today", TODAY]) == cli.REFUSED
    assert "it takes a network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (
            1,
            "/usr/bin/python: No module named pip\n",
            "this Python has no pip to fetch a and b with. Add it: python -m ensur",
        ),
        (2, "", "It said: nothing"),
        (1, "noise\nERROR: \x1b[31mred\n", "It said: ERROR: [31mred"),
    ],
)
def test_where_pip_fails_it_is_said_in_words(monkeypatch, tmp_path, code, words, told):
    failed = subprocess.CompletedProcess([], code, "", words)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(FactsError, match=re.escape(told)):
        price_map.fetched(["a", "b"], tmp_path)


def test_pip_that_takes_too_long_is_given_up(monkeypatch, tmp_path):
    def late(*_, **__):
        raise subprocess.TimeoutExpired("pip", 1)

    monkeypatch.setattr(subprocess, "run", late)
    with pytest.raises(FactsError, match="pip took more than 10 minutes to fetch a and b"):
        price_map.fetched(["a", "b"], tmp_path)


@pytest.mark.parametrize("names", [[], ["a-1-py3-none-any.whl", "a-2-py3-none-any.whl"], ["a-x;rm-py3.whl"]])
def test_other_than_one_wheel_with_a_plain_name_is_refused(monkeypatch, tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    with pytest.raises(FactsError, match=r"pip fetched [02] wheels of a; it takes one"):
        price_map.fetched(["a"], tmp_path)


# the names


def test_every_name_is_of_an_offer_and_most_offers_have_one():
    names = refresh.names_of_offers()
    offers = facts.load().table("api_offers")
    assert all(any(of.values()) for of in names.values())
    assert len(set(offers.index) & set(names)) >= 0.9 * len(offers)


def test_a_name_of_no_offer_is_refused(data):
    with (data / "price_names.csv").open("a") as file:
        file.write("acme/none,acme/none,\n")
    with pytest.raises(FactsError, match=r"price_names.csv: 'acme/none' is no key of api_offers.csv; add the offer"):
        refresh.names_of_offers()


@pytest.mark.parametrize("day", ["today", "2026-9-1"])
def test_a_day_that_is_none_is_refused(day):
    with pytest.raises(FactsError, match=rf"today: got '{day}'; give a day as 2026-11-22"):
        refresh.proposed(day)
