"""A fresh machine: the lock holds for Debian 12's Python, the tests find or get a browser, `make` says what it does."""

import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import get_browser
from where_to_run.paths import PROJECT

DEBIAN_12 = "3.11.2"
BROWSER = "echo Chromium 1.0"
STUB = "echo needs the chromium snap >&2; exit 1"
MAKE = shutil.which("make")


class Machine:
    """A machine whose PATH holds stand-ins only; each notes in a log how it was called."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.cache, self.log = folder / "bin", folder / "cache", folder / "log"

    def put(self, path: str | Path, does: str = BROWSER) -> str:
        """Lay a command there; a bare name goes on the PATH."""
        path = self.bin / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "${{0##*/}} $*" >> {self.log}\n{does}\n')
        path.chmod(0o755)
        return str(path)

    def downloaded(self, build: str = "chromium-1200", does: str = BROWSER) -> str:
        """Lay a browser where Playwright puts what it has downloaded."""
        folder = self.cache / "ms-playwright" / build
        path = self.put(folder / "chrome-linux64" / "chrome", does)
        (folder / "INSTALLATION_COMPLETE").touch()
        return path

    def brings(self, path: str) -> str:
        """The step of a stand-in that brings a browser which lies aside until then."""
        aside = self.put(self.log.parent / "aside")
        return f"/bin/mkdir -p {Path(path).parent} && /bin/cp {aside} {path}"

    def calls(self) -> list[str]:
        """How the stand-ins were called, but for browsers that were asked for their version."""
        noted = self.log.read_text().splitlines() if self.log.exists() else []
        return [call for call in noted if not call.endswith("--version")]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PLAYWRIGHT_", "MAKE", "MFLAGS"))]:
        monkeypatch.delenv(name)
    one = Machine(tmp_path)
    one.bin.mkdir()
    for tool in ("echo", "env", "touch"):
        (one.bin / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(one.bin))
    monkeypatch.setenv("XDG_CACHE_HOME", str(one.cache))
    monkeypatch.setenv("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")  # asks no host; the tests of that unset it
    monkeypatch.setattr(get_browser, "APPS", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return one


def test_every_pin_of_the_lock_is_installed_and_allows_the_python_of_debian_12():
    pins = [line.split("==") for line in (PROJECT / "requirements.lock").read_text().splitlines()]
    assert [pin for name, pin in pins] == [distribution(name).version for name, _ in pins]
    asked = {name: distribution(name).metadata.get("Requires-Python", "") for name, _ in pins}
    assert not {name: text for name, text in asked.items() if not SpecifierSet(text).contains(DEBIAN_12)}


def test_browsers_are_looked_for_in_the_order_of_the_docstring(machine, monkeypatch):
    assert get_browser.find() == ""
    # laid from the last to the first, so that each is found before those laid earlier
    older, newer = machine.downloaded("chromium-999"), machine.downloaded("chromium-1200")
    assert older and get_browser.find() == newer
    app = machine.put(machine.bin.parent / "Google Chrome.app" / "Google Chrome")
    monkeypatch.setattr(get_browser, "APPS", ("/nowhere/Google Chrome", app))
    assert get_browser.find() == app
    for name in ("google-chrome-stable", "google-chrome", "chromium-browser", "chromium"):
        path = machine.put(name)
        assert get_browser.find() == path


def test_a_browser_that_does_not_start_is_none_and_neither_is_half_a_download(machine):
    machine.put("chromium-browser", STUB)
    assert get_browser.find() == ""
    whole = machine.downloaded()
    assert get_browser.find() == whole
    (machine.cache / "ms-playwright/chromium-1200/INSTALLATION_COMPLETE").unlink()
    assert get_browser.find() == ""


def test_where_there_is_a_browser_nothing_is_done_or_said(machine, capfd):
    machine.put("apt-get")
    machine.put("google-chrome")
    get_browser.before()
    get_browser.download()
    assert machine.calls() == [] and capfd.readouterr() == ("", "")


APT = ["apt-get -qq update", "apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core"]


def test_root_gets_debians_package(machine, monkeypatch, capfd):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine.put("apt-get", f'[ "$2" = update ] || {{ {machine.brings(machine.bin / "chromium")}; echo Unpacking; }}')
    get_browser.before()
    assert machine.calls() == APT and get_browser.find() == str(machine.bin / "chromium")
    said = capfd.readouterr().out
    assert said == "No Chromium or Chrome: installing Debian's package with apt-get, about 110 MB to fetch.\n"


def test_a_user_whose_sudo_takes_no_password_gets_it_through_sudo(machine):
    machine.put("apt-get", f'[ "$2" = update ] || {machine.brings(machine.bin / "chromium")}')
    machine.put("sudo", 'shift; [ "$1" = true ] || exec "$@"')
    get_browser.before()
    given = [f"sudo -n env DEBIAN_FRONTEND=noninteractive {call}" for call in APT]
    assert machine.calls() == ["sudo -n true", given[0], APT[0], given[1], APT[1]]


@pytest.mark.parametrize("sudo", ["exit 1", None])
def test_where_sudo_wants_a_password_or_is_missing_apt_get_is_not_run(machine, sudo):
    machine.put("apt-get", machine.brings(machine.bin / "chromium"))
    if sudo:
        machine.put("sudo", sudo)
    with pytest.raises(SystemExit, match="apt-get needs root or a sudo without password"):
        get_browser.before()
    assert machine.calls() == (["sudo -n true"] if sudo else [])


def test_where_apt_get_fails_and_playwright_may_not_download_both_are_told(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine.put("apt-get", "exit 100")
    told = r"apt-get did not bring it; PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD is set\.$"
    with pytest.raises(SystemExit, match=told):
        get_browser.before()


@pytest.fixture
def host(monkeypatch):
    """A host for Playwright's download on this machine: what it answers, if anything, is up to the test."""
    monkeypatch.delenv("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server


def test_a_host_that_is_silent_or_away_is_given_up_within_a_second(machine, host):
    begin = time.monotonic()
    with pytest.raises(SystemExit, match=r"there is no apt-get; no answer from http://127\.0\.0\.1:"):
        get_browser.before()
    assert time.monotonic() - begin < 3  # a second, and what a busy machine adds
    host.close()
    with pytest.raises(SystemExit, match=r"no answer from"):
        get_browser.before()


def test_a_host_that_answers_anything_lets_the_environment_be_made_first(machine, host, capfd):
    def refuse() -> None:
        with host.accept()[0] as line:
            line.recv(4096)
            line.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

    with ThreadPoolExecutor() as pool:
        pool.submit(refuse)
        get_browser.before()
    assert "Playwright will download one once there is an environment" in capfd.readouterr().out


def test_with_the_environment_playwright_downloads(machine, monkeypatch, capfd):
    monkeypatch.setattr(sys, "executable", str(machine.bin / "python"))
    path = machine.downloaded()
    machine.put("playwright", machine.brings(path))
    Path(path).unlink()
    get_browser.download()
    assert machine.calls() == ["playwright install --no-shell chromium"] and get_browser.find() == path
    assert capfd.readouterr().out == "No Chromium or Chrome: Playwright downloads one.\n"


def test_a_download_that_fails_or_cannot_start_ends_with_what_to_install(machine, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(machine.bin / "python"))
    machine.put("playwright", "exit 1")
    with pytest.raises(SystemExit, match="apt-get install chromium"):
        get_browser.download()
    machine.downloaded(does="echo libnss3.so is missing >&2; exit 127")
    with pytest.raises(SystemExit, match="does not start for want of a system library"):
        get_browser.download()


def made(folder: Path, target: str, python: str) -> subprocess.CompletedProcess:
    """What `make` does in a fresh checkout."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "tests"):
        (folder / name).symlink_to(PROJECT / name)
    return subprocess.run([MAKE, target, f"PYTHON={python}"], cwd=folder, capture_output=True, text=True)


def test_make_test_without_a_browser_stops_at_once_and_says_what_to_install(machine, tmp_path):
    begin = time.monotonic()
    run = made(tmp_path, "test", sys.executable)
    assert time.monotonic() - begin < 3  # a second, and what a busy machine adds
    assert run.returncode and not (tmp_path / ".venv").exists() and run.stdout == ""
    for words in (
        "The tests need Chromium or Chrome",
        "not chromium, chromium-browser, google-chrome, google-chrome-stable",
        "sudo apt-get install chromium",
        "brew install --cask google-chrome",
        ".venv/bin/playwright install --with-deps chromium",
        "Not done for you: there is no apt-get; PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD is set.",
    ):
        assert words in run.stderr
    assert "pip" not in run.stderr and "Traceback" not in run.stderr


def test_make_says_before_each_step_what_it_does_and_needs_no_browser_for_a_report(machine, tmp_path):
    tool = machine.put(tmp_path / "aside" / "tool", 'echo "${0##*/} $1 $2 $3"')
    copies = " && ".join(f"/bin/cp {tool} .venv/bin/{name}" for name in ("python", "where-to-run"))
    python = machine.put("python3", f'[ "$2" != venv ] || {{ /bin/mkdir -p .venv/bin && {copies}; }}')
    run = made(tmp_path, "report", python)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "Making .venv, once: one to two minutes, 330 MB to fetch, 1.3 GB on disk. 1 of 3: an empty environment",
        "2 of 3: the packages of requirements.lock, most of the time",
        "python -m pip install",
        "3 of 3: this project",
        "python -m pip install",
        ".venv/bin/where-to-run report  ",
        "where-to-run report  ",
    ]
    again = subprocess.run([MAKE, "report", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
    assert again.stdout.splitlines() == [".venv/bin/where-to-run report  ", "where-to-run report  "]


def test_continuous_integration_installs_nothing_by_itself():
    assert (PROJECT / ".ci/run").read_text().splitlines()[-1] == "make check"
