import os
import re

import numpy as np
import pandas as pd
import pytest

from damaged import cell
from where_to_run.analysis import data_check
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question, tables
from where_to_run.inputs.question import ScenarioError
from where_to_run.inputs.tables import FactsError

HEADER = "table,key,column,value,source,note"
GOOD = "gpus,h100,memory_gib,94,https://example.org/h100,the NVL part"


@pytest.fixture(scope="module")
def shipped():
    return facts.load()


# what is shipped


def test_30_offers_of_8_vendors_in_three_tiers_are_shipped(shipped):
    offers = shipped.table("api_offers")
    assert len(offers) >= 30
    assert offers["vendor"].nunique() >= 8
    assert set(offers["tier"]) == {"frontier", "mid", "small"}


def test_hosted_open_weights_of_three_models_are_shipped(shipped):
    hosted = set(shipped.table("api_offers")["open_model"]) - {""}
    assert len(hosted) >= 3
    assert hosted <= set(shipped.table("models").index)


def test_12_models_from_8_to_over_600_billion_parameters_are_shipped(shipped):
    models = shipped.table("models")
    assert len(models) >= 12
    assert models["total_params_b"].min() <= 8.1
    assert models["total_params_b"].max() > 600


def test_dense_models_use_all_parameters_and_mixtures_a_part(shipped):
    models = shipped.table("models")
    mixture = models["experts"] > 0
    assert mixture.any()
    assert (~mixture).any()
    assert (models["active_params_b"] < models["total_params_b"])[mixture].all()
    assert (models["active_params_b"] == models["total_params_b"])[~mixture].all()


def test_10_gpu_types_are_shipped(shipped):
    assert len(shipped.table("gpus")) >= 10


def test_30_machines_of_6_providers_on_demand_reserved_and_spot_are_shipped(shipped):
    machines = shipped.table("machines")
    assert len(machines) >= 30
    assert machines["provider"].nunique() >= 6
    assert (machines["on_demand_usd_per_h"] > 0).all()
    for tariff in ("reserved_1yr_usd_per_h", "reserved_3yr_usd_per_h", "spot_usd_per_h"):
        assert machines[tariff].notna().any(), tariff


def test_a_machine_is_not_rented_out_any_more_from_the_day_it_ends_on():
    assert "hyperstack/h100-sxm-1x/any" in facts.load("2026-10-05").table("machines").index
    assert "hyperstack/h100-sxm-1x/any" not in facts.load("2026-10-06").table("machines").index


def test_endpoints_of_ones_own_are_shipped_and_are_no_rented_machines(shipped):
    dedicated = shipped.table("dedicated")
    assert dedicated["provider"].nunique() >= 5
    assert not set(dedicated.index) & set(shipped.table("machines").index)
    assert list(dedicated.columns) == list(shipped.table("machines").columns)
    assert "hugging-face/aws/h100-1x" not in dedicated.index, "the vendor ended it in December 2025"


def test_10_servers_from_18000_to_over_400000_usd_are_shipped(shipped):
    servers = shipped.table("servers")
    assert len(servers) >= 10
    assert servers["server_usd"].min() <= 18_000
    assert servers["server_usd"].max() > 400_000


def test_the_shipped_data_have_no_problem():
    assert tables.problems() == []
    assert data_check.problems() == []


# the day


def _prices():
    return pd.DataFrame(
        {"key": ["a", "b", "a"], "effective_from": ["2026-03-01", "2026-05-01", "2026-01-01"], "price": [2.0, 7.0, 1.0]}
    )


@pytest.mark.parametrize(
    ("day", "prices"),
    [
        ("2025-12-31", {}),
        ("2026-01-01", {"a": 1.0}),
        ("2026-02-28", {"a": 1.0}),
        ("2026-03-01", {"a": 2.0}),
        ("2026-04-30", {"a": 2.0}),
        ("2026-05-01", {"a": 2.0, "b": 7.0}),
    ],
)
def test_the_last_row_that_took_effect_by_the_day_is_in_force(day, prices):
    assert facts.in_force(_prices(), day)["price"].to_dict() == prices


@pytest.mark.parametrize(("day", "usd"), [("2026-07-29", 6.0), ("2026-07-30", 1.2)])
def test_the_price_cut_of_gpt_5_6_luna_holds_from_its_day(day, usd):
    offers = facts.in_force(tables.read("api_offers"), day)
    assert offers.loc["openai/gpt-5.6-luna", "output_usd_per_mtok"] == usd


def test_facts_are_those_of_the_day_they_were_last_read_if_no_day_is_given(shipped):
    assert shipped.as_of == max(rows["read_on"].max() for rows in shipped.tables.values())
    assert shipped.table("api_offers").index.is_unique


def test_a_day_before_the_first_fact_is_refused_and_the_day_it_names_works():
    with pytest.raises(FactsError, match=r"on 2000-01-01: the first row starts .* Ask for a later day") as refused:
        facts.load("2000-01-01")
    named = re.search(r"starts (\d{4}-\d{2}-\d{2})", str(refused.value)).group(1)
    assert facts.load(named).as_of == named


@pytest.mark.parametrize("day", ["yesterday", "22.11.2026", "2026-02-30", "2026-9-1", "20260901"])
def test_a_text_that_is_no_day_is_refused(day):
    with pytest.raises(FactsError, match=rf"as_of: got '{day}'; give a day as 2026-11-22"):
        facts.load(day)


def test_nothing_is_stale_on_the_day_it_was_read(shipped):
    assert facts.stale(shipped, shipped.as_of).empty


def test_prices_papers_and_figures_of_quality_are_stale_after_180_days_and_nothing_else_is(shipped):
    # By hand from the first day read, 2026-11-22: 8 days to the end of November, 31 + 31 + 28 + 31 + 30 = 151 to the
    # end of April, 21 in May: 2027-05-21 is day 180, the last fresh one. What was read a week later lasts a week longer
    assert set(shipped.table("api_offers")["read_on"]) == {"2026-11-22", "2026-11-29", "2026-11-30"}
    assert facts.stale(shipped, "2027-05-21").empty
    old = facts.stale(shipped, "2027-05-22")
    assert set(old["table"]) == {"api_offers", "machines", "servers"}
    assert set(old["age_days"]) == {181}
    assert set(facts.stale(shipped, "2027-05-28")["age_days"]) == {187}
    old = facts.stale(shipped, "2027-05-29")
    assert set(old["table"]) == {
        "api_offers",
        "machines",
        "dedicated",
        "servers",
        "quality",
        "quality_levels",
        "passports",
        "regions",
    }
    assert set(old["age_days"]) == {181, 188}


def test_years_ahead_every_table_is_stale(shipped):
    assert set(facts.stale(shipped, "2035-01-01")["table"]) == set(shipped.tables)


# asking


def test_a_misspelt_figure_is_refused_with_those_near_it(shipped):
    with pytest.raises(FactsError, match=r"no 'people.benefit_share' in .*; near it: .*people\.benefits_share"):
        shipped.value("people.benefit_share")


def test_a_figure_like_no_other_is_refused_with_nothing_near_it(shipped):
    with pytest.raises(FactsError, match=r"no 'zzz' in data/assumptions.csv; near it: nothing"):
        shipped.value("zzz")


def test_an_unknown_table_is_refused_with_the_tables_there_are(shipped):
    with pytest.raises(FactsError, match=r"no table 'prices' in data/; it has: api_offers, models"):
        shipped.table("prices")


def test_names_a_scenario_may_use_come_from_the_tables_in_force(shipped):
    keys = shipped.keys()
    assert set(keys) == {"api_offers", "models", "gpus", "firms", "regimes", "papers"}
    assert "hipaa" in keys["regimes"]
    assert "baa" in keys["papers"] and "AWS" in keys["firms"]
    assert keys["gpus"] == list(shipped.table("gpus").index)


# a user's own figures


@pytest.fixture
def override(tmp_path):
    def write(*lines, header=HEADER):
        path = tmp_path / "mine.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    return write


def test_an_override_changes_one_cell_and_says_where_it_is_from(shipped, override):
    mine = facts.load(overrides=override(GOOD))
    changed = mine.table("gpus")
    assert changed.loc["h100", ["memory_gib", "source", "note"]].tolist() == [
        94,
        "https://example.org/h100",
        "the NVL part",
    ]
    cells = ["memory_gib", "source", "note"]
    rest = changed.drop(index="h100")
    pd.testing.assert_frame_equal(rest, shipped.table("gpus").drop(index="h100"))
    pd.testing.assert_frame_equal(changed.drop(columns=cells), shipped.table("gpus").drop(columns=cells))
    for name in set(shipped.tables) - {"gpus"}:
        pd.testing.assert_frame_equal(mine.table(name), shipped.table(name))


def test_a_row_given_twice_and_a_pipe_are_refused(override, tmp_path):
    with pytest.raises(FactsError, match=r"line 3: gpus, h100, memory_gib stands in mine.csv, line 2 already"):
        facts.load(overrides=override(GOOD, GOOD.replace("94", "95")))
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(FactsError, match="is no plain file"):
            facts.load(overrides=path)


def test_a_day_beyond_which_no_fact_holds_is_refused(shipped):
    # facts were read up to 2026-11-30 at least, and hold two years at most: `stale_after_days.other`, 730
    assert facts.load("2028-11-01").as_of == "2028-11-01"
    with pytest.raises(FactsError, match=r"as_of: got 2099-01-01; facts were last read on 20\d\d-\d\d-\d\d and none"):
        facts.load("2099-01-01")


def test_an_override_is_listed(shipped, override):
    mine = facts.load(overrides=override(GOOD))
    assert mine.overrides[["table", "key", "column", "value"]].values.tolist() == [["gpus", "h100", "memory_gib", "94"]]
    assert shipped.overrides.empty


def test_an_override_leaves_the_shipped_table_alone(override):
    facts.load(overrides=override(GOOD))
    assert facts.load().table("gpus").loc["h100", "memory_gib"] == 80
    rows = tables.read("gpus")
    assert (rows.loc[rows["key"] == "h100", "memory_gib"] == 80).all()


def test_an_override_of_the_headline_figure_drops_the_range_it_had(shipped, override):
    before = shipped.table("servers").loc["h100-8"]
    assert before["low"] < before["server_usd"] < before["high"]
    after = facts.load(overrides=override("servers,h100-8,server_usd,100,estimate,a gift")).table("servers")
    assert after.loc["h100-8", "server_usd"] == 100
    assert after.loc["h100-8", ["low", "high"]].isna().all()


def test_an_override_of_an_assumption_is_the_value_asked_for(override):
    mine = facts.load(overrides=override("assumptions,people.benefits_share,value,0.31,estimate,our own payroll"))
    assert mine.value("people.benefits_share") == 0.31


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prices,h100,memory_gib,94,estimate,why", "no table 'prices'; there are: api_offers, models"),
        ("gpus,h1000,memory_gib,94,estimate,why", "no key 'h1000' in gpus; near it: h100"),
        ("gpus,h100,memory,94,estimate,why", "no column 'memory' in gpus; it has: name, memory_gib"),
        ("gpus,h100,source,x,estimate,why", "no column 'source' in gpus"),
        ("gpus,h100,memory_gib,0,estimate,why", "memory_gib: got '0'; allowed: a number from 1 to 10000 GiB"),
        ("gpus,h100,memory_gib,10001,estimate,why", "got '10001'; allowed: a number from 1 to 10000 GiB"),
        ("gpus,h100,memory_gib,lots,estimate,why", "got 'lots'; allowed: a number from 1 to 10000 GiB"),
        ("gpus,h100,memory_gib,inf,estimate,why", "got 'inf'; allowed: a number from 1 to 10000 GiB"),
        ("gpus,h100,memory_gib,,estimate,why", "got ''; allowed: a number from 1 to 10000 GiB"),
        ("gpus,h100,memory_gib,94,a friend,why", "source 'a friend' is neither a https link nor 'estimate'"),
        ("gpus,h100,memory_gib,94,http://x.org,why", "source 'http://x.org' is neither a https link nor"),
        ("gpus,h100,memory_gib,94,,why", "source '' is neither a https link nor 'estimate'"),
        ("gpus,h100,memory_gib,94,estimate,", "an estimate needs its reasoning in note"),
        # what check-data refuses in a shipped table, an override may not bring in either
        ("machines,runpod/l4-1x/global,gpu,h1000,estimate,why", "h1000"),
        ("assumptions,people.benefits_share,unit,bananas,estimate,why", "bananas"),
        # too few cells, too many
        ("gpus,h100,memory_gib,94,estimate", "cells"),
        ("gpus,h100,memory_gib,94,estimate,why,oh", "cells"),
        ("gpus,h100,memory_gib,94,estimate,why,", "cells"),
        # an end of the range of its unit that the figure's own range excludes
        ("assumptions,own.network_share,value,0,estimate,why", "keeps off that end"),
        # an end that a formula divides by
        ("assumptions,serving.engine_share,value,0,estimate,why", "value 0 leaves nothing to divide by"),
        ("assumptions,people.benefits_share,value,1,estimate,why", "value 1 leaves nothing to divide by"),
        # By hand: the range of own.pue is 1.15 to 1.8; ten times off is below 0.115 or above 18
        ("assumptions,own.pue,value,0.1,estimate,why", "ten times off its range"),
        ("assumptions,own.pue,value,19,estimate,why", "ten times off its range"),
        # withdrawn or emptied
        ("machines,aws/*,,3,estimate,why", "a line without a column withdraws 'aws/*' and takes no value; got '3'"),
        ("machines,awss/p5,,,estimate,why", "no key 'awss/p5' in machines to withdraw; near it: "),
        ("machines,aws/*,,,a friend,why", "source 'a friend' is neither a https link nor 'estimate'"),
        ("machines,aws/*,,,estimate,", "an estimate needs its reasoning in note"),
        ("machines,*,,,estimate,why", "that leaves no row in machines; keep one"),
        ("gpus,h200,,,estimate,why", "no row of gpus can be withdrawn; those of api_offers, machines, "),
        ("assumptions,own.pue,,,estimate,why", "no row of assumptions can be withdrawn"),
        # what would be left dangling
        ("models,kimi-k3,,,estimate,why", "models 'kimi-k3' is withdrawn, but api_offers still names it: "),
        (
            "api_offers,openai/gpt-6-astra,,,estimate,why",
            "api_offers 'openai/gpt-6-astra' is withdrawn, but quality still names it: 'openai/gpt-6-astra:agents' and",
        ),
        ("api_offers,openai/gpt-6-astra,ends_on,2026-01-01,estimate,why", "but quality still names it: "),
        (
            "quality,kimi-k3:general,,,estimate,why",
            "'kimi-k3' lacks a general figure then; withdraw it and its offers too",
        ),
        # what must have a value
        ("servers,h100-8,server_usd,,estimate,why", "server_usd: got ''; allowed: a number from 100 to 1e+07 USD"),
        ("api_offers,openai/gpt-6-astra,vendor,,estimate,why", "vendor: got ''"),
    ],
)
def test_a_bad_override_is_refused_with_its_line_and_its_problem(override, line, words):
    with pytest.raises(FactsError) as refused:
        facts.load(overrides=override(GOOD.replace("h100", "h200"), line))
    assert "mine.csv, line 3" in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize("pue", [2.5, 17])
def test_an_override_of_an_assumption_outside_its_range_is_taken_short_of_ten_times(override, pue):
    assert facts.load(overrides=override(f"assumptions,own.pue,value,{pue},estimate,why")).value("own.pue") == pue


@pytest.mark.parametrize("end", ["low", "high"])
def test_an_end_of_the_range_is_taken_where_the_range_is_overridden_with_it(override, end):
    key, value = {"low": ("own.network_share", 0), "high": ("serving.busiest_share", 1)}[end]
    lines = [f"assumptions,{key},{column},{value},estimate,it is meant" for column in ("value", end)]
    mine = facts.load(overrides=override(*lines))
    assert mine.value(key) == value == mine.table("assumptions").at[key, end]
    with pytest.raises(FactsError, match="keeps off that end"):
        facts.load(overrides=override(lines[0]))


@pytest.mark.parametrize(
    ("key", "value", "end"), [("people.benefits_share", 1, "high"), ("serving.engine_share", 0, "low")]
)
def test_an_end_that_a_formula_divides_by_is_refused_whatever_range_comes_with_it(override, key, value, end):
    lines = [f"assumptions,{key},{column},{value},estimate,it is meant" for column in ("value", end)]
    with pytest.raises(FactsError, match=rf"mine.csv, line 3: .*{key}.* value {value} leaves nothing to divide by"):
        facts.load(overrides=override(*lines))


def test_a_value_outside_the_range_overridden_with_it_is_refused(override):
    lines = [f"assumptions,own.pue,{cell},estimate,why" for cell in ("value,1.2", "low,1.3")]
    with pytest.raises(FactsError, match=r"mine.csv, line 3: .* 1.2 is outside its own range 1.3"):
        facts.load(overrides=override(*lines))


CARD = [
    "gpus,mine/x1,name,X1,https://example.org/x1,our own",
    "gpus,mine/x1,memory_gib,96,https://example.org/x1,our own",
    "gpus,mine/x1,bandwidth_gb_per_s,5000,https://example.org/x1,our own",
]


def test_an_override_of_a_key_that_is_not_there_adds_a_row(shipped, override):
    mine = facts.load("2026-11-20", override(*CARD))
    row = mine.table("gpus").loc["mine/x1"]
    assert row[["name", "memory_gib", "bandwidth_gb_per_s", "note"]].tolist() == ["X1", 96, 5000, "our own"]
    assert np.isnan(row["board_w"]) and row["effective_from"] == row["read_on"] == "2026-11-20"
    pd.testing.assert_frame_equal(mine.table("gpus").drop(index="mine/x1"), shipped.table("gpus"))
    assert "mine/x1" in mine.keys()["gpus"]


def test_a_new_key_that_lacks_a_column_is_refused_with_what_it_lacks(override):
    with pytest.raises(FactsError, match=r"line 3: no key 'mine/x1' in gpus; near it: .*; a new one lacks: bandwidth"):
        facts.load(overrides=override(*CARD[:2]))


def test_a_new_key_may_name_another_new_one_written_before_it(override):
    server = ["name,X1 server", "gpu,mine/x1", "gpus,8", "server_usd,200000", "installation_usd,0", "rated_kw,9"]
    server += ["delivery,hgx"]
    lines = [f"servers,mine/x1-8,{cell},estimate,our quote" for cell in server]
    assert facts.load(overrides=override(*CARD, *lines)).table("servers").at["mine/x1-8", "gpu"] == "mine/x1"
    with pytest.raises(FactsError, match=r"line 8: .* gpu 'mine/x1' is no key of gpus.csv"):
        facts.load(overrides=override(*lines))


def test_of_several_override_files_the_last_has_the_last_word(tmp_path):
    paths = [tmp_path / f"{pue}.csv" for pue in (1.2, 1.4)]
    for path in paths:
        path.write_text(f"{HEADER}\nassumptions,own.pue,value,{path.stem},estimate,why\n")
    mine = facts.load(overrides=paths)
    assert mine.value("own.pue") == 1.4
    assert mine.overrides.index.tolist() == ["1.2.csv, line 2", "1.4.csv, line 2"]


def test_a_cell_in_quotes_may_hold_a_comma(override):
    mine = facts.load(overrides=override('gpus,h100,memory_gib,94,estimate,"the NVL part, as ordered"'))
    assert mine.table("gpus").loc["h100", "note"] == "the NVL part, as ordered"


@pytest.mark.parametrize("memory", ["1", "10000"])
def test_an_override_at_the_end_of_the_range_is_taken(override, memory):
    line = f"gpus,h100,memory_gib,{memory},estimate,why"
    assert facts.load(overrides=override(line)).table("gpus").loc["h100", "memory_gib"] == float(memory)


def test_an_override_file_with_another_header_is_refused_with_the_right_one(override):
    with pytest.raises(FactsError, match=rf"mine.csv: its first line is 'table,key,value'; it must be '{HEADER}'"):
        facts.load(overrides=override("gpus,h100,94", header="table,key,value"))


def test_an_override_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(FactsError, match=r"cannot read the override file absent.csv"):
        facts.load(overrides=tmp_path / "absent.csv")


def test_an_empty_override_file_is_refused_with_its_empty_first_line(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(FactsError, match=rf"empty.csv: its first line is ''; it must be '{HEADER}'"):
        facts.load(overrides=tmp_path / "empty.csv")


# what a user withdraws


@pytest.mark.parametrize("table", ["api_offers", "machines", "servers", "models"])
def test_a_line_without_a_column_withdraws_its_row_and_no_other(shipped, override, table):
    # none of these is named by another row, or the rows that do are withdrawn too
    models = shipped.table("models")
    unnamed = models.index.difference(shipped.table("api_offers")["open_model"])
    measured = set(shipped.table("throughput")["model"])
    key = {"api_offers": "bedrock/kimi-k3", "machines": "aws/p5.48xlarge/us-east-1", "servers": "h100-8"}.get(table)
    lines = [f"{table},{key or unnamed[0]},,,estimate,not for us"]
    lines += [] if key else [f"quality,{unnamed[0]}:*,,,estimate,not for us"]
    lines += [f"throughput,*/{unnamed[0]}/*,,,estimate,not for us"] if not key and unnamed[0] in measured else []
    mine = facts.load(overrides=override(*lines))
    pd.testing.assert_frame_equal(mine.table(table), shipped.table(table).drop(index=key or unnamed[0]))
    assert mine.overrides["key"].tolist()[0] == (key or unnamed[0])


def test_a_star_withdraws_all_of_a_vendor(shipped, override):
    lines = [f"{table},anthropic/*,,,estimate,no contract with them" for table in ("api_offers", "quality")]
    mine = facts.load(overrides=override(*lines))
    left = [key for key in shipped.table("api_offers").index if not key.startswith("anthropic/")]
    assert 0 < len(left) < len(shipped.table("api_offers"))
    assert mine.table("api_offers").index.tolist() == left


@pytest.mark.parametrize(("day", "there"), [("2026-11-29", False), ("2026-11-30", True)])
def test_an_offer_ends_on_the_day_an_override_gives(override, day, there):
    mine = facts.load("2026-11-29", override(f"api_offers,bedrock/kimi-k3,ends_on,{day},estimate,our contract ends"))
    assert ("bedrock/kimi-k3" in mine.table("api_offers").index) == there


def test_a_cell_that_may_be_empty_is_emptied(shipped, override):
    key, lines = "openai/gpt-6-astra", ["cached_input_usd_per_mtok", "quality_model"]
    mine = facts.load(overrides=override(*(f"api_offers,{key},{column},,estimate,not for us" for column in lines)))
    row = mine.table("api_offers").loc[key]
    assert np.isnan(row["cached_input_usd_per_mtok"])
    assert row["quality_model"] == ""
    assert shipped.table("api_offers").at[key, "cached_input_usd_per_mtok"] == 1


def test_an_emptied_end_of_a_range_is_none_that_vouches_for_a_figure_far_outside(override):
    # By hand: the range of own.pue is 1.15 to 1.8; ten times off is above 18
    lines = ["assumptions,own.pue,value,19,estimate,why", "assumptions,own.pue,high,,estimate,why"]
    with pytest.raises(FactsError, match="ten times off its range"):
        facts.load(overrides=override(*lines))


def test_a_row_withdrawn_by_one_file_is_a_new_one_for_the_next(tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(f"{HEADER}\nservers,h100-8,,,estimate,not for us\n")
    second.write_text(f"{HEADER}\nservers,h100-8,server_usd,200000,estimate,our quote\n")
    with pytest.raises(FactsError, match=r"second.csv, line 2: no key 'h100-8' in servers; .*a new one lacks: name"):
        facts.load(overrides=[first, second])
    assert "h100-8" not in facts.load(overrides=[second, first]).table("servers").index


def test_a_model_withdrawn_with_all_that_names_it_leaves_nothing_of_it(override):
    lines = [
        "models,kimi-k3",
        "quality,kimi-k3:*",
        "api_offers,*/kimi-k3",
        "throughput,*/kimi-k3/*",
        "weights,kimi-k3/*",
    ]
    mine = facts.load(overrides=override(*(f"{line},,,estimate,a licence we cannot take" for line in lines)))
    assert "kimi-k3" not in mine.keys()["models"]
    assert "kimi-k3" not in set(mine.table("api_offers")["open_model"]) | set(mine.table("quality")["model"])


def test_a_scenario_that_names_a_withdrawn_offer_is_refused(override):
    lines = [f"{table},anthropic/*,,,estimate,no contract with them" for table in ("api_offers", "quality")]
    mine = facts.load(overrides=override(*lines))
    with pytest.raises(ScenarioError, match=r"api_model: no 'anthropic/claude-opus-5'\. Allowed: "):
        evaluate(question.grid(api_model="anthropic/claude-opus-5"), mine)


def test_a_model_that_another_vendor_serves_too_keeps_its_figures(override):
    mine = facts.load(overrides=override("api_offers,openai/gpt-5.4,,,estimate,at Microsoft alone"))
    assert "openai/gpt-5.4" not in mine.table("api_offers").index and "azure/gpt-5.4" in mine.table("api_offers").index
    assert "openai/gpt-5.4:general" in mine.table("quality").index


def test_of_many_lines_that_withdraw_the_one_that_leaves_something_dangling_is_named(override):
    keys = ["bedrock/kimi-k3", "openai/gpt-6-*", "bedrock/glm-5"]
    with pytest.raises(FactsError, match=r"mine.csv, line 3: api_offers 'openai/gpt-6-astra' is withdrawn"):
        facts.load(overrides=override(*(f"api_offers,{key},,,estimate,not for us" for key in keys)))


# damaged tables


def test_a_copy_without_damage_has_no_problem(damage):
    damage("gpus", lambda rows: rows)
    assert tables.problems() == []


def test_a_missing_column_is_named(damage):
    damage("gpus", lambda rows: rows.drop(columns="memory_gib"))
    with pytest.raises(FactsError, match=r"gpus.csv: lacks the columns \['memory_gib'\], has unknown ones none"):
        tables.read("gpus")
    assert any("lacks the columns ['memory_gib']" in problem for problem in tables.problems())


def test_an_unknown_column_is_named(damage):
    damage("gpus", lambda rows: rows.assign(colour="green"))
    with pytest.raises(FactsError, match=r"gpus.csv: lacks the columns none, has unknown ones \['colour'\]"):
        facts.load()


def test_a_text_in_a_column_of_numbers_is_named(damage):
    damage("gpus", cell("h100", "memory_gib", "eighty"))
    with pytest.raises(FactsError, match=r"gpus.csv, key 'h100', column memory_gib: got 'eighty'; allowed: a number"):
        facts.load()
    (problem,) = [p for p in tables.problems() if "eighty" in p]
    assert "key 'h100', column memory_gib" in problem


def test_a_number_out_of_range_is_named(damage):
    damage("gpus", cell("h100", "memory_gib", "10001"))
    with pytest.raises(FactsError, match=r"key 'h100', column memory_gib: got '10001'; allowed: .* 1 to 10000 GiB"):
        tables.read("gpus")


def test_an_empty_required_cell_is_named(damage):
    damage("machines", cell("aws/p5.48xlarge/us-east-1", "gpus", ""))
    with pytest.raises(FactsError, match=r"key 'aws/p5.48xlarge/us-east-1', column gpus: got ''"):
        tables.read("machines")


@pytest.mark.parametrize("column", ["read_on", "effective_from"])
@pytest.mark.parametrize("day", ["2026-13-01", "2026-9-1", "20260901"])
def test_a_date_that_is_none_is_named(damage, column, day):
    damage("gpus", cell("h100", column, day))
    with pytest.raises(FactsError, match=rf"key 'h100', column {column}: got '{day}'; allowed: a date as 2026-11-22"):
        tables.read("gpus")


def test_a_word_that_is_not_among_those_allowed_is_named(damage):
    damage("api_offers", cell("openai/gpt-6-luna", "tier", "tiny"))
    with pytest.raises(FactsError, match=r"column tier: got 'tiny'; allowed: \['frontier', 'mid', 'small'\]"):
        tables.read("api_offers")


def test_a_missing_table_is_named(damage):
    (tables.DATA / "gpus.csv").unlink()
    with pytest.raises(FactsError, match=r"cannot read gpus.csv: .*Restore it, or check it with: where-to-run check"):
        facts.load()


def test_two_rows_of_one_key_from_one_day_are_found(damage):
    damage("gpus", lambda rows: pd.concat([rows, rows[rows["key"] == "h100"]]))
    (problem,) = tables.problems()
    assert problem.startswith("gpus.csv: two rows for 'h100' from ")


def test_two_rows_of_one_key_from_two_days_are_no_problem(damage):
    damage("gpus", lambda rows: pd.concat([rows, rows[rows["key"] == "h100"].assign(effective_from="2026-11-01")]))
    assert tables.problems() == []


def test_a_range_that_starts_above_its_figure_is_found(damage):
    damage("servers", cell("h100-8", "low", "285001"))  # the price is 285,000
    (problem,) = tables.problems()
    assert "servers.csv, key 'h100-8': server_usd 285000 is outside its own range 285001 to" in problem


def test_a_range_that_starts_at_its_figure_is_no_problem(damage):
    damage("servers", cell("h100-8", "low", "285000"))
    assert tables.problems() == []


def test_an_unknown_unit_is_found(damage):
    damage("assumptions", cell("people.benefits_share", "unit", "bananas"))
    (problem,) = tables.problems()
    assert problem == "assumptions.csv, key 'people.benefits_share': unit 'bananas' is not in the list of tables.yaml"


def test_a_dead_reference_is_found(damage):
    damage("machines", cell("runpod/l4-1x/global", "gpu", "l5"))
    (problem,) = tables.problems()
    assert problem == "machines.csv, key 'runpod/l4-1x/global': gpu 'l5' is no key of gpus.csv"


def test_a_source_that_is_no_link_is_found(damage):
    damage("gpus", cell("h100", "source", "data sheet"))
    (problem,) = tables.problems()
    assert problem == "gpus.csv, key 'h100': source 'data sheet' is neither a https link nor 'estimate'"


def test_an_estimate_without_reasoning_is_found(damage):
    damage("assumptions", cell("api.retry_share", "note", ""))
    (problem,) = tables.problems()
    assert problem == "assumptions.csv, key 'api.retry_share': an estimate needs its reasoning in note"


def test_the_audit_finds_what_is_wrong_with_the_tables(damage):
    damage("gpus", cell("h100", "source", "data sheet"))
    assert tables.problems() == data_check.problems()
    assert len(data_check.problems()) == 1


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("rests_on", "own.pew", "lines.csv, name 'power': rests on 'own.pew', which is no fact of data/"),
        ("rests_on", "roles:driver", "rests on 'roles:driver'"),
        ("rests_on", "pues.", "rests on 'pues.'"),
        ("rests_on", "setup_usd.{plce}", "rests on 'setup_usd.{plce}'"),
        ("place", "rented_gpus", "an answer has the line 'power' at own_gpus, which no row declares"),
        ("name", "current", "an answer has the line 'power' at own_gpus, which no row declares"),
        ("name", "egress", "lines.csv: two rows for 'egress'"),
        (
            "kind",
            "energy",
            "lines.csv, key 'power', column kind: got 'energy'; allowed: ['token', 'rent', 'cloud', 'ha",
        ),
        ("cash", "maybe", "lines.csv, key 'power', column cash: got 'maybe'; allowed: ['yes', 'no']"),
    ],
)
def test_the_audit_finds_what_is_wrong_with_the_lines(damage, column, value, words):
    def edit(rows):
        rows.loc[rows["name"] == "power", column] = value
        return rows

    damage("lines", edit)
    (problem,) = data_check.problems()
    assert words in problem


def test_the_audit_looks_at_the_rules_and_the_tables_alone_do_not(damage):
    path = tables.DATA / "rules.yaml"
    path.write_text(path.read_text().replace("asks: [us_persons]", "asks: [handshake]"))
    assert tables.problems() == []
    (problem,) = data_check.problems()
    assert "'handshake' is not among the papers" in problem
