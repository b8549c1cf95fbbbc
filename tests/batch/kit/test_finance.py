"""The workbook for finance: recalculated by a spreadsheet program, it says what the answer says."""

import csv
import io
import re
import subprocess
import zipfile

import pytest

from validators import program
from where_to_run.batch.kit import finance
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.places.bill import declared

ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>
"""
"""A profile of LibreOffice that calculates every workbook anew when it is opened."""

EVERY_SHEET = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"


@pytest.fixture(scope="module")
def startup():
    return evaluate(question.grid("startup"), facts.load())


@pytest.fixture(scope="module")
def workbook(startup):
    return finance.files(startup)[finance.NAME]


def sheets(content):
    """The sheets of a workbook by name, as XML."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        names = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        return {name: book.read(f"xl/worksheets/sheet{n}.xml").decode() for n, name in enumerate(names, 1)}


def changed(content, sheet, cell, value):
    """A workbook with another number in a cell, everything else as it was written."""
    held, number = io.BytesIO(), list(sheets(content)).index(sheet) + 1
    with zipfile.ZipFile(io.BytesIO(content)) as book, zipfile.ZipFile(held, "w") as new:
        for name in book.namelist():
            part = book.read(name)
            if name == f"xl/worksheets/sheet{number}.xml":
                text, found = re.subn(rf'(<c r="{cell}"[^>]*><v>)[^<]*', rf"\g<1>{value}", part.decode())
                assert found == 1
                part = text.encode()
            new.writestr(name, part)
    return held.getvalue()


def recalculated(contents, folder):
    """What the summary of each workbook says after LibreOffice has calculated it anew: a row an option."""
    (folder / "profile" / "user").mkdir(parents=True)
    (folder / "profile" / "user" / "registrymodifications.xcu").write_text(ALWAYS)
    for name, content in contents.items():
        (folder / f"{name}.xlsx").write_bytes(content)
    profile = f"-env:UserInstallation=file://{folder}/profile"
    asked = [program("soffice"), "--headless", profile, "--convert-to", EVERY_SHEET, "--outdir", str(folder)]
    subprocess.run(
        [*asked, *(str(folder / f"{n}.xlsx") for n in contents)], check=True, capture_output=True, timeout=120
    )
    read = {name: list(csv.reader((folder / f"{name}-Summary.csv").read_text().splitlines())) for name in contents}
    return {name: rows[3:] for name, rows in read.items()}


def place_of(startup, column):
    """The cell of a price on the sheet Facts: prices stand in the order in which lines ask for them."""
    asked = dict.fromkeys(row.price for row in finance.lines(startup.option("api")) if row.price)
    return f"D{[price[2] for price in asked].index(column) + 2}"


def test_recalculated_by_libreoffice_the_totals_are_the_answer_and_follow_a_price_and_the_volume(
    startup, workbook, tmp_path
):
    offer = startup.option("api").calls[0]
    own = tmp_path / "own.csv"
    own.write_text(
        "table,key,column,value,source,note\n"
        f"api_offers,{offer},output_usd_per_mtok,0.50,https://example.com/contract,ours\n"
    )
    dearer = evaluate(question.grid("startup", api_model=offer), facts.load(overrides=own))
    larger = evaluate(question.grid("startup", requests_per_month=500_000, api_model=offer), facts.load())
    said = recalculated(
        {
            "same": workbook,
            "dearer": changed(workbook, "Facts", place_of(startup, "output_usd_per_mtok"), 0.50),
            "larger": changed(workbook, "Inputs", "C2", 500_000),
        },
        tmp_path,
    )
    for name, answer in (("same", startup), ("dearer", dearer), ("larger", larger)):
        row = next(row for row in answer.rows if row["option"] == "api")
        assert float(said[name][0][2]) == pytest.approx(row["usd_per_month"], abs=0.01), name
        assert float(said[name][0][3]) == pytest.approx(row["npv_usd"], abs=0.01), name
    for row in said["same"]:
        assert float(row[2]) == pytest.approx(float(row[7]), abs=0.01)
        assert float(row[3]) == pytest.approx(float(row[8]), abs=0.01)


@pytest.mark.parametrize("preset", ["startup", "consumer_platform", "bank"])
def test_the_lines_of_the_workbook_add_up_to_the_bill(preset):
    answer = evaluate(question.grid(preset), facts.load())
    for row in answer.rows:
        if not row["misfits"]:
            usd = sum(line.usd.sum() for line in finance.lines(answer.option(row["option"])))
            assert usd / answer.asked["horizon_months"] == pytest.approx(row["usd_per_month"], abs=0.01)


def test_every_price_of_a_line_is_a_column_or_a_figure_there_is():
    known, columns = facts.load(), {finance.CONTRACT, finance.TOKENS}
    for table in ("api_offers", "machines", "servers"):
        columns |= {*known.table(table).columns}
    for line in declared().values():
        for word in line.price.split():
            assert word in columns or any(word.replace("{place}", p) in known.values for p in ("rented_gpus", "")), line


def test_a_name_from_outside_is_a_text_and_never_a_formula(tmp_path):
    own, offer = tmp_path / "own.csv", "coreweave/glm-5.3-flash"
    own.write_text(
        "table,key,column,value,source,note\n"
        f'api_offers,{offer},model,"=HYPERLINK(""https://example.com"")",https://example.com/x,ours\n'
    )
    answer = evaluate(question.grid("startup", api_model=offer), facts.load(overrides=own))
    written = sheets(finance.files(answer)[finance.NAME])
    assert not any("HYPERLINK" in formula for xml in written.values() for formula in re.findall("<f>(.*?)</f>", xml))
