"""Time and memory of the main job, each beside its floor in the same run. Run it with `make bench`."""

import multiprocessing
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pyarrow
import pyarrow.csv

from where_to_run.analysis import breakeven, draws, uncertainty
from where_to_run.analysis.roadmap import roadmap
from where_to_run.batch import report
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, log_hours, question, usage

SEED = 20261122


def scenarios(number: int) -> pd.DataFrame:
    """Rows spread over volume, spikiness, growth, sensitivity and request size, 36 months each."""
    draw = np.random.default_rng(SEED)
    rows = pd.concat([question.grid()] * number, ignore_index=True)
    return rows.assign(
        requests_per_month=10 ** draw.uniform(4, 9, number),
        spikiness=draw.uniform(1.1, 15, number),
        growth_per_month=draw.uniform(-0.02, 0.1, number),
        sensitive_share=draw.uniform(0, 1, number),
        specialised_share=draw.uniform(0, 1, number),
        input_tokens=draw.uniform(200, 4000, number),
    )


def seconds(job: Callable[[], object], repeats: int = 1) -> float:
    """Median wall time of a job."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def bench_evaluate() -> None:
    known = facts.load()
    evaluate(question.grid(), known)
    print(f"{'rows':>8} {'seconds':>9} {'ms a row':>9} {'peak GB':>8}   all options, 36 months, two threads")
    for number, repeats in ((1, 50), (1_000, 3), (100_000, 1)):
        rows = scenarios(number)
        taken = seconds(lambda rows=rows: evaluate(rows, known).options, repeats)
        print(f"{number:>8,} {taken:>9.3f} {taken / number * 1e3:>9.3f} {peak_gb():>8.2f}")
    rows = scenarios(300)
    one_by_one = seconds(lambda: [evaluate(rows.iloc[[i]], known).options for i in range(len(rows))])
    print(f"floor: the same formulas row by row, {one_by_one / len(rows) * 1e3:.3f} ms a row over {len(rows)} rows")


def bench_map() -> None:
    known = facts.load()
    # a map is remembered for scenarios that differ in its two fields alone, so each differs in another
    asked = [question.grid(input_tokens=tokens) for tokens in (1200, 1201, 1202, 1203)]
    breakeven.decision_map(asked.pop(), known)
    taken = seconds(lambda: breakeven.decision_map(asked.pop(), known), 3)
    print(f"decision map of 80 x 80: {taken:.2f} s (limit 1 s)")


def bench_uncertainty() -> None:
    """A first answer and a full one of every preset, beside as many scenarios answered without draws."""
    known = facts.load()
    draws.points(2, 2)  # imports what it needs
    rows = scenarios(uncertainty.FULL)
    floor = seconds(lambda: evaluate(rows, known))
    print(
        f"{'uncertainty':>16} {'2^10 draws':>11} {'2^14 draws':>11}   limits 0.3 s and 3 s; {floor:.2f} s is evaluate"
    )
    for preset in ("", *question.presets()):
        answer = evaluate(question.grid(preset), known)
        plan = uncertainty.planned(answer)
        first, full = (
            seconds(lambda n=n, plan=plan: uncertainty.odds(plan.at(draws.points(n, len(draws.NAMES)))), 3)
            for n in (uncertainty.FIRST, uncertainty.FULL)
        )
        print(f"{preset or 'default':>16} {first:>9.2f} s {full:>9.2f} s   {len(plan.routings)} options")


def bench_roadmap() -> None:
    """A roadmap of 60 months with all its frames, beside answering the same scenario."""
    known, row = facts.load(), question.grid(horizon_months=60)

    def ours() -> object:
        road = roadmap(row, known)
        return road.now, road.by_quarter, road.first_move, road.triggers, road.waiting, road.preparations

    ours()
    alone, answer = seconds(lambda: roadmap(row, known), 5), seconds(lambda: evaluate(row, known), 20)
    frames = seconds(ours, 5)
    print(f"roadmap of 60 months: {alone:.2f} s, with every frame {frames:.2f} s (limit 1 s); an answer {answer:.3f} s")


def bench_report() -> None:
    """A report with everything imported, beside papermill on an empty notebook."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.ipynb"
        nbformat.write(
            nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": ""}}), empty
        )
        answer = evaluate(question.grid(), facts.load())

        def floor() -> object:
            return papermill.execute_notebook(
                str(empty), f"{folder}/out.ipynb", progress_bar=False, kernel_name="python3"
            )

        def ours() -> object:
            return report.make(answer, {}, Path(folder) / "report")

        floor(), ours()
        pairs = [(seconds(floor), seconds(ours)) for _ in range(7)]
    empty_s, report_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"report {report_s:.2f} s, papermill on an empty notebook {empty_s:.2f} s: {report_s / empty_s:.2f} times it")


def bench_usage(number: int = 10_000_000) -> None:
    """A log of ten million requests, within 15 s and 2 GB, beside counting its lines; in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        draw = np.random.default_rng(SEED)
        micros = np.sort(draw.integers(0, 90 * 86_400 * 10**6, number)) + 1_767_225_600 * 10**6
        times = pyarrow.array(micros, pyarrow.timestamp("us")).cast(pyarrow.string())
        tokens = {"ContextTokens": draw.integers(1, 8_000, number), "GeneratedTokens": draw.integers(1, 2_000, number)}
        pyarrow.csv.write_csv(pyarrow.table({"TIMESTAMP": times, **tokens}), path)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            read_s, gb, rows = alone.submit(_read_usage, path).result()
        floor_s = seconds(lambda: subprocess.run(["wc", "-l", path], check=True, capture_output=True))
    print(f"log of {rows:,} rows: {read_s:.1f} s, {gb:.2f} GB; counting its lines {floor_s:.1f} s")


def _read_usage(path: Path) -> tuple[float, float, int]:
    start = time.perf_counter()
    found = usage.usage(log_hours.read(path))
    return time.perf_counter() - start, peak_gb(), found.log.rows


if __name__ == "__main__":
    bench_usage()
    bench_evaluate()
    bench_map()
    bench_uncertainty()
    bench_roadmap()
    bench_report()
