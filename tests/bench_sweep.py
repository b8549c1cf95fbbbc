"""Time and memory of sweeps and of their reports, each beside its limit. Run it with `make bench-sweep` (LONG=1)."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import papermill

from where_to_run.inputs import question
from where_to_run.paths import NOTEBOOKS

LAWS = """\
  fields:
    requests_per_month: {distribution: loguniform, low: 1.0e+4, high: 1.0e+9}
    spikiness: [1.1, 15]
    growth_per_month: [-0.02, 0.1]
    sensitive_share: [0, 1]
    specialised_share: [0, 1]
    input_tokens: [200, 4000]
"""
SQUARE = """\
grid:
  requests_per_month: {from: 1.0e+5, to: 1.0e+8, steps: 10, log: true}
  spikiness: {from: 2, to: 11, steps: 10}
reports: all
"""


def drawn(number: int, reports: str = "none") -> str:
    """A sweep of as many scenarios, spread over six fields."""
    return f"sample:\n  n: {number}\n  seed: 20261122\n  method: latin_hypercube\n{LAWS}reports: {reports}\n"


def processes(pid: int) -> list[int]:
    """A process and all it has started."""
    try:
        first = [int(n) for t in Path(f"/proc/{pid}/task").iterdir() for n in (t / "children").read_text().split()]
    except OSError:
        return []
    return [pid] + [other for child in first for other in processes(child)]


def megabytes(pid: int) -> float:
    """Memory of a process, what it shares with others counted by its part (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def sweep(text: str, workers: int) -> tuple[float, float, dict]:
    """Wall time of a whole `where-to-run sweep` [s], its most memory over all processes [GB], and its last run."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "s.yaml", Path(folder) / "out"
        file.write_text(text)
        asked = [sys.executable, "-m", "where_to_run", "sweep", str(file), "--out", str(out), "--quiet"]
        start, most = time.perf_counter(), 0.0
        running = subprocess.Popen([*asked, "--workers", str(workers)], stdout=subprocess.DEVNULL)
        ended = threading.Event()

        def watch() -> None:
            nonlocal most
            while not ended.wait(0.5):
                most = max(most, sum(map(megabytes, processes(running.pid))) / 1e3)

        watching = threading.Thread(target=watch)
        watching.start()
        status = running.wait()
        taken = time.perf_counter() - start
        ended.set()
        watching.join()
        told = json.loads((out / "manifest.json").read_text())
        assert status == 0, told["failures"]
        size = sum(path.stat().st_size for path in (out / "results.parquet").rglob("*"))
        return taken, most, told["runs"][-1] | {"MB": size / 1e6}


def bench_size(long: bool) -> None:
    """Whole sweeps with two workers: start, answers, summary page."""
    print(
        f"{'scenarios':>10} {'seconds':>8} {'limit':>6} {'ms each':>8} {'peak GB':>8} {'limit':>6} {'MB written':>11}"
    )
    for number, seconds in [(10_000, None), (100_000, 30)] + [(1_000_000, 300)] * long:
        taken, most, run = sweep(drawn(number), 2)
        each = run["seconds for scenarios"] / number * 1e3
        limit = seconds or ""
        print(f"{number:>10,} {taken:>8.1f} {limit:>6} {each:>8.3f} {most:>8.2f} {2:>6} {run['MB']:>11.1f}", flush=True)


def bench_workers() -> None:
    """One worker beside two, from the first task sent to the last part written."""
    number = 100_000
    one, two = (sweep(drawn(number), workers)[2]["seconds for scenarios"] for workers in (1, 2))
    print(
        f"{number:,} scenarios: one worker {one:.1f} s, two {two:.1f} s: {one / two:.2f} times; limit 1.7", flush=True
    )


def stock(number: int) -> tuple[float, float]:
    """Seconds the report notebook takes by the command papermill, and by execute_notebook in one process."""
    volumes = [float(v) for v in question.grid(requests_per_month=[1e5, 1e6, 1e7, 1e8])["requests_per_month"]][:number]
    report, command = str(NOTEBOOKS / "report.ipynb"), str(Path(sys.executable).parent / "papermill")
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out.ipynb"
        start = time.perf_counter()
        for volume in volumes:
            asked = [command, report, out, "-p", "requests_per_month", str(volume), "--no-progress-bar"]
            subprocess.run(asked, check=True, capture_output=True)
        middle = time.perf_counter()
        for volume in volumes:
            given = {"requests_per_month": volume}
            papermill.execute_notebook(report, out, given, progress_bar=False, kernel_name="python3")
        end = time.perf_counter()
    return (middle - start) / len(volumes), (end - middle) / len(volumes)


def bench_reports() -> None:
    """Reports of a sweep (notebook, page, decision) beside a loop of papermill over the same notebook."""
    commands, calls = stock(4)
    print(f"stock papermill, mean of 4: the command {commands:.1f} s a report, execute_notebook {calls:.1f} s a report")
    for words, text in (("100 over volume and spikiness", SQUARE), ("24 that differ in six fields", drawn(24, "all"))):
        _, most, run = sweep(text, 2)
        each = (run["seconds in all"] - run["seconds for scenarios"]) / run["reports made"]
        print(
            f"{words}: {each:.2f} s each, {commands / each:.1f} times the command, {calls / each:.1f} times "
            f"execute_notebook; limit 5; peak {most:.2f} GB",
            flush=True,
        )


if __name__ == "__main__":
    bench_size("--long" in sys.argv)
    bench_workers()
    bench_reports()
