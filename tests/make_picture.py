"""Draw the README's picture: the monthly cost of each option for a hospital. Run it with `make picture`."""

import vl_convert

from where_to_run import charts, evaluate, facts, scenario
from where_to_run.paths import NOTEBOOKS

answer = evaluate(scenario.grid("hospital"), facts.load())
chart = charts.cost_by_option(answer.lines, float(answer.scenarios["horizon_months"].iloc[0]))
(NOTEBOOKS / "costs.svg").write_text(vl_convert.vegalite_to_svg(chart.properties(background="white").to_json()))
