"""Take the screenshot of the status page in docs/images: runs the demo and the system's Chromium."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "images/status.png"
SIZE = {"width": 1200, "height": 1062}
READY_TIMEOUT = 60.0  # seconds


def main() -> None:
    """Start the demo, wait until it is ready, and write the screenshot."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as demo:  # noqa: S603 (runs this package)
        try:
            log = iter(demo.stderr or ())
            address = next(found[1] for line in log if (found := re.search(r"msg=listening .*address=(\S+)", line)))
            _wait(f"http://{address}/-/ready")
            _take(f"http://{address}/")
        finally:
            demo.terminate()
    print(f"{PICTURE.relative_to(Path.cwd())}: {PICTURE.stat().st_size / 1000:.0f} kB")


def _wait(address: str) -> None:
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        try:
            with urlopen(address):  # noqa: S310 (the address of the demo)
                return
        except HTTPError as error:
            error.close()
            time.sleep(0.1)
    raise SystemExit("the demo is not ready")


def _take(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type] # playwright expects its own dict type
        page.goto(address)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
