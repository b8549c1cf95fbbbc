"""Take the README's picture: the app with a hospital's scenario in a real browser. Run it with `make picture`."""

import tempfile
from pathlib import Path

import browser
import served
from where_to_run.paths import NOTEBOOKS

with (
    tempfile.TemporaryDirectory() as folder,
    served.app(Path(folder)) as server,
    browser.chromium() as chromium,
    browser.visitor(chromium, server.root, viewport={"width": 1280, "height": 1060}) as visitor,
):
    visitor.open("?preset=hospital").page.screenshot(path=NOTEBOOKS / "app.png")
