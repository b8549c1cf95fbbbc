"""The tests' browser: finds one, else gets one, else says in the first second what to install.

`make test` runs this twice. The first time, before the environment is made, so it needs nothing but Python:

1. A Chromium or Chrome that is installed and starts, or one that Playwright downloaded before.
2. Debian's package, where apt-get is there and the user is root or needs no password to be.
3. Playwright's download. That needs the environment, so here its host is only asked whether it answers. Where it does
   not, or PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD is set, this stops before any time is spent on the environment.

The second time, with `--download` and the environment's Python, Playwright downloads if there is still no browser.
"""

import os
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
PACKAGES = ("chromium", "fonts-dejavu-core")  # Debian's Chromium comes without any font
HOST = "https://cdn.playwright.dev"
PATIENCE_S = 0.8
HELP = f"""The tests need Chromium or Chrome, and none that starts was found: not {", ".join(NAMES)}
on the PATH, nor an application of macOS, nor one that Playwright downloaded. Install one, then run the same again:
  Debian     sudo apt-get install {" ".join(PACKAGES)}
  macOS      brew install --cask google-chrome
  elsewhere  make .venv/.ready && .venv/bin/playwright install --with-deps chromium"""


def find() -> str:
    """The path of a browser that starts; empty where there is none."""
    installed = filter(None, map(shutil.which, NAMES))
    return next(filter(starts, [*installed, *APPS, *downloaded()]), "")


def starts(path: str) -> bool:
    """Whether a browser says its version: a stub for a snap does not, nor a download that lacks a library."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def downloaded() -> list[str]:
    """Browsers that Playwright downloaded to the end, the newest first."""
    caches = Path.home() / "Library/Caches" if sys.platform == "darwin" else Path.home() / ".cache"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or caches)
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or caches / "ms-playwright")
    whole = [mark.parent for mark in folder.glob("chromium-*/INSTALLATION_COMPLETE")]
    whole.sort(key=lambda build: int(build.name.split("-")[1]), reverse=True)
    places = ("chrome-linux*/chrome", "chrome-mac*/*.app/Contents/MacOS/*")
    return [str(path) for build in whole for place in places for path in build.glob(place)]


def become() -> list[str] | None:
    """What goes before a command that needs root; None where it takes a password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    can = shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0
    return sudo if can else None


def install_package() -> str:
    """Install Debian's package if that takes no password; gives back why there is no browser from it."""
    if not shutil.which("apt-get"):
        return "there is no apt-get"
    if (as_root := become()) is None:
        return "apt-get needs root or a sudo without password"
    print("No Chromium or Chrome: installing Debian's package with apt-get, about 110 MB to fetch.", flush=True)
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.run([*apt, "update"])
    subprocess.run([*apt, "install", "-y", "--no-install-recommends", *PACKAGES], stdout=subprocess.DEVNULL)
    return "apt-get did not bring it"


def no_download() -> str:
    """Why Playwright cannot download its browser; empty where it seems it can."""
    if os.environ.get("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"):
        return "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD is set"
    names = ("PLAYWRIGHT_CHROMIUM_DOWNLOAD_HOST", "PLAYWRIGHT_DOWNLOAD_HOST")
    host = next(filter(None, map(os.environ.get, names)), HOST)
    return "" if answers(host) else f"no answer from {host}, where Playwright has it"


def answers(url: str) -> bool:
    """Whether somebody speaks at an address; asked aside, because looking up a name has no time limit of its own."""
    heard = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE_S).close()
        except urllib.error.HTTPError:
            heard.set()  # there is no page at the address of the host alone
        except OSError as error:
            # this Python may know no certificates where Playwright does
            if isinstance(getattr(error, "reason", None), ssl.SSLError):
                heard.set()
        else:
            heard.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    return heard.is_set()


def before() -> None:
    """Before the environment is made: a browser, or the prospect of one."""
    if find():
        return
    no_package = install_package()
    if find():
        return
    if why := no_download():
        sys.exit(f"{HELP}\nNot done for you: {no_package}; {why}.")
    print("No Chromium or Chrome: Playwright will download one once there is an environment.", flush=True)


def download() -> None:
    """With the environment: Playwright's browser where there is no other."""
    if find():
        return
    print("No Chromium or Chrome: Playwright downloads one.", flush=True)
    playwright = Path(sys.executable).with_name("playwright")
    subprocess.run([playwright, "install", "--no-shell", "chromium"])
    if not find():
        sys.exit(f"{HELP}\nPlaywright's download is not there, or does not start for want of a system library.")


if __name__ == "__main__":
    download() if sys.argv[1:] == ["--download"] else before()
