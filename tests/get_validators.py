"""The programs that check the files of a kit, in .validators/bin: `make validators` gets those that are not there.

LiteLLM's proxy and SkyPilot fit no lock of ours, so each has an environment of its own, pinned in tests/*.lock.
promtool is unpacked out of Debian's `prometheus`, whose daemon is not wanted; LibreOffice Calc is Debian's package.
Where there is no apt-get, or no right to install, a line says what is missing: the tests that need it are skipped then,
and fail where CI is set.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from get_browser import become

TESTS = Path(__file__).parent
HOME = TESTS.parent / ".validators"
BIN = HOME / "bin"
UV = "uv==0.13.9"
"""Installs in a quarter of the time pip takes."""

CALC = "libreoffice-calc-nogui"


def environment(name: str, program: str) -> None:
    """An environment with what a lock names; its program goes to .validators/bin."""
    uv, folder, lock = HOME / "uv/bin/uv", HOME / name, TESTS / f"{name}.lock"
    if (made := folder / lock.name).exists() and made.read_bytes() == lock.read_bytes():
        return
    print(f"Making an environment for {name}, to check the files of a kit", flush=True)
    if not uv.exists():
        run(sys.executable, "-m", "venv", HOME / "uv")
        run(HOME / "uv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)
    run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    run(uv, "pip", "install", "--quiet", "--python", folder / "bin/python", "-r", lock)
    (BIN / program).unlink(missing_ok=True)
    (BIN / program).symlink_to(folder / "bin" / program)
    shutil.copy(lock, made)


def promtool() -> None:
    """promtool alone, of Debian's package of Prometheus."""
    if shutil.which("promtool", path=f"{BIN}{os.pathsep}{os.environ['PATH']}"):
        return
    print("Getting promtool, to check the files of a kit: 20 MB", flush=True)
    update()
    with tempfile.TemporaryDirectory() as folder:
        run("apt-get", "-qq", "download", "prometheus", cwd=folder)
        (package,) = Path(folder).glob("prometheus_*.deb")
        run("dpkg-deb", "--extract", package, folder)
        shutil.copy(Path(folder) / "usr/bin/promtool", BIN)


def soffice() -> None:
    """LibreOffice Calc without windows, installed on the machine."""
    if shutil.which("soffice"):
        return
    print("Installing LibreOffice Calc with apt-get, to check the files of a kit", flush=True)
    as_root = update()
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    run(*apt, "install", "-y", "--no-install-recommends", CALC, stdout=subprocess.DEVNULL)


def run(*command: object, **more: object) -> None:
    """Run a command; raises where it is not there or fails."""
    subprocess.run([str(part) for part in command], check=True, **more)  # type: ignore[call-overload]


def update() -> list[str]:
    """Have apt-get know what there is; returns what goes before a command that needs root."""
    if (as_root := become()) is None:
        raise OSError("it takes root or a sudo without password")
    run(*as_root, "apt-get", "-qq", "update")
    return as_root


PROGRAMS: dict[str, Callable[[], None]] = {
    "litellm": lambda: environment("litellm", "litellm"),
    "sky": lambda: environment("skypilot", "sky"),
    "promtool": promtool,
    "soffice": soffice,
}


def main() -> None:
    """Get what is not there; says what could not be had."""
    BIN.mkdir(parents=True, exist_ok=True)
    for name, get in PROGRAMS.items():
        try:
            get()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"Not checked without {name}, which could not be had: {error}", flush=True)


if __name__ == "__main__":
    os.environ.pop("VIRTUAL_ENV", None)
    main()
