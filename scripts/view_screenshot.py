"""Writes docs/data/view.png: the page of `exo2ego data view` on simulated takes, drawn by headless Chromium.

    python scripts/view_screenshot.py

Simulates eight takes, builds pair shards in a temporary folder, serves and photographs them.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parent.parent / "docs" / "data" / "view.png"
SIZE = {"width": 1360, "height": 850}
COMMAND = (sys.executable, "-m", "exo2ego")


def photograph(address: str, target: Path) -> None:
    """All cameras of a search, stopped at the seventh frame."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=sandbox)
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{address}#q=pours")
        page.wait_for_selector("#viewer[data-ready]")
        page.keyboard.press("a")
        page.wait_for_selector(".tile:nth-child(3)")
        page.keyboard.press("Space")
        page.keyboard.press("Home")
        for _ in range(6):
            page.keyboard.press("ArrowRight")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=target)
        browser.close()
    Image.open(target).convert("RGB").quantize(256).save(target, optimize=True)


def main() -> None:
    """Simulates, builds, serves, photographs."""
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        sim = ("sim", "--out", "world", "--takes", "8", "--seed", "0", "--benches", "egomcq")
        subprocess.run([*COMMAND, *sim], check=True)
        clips = ("data", "clips", "--source", "world/ego_exo4d", "--out", "shards/pairs", "--size", "128")
        subprocess.run([*COMMAND, *clips], check=True)
        view = subprocess.Popen(
            [*COMMAND, "data", "view", "shards/pairs", "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert view.stdout is not None
        address = next(line.split()[-1] for line in view.stdout if "http://" in line)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        photograph(address, TARGET)
        view.send_signal(signal.SIGINT)
        view.wait()
    print(f"{TARGET}: {TARGET.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
