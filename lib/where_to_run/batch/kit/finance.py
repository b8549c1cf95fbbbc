"""The workbook for finance: every line by month and option as live formulas over volume, prices and discount rate."""

import datetime
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.utility import xl_range_abs, xl_rowcol_to_cell

from ...analysis.provenance import used
from ...decision.answer import Answer
from ...decision.block import OFFERS
from ...decision.option import Option
from ...inputs.facts import Facts, rows_of
from ...inputs.question import BY_NAME, PLACES
from ...inputs.tables import schema
from ...places.bill import CAPITAL, Bill, line
from ...places.rented_gpus import COLUMNS, TERMS
from ...units import MONTHS_PER_YEAR, Array
from ...views.order import best_first

NAME = "finance.xlsx"

READ_ME = (
    (
        NAME,
        "lines by month and option, totals, present values and break-even volumes, as live formulas",
        "the yellow cells: volume, growth, discount rate and prices of your own contracts",
    ),
)

TOKENS, CONTRACT = "tokens", "contract"
"""Words for a price in data/lines.csv that are no name of one."""

FIRST = 7
"""Column of month 0, the day of the decision, in every sheet with months."""

NOTE = (
    "Yellow cells may be changed, and everything follows: tokens follow the volume, a line its price. Machines, people "
    "and lines without a price stay as answered; ask anew where the volume changes by much. At the break-even volume "
    "two present values are equal on these terms; the break-even of the report chooses machines anew."
)

Price = tuple[str, str, str]
"""A table, its key and its column."""


@dataclass(frozen=True)
class Row:
    """A line of an option at one offer, where it has one [USD by month], and the price it is in proportion to."""

    place: str
    name: str
    offer: str
    price: Price | None
    usd: Array


def lines(taken: Option) -> list[Row]:
    """The lines of an option, those of one offer together; they add up to its bill."""
    facts, found = taken.question.facts, dict[tuple[str, str, str], Row]()
    for (place, name), amounts in taken.outcome.lines.items():
        rest, word = amounts[0], line(name).price.replace("{place}", place)
        for at, share, bill in taken.outcome.bills:
            if at == place and share[0] > 0 and name in bill.lines and bill.lines[name][0].any():
                key, usd = str(bill.offer[0]), bill.lines[name][0]
                had = found.get((place, key, name))
                price = _price(facts, word, place, bill)
                found[place, key, name] = Row(place, name, key, price, had.usd + usd if had else usd)
                rest = rest - usd
        if np.abs(rest).max() > 1e-9 * np.abs(amounts[0]).max():
            found[place, "", name] = Row(place, name, "", _price(facts, word, place), rest)
    return [row for _, row in sorted(found.items(), key=lambda each: each[0][:2])]


def _price(facts: Facts, word: str, place: str, bill: Bill | None = None) -> Price | None:
    """The price that `price` in data/lines.csv stands for; none where it is no one figure."""
    if "." in word:
        return "assumptions", word, "value"
    if bill is None:
        return None
    table, key = OFFERS[PLACES.index(place)] if bill.machines else "api_offers", str(bill.offer[0])
    columns = word.split()
    if bill.machines and word == CONTRACT:
        said = str(bill.machines.contract[0])
        columns = [column for term, column in zip(TERMS, COLUMNS, strict=True) if said.startswith(term)]
    row = rows_of(facts, table)[key]
    return next(((table, key, column) for column in columns if not pd.isna(row.get(column, np.nan))), None)


def files(answer: Answer) -> dict[str, bytes]:
    """The workbook of a one-row answer by its name."""
    held = io.BytesIO()
    with xlsxwriter.Workbook(held, {"in_memory": True}) as book:
        book.set_properties({"created": datetime.datetime.fromisoformat(answer.facts.as_of)})
        _Book(book, answer).write()
    return {NAME: held.getvalue()}


def _cell(sheet: str, row: int, column: int) -> str:
    return f"'{sheet}'!{xl_rowcol_to_cell(row, column, True, True)}"


class _Book:
    """The sheets as they are written; texts are written as texts, so none of them becomes a formula."""

    def __init__(self, book: Any, answer: Answer) -> None:
        self.book, self.answer, self.asked = book, answer, answer.asked
        self.shown = [row for row in best_first(answer) if answer.option(row["option"]).fits]
        first = answer.option(self.shown[0]["option"])
        self.requests = first.question.load.requests[0]
        self.months = len(self.requests)
        self.head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self.usd = book.add_format({"num_format": "#,##0.00"})
        self.open = book.add_format({"bg_color": "#FFF8C5", "num_format": "#,##0.######"})
        self.sheets = {name: book.add_worksheet(name) for name in ("Summary", "Inputs", "Facts", "Months")}
        self.prices: dict[Price, int] = {}
        self.inputs: dict[str, str] = {}

    def write(self) -> None:
        """Write every sheet."""
        self._inputs()
        self._months()
        options = [self._option(row) for row in self.shown]
        self._facts()
        self._summary(options)

    def _texts(self, sheet: Any, at: int, texts: Sequence[Any], bold: bool = False) -> None:
        for column, text in enumerate(texts):
            if isinstance(text, str):
                sheet.write_string(at, column, text, self.head if bold else None)
            elif text is not None and not pd.isna(text):
                sheet.write_number(at, column, float(text))

    def _inputs(self) -> None:
        sheet, live = self.sheets["Inputs"], ("requests_per_month", "growth_per_month", "discount_rate")
        self._texts(sheet, 0, ["Field", "Meaning", "Value", "Unit"], True)
        for at, (name, field) in enumerate(BY_NAME.items(), 1):
            value = self.asked[name]
            self._texts(sheet, at, [name, field.meaning, str(value) if isinstance(value, str) else value, field.unit])
            if name in live:
                sheet.write_number(at, 2, float(value), self.open)
                self.inputs[name] = _cell("Inputs", at, 2)
        sheet.set_column(0, 3, 30)

    def _months(self) -> None:
        sheet, ask = self.sheets["Months"], self.inputs
        rate = (1 + self.asked["discount_rate"]) ** (1 / MONTHS_PER_YEAR)
        self._texts(sheet, 0, ["Month", *[None] * (FIRST - 1), *range(self.months)])
        for at, name in enumerate(("Requests", "as answered", "over those answered", "worth today of a dollar"), 1):
            sheet.write_string(at, 0, name)
        for month, asked in enumerate(self.requests):
            at = FIRST + month
            top, now, then = (xl_rowcol_to_cell(row, at) for row in range(3))
            volume = f"{ask['requests_per_month']}*(1+{ask['growth_per_month']})^({top}-1)"
            sheet.write_formula(1, at, f"={volume}" if asked else "=0", self.usd, asked)
            sheet.write_number(2, at, asked, self.usd)
            sheet.write_formula(3, at, f"=IF({then}=0,1,{now}/{then})", None, 1)
            factor = f"=(1+{ask['discount_rate']})^(-{top}/{MONTHS_PER_YEAR})"
            sheet.write_formula(4, at, factor, None, rate**-month)

    def _option(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write the sheet of an option; returns its rows of totals and their values by month."""
        name, rows = row["option"], lines(self.answer.option(row["option"]))
        sheet, top, base = self.book.add_worksheet(name), 3, len(rows) + 8
        heads = ["Place", "Line", "Offer", "Price", "as answered", "With volume", "In present value"]
        self._texts(sheet, 0, [row["title"]], True)
        self._texts(sheet, 1, [f"Verdict: {row['verdict']}", row["because"]])
        self._texts(sheet, 2, [*heads, *range(self.months)], True)
        self._texts(sheet, base - 1, ["As answered, before any change"], True)
        for number, one in enumerate(rows):
            at = top + number
            self._texts(sheet, at, [one.place, one.name, one.offer])
            self._priced(sheet, at, one)
            for column, does in enumerate(_counts(one)[1:], 5):
                sheet.write_number(at, column, does)
            self._texts(sheet, base + number, [one.place, one.name, one.offer])
            for month, usd in enumerate(one.usd):
                column = FIRST + month
                sheet.write_number(base + number, column, usd, self.usd)
                sheet.write_formula(at, column, _amount(rows, number, top, base, column), self.usd, usd)
        told, every = dict[str, Any](), np.stack([one.usd for one in rows])
        counted = {"Total": None, "With volume": 5, "In present value": 6}
        for number, (total, flag) in enumerate(counted.items()):
            at, counts = top + len(rows) + number, np.array([_counts(one)[number] for one in rows])
            sheet.write_string(at, 1, total, self.head)
            for column, usd in enumerate(counts @ every, FIRST):
                span = xl_range_abs(top, column, top + len(rows) - 1, column)
                marks = f",{xl_range_abs(top, flag, top + len(rows) - 1, flag)}" if flag else ""
                sheet.write_formula(at, column, f"=SUMPRODUCT({span}{marks})", self.usd, usd)
            told[total] = (f"'{name}'!{xl_range_abs(at, FIRST, at, FIRST + self.months - 1)}", counts @ every)
        sheet.set_column(0, 2, 24)
        sheet.freeze_panes(top, FIRST)
        return told

    def _priced(self, sheet: Any, at: int, one: Row) -> None:
        """Write the price of a line, now and as answered; one of its own, 1, where it has none."""
        if one.price is None:
            sheet.write_number(at, 3, 1, None if line(one.name).price == TOKENS else self.open)
            sheet.write_number(at, 4, 1)
            return
        row = self.prices.setdefault(one.price, len(self.prices) + 1)
        value = float(rows_of(self.answer.facts, one.price[0])[one.price[1]][one.price[2]])
        sheet.write_formula(at, 3, f"={_cell('Facts', row, 3)}", None, value)
        sheet.write_formula(at, 4, f"={_cell('Facts', row, 4)}", None, value)

    def _facts(self) -> None:
        sheet = self.sheets["Facts"]
        heads = ["Table", "Key", "Column", "Price now", "as answered", "Low", "High", "Unit", "Source", "In force from"]
        self._texts(sheet, 0, heads, True)
        priced, tables = {(table, key) for table, key, _ in self.prices}, schema()["tables"]
        options = [row["option"] for row in self.shown]
        beside = [(*fact, tables[fact.table]["headline"]) for fact in sorted(used(self.answer, options))]
        every = [*self.prices, *(fact for fact in beside if fact[:2] not in priced)]
        for at, (table, key, column) in enumerate(every, 1):
            row = rows_of(self.answer.facts, table)[key]
            unit = row["unit"] if table == "assumptions" else tables[table]["columns"][column]["unit"]
            # a range is about the headline
            ends = [row[end] if column == tables[table]["headline"] else None for end in ("low", "high")]
            told = [row[column], *ends, str(unit), row["source"], row["effective_from"]]
            self._texts(sheet, at, [table, key, column, None, *told])
            if (table, key, column) in self.prices:
                sheet.write_number(at, 3, float(row[column]), self.open)
        sheet.set_column(0, 2, 26)
        sheet.set_column(8, 8, 60)

    def _summary(self, options: list[dict[str, Any]]) -> None:
        sheet, horizon = self.sheets["Summary"], int(self.asked["horizon_months"])
        self._texts(sheet, 0, [NOTE])
        heads = [
            "Option",
            "Verdict",
            "USD/month, mean",
            "Present value, USD",
            "of it with volume",
            "More than the first",
        ]
        as_answered = [
            "Break-even with the first, requests/month",
            "USD/month as answered",
            "present value as answered",
        ]
        self._texts(sheet, 2, [*heads, *as_answered], True)
        worth = f"'Months'!{xl_range_abs(4, FIRST, 4, FIRST + self.months - 1)}"
        rate = (1 + self.asked["discount_rate"]) ** (1 / MONTHS_PER_YEAR)
        factors = rate ** -np.arange(self.months)
        figures = [
            (
                told["Total"][1].sum() / horizon,
                *(told[name][1] @ factors for name in ("In present value", "With volume")),
            )
            for told in options
        ]
        for at, (row, told, (mean, worth_today, moving)) in enumerate(
            zip(self.shown, options, figures, strict=True), 3
        ):
            self._texts(sheet, at, [row["title"], row["verdict"]])
            sheet.write_formula(at, 2, f"=SUM({told['Total'][0]})/{horizon}", self.usd, mean)
            for column, name, value in ((3, "In present value", worth_today), (4, "With volume", moving)):
                sheet.write_formula(at, column, f"=SUMPRODUCT({told[name][0]},{worth})", self.usd, value)
            sheet.write_formula(at, 5, f"=D{at + 1}-$D$4", self.usd, worth_today - figures[0][1])
            if at > 3:
                fixed, moved = f"((D{at + 1}-E{at + 1})-($D$4-$E$4))", f"($E$4-E{at + 1})"
                volume, none = self.inputs["requests_per_month"], '"none"'
                formula = f"=IF({fixed}*{moved}>0,{volume}*{fixed}/{moved},{none})"
                sheet.write_formula(at, 6, formula, self.usd, _breakeven(figures[at - 3], figures[0], self.asked))
            sheet.write_number(at, 7, row["usd_per_month"], self.usd)
            sheet.write_number(at, 8, row["npv_usd"], self.usd)
        sheet.set_column(0, 0, 70)
        sheet.set_column(1, 8, 18)


def _amount(rows: list[Row], number: int, top: int, base: int, column: int) -> str:
    """The formula of a line in a month: as answered, times its price and, where it moves with it, the volume."""
    one, then = rows[number], xl_rowcol_to_cell(base + number, column)
    if line(one.name).price == TOKENS:
        paid = [n for n, row in enumerate(rows) if _is_token(row) and (row.place, row.offer) == (one.place, one.offer)]
        now, before = ("+".join(xl_rowcol_to_cell(start + n, column) for n in paid) for start in (top, base))
        if paid:
            return f"=IF({before}=0,0,{then}*({now})/({before}))"
    price, answered, moves = (xl_rowcol_to_cell(top + number, at, col_abs=True) for at in (3, 4, 5))
    return f"={then}*{price}/{answered}*IF({moves}=1,'Months'!{xl_rowcol_to_cell(3, column)},1)"


def _counts(row: Row) -> tuple[bool, bool, bool]:
    """Whether a line counts in the total, moves with the volume, and counts in the present value."""
    return True, line(row.name).kind == "token", row.name != CAPITAL


def _is_token(row: Row) -> bool:
    """Whether a line is tokens of an offer at its price."""
    return row.price is not None and row.price[0] == "api_offers"


def _breakeven(other: tuple[float, ...], first: tuple[float, ...], asked: dict[str, Any]) -> float | str:
    """The volume at which two present values are equal [request/month], of (mean, present value, moving part)."""
    fixed, moved = (other[1] - other[2]) - (first[1] - first[2]), first[2] - other[2]
    return float(asked["requests_per_month"]) * fixed / moved if fixed * moved > 0 else "none"
