"""The demo's page: complete in itself, nothing of the data can act as markup, a damaged log is named."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.cli.demo_report import DemoReport, curves_svg, read_losses, render, smoothed
from exo2ego.errors import FormatError, MissingFileError

VOID = {"meta", "img", "br", "path", "use", "rect"}


class Nesting(HTMLParser):
    """Fails on a tag that closes another than the one that is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole(report: DemoReport) -> None:
    page = render(report)
    nesting = Nesting()
    nesting.feed(page)
    assert nesting.open == []
    assert nesting.seen.count("svg") == 1
    assert nesting.seen.count("img") == 4 * 6
    assert "<td>1.0<small>[0.0, 2.0]</small></td>" in page
    assert "lifts the cup" in page
    assert "(nothing)" in page


def test_nothing_is_fetched_from_anywhere(report: DemoReport) -> None:
    page = render(report)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "url(http" not in page
    assert "<script" not in page


def test_texts_of_the_data_are_escaped(report: DemoReport) -> None:
    page = render(report)
    assert "&lt;b&gt;cup&lt;/b&gt; &amp; puts" in page
    assert "<b>cup" not in page
    assert "&lt;shipped&gt;" in page
    assert "~ &lt;not&gt; above chance" in page


def test_the_same_curves_draw_the_same_bytes(report: DemoReport) -> None:
    assert curves_svg(report.panels) == curves_svg(report.panels)


def test_a_log_that_is_not_there_or_damaged_is_named(log: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.jsonl"):
        read_losses(tmp_path / "gone.jsonl")
    with log.open("a") as file:
        file.write('{"step": 101, "lo')
    with pytest.raises(FormatError, match="row 101"):
        read_losses(log)


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.integers(1, 12))
def test_smoothing_keeps_length_and_range(values: list[float], width: int) -> None:
    out = smoothed(values, width)
    assert len(out) == len(values)
    assert all(min(values) - 1e-6 <= value <= max(values) + 1e-6 for value in out)
