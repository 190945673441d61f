"""The report as one HTML file: table and bars inside, nothing fetched from anywhere."""

import io
from collections.abc import Sequence

import jinja2
from matplotlib.figure import Figure

from exo2ego.records import Score

Bars = Sequence[tuple[str, Sequence[tuple[str, Score]]]]

_PAGE = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>EgoBench report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tr.headline td { font-weight: 600; }
.scroll { overflow-x: auto; } .note { color: #555; } svg { max-width: 100%; height: auto; }
</style></head><body>
<h1>EgoBench</h1>
<p class="note">{{ note }}</p>
{{ figure | safe }}
<div class="scroll"><table>
<tr>{% for title in titles %}<th>{{ title }}</th>{% endfor %}</tr>
{% for headline, cells in rows %}<tr{% if headline %} class="headline"{% endif %}>
{%- for cell in cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
<p class="note">Percent, with 95 % bootstrap intervals by recording. Unparsed answers count as wrong; unscored items
(bad video, outage) are left out. Dotted line: chance.</p>
<h2>Runs</h2>
<ul>{% for line in runs %}<li>{{ line }}</li>{% endfor %}</ul>
{% if published %}<h2>Published by others (not measured here)</h2>
<ul>{% for line in published %}<li>{{ line }}</li>{% endfor %}</ul>{% endif %}
</body></html>
"""
)


def page(
    *,
    note: str,
    titles: Sequence[str],
    rows: Sequence[tuple[bool, Sequence[str]]],
    bars: Bars,
    runs: Sequence[str],
    published: Sequence[str],
) -> str:
    """The whole page; every text is escaped."""
    figure = bars_svg(bars) if bars else ""
    return _PAGE.render(note=note, titles=titles, rows=rows, figure=figure, runs=runs, published=published)


def bars_svg(bars: Bars) -> str:
    """One row of bars for each figure, with intervals and chance, as an `<svg>` element."""
    names = list(dict.fromkeys(name for _, scores in bars for name, _ in scores))
    height = 0.8 / max(len(names), 1)
    figure = Figure(figsize=(9.0, 1.0 + 0.5 * len(bars)))
    axes = figure.add_subplot()
    for position, name in enumerate(names):
        found = [(row, score) for row, (_, scores) in enumerate(bars) for who, score in scores if who == name]
        values = [100 * score.value for _, score in found]
        errors = [[100 * (s.value - s.low) for _, s in found], [100 * (s.high - s.value) for _, s in found]]
        places = [row + (position - (len(names) - 1) / 2) * height for row, _ in found]
        axes.barh(places, values, height, label=name, xerr=errors, error_kw={"lw": 1, "capsize": 2})
    for row, (_, scores) in enumerate(bars):
        chance = scores[0][1].chance if scores else None
        if chance is not None:
            axes.plot([100 * chance] * 2, [row - 0.45, row + 0.45], ":", color="black", lw=1)
    axes.set_yticks(range(len(bars)), [label for label, _ in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("percent")
    axes.legend(loc="lower right", fontsize="small")
    figure.tight_layout()
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]
