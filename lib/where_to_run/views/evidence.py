"""Evidence: panels that hold our numbers to other people's: their tables, their measurements, and a simulation."""

from collections.abc import Iterable
from html import escape

import altair as alt
import numpy as np
import pandas as pd

from ..analysis import published
from ..formulas import load_curve, throughput
from ..formulas.load_curve import Measured
from ..formulas.queueing import headroom_beta, peakedness
from ..inputs.facts import Facts
from ..inputs.question import BY_NAME
from ..places import replicas
from ..places.workload import level_words
from ..units import Array
from .charts import WIDTH
from .figure import of
from .panel import Fold, Pieces
from .table import Cell, link, numbers, table


def recomputed(study: str) -> Pieces:
    """Every figure of a study: published, ours, difference, verdict."""
    found = published.recomputed(study)
    shown = {
        "What": found["row"],
        "Figure": found["figure"],
        "Published": _printed(found["published"], found["published"].astype(float)),
        "Ours": _printed(found["published"], found["ours"], more=1),
        "Difference": numbers(found["difference"], "{:+.2%}"),
        "Verdict": found["verdict"],
        "Why": found["why"],
    }
    counted = "; ".join(f"{says}: {number}" for says, number in found["verdict"].value_counts().items())
    return Pieces([_source(study) + table(shown, f"{len(found)} figures. {counted}", left=2)])


def headlines(study: str) -> Pieces:
    """What the headlines of a study become when the machines are not always full, and when nothing is left out."""
    found = published.headlines(study)
    ways = [name for name in found if name not in ("row", "figure", "published")]
    printed = found["published"].astype(float)
    shown = {"What": found["row"], "Figure": found["figure"], "Published": _printed(found["published"], printed)}
    for way in ways:
        shown[way.capitalize()] = _printed(found["published"], found[way])
    shown["Difference"] = numbers((found[ways[-1]] / printed - 1).replace(np.inf, np.nan), "{:+.0%}")
    shown["Verdict"] = [_became(ours / was) for ours, was in zip(found[ways[-1]], printed, strict=True)]
    return Pieces([_source(study) + table(shown, "The same figures, asked of a service people use", left=2)])


def _became(ratio: float) -> str:
    if not np.isfinite(ratio):
        return "never pays back" if ratio > 0 else "does not fit: no memory left for a cache"
    return f"{ratio:.2g} times what is printed"


def _printed(texts: Iterable[str], values: Iterable[float], more: int = 0) -> list[Cell]:
    """Values with as many decimals as the figures printed have, or some more."""
    pairs = zip(texts, values, strict=True)
    places = [(len(text.partition(".")[2]) + more, value) for text, value in pairs]
    return [Cell(f"{v:,.{n}f}" if np.isfinite(v) else {True: "never"}.get(v > 0, "–"), v) for n, v in places]


def _source(study: str) -> str:
    told = published.book()["studies"][study]
    return f"<p>{escape(told['title'])} ({link(told['source'])}, read {told['read_on']}). {escape(told['note'])}</p>"


def throughput_errors(facts: Facts) -> Pieces:
    """How far each measured throughput is from what the others of its replica predict: drawn, summed up, row by row."""
    points = replicas.measured_points(facts).drop(columns="basis")  # of how it was measured, not fitted
    found = throughput.held_out_errors(points).merge(throughput.fits(points)[[*throughput.REPLICA, "basis"]])
    words = "Error of every measured throughput predicted from the others of its replica, by GPU"
    across = alt.X("error:Q", title="predicted over measured, less 1", axis=alt.Axis(format="%"))
    ticks = alt.Chart(found[["gpu", "error"]], width=WIDTH, description=words).mark_tick(opacity=0.6)
    spread = found["basis"].map({basis: facts.value(f"throughput_sigma.{basis}") for basis in found["basis"].unique()})
    found["within"] = np.log1p(found["error"]).abs() <= spread
    by = found.assign(size=found["error"].abs()).groupby("basis")
    shown = {
        "Known by": list(by.groups),
        "Points": numbers(by.size(), "{:,.0f}"),
        "Mean error": numbers(by["size"].mean(), "{:.1%}"),
        "With its sign": numbers(by["error"].mean(), "{:+.1%}"),
        "Within the spread we draw": numbers(by["within"].mean(), "{:.0%}"),
        "Verdict": np.where(by["error"].mean() > 0, "a little hopeful", "a little cautious"),
    }
    picture = of(ticks.encode(x=across, y=alt.Y("gpu:N", title=None)))
    every = Fold("throughput", f"Every point: {len(found):,} published, with ours beside", lambda: _points(found))
    return Pieces([picture, table(shown, "Measured points, each held out in turn"), every])


def _points(found: pd.DataFrame) -> str:
    """Every measured throughput: published, ours from the others of its replica, difference, verdict."""
    shown = {
        "Model": found["model"],
        "Replica": found["gpus"].astype(int).astype(str) + " x " + found["gpu"] + ", " + found["precision"],
        "Known by": found["basis"],
        "Source": found["source"],
        "Tokens in": numbers(found["input_tokens"], "{:,.0f}"),
        "Tokens out": numbers(found["output_tokens"], "{:,.0f}"),
        "Published": numbers(found["output_tokens_per_s"], "{:,.0f}"),
        "Ours": numbers(found["predicted"], "{:,.0f}"),
        "Difference": numbers(found["error"], "{:+.1%}"),
        "Verdict": np.where(found["within"], "within the spread we draw", np.where(found["error"] > 0, "high", "low")),
    }
    return table(shown, "Output of a replica at full load [token/s]", left=4)


def loads(trace: str) -> Pieces:
    """A measured load against the Gamma law of the same mean and spread."""
    told = published.book()["traces"][trace]
    seen = Measured(pd.read_csv(published.FOLDER / told["file"]).iloc[:, 1].to_numpy(float))
    cv, none = float(seen.cv[0, 0]), np.zeros(1, np.intp)
    share = np.linspace(0.005, 0.995, 100)
    levels = {"measured": np.quantile(seen.hours, 1 - share), "Gamma": load_curve.load_quantile(1 - share, 1.0, cv)}
    curves = pd.concat([pd.DataFrame({"share": share, "load": load, "who": who}) for who, load in levels.items()])
    words = f"Load exceeded in a share of the {told['each']}s, measured and by the Gamma law: {told['title']}"
    drawn = alt.Chart(curves, width=WIDTH, height=220, description=words).mark_line()
    across = alt.X("share:Q", title=f"share of the {told['each']}s at least as busy", axis=alt.Axis(format="%"))
    up, who = alt.Y("load:Q", title="load over the mean"), alt.Color("who:N", title=None)
    rows = [
        (f"{p:.0%} of all are below", np.quantile(seen.hours, p), load_curve.load_quantile(p, 1.0, cv))
        for p in (0.9, 0.99)
    ]
    rows += [(f"mean above {k:g}", seen.spill(np.array(k), none), load_curve.spill(k, 1.0, cv)) for k in (1.0, 1.5)]
    what, measured, ours = zip(*rows, strict=True)
    difference = np.subtract(ours, measured)
    shown = {
        "Load over the mean": what,
        "Measured": numbers(measured, "{:.3f}"),
        "Ours, Gamma": numbers(ours, "{:.3f}"),
        "Difference": numbers(difference, "{:+.3f}"),
        "Verdict": np.where(difference > 0, "errs to more machines", "errs to fewer machines"),
    }
    about = f"Spread over mean {cv:.3f}; a base chosen by the Gamma law costs {regret(seen):.2%} more than the best"
    licence = f"<p>{escape(told['title'])} ({link(told['source'])}; {escape(told['licence'])}).</p>"
    return Pieces([of(drawn.encode(x=across, y=up, color=who, strokeDash="who:N")), table(shown, about) + licence])


def regret(seen: Measured) -> float:
    """What choosing a base by the Gamma law costs above the best base for a measured load [share].

    Mean over bases that cost 0.1 to 0.9 of an API for the same work.
    """
    base, ratio = np.linspace(0, seen.hours[-1], 2_000), np.linspace(0.1, 0.9, 9)[:, None]
    cost: Array = ratio * base + seen.spill(base, np.zeros(1, np.intp))
    chosen = (ratio * base + load_curve.spill(base, 1.0, seen.cv[0, 0])).argmin(axis=1)
    return float((cost[np.arange(9), chosen] / cost.min(axis=1) - 1).mean())


REQUESTS = 300_000
"""Requests of a simulation."""


def queueing(facts: Facts, seed: int = 7) -> Pieces:
    """The share of requests that waits in pools planned by our headroom: as planned, and in a simulation."""
    chance, rows = np.random.default_rng(seed), []
    for level in BY_NAME["latency"].choices:
        planned = facts.value(f"service.{level}.wait_probability")
        for cv in (1.0, facts.value("demand.arrival_cv"), 4.0):
            for busy in (50, 400):
                z = peakedness(cv, facts.value("serving.peakedness_cap"))
                slots = int(np.ceil(busy + headroom_beta(planned) * np.sqrt(z * busy)))
                rows.append(
                    (level, cv, busy, slots, planned, published.share_waiting(slots, busy, cv, REQUESTS, chance))
                )
    found = pd.DataFrame(rows, columns=["level", "cv", "busy", "slots", "planned", "seen"])
    error = found["seen"] - found["planned"]
    shown = {
        "Service level": [level_words(facts, level) for level in found["level"]],
        "Spread of arrivals": numbers(found["cv"], "{:g}"),
        "Busy slots": numbers(found["busy"], "{:,.0f}"),
        "Slots": numbers(found["slots"], "{:,.0f}"),
        "Planned to wait, ours": numbers(found["planned"], "{:.1%}"),
        "Waited, simulated": numbers(found["seen"], "{:.1%}"),
        "Difference": numbers(error, "{:+.1%}"),
        "Verdict": np.where(error > 0, "more wait", "fewer wait"),
    }
    about = f"Mean difference {error.abs().mean():.1%}, with its sign {error.mean():+.1%}"
    return Pieces([table(shown, about)])
