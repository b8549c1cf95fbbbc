"""Sweeps run as a user runs them: on workers of this machine, on a scheduler elsewhere, killed, and run again."""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from where_to_run.analysis.findings import cells, moves
from where_to_run.batch import results as the_results
from where_to_run.batch import sweep_file
from where_to_run.batch.results import Part, Results, answer_part, file_of, pack, state
from where_to_run.batch.store import ASIDE, Store
from where_to_run.batch.sweep import chosen
from where_to_run.batch.sweep_plan import By, Reports
from where_to_run.cli import main
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import NAMES
from where_to_run.inputs import question
from where_to_run.inputs.facts import load
from where_to_run.paths import PROJECT

GRID = """\
preset: hospital
grid:
  requests_per_month: {from: 1.0e+5, to: 1.0e+8, steps: 12, log: true}
  spikiness: {from: 2, to: 9, steps: 10}
"""
MANY = GRID + "  growth_per_month: [0, 0.04]\nchunk: 4\n"
"""240 scenarios in 60 parts, so that there is a lot to interrupt."""


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "s.yaml").write_text(text)
    return folder / "s.yaml"


def command(file, out, *more):
    return [sys.executable, "-m", "where_to_run", "sweep", str(file), "--out", str(out), "--quiet", *more]


def sweep(file, out, *more, **options):
    return subprocess.run(command(file, out, *more), capture_output=True, text=True, timeout=150, **options)


def begun(asked) -> subprocess.Popen:
    return subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def parts(out) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (Path(out) / "results.parquet").iterdir()}


def wait_for(true, seconds=120.0):
    """What a condition gives once it holds; asked again it may not."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def children(pid) -> list[int]:
    """Processes started by a process, and by those."""
    first: list[int] = []
    with suppress(OSError):
        for thread in list(Path(f"/proc/{pid}/task").iterdir()):
            with suppress(OSError):  # a thread that has ended by now has none
                first += map(int, (thread / "children").read_text().split())
    return first + [other for child in first for other in children(child)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    file = written(folder, MANY)
    done = sweep(file, folder / "out", "--workers", "2")
    assert done.returncode == 0, done.stderr
    return file, folder / "out", parts(folder / "out")


def test_every_scenario_stands_in_the_results_once_as_evaluate_answers_it(undisturbed):
    file, out, _ = undisturbed
    found = pd.read_parquet(out / "results.parquet")
    plan = sweep_file.read(file)[0]
    wanted = evaluate(plan.rows(range(plan.size)), load()).options
    assert found["scenario"].tolist() == wanted["scenario"].tolist()
    names = ["verdict", "because", "unlock", "recommended", "npv_usd", "usd_per_month", "rank", "gpus"]
    for name in [*names, "level_usd_per_month", "generalised_usd_per_month"]:
        ours, theirs = (frame[name].astype(object).where(frame[name].notna(), None) for frame in (found, wanted))
        assert ours.tolist() == theirs.tolist()
    assert set(found["option"]) == set(NAMES)
    best = found[found["recommended"]]
    assert (best["winner"] == best["option"]).all() and set(found["winner"]) - set(best["option"]) <= {"none"}


@pytest.mark.parametrize("by", get_args(By))
def test_the_top_are_those_of_least_cost_by_whatever_column(undisturbed, by):
    file, out, _ = undisturbed
    found = pd.read_parquet(out / "results.parquet")
    best = found[found["recommended"]].set_index("scenario")[by]
    plan = replace(sweep_file.read(file)[0], reports=Reports("top", 5, by))
    numbers = chosen(plan, Results(str(out)))
    assert len(numbers) == 5 and best[numbers].max() <= best.drop(numbers).min() < best.max()
    assert f"the 5 scenarios with the lowest {by} of" in plan.reports.words


def test_one_process_writes_the_same_bytes_as_two_workers(undisturbed, tmp_path):
    file, _, before = undisturbed
    plan, facts, _ = sweep_file.read(file)
    key = pq.read_schema(undisturbed[1] / "results.parquet" / "part-00000.parquet").metadata[b"sweep"].decode()
    packed = pack(plan, facts, key, str(tmp_path))
    for number in (0, 30, 59):
        columns = plan.columns(range(*plan.span(number)))
        file = file_of(plan, number)
        failures = answer_part(packed, Part(number, columns, file))
        assert failures == [] and (tmp_path / file).read_bytes() == before[Path(file).name]


def test_the_manifest_tells_inputs_facts_software_and_timings(undisturbed):
    told = json.loads((undisturbed[1] / "manifest.json").read_text())
    assert told["state"] == "finished" and told["failures"] == [] and told["scenarios"] == 240 and told["text"] == MANY
    assert told["inputs"]["preset"] == "hospital" and told["facts"]["as_of"] == load().as_of
    assert set(told["facts"]["tables"]) >= {"api_offers", "machines", "rules"}
    assert all(len(table["sha256"]) >= 32 for table in told["facts"]["tables"].values())
    assert {"python", "numpy", "pyarrow", "dask"} <= set(told["software"])
    assert told["runs"][0]["scenarios answered"] == 240 and told["runs"][0]["threads"] == 2


def test_the_hash_of_the_code_covers_every_file_a_result_comes_through():
    asked = "import sys, where_to_run.batch.results; print(*(n for n in sys.modules if n.startswith('where_to_run.')))"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    files = [name for name in loaded if not (PROJECT / "lib" / "where_to_run" / Path(*name.split(".")[1:])).is_dir()]
    rooms = {name.split(".")[1] if name.count(".") > 1 else "." for name in files}
    assert len(files) > 30 and rooms <= set(the_results.MAKING)


def test_the_summary_loads_nothing_and_runs_nothing(undisturbed):
    page = (undisturbed[1] / "summary.html").read_text()
    assert "<script" not in page and not re.search(r'(src|href)="(?!data:|reports/|#|https://)', page)
    assert not re.search(r'<(img|link|iframe)[^>]*(src|href)="https?:', page) and "@import" not in page
    assert page.count("<img alt=") >= 5 and "What moves the answer most is volume" in page
    assert 'type="radio"' in page and "240 scenarios" in page


def test_run_again_it_does_nothing_and_changes_no_byte(undisturbed):
    file, out, before = undisturbed
    stamps = {path: path.stat().st_mtime_ns for path in (out / "results.parquet").iterdir()}
    done = sweep(file, out, "--workers", "1")
    assert done.returncode == 0 and "240 scenarios, 0 of them answered now" in done.stdout
    assert parts(out) == before and stamps == {path: path.stat().st_mtime_ns for path in stamps}


def test_a_damaged_or_missing_part_is_made_anew(undisturbed, tmp_path):
    file, out, before = undisturbed
    (out / "results.parquet" / "part-00003.parquet").write_bytes(b"half a fi")
    (out / "results.parquet" / "part-00004.parquet").unlink()
    done = sweep(file, out, "--workers", "1")
    assert "8 of them answered now" in done.stdout and parts(out) == before


def test_a_folder_of_another_sweep_or_of_other_things_is_left_alone(undisturbed, tmp_path):
    _, out, before = undisturbed
    told = sweep(written(tmp_path, MANY.replace("0.04]", "0.05]")), out)
    assert (
        told.returncode == 2 and "holds another sweep: the file changed since" in told.stderr and parts(out) == before
    )
    (tmp_path / "thesis.txt").write_text("mine")
    told = sweep(tmp_path / "s.yaml", tmp_path)
    assert told.returncode == 2 and "and no sweep of this kind; name a new folder" in told.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.yaml", "thesis.txt"]


def test_killed_at_ten_random_moments_and_run_again_it_is_as_if_undisturbed(undisturbed, tmp_path):
    file, _, before = undisturbed
    out, draw, kills, unfinished, most = tmp_path / "out", random.Random(5), 0, 0, 0.0
    for _ in range(10):
        running = begun(command(file, out, "--workers", "1"))
        if most:
            time.sleep(draw.uniform(0.3, 1.5) * most)
        else:  # how long it takes until the first parts are written, here and now
            start = time.monotonic()
            wait_for(lambda: len(list(out.glob("results.parquet/part-*"))) > 2)
            most = time.monotonic() - start
        kills += running.poll() is None
        kill(running.pid)
        running.wait()
        here = {name: content for name, content in (parts(out) if (out / "results.parquet").exists() else {}).items()}
        assert all(before[name] == content for name, content in here.items() if not name.startswith(ASIDE))
        unfinished += 0 < len(here) < len(before)
        if (out / "manifest.json").exists():
            assert json.loads((out / "manifest.json").read_text())["scenarios"] == 240
    assert kills >= 5 and unfinished >= 1
    done = sweep(file, out, "--workers", "1")
    assert done.returncode == 0 and parts(out) == before
    assert not [path for path in out.rglob("*") if path.name.startswith(ASIDE)]


def test_a_worker_that_is_killed_costs_nothing_but_time(undisturbed, tmp_path):
    file, _, before = undisturbed
    running = begun(command(file, tmp_path / "out", "--workers", "2"))
    folder = tmp_path / "out" / "results.parquet"
    wait_for(lambda: folder.exists() and len(list(folder.iterdir())) > 10)
    workers = [pid for pid in children(running.pid) if b"spawn_main" in command_line(pid)]
    assert workers
    kill(workers[0])
    assert running.wait(timeout=120) == 0 and parts(tmp_path / "out") == before


@contextmanager
def elsewhere(folder, workers):
    """A scheduler and workers, each a process of its own, on loopback."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    told = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    asked = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
    started = [subprocess.Popen([*dask, *asked], **quiet)]
    try:
        wait_for(told.exists)
        wait_for(lambda: told.read_text().strip().endswith("}"))
        address = json.loads(told.read_text())["address"]
        for number in range(workers):
            asked = ["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--name", f"w{number}"]
            started.append(subprocess.Popen([*dask, *asked], **quiet))
        yield address, started[1:]
    finally:
        for process in reversed(started):
            kill(process.pid)
            process.wait()


def test_a_scheduler_and_workers_elsewhere_give_the_same_though_one_is_killed(undisturbed, tmp_path):
    file, _, before = undisturbed
    folder = tmp_path / "out" / "results.parquet"
    with elsewhere(tmp_path, 2) as (address, workers):
        asked = command(file, tmp_path / "out", "--scheduler", address)
        patient = {**os.environ, "WHERE_TO_RUN_PATIENCE": "100"}
        running = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=patient)
        wait_for(lambda: folder.exists() and len(list(folder.iterdir())) > 10)
        kill(workers[0].pid)
        _, said = running.communicate(timeout=120)
    assert running.returncode == 0, said
    assert parts(tmp_path / "out") == before


def test_a_scheduler_that_does_not_answer_or_has_no_worker_is_told_and_nothing_begun(tmp_path):
    file = written(tmp_path, GRID)
    slow = {**os.environ, "WHERE_TO_RUN_PATIENCE": "2"}
    told = sweep(file, tmp_path / "a", "--scheduler", "tcp://127.0.0.1:1", env=slow)
    assert told.returncode == 2 and "the scheduler tcp://127.0.0.1:1 does not answer within 2 s" in told.stderr
    with elsewhere(tmp_path, 0) as (address, _):
        told = sweep(file, tmp_path / "b", "--scheduler", address, env=slow)
    assert told.returncode == 2 and "has no worker; start one: dask worker" in told.stderr
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_a_full_disk_leaves_no_half_written_file_and_the_rest_is_done_later(tmp_path):
    file = written(tmp_path, GRID + "chunk: 120\n")

    def full():  # a file may grow to some kilobytes: writing a part fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, resource.RLIM_INFINITY))

    told = sweep(file, tmp_path / "out", "--workers", "1", preexec_fn=full)
    assert told.returncode == 2 and "cannot write" in told.stderr and "Traceback" not in told.stderr
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == ["manifest.json"]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["state"] == "unfinished"
    assert sweep(file, tmp_path / "out", "--workers", "1").returncode == 0
    assert len(pd.read_parquet(tmp_path / "out" / "results.parquet")) == 120 * len(NAMES)


def test_an_output_that_cannot_be_written_is_told_first(tmp_path):
    file = written(tmp_path, GRID)
    (tmp_path / "file").write_text("")
    told = sweep(file, tmp_path / "file" / "out")
    assert told.returncode == 2 and "cannot write" in told.stderr
    told = sweep(file, "nothing://there/out")
    assert told.returncode == 2 and "no folder that can be written" in told.stderr


def makers(pid) -> list[int]:
    """Of the processes a process has started those that make reports."""
    return [child for child in children(pid) if b"where_to_run.batch.notebook_worker" in command_line(child)]


def command_line(pid) -> bytes:
    """The words a process was started with; none where it has ended by now."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_disk_full_and_killed_while_reports_are_made_it_makes_what_is_missing(tmp_path):
    file, out = written(tmp_path, GRID + "reports: {top: 3, by: usd_per_month}\n"), tmp_path / "out"

    def pages():
        """When each report's page was written; a page means a whole report."""
        found = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("reports/*/report.html")}
        for name in found:
            assert (out / "reports" / name / "report.html").read_text().rstrip().endswith("</html>")
            assert json.loads((out / "reports" / name / "decision.json").read_text())["recommended"]
        return found

    def full():  # the results fit, a report does not
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))

    told = sweep(file, out, "--workers", "1", preexec_fn=full)
    assert told.returncode == 2 and "cannot write" in told.stderr and "File too large" in told.stderr
    results = (out / "results.parquet").read_bytes()
    assert pages() == {} and not (out / "summary.html").exists()

    running = begun(command(file, out, "--workers", "1"))
    wait_for(pages)
    kill(running.pid)  # the client
    running.wait()
    first = pages()
    assert 1 <= len(first) <= 3

    running = begun(command(file, out, "--workers", "2"))
    kill(wait_for(lambda: makers(running.pid))[0])
    assert running.wait(timeout=120) == 1
    told = json.loads((out / "manifest.json").read_text())
    assert told["state"] == "finished with failures" and "died with status -9" in told["failures"][0]["why"]

    running = begun(command(file, out, "--workers", "2"))
    (maker, *_) = wait_for(lambda: makers(running.pid))
    kill(int(Path(f"/proc/{maker}/stat").read_text().split()[3]))  # the worker it works for
    assert running.wait(timeout=120) == 0
    last = pages()
    assert len(last) == 3 and first.items() <= last.items()
    assert (out / "results.parquet").read_bytes() == results
    told = json.loads((out / "manifest.json").read_text())
    assert told["state"] == "finished" and told["runs"][-1]["scenarios answered"] == 0
    best = pd.read_parquet(out / "results.parquet", filters=[("recommended", "==", True)]).set_index("scenario")
    page = (out / "summary.html").read_text()
    for name in last:
        decided = json.loads((out / "reports" / name / "decision.json").read_text())
        assert decided["recommended"] == best.at[int(name), "option"] and f'href="reports/{name}/report.html"' in page


def test_a_manifest_cut_short_is_told_and_without_it_the_parts_are_known(undisturbed, tmp_path, capsys):
    file, out, before = undisturbed
    here = tmp_path / "out"
    shutil.copytree(out, here)
    manifest = (here / "manifest.json").read_bytes()
    (here / "manifest.json").write_bytes(manifest[: len(manifest) // 2])
    assert main(["sweep", str(file), "--out", str(here)]) == 2
    assert "is no sweep's, or damaged" in capsys.readouterr().err and parts(here) == before
    (here / "manifest.json").unlink()
    (here / "summary.html").unlink()
    done = sweep(file, here, "--workers", "1")
    assert done.returncode == 0 and "0 of them answered now" in done.stdout and parts(here) == before


def test_results_that_somebody_has_written_anew_are_left_alone(undisturbed, tmp_path, capsys):
    file, out, _ = undisturbed
    here = tmp_path / "out"
    shutil.copytree(out, here)
    edited = here / "results.parquet" / "part-00007.parquet"
    pd.read_parquet(edited).assign(winner="owned").to_parquet(edited)
    content = edited.read_bytes()
    assert main(["sweep", str(file), "--out", str(here)]) == 2
    assert "part-00007.parquet is not what this sweep wrote; move it away" in capsys.readouterr().err
    assert edited.read_bytes() == content


def test_a_store_without_credentials_is_told_in_words(tmp_path, capsys, monkeypatch):
    def refuse(*arguments, **options):
        raise RuntimeError("Unable to locate credentials")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", refuse)
    assert main(["sweep", str(written(tmp_path, GRID)), "--out", "memory://bucket/out"]) == 2
    told = capsys.readouterr().err
    assert "cannot write: memory://bucket/out: RuntimeError: Unable to locate credentials" in told


def test_a_scenario_that_fails_is_told_and_the_rest_of_its_part_is_answered(tmp_path, monkeypatch):
    plan, facts, _ = sweep_file.read(written(tmp_path, GRID + "chunk: 40\n"))

    def fragile(rows, known, **options):
        if ((rows["requests_per_month"] == 1e5) & (rows["spikiness"] == 9)).any():
            raise ZeroDivisionError("by nothing")
        return evaluate(rows, known, **options)

    monkeypatch.setattr(the_results, "evaluate", fragile)
    packed = pack(plan, facts, "key", str(tmp_path))
    failures = answer_part(packed, Part(0, plan.columns(range(40)), "p.parquet"))
    assert failures == [(9, "ZeroDivisionError: by nothing")]
    found = pd.read_parquet(tmp_path / "p.parquet")
    assert sorted(set(range(40)) - set(found["scenario"])) == [9] and len(found) == 39 * len(NAMES)
    assert state(Store(str(tmp_path)), "p.parquet", "key") == [(9, "ZeroDivisionError: by nothing")]
    with pytest.raises(question.ScenarioError, match="not what this sweep wrote; move it away"):
        state(Store(str(tmp_path)), "p.parquet", "another")


def test_an_object_store_takes_what_a_folder_takes(tmp_path):
    plan, facts, _ = sweep_file.read(written(tmp_path, GRID + "chunk: 60\n"))
    for address in ("memory://bucket/out", str(tmp_path / "out")):
        packed = pack(plan, facts, "key", address)
        for number in range(plan.parts):
            columns = plan.columns(range(*plan.span(number)))
            answer_part(packed, Part(number, columns, file_of(plan, number)))
    far, near = Store("memory://bucket/out"), Store(str(tmp_path / "out"))
    assert far.names("results.parquet") == near.names("results.parquet") == {"part-00000.parquet", "part-00001.parquet"}
    for number in range(plan.parts):
        file = file_of(plan, number)
        assert far.read(file) == near.read(file) and state(far, file, "key") == []
    far.write("manifest.json", b'{"swept": []}')
    assert len(Results("memory://bucket/out").scenarios("winner")) == 120


def test_two_sweeps_do_not_write_to_one_folder(tmp_path):
    first, second = Store(str(tmp_path)), Store(str(tmp_path))
    with first.taken(), pytest.raises(question.ScenarioError, match="another sweep is writing"), second.taken():
        pass
    with second.taken():
        pass


def test_a_field_that_decides_the_winner_removes_all_uncertainty_and_one_that_does_not_none():
    winner = ["api", "api", "owned", "owned"]
    rows = pd.DataFrame({"spikiness": [2.0, 2.0, 8.0, 8.0], "skill_ml": [1, 2, 1, 2], "winner": winner})
    found = moves(rows, ["skill_ml", "spikiness"])
    assert found["field"].tolist() == ["spikiness", "skill_ml"] and found["removed"].tolist() == pytest.approx([1, 0])


def test_the_map_has_the_option_that_wins_most_at_every_pair_of_values_and_none_of_scenarios_that_are_drawn():
    winner = ["api", "owned", "owned", "api", "api", "rented"]
    rows = pd.DataFrame({"spikiness": [2.0, 2.0, 2.0, 8.0, 2.0, 8.0], "skill_ml": [1, 1, 1, 1, 2, 2], "winner": winner})
    found = cells(rows, "spikiness", "skill_ml").set_index(["spikiness", "skill_ml"])["option"]
    assert found.to_dict() == {(2.0, 1): "owned", (8.0, 1): "api", (2.0, 2): "api", (8.0, 2): "rented"}
    assert cells(rows.assign(spikiness=[1.1, 2.2, 3.3, 4.4, 5.5, 6.6]), "spikiness", "skill_ml").empty
