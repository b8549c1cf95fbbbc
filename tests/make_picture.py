"""Draw the README's picture: the monthly cost of each option for a hospital. Run it with `make picture`."""

import vl_convert

from where_to_run import charts, evaluate, facts, scenario
from where_to_run.figures import VEGA_LITE
from where_to_run.paths import NOTEBOOKS

chart = charts.cost_by_option(evaluate(scenario.grid("hospital"), facts.load()).means).whole()
svg = vl_convert.vegalite_to_svg(chart | {"background": "white"}, vl_version=VEGA_LITE)
(NOTEBOOKS / "costs.svg").write_text(svg)
