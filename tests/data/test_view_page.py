"""`exo2ego data view` as a person meets it: the real command, in headless Chromium, by mouse and keyboard.

Every frame of the videos carries its number, so that pictures themselves say what is shown. Any message on the console,
any error of a script and any request to another machine fails the test in which it happens.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright
from viewed_shards import ATTACK, FRAMES, instruction_samples, pair_samples, shown_number, store

from exo2ego.data.shards import open_shards

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VIEWS = ("ego", "cam01", "cam02")
READ_NUMBERS = """() => Object.fromEntries([...document.querySelectorAll(".tile")].map(tile => {
  const canvas = tile.querySelector("canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let number = 0;
  for (let bit = 0; bit < 12; bit++) {
    const x = Math.floor((bit % 4 + 0.5) * canvas.width / 4);
    const y = Math.floor((Math.floor(bit / 4) + 0.5) * canvas.height / 3);
    if (pixels.data[4 * (y * canvas.width + x)] > 128) number |= 1 << bit;
  }
  return [tile.dataset.view, number];
}))"""
WATCH = f"""different => new Promise(done => {{
  const read = {READ_NUMBERS}, seen = [], start = performance.now(), frames = new Set();
  const look = now => {{
    seen.push(read());
    frames.add(seen.at(-1).ego);
    const passed = now - start;
    if (passed < 60000 && (frames.size < different || passed < 500)) requestAnimationFrame(look);
    else done({{ seen, seconds: passed / 1000 }});
  }};
  requestAnimationFrame(look);
}})"""
"""Reads every picture that the browser draws until so many different frames were seen (at most 60 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running command."""

    address: str
    flags: Path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium, or WITH_BROWSER=1 bash scripts/os_packages.sh")
    with sync_playwright() as driver:
        # Chromium's own sandbox refuses to work for root; the pages shown here are ours.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        expect.set_options(timeout=60_000)
        opened = driver.chromium.launch(executable_path=path, args=[*sandbox, "--disable-dev-shm-usage"])
        yield opened
        opened.close()


def damaged_copy(folder: Path, copy: Path) -> None:
    """One byte of one clip is another: s-0001.cam01."""
    shutil.copytree(folder, copy)
    shards = open_shards(copy)
    clip = shards.read(next(s for s in shards.samples if s.key == "s-0001"), "cam01")
    tar = next(copy.glob("*.tar"))
    content = bytearray(tar.read_bytes())
    content[content.index(clip) + 60] ^= 1
    tar.write_bytes(content)


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("page")
    store(root, "pairs", pair_samples())
    store(root, "ego", instruction_samples())
    damaged_copy(root / "pairs", root / "damaged")
    folders = [str(root / name) for name in ("pairs", "ego", "damaged")]
    command = [sys.executable, "-m", "exo2ego", "data", "view", *folders, "--port", "0", "--flags", str(root / "flags")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = next(line.split()[-1] for line in process.stdout if "http://" in line)
    yield Served(address=address, flags=root / "flags")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=300) == 0, "Ctrl-C is the way to end it, not a failure"


@pytest.fixture
def trouble() -> list[str]:
    """What the browser complained of."""
    return []


@pytest.fixture
def visit(browser: Browser, served: Served, trouble: list[str]) -> Iterator[Callable[..., Page]]:
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        # The browser notes every answer that is no success (422 tells of damage), and how tests read pixels.
        expected = ("422 (Unprocessable", "404 (Not Found)", "willReadFrequently")
        if not any(words in message.text for words in expected):
            trouble.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1" and not request.url.startswith("blob:"):
            trouble.append(f"request: {request.url}")

    def open_page(fragment: str = "", **options: Any) -> Page:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", heard)
        page.on("pageerror", lambda error: trouble.append(f"script: {error}"))
        page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
        page.on("request", asked)
        page.goto(served.address + fragment)
        page.wait_for_selector("#viewer[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not trouble, trouble


def shown(page: Page) -> dict[str, int]:
    """What the picture of each view shows now."""
    numbers: dict[str, int] = page.evaluate(READ_NUMBERS)
    return numbers


def title(page: Page) -> str:
    return page.locator("#title").inner_text()


def ready(page: Page, key: str) -> None:
    page.wait_for_selector(f'#viewer[data-ready="{key}"]')


def paused(page: Page) -> Page:
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    return page


def test_every_step_shows_the_very_frame_in_every_view(visit: Callable[..., Page]) -> None:
    page = paused(visit("#sample=s-0003&folder=pairs"))
    page.keyboard.press("a")
    expect(page.locator(".tile")).to_have_count(3)
    for frame in range(FRAMES):
        assert shown(page) == {view: shown_number(view, 3, frame) for view in VIEWS}, frame
        assert page.locator("#clock").inner_text().startswith(f"frame {frame + 1} / {FRAMES}")
        page.keyboard.press("ArrowRight")
    last = {view: shown_number(view, 3, FRAMES - 1) for view in VIEWS}
    assert shown(page) == last, "there is nothing behind the last frame"
    for frame in reversed(range(FRAMES - 1)):
        page.locator("#step-back").click()
        assert shown(page) == {view: shown_number(view, 3, frame) for view in VIEWS}, frame
    page.keyboard.press("ArrowLeft")
    assert shown(page)["ego"] == shown_number("ego", 3, 0)
    page.keyboard.press("End")
    assert shown(page) == last
    page.locator("#scrub").fill("7")
    assert shown(page) == {view: shown_number(view, 3, 7) for view in VIEWS}


def test_ego_and_exo_play_in_step(visit: Callable[..., Page]) -> None:
    """At every picture that the browser draws, all views are at the same frame."""
    page = visit("#sample=s-0001&folder=pairs")
    page.keyboard.press("a")
    expect(page.locator(".tile")).to_have_count(3)
    watched = page.evaluate(WATCH, FRAMES - 2)
    frames = [numbers["ego"] - shown_number("ego", 1, 0) for numbers in watched["seen"]]
    for numbers, frame in zip(watched["seen"], frames, strict=True):
        assert numbers == {view: shown_number(view, 1, frame) for view in VIEWS}
    assert len(set(frames)) >= FRAMES - 2, "a loaded machine may drop frames, not stand still"
    steps = [(later - earlier) % FRAMES for earlier, later in itertools.pairwise(frames)]
    assert max(steps) <= FRAMES // 2, "time runs forward"
    assert sum(steps) <= watched["seconds"] * 10 + 4, "no faster than it was recorded (10 frames a second)"
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.locator("#speed").input_value() == "0.25"
    page.keyboard.press("Space")
    before = shown(page)
    page.wait_for_timeout(500)
    assert shown(page) == before, "paused"


def test_without_the_loop_it_stops_at_the_end(visit: Callable[..., Page]) -> None:
    page = paused(visit("#sample=s-0000&folder=pairs"))
    page.keyboard.press("l")
    expect(page.locator("#loop")).to_have_attribute("aria-pressed", "false")
    page.locator("#speed").select_option("2")
    page.locator("#play").click()
    expect(page.locator("#clock")).to_contain_text(f"frame {FRAMES} / {FRAMES}")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause")


def test_searching_and_filtering(visit: Callable[..., Page]) -> None:
    page = visit("#only=pairs")
    expect(page.locator("#total")).to_have_text("5 samples")
    page.keyboard.press("/")
    page.keyboard.type("lift cup")
    expect(page.locator("#total")).to_have_text("2 samples")
    assert page.locator("#results mark").all_inner_texts() == ["lift", "cup", "lift", "cup"]
    assert "q=lift+cup" in page.url
    page.locator('[data-facet="scenario"] select').select_option("Bike Repair")
    expect(page.locator("#total")).to_have_text("1 sample")
    ready(page, "s-0004")
    page.reload()
    ready(page, "s-0004")
    expect(page.locator("#total")).to_have_text("1 sample")
    assert page.locator("#q").input_value() == "lift cup"
    page.locator("#best").select_option("true")
    expect(page.locator("#empty")).to_contain_text("Nothing fits")
    page.locator("#reset").click()
    expect(page.locator("#total")).to_have_text("12 samples")
    page.locator("#take").fill("TAKE_B")
    page.locator("#take").press("Enter")
    page.locator("#max_s").fill("1.7")
    page.locator("#max_s").press("Enter")
    expect(page.locator("#total")).to_have_text("4 samples")


def test_a_narration_with_a_script_is_a_text(visit: Callable[..., Page]) -> None:
    page = visit("#sample=s-0002&folder=pairs&q=script+alert")
    assert title(page) == ATTACK
    assert page.locator("#results .result-title").first.inner_text() == ATTACK
    assert page.locator("#title mark").all_inner_texts() == ["script", "alert", "script", "alert"]
    assert page.locator("body script, img[onerror], #title img").count() == 0
    assert page.evaluate("document.title").startswith(ATTACK)


def test_a_script_within_the_page_would_not_run(visit: Callable[..., Page], trouble: list[str]) -> None:
    """The second wall, should a text ever become a part of the page."""
    page = visit()
    inject = """() => {
      document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = 1" }));
      document.body.insertAdjacentHTML("beforeend", "<p onclick='window.ran = 2' id='trap'></p>");
      document.getElementById("trap").click();
      return window.ran ?? 0;
    }"""
    assert page.evaluate(inject) == 0
    until = time.monotonic() + 60
    while len(trouble) < 2 and time.monotonic() < until:
        page.wait_for_timeout(20)
    assert len(trouble) == 2
    assert all("Content Security Policy" in line for line in trouble)
    trouble.clear()


def test_instructions_are_a_chat(visit: Callable[..., Page]) -> None:
    page = visit("#sample=span-0000000&folder=ego")
    bubbles = page.locator("#turns .bubble")
    assert bubbles.all_inner_texts() == [
        "What do I lift?",
        "A blue cup.",
        "Why?",
        "I do not know.",
        "Which <b>hand</b>?",
        "The left one & no other.",
    ]
    assert page.locator("#turns .conversation").count() == 2
    assert [bubbles.nth(n).get_attribute("class") for n in (0, 1)] == ["bubble question", "bubble answer"]
    paused(page)
    assert shown(page) == {"video": shown_number("video", 0, 0)}
    expect(page.locator("#cameras")).to_be_hidden()


def test_cameras_one_or_all_and_the_best_is_marked(visit: Callable[..., Page]) -> None:
    page = paused(visit("#sample=s-0000&folder=pairs"))
    assert list(shown(page)) == ["ego", "cam02"]
    assert page.locator(".tile.is-best").get_attribute("data-view") == "cam02"
    page.keyboard.press("ArrowRight")
    page.locator('[data-camera="cam01"]').click()
    expect(page.locator('.tile[data-view="cam01"]')).to_be_visible()
    assert shown(page) == {view: shown_number(view, 0, 1) for view in ("ego", "cam01")}, "the place is kept"
    page.keyboard.press("c")
    expect(page.locator('.tile[data-view="cam02"]')).to_be_visible()
    page.locator('[data-camera="all"]').click()
    expect(page.locator(".tile")).to_have_count(3)
    page.keyboard.press("j")
    ready(page, "s-0001")
    assert list(shown(page)) == list(VIEWS), "the choice is kept"


def test_keys_that_come_faster_than_answers(visit: Callable[..., Page]) -> None:
    page = paused(visit("#only=pairs"))
    for key in "jjjjk":
        page.keyboard.press(key)
    ready(page, "s-0003")
    assert title(page) == "C turns the bolt."
    assert shown(page)["ego"] == shown_number("ego", 3, 0)
    for _ in range(9):
        page.keyboard.press("j")
    ready(page, "s-0004")
    expect(page.locator("#toast")).to_have_text("That was the last one.")


def test_the_keyboard(visit: Callable[..., Page], served: Served) -> None:
    page = paused(visit("#only=pairs"))
    for key, arrived in (("j", "s-0001"), ("j", "s-0002"), ("k", "s-0001")):
        page.keyboard.press(key)
        ready(page, arrived)
    assert page.locator("#results [aria-current]").get_attribute("data-key") == "s-0001"
    assert "sample=s-0001" in page.url
    page.keyboard.press("y")
    expect(page.locator("#toast")).to_have_text("Id copied")
    assert page.evaluate("navigator.clipboard.readText()") == "s-0001"
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("j")
    expect(page.locator("#q")).to_have_value("j")
    page.keyboard.press("Escape")
    page.go_back()
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 19, 23)"


def test_flagging(visit: Callable[..., Page], served: Served) -> None:
    page = paused(visit("#sample=s-0003&folder=pairs&only=pairs"))
    page.keyboard.press("f")
    page.keyboard.type("too <dark>")
    page.keyboard.press("Enter")
    expect(page.locator("#flag")).to_have_text("Flagged")
    row = json.loads(served.flags.read_text().splitlines()[-1])
    assert (row["key"], row["flagged"], row["reason"]) == ("s-0003", True, "too <dark>")
    page.locator("#flagged").check()
    expect(page.locator("#total")).to_have_text("1 sample")
    with page.expect_download() as download:
        page.locator("text=Export flags").click()
    assert json.loads(Path(download.value.path()).read_text())["key"] == "s-0003"
    page.keyboard.press("f")
    expect(page.locator("#flag")).to_have_text("Flag")
    assert json.loads(served.flags.read_text().splitlines()[-1])["flagged"] is False
    page.keyboard.press("f")
    page.locator("#flagging").get_by_text("Cancel").click()
    assert len(served.flags.read_text().splitlines()) == 2


def test_damage_is_shown_in_its_place_and_the_rest_plays(visit: Callable[..., Page]) -> None:
    page = visit("#sample=s-0001&folder=damaged")
    page.keyboard.press("a")
    expect(page.locator(".damage")).to_contain_text("ChecksumError")
    expect(page.locator(".damage")).to_contain_text("s-0001.cam01.mp4 is damaged (checksum differs)")
    assert page.locator(".tile canvas").count() == 2
    paused(page)
    page.keyboard.press("ArrowRight")
    assert page.locator("#stage").get_attribute("data-frame") == "1"


def test_permalinks_and_the_way_back(visit: Callable[..., Page]) -> None:
    page = visit("#sample=span-0000001")
    assert title(page) == "Which <b>hand</b>?"
    page.keyboard.press("j")
    ready(page, "s-0000")
    page.go_back()
    ready(page, "span-0000001")
    missing = visit("#sample=nothing")
    expect(missing.locator("#toast")).to_contain_text("no sample nothing")


def test_stored_files_play_and_seek_in_the_browser(visit: Callable[..., Page], served: Served) -> None:
    page = visit("#sample=s-0000&folder=pairs")
    address = page.locator('.tile[data-view="ego"] a').get_attribute("href")
    end = page.evaluate(
        """async address => {
          const video = document.createElement("video");
          Object.assign(video, { src: address, muted: true });
          await video.play();
          await new Promise(done => video.addEventListener("ended", done));
          const played = video.currentTime;
          video.currentTime = 0.55;
          await new Promise(done => video.addEventListener("seeked", done));
          return [played, video.currentTime, video.videoWidth];
        }""",
        address,
    )
    assert end == [pytest.approx(1.6, abs=0.06), pytest.approx(0.55), 96]


def test_statistics_panel(visit: Callable[..., Page]) -> None:
    page = visit()
    page.keyboard.press("s")
    expect(page.locator("#statistics h3")).to_have_text(["pairs", "ego", "damaged"])
    expect(page.locator("#statistics")).to_contain_text("Bike Repair")


def test_on_a_phone_nothing_is_cut_off(visit: Callable[..., Page]) -> None:
    page = visit("#sample=s-0000&folder=pairs", viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#stage")).to_be_visible()
