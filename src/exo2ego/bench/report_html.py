"""The report as one HTML file: table and pictures inside, nothing fetched from anywhere, every text escaped."""

import jinja2

from exo2ego.bench.report import Report
from exo2ego.bench.report_charts import bars, radar
from exo2ego.bench.report_text import LEGEND, bias_lines, cells, data_note, header, lost_lines, run_lines

_PAGE = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>EgoBench report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: bottom; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
table.words td { white-space: normal; text-align: left; }
tr.headline td { font-weight: 600; }
.scroll { overflow-x: auto; } .note { color: #555; } svg { max-width: 100%; height: auto; }
</style></head><body>
<h1>EgoBench</h1>
<p class="note">{{ note }}</p>
{{ radar | safe }}
{{ bars | safe }}
{% if parts %}
<h2>Parts</h2>
{{ parts | safe }}
{% endif %}
<h2>All figures</h2>
<div class="scroll"><table>
<tr>{% for title in titles %}<th>{{ title }}</th>{% endfor %}</tr>
{% for headline, row in rows %}
<tr{% if headline %} class="headline"{% endif %}>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
<p class="note">Percent, with 95 % bootstrap intervals by recording. Differences are paired, on the items that both runs
scored; p is a permutation test by recording, not corrected for the number of figures. Unparsed answers count as wrong;
unscored items (bad video, outage) are left out. Dotted line: chance;
{{ legend }}.</p>
{% if published %}
<h2>Published by others (not measured here)</h2>
<table class="words"><tr><th>figure</th><th>percent</th><th>who</th><th>protocol, caution</th></tr>
{% for title, number in published %}
<tr><td>{{ title }}: {{ number.measure.strip("( ") }}</td><td>{{ "%.1f" | format(100 * number.value) }}</td>
<td>{{ number.who }}</td><td>{{ number.caution }}</td></tr>
{% endfor %}
</table>
{% endif %}
<h2>Runs</h2>
<ul>{% for line in runs %}<li>{{ line }}</li>{% endfor %}</ul>
{% if biases %}
<h2>Orders of options</h2>
<ul>{% for line in biases %}<li>{{ line }}</li>{% endfor %}</ul>
{% endif %}
{% if lost %}
<h2>Unscored items</h2>
<ul>{% for line in lost %}<li>{{ line }}</li>{% endfor %}</ul>
{% endif %}
</body></html>
"""
)


def page(report: Report) -> str:
    """The whole page."""
    whole = [row for row in report.rows if (row.headline or row.apart) and not row.groups]
    parts = [row for row in report.rows if set(row.groups) in ({"told"}, {"kind"})]
    return _PAGE.render(
        note=data_note(report),
        legend=LEGEND,
        radar=radar(report, whole),
        bars=bars(report, whole) if whole else "",
        parts=bars(report, parts) if parts else "",
        titles=header(report),
        rows=[(row.headline, cells(row)) for row in report.rows],
        published=report.published,
        runs=run_lines(report),
        biases=bias_lines(report),
        lost=lost_lines(report),
    )
