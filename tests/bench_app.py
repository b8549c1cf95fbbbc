"""Speed of the app in a browser, each figure beside its floor in the same run. Run it with `make bench-app`.

The floors are pages that do nearly nothing: one where a slider's value comes back from the kernel and is shown, and
Voila's own page with a word and a label. What is timed ends in the task after the frame is painted. Browsers reach
this machine only, so the styles that Voila's own page asks of another host fail at once.
"""

import contextlib
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page

import served
from browser import chromium
from served import Server, wait_until

SLIDERS = ("requests_per_month", "spikiness", "budget_usd_per_month", "skill_operations")
STEPS = (1, 1, 1, -1, -1, -1, -1, -1, 1, 1)
"""Steps of a slider, from the default and back to it; no slider meets its end."""

LOADS = 7
VISITORS = 8
PAUSE_MS = 250
"""From a painted move to the next."""

REFILL_S = 3
"""From a visit to the next warm kernel, on every server, so that it does not compete with the page that loads."""

QUIET_S = 0.05
"""A server that takes less time of a processor in a second has nothing to do, so its kernel is warm [second]."""

LIMITS = {"slider": 100.0, "open": 1.3, "picture": 1000.0}
"""Milliseconds for the p95 of a move, times the floor for the opening, milliseconds for the first picture."""

ECHO = """
import anywidget
import traitlets


class Echo(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
      const input = document.createElement("input");
      Object.assign(input, { type: "range", id: "wtr-echo", max: 100, value: 50 });
      const output = document.createElement("output");
      const show = () => {
        const { value, rev } = model.get("state");
        output.textContent = value;
        Object.assign(el.dataset, { rev, settled: true });
      };
      input.addEventListener("input", () => { el.dataset.settled = false; model.send({ value: +input.value }); });
      model.on("change:state", show);
      el.classList.add("wtr-board");
      el.append(input, output);
      show();
    } };
    '''
    state = traitlets.Dict({"value": 50, "rev": 1}).tag(sync=True)

    def answer(self, _, message, __):
        self.state = {"value": message["value"], "rev": self.state["rev"] + 1}


echo = Echo()
echo.on_msg(echo.answer)
echo
"""
HELLO = ("print('hello')", "import ipywidgets\nipywidgets.Label('hello')")

STOPWATCH = """(() => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now());
    port2.postMessage(0);
  }));
  const repainted = () => new Promise((done, failed) => {
    const began = performance.now(), board = document.querySelector(".wtr-board"), rev = +board.dataset.rev;
    setTimeout(() => failed(new Error(`not repainted: ${board.dataset.rev}, ${board.innerText.slice(0, 300)}`)), 15000);
    let charts;
    const watcher = new MutationObserver(async () => {
      if (!(+board.dataset.rev > rev)) return;
      const now = painted();
      charts ??= now;
      if (board.dataset.settled !== "true") return;
      watcher.disconnect();
      done([await charts - began, await now - began]);
    });
    watcher.observe(board, { attributes: true });
  });
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility() && element.textContent.trim();
  const seen = (...selectors) => selectors.every((one) => all(one).some(shown));
  const goals = {
    picture: () => all("#example img").some((image) => image.complete && image.naturalWidth),
    board: () => seen(".wtr-board[data-rev]", "#wtr-bottom-line") && !document.getElementById("loading"),
    echo: () => seen("#wtr-echo + output"),
    hello: () => seen(".widget-label", "pre"),
  };
  const first = {};
  const look = () => {
    for (const [name, met] of Object.entries(goals)) if (!(name in first) && met()) {
      first[name] = null;
      painted().then((at) => (first[name] = at));
    }
    if (!("board" in first || "echo" in first || "hello" in first)) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  const key = () => {
    const once = { capture: true, once: true };
    bench.ms = new Promise((done, failed) => addEventListener("keydown", () => repainted().then(done, failed), once));
  };
  const drag = (moves, pause) => {
    bench.all = (async () => {
      const taken = [];
      for (const [id, step] of moves) {
        await new Promise((done) => setTimeout(done, pause));
        const slider = document.getElementById(id), end = repainted();
        slider[step > 0 ? "stepUp" : "stepDown"]();
        slider.dispatchEvent(new Event("input"));
        taken.push(await end);
      }
      return taken;
    })();
  };
  globalThis.bench = { first, key, drag };
})()"""


ALONE = ("--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
"""Flags of a browser that finds no other host; no request goes through the bench."""


@contextlib.contextmanager
def stock(folder: Path, notebook: Path) -> Iterator[Server]:
    """Voila as it comes, with its template `lab` and one warm kernel."""
    port = served.free_port()
    given = ["--no-browser", f"--port={port}", "--preheat_kernel=True", "--pool_size=1", "--template=lab"]
    arguments = ["-m", "voila", str(notebook), *given, f"--MappingKernelManager.fill_delay={REFILL_S}"]
    with served._running(arguments, f"http://127.0.0.1:{port}/", "voila/static/voila.js", folder / "stock.log") as one:
        yield one


def busy_s(pid: int) -> float:
    """Time of a processor that a process and all below it have taken, those that have ended included [second]."""
    parent, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            numbers = path.read_text().rpartition(")")[2].split()
            parent[int(path.parent.name)], ticks[int(path.parent.name)] = int(numbers[1]), sum(map(int, numbers[11:15]))

    def below(one: int) -> bool:
        while one and one != pid:
            one = parent.get(one, 0)
        return one == pid

    return sum(ticks[one] for one in ticks if below(one)) / os.sysconf("SC_CLK_TCK")


def machine_s() -> float:
    """Time that all processors of the machine were busy [second]."""
    user, nice, system, _idle, _wait, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def others() -> Iterator[None]:
    """Say how much of the processors other work took meanwhile, which is in every figure."""
    began, ours, all_of_it = time.monotonic(), busy_s(os.getpid()), machine_s()
    yield
    taken = (machine_s() - all_of_it) - (busy_s(os.getpid()) - ours)
    share = max(0.0, taken) / (time.monotonic() - began) / (os.cpu_count() or 1)
    print(f"  other work took {share:.0%} of the processors meanwhile", flush=True)


def rest(*servers: Server) -> None:
    """Wait until every server has filled its pool again: the refill has begun, and then nothing is left to do."""
    time.sleep(REFILL_S)

    def idle() -> bool:
        before = [busy_s(server.process.pid) for server in servers]
        time.sleep(1)
        return all(busy_s(server.process.pid) - b < QUIET_S for server, b in zip(servers, before, strict=True))

    wait_until(idle, 60, "a server does not come to rest")


@contextlib.contextmanager
def page(browser: Browser, server: Server, goal: str) -> Iterator[Page]:
    """A page in a fresh context once it shows what it is for; errors of its scripts are errors here."""
    context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(STOPWATCH)
    one, errors = context.new_page(), []
    one.on("pageerror", lambda error: errors.append(str(error)))
    one.goto(server.url(), wait_until="commit")
    one.wait_for_function(f"bench.first.{goal}", timeout=30_000, polling=500)
    yield one
    assert not errors, errors
    one.goto("about:blank")  # leaves the page, which gives its seat back
    context.close()


def pressed(one: Page, slider: str, steps: tuple[int, ...]) -> list[list[float]]:
    """From each press of an arrow key on a slider to the painted charts, and to the last table [ms]."""
    one.focus(f"#wtr-{slider}")
    taken = []
    for step in steps:
        one.wait_for_timeout(PAUSE_MS)
        one.evaluate("bench.key()")
        one.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
        taken.append(one.evaluate("bench.ms"))
    return taken


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def line(figure: str, unit: str, *cells: object) -> None:
    """Print a line of the table: figure, unit, then here, floor, limit, verdict."""
    here, floor, limit, verdict = (f"{c:.0f}" if isinstance(c, float) else str(c) for c in cells)
    print(f"{figure:<48} {unit:<5} {here:>7} {floor:>7}  {limit:<19} {verdict}", flush=True)


def judged(value: float, limit: float) -> str:
    return "ok" if value <= limit else f"over by {value - limit:.0f}"


def bench_slider(browser: Browser, ours: Server, echo: Server) -> None:
    """One visitor, one slider after another, on the default scenario; the floor in turn with it."""
    here, floor = [], []
    with page(browser, ours, "board") as board, page(browser, echo, "echo") as other:
        rest(ours, echo)
        for name in SLIDERS:
            here.append(pressed(board, name, STEPS))
            floor.append(pressed(other, "echo", STEPS))
    for what, at, limit in (("recommendation and charts", 0, LIMITS["slider"]), ("the last table", 1, None)):
        mine, echoed = ([taken[at] for taken in chain.from_iterable(part)] for part in (here, floor))
        line(f"key to {what}, {len(mine)} moves, p50", "ms", statistics.median(mine), statistics.median(echoed), "", "")
        told = (f"{limit:.0f}", judged(p95(mine), limit)) if limit else ("", "")
        line(f"key to {what}, p95", "ms", p95(mine), p95(echoed), *told)
    for name, moves in zip(SLIDERS, here, strict=True):
        taken = [charts for charts, _ in moves]
        line(
            f"  {name}: median, first, longest",
            "ms",
            statistics.median(taken),
            "",
            f"{taken[0]:.0f}, {max(taken):.0f}",
            "",
        )


def bench_open(browser: Browser, ours: Server, hello: Server) -> None:
    """Fresh browsers with warm kernels, in turn; the first of each is not counted, because files are read then."""
    board, picture, floor = [], [], []
    for _ in range(LOADS + 1):
        rest(ours, hello)
        with page(browser, ours, "board") as one:
            first = one.evaluate("bench.first")
            board.append(first["board"])
            picture.append(first["picture"])
        rest(ours, hello)
        with page(browser, hello, "hello") as one:
            floor.append(one.evaluate("bench.first.hello"))
    here, there = statistics.median(board[1:]), statistics.median(floor[1:])
    times, limit = LIMITS["open"], LIMITS["open"] * there
    line(
        f"page open to live recommendation, {LOADS} loads, p50",
        "ms",
        here,
        there,
        f"{limit:.0f} ({times} times)",
        f"{judged(here, limit)}: {here / there:.2f} times",
    )
    line("  longest", "ms", max(board[1:]), max(floor[1:]), "", "")
    seen, limit = statistics.median(picture[1:]), LIMITS["picture"]
    line("page open to first picture of the example, p50", "ms", seen, "", f"{limit:.0f}", judged(seen, limit))
    line("  longest", "ms", max(picture[1:]), "", "", "")


def pss_mb(pid: int) -> float:
    """Memory of a process, its part of what is shared included."""
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6


def kernel_pid(server: Server, one: Page) -> int:
    """The process behind a page."""
    kernel = one.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    return next(pid for pid in server.kernels() if kernel in Path(f"/proc/{pid}/cmdline").read_text())


def bench_crowd(browser: Browser, ours: Server) -> None:
    """Eight visitors who all move sliders, each two of them, first a move a second and then without a pause."""
    with contextlib.ExitStack() as stack:
        pages = []
        for _ in range(VISITORS):
            rest(ours)
            pages.append(stack.enter_context(page(browser, ours, "board")))
        rest(ours)
        for pause, words in ((1000, "a second apart"), (0, "without a pause")):
            for at, one in enumerate(pages):
                names = [SLIDERS[(at + more) % len(SLIDERS)] for more in range(2)]
                one.evaluate(
                    "([moves, pause]) => bench.drag(moves, pause)",
                    [[[f"wtr-{n}", s] for n in names for s in STEPS], pause],
                )
            taken = [ms for one in pages for _, ms in one.evaluate("bench.all")]
            what = f"{VISITORS} visitors, moves {words}"
            line(f"{what}, p50", "ms", statistics.median(taken), "", "", "")
            line(f"{what}, p95", "ms", p95(taken), "", "", "")
        kernels = [pss_mb(kernel_pid(ours, one)) for one in pages]
        line(
            "  memory of a visitor's kernel, median",
            "MB",
            statistics.median(kernels),
            "",
            f"{min(kernels):.0f} to {max(kernels):.0f}",
            "",
        )
        line("  memory of the server", "MB", pss_mb(ours.process.pid), "", "", "")


def load(when: str) -> None:
    """Say how much the machine has to do."""
    print(
        f"load {when}: {', '.join(f'{one:.2f}' for one in os.getloadavg())} on {os.cpu_count()} processors", flush=True
    )


def main() -> None:
    load("before")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = {"warm": 1, "fill_delay_s": REFILL_S}
        ours = stack.enter_context(served.app(folder, seats=VISITORS, **service))
        (folder / "echo").mkdir()
        notebook = served.notebook(folder / "echo.ipynb", ECHO)
        echo = stack.enter_context(served.app(folder / "echo", notebook, **service))
        hello = stack.enter_context(stock(folder, served.notebook(folder / "hello.ipynb", *HELLO)))
        browser = stack.enter_context(chromium(*ALONE))
        rest(ours, echo, hello)
        print(f"{'figure':<48} {'':<5} {'here':>7} {'floor':>7}  {'limit':<19} verdict")
        with others():
            bench_slider(browser, ours, echo)
        echo.stop()
        with others():
            bench_open(browser, ours, hello)
        hello.stop()
        with others():
            bench_crowd(browser, ours)
    load("after")


if __name__ == "__main__":
    main()
