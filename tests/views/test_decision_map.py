"""The decision map: every cell is painted, hatched and labelled as the frame says, and the words say it too."""

import numpy as np
import pandas as pd
import pytest
import vl_convert

from where_to_run.decision.routing import NAMES, TITLES
from where_to_run.inputs.question import BY_NAME
from where_to_run.places.bill import GROUPS, HARDWARE, line
from where_to_run.views import charts, decision_map
from where_to_run.views.figure import VEGA_LITE

X, Y = BY_NAME["requests_per_month"], BY_NAME["spikiness"]


def toy_cells(size=20, **columns):
    """The API wins below the diagonal, rented machines above; nothing near or barred unless said."""
    x, y = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e3, 1e9, size), np.linspace(1.05, 20, size)))
    row, column = (index.ravel() for index in np.indices((size, size)))
    frame = pd.DataFrame({X.name: x, Y.name: y, "option": np.where(column > row, "rented", "api"), "near": False})
    return frame.assign(rule="", **columns), row, column


def drawn(cells):
    """The chart, and the data of every layer."""
    chart = decision_map.map_chart(cells, X, Y, (3e6, 5.0))
    return chart, [layer.data for layer in chart.layer]


def test_rectangles_cover_the_map_without_overlap():
    cells, _, _ = toy_cells()
    areas = drawn(cells)[1][0]
    width, height = np.log(areas["x1"] / areas["x0"]), areas["y1"] - areas["y0"]
    assert (width * height).sum() == pytest.approx(np.log(1e6) * (20 - 1.05))
    assert (width > 0).all() and (height > 0).all()


def test_near_cells_are_hatched_and_no_others():
    cells, row, column = toy_cells()
    near = (np.abs(column - row) <= 4) & (row > 3)
    strokes = drawn(cells.assign(near=near))[1][1]
    edges = decision_map._edges(cells, X), decision_map._edges(cells, Y)
    # the middle of every cell a stroke crosses: it goes down by one row for every column
    crossed = set()
    for stroke in strokes.itertuples():
        first, last = np.searchsorted(edges[0], [stroke.x0, stroke.x1])
        top = np.searchsorted(edges[1], stroke.y0) - 1
        assert top - np.searchsorted(edges[1], stroke.y1) == last - first - 1
        crossed |= {(top - step, first + step) for step in range(last - first)}
    hatched = set(zip(row[near].tolist(), column[near].tolist(), strict=True))
    assert crossed <= hatched
    assert len(crossed) >= len(hatched) / 3


def test_strokes_that_meet_are_drawn_as_one():
    cells, _, _ = toy_cells(80)
    strokes = drawn(cells.assign(near=True))[1][1]
    # one stroke a diagonal, every second of the 159 diagonals
    assert len(strokes) == 80


def test_without_near_cells_there_is_no_stroke():
    assert drawn(toy_cells()[0])[1][1].empty


def test_a_barred_area_carries_its_rule_in_its_middle():
    cells, row, column = toy_cells()
    barred = column >= 12
    high = barred & (row >= 10)
    cells = cells.assign(
        option=np.where(barred, "none", cells["option"]),
        rule=np.where(high, "budget", np.where(barred, "capex, team", "")),
    )
    labels = decision_map._barred(cells, X, Y).set_index("text")
    assert set(labels.index) == {"budget", "capex + team"}
    for text, area in (("budget", high), ("capex + team", barred & ~high)):
        assert labels.loc[text, "x0"] == pytest.approx(np.exp(np.log(cells.loc[area, X.name]).mean()), rel=0.5)
        assert labels.loc[text, "y0"] == pytest.approx(cells.loc[area, Y.name].mean(), abs=1.5)


def test_a_label_stands_inside_an_area_whose_mean_lies_outside():
    area = np.ones((30, 30), bool)
    area[5:25, 5:30] = False
    row, column = decision_map._middle(area)
    assert area[int(row), int(column)]


def test_a_long_rule_is_told_in_lines_that_stay_on_the_map():
    cells, _, column = toy_cells()
    rule = "card-numbers-stay-inside-an-attested-card-environment"
    cells = cells.assign(rule=np.where(column == 19, rule, ""))
    label = decision_map._barred(cells, X, Y).iloc[0]
    assert label["text"].replace("\n", " ") == rule.replace("-", " ") and max(map(len, label["text"].split("\n"))) <= 28
    assert label["x0"] < 1e9


def test_the_words_tell_who_wins_and_what_is_barred():
    cells, _, column = toy_cells(near=True)
    cells = cells.assign(option=np.where(column > 9, "none", "api"), rule=np.where(column > 9, "budget", ""))
    words = drawn(cells)[0].description
    assert (
        "Vendor API on 50 %" in words and "nothing allowed on 50 %" in words and "Nothing is allowed by budget" in words
    )


def test_vega_draws_the_map_with_its_labels():
    cells, row, column = toy_cells()
    cells = cells.assign(near=column == row, rule=np.where(row > 15, "budget", ""))
    svg = picture(drawn(cells)[0])
    assert svg.startswith("<svg") and ">budget<" in svg and "NaN" not in svg
    assert "Volume [request/month]" in svg and "Spikiness [p99 hour / mean hour]" in svg


def test_a_map_on_which_nothing_is_allowed_is_drawn():
    cells, _, _ = toy_cells(option="none")
    assert ">budget<" in picture(drawn(cells.assign(rule="budget"))[0])


def picture(chart) -> str:
    """The SVG."""
    return vl_convert.vegalite_to_svg(chart.to_json(), vl_version=VEGA_LITE)


def test_every_option_has_a_colour_of_its_own():
    assert tuple(charts.OPTION_COLOURS) == NAMES == tuple(TITLES)
    assert len(set(charts.OPTION_COLOURS.values())) == len(NAMES) == len({*map(tuple, charts.OPTION_DASHES.values())})
    assert len(charts.SHADES) >= len(set(GROUPS.values()))


def test_every_hardware_line_has_its_group():
    assert {line(name).group for name in HARDWARE} == {"own hardware"}
