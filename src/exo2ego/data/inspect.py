"""What a shard directory holds: the figures the paper gives of Ego-ExoClip, and a page of examples to look at."""

import base64
import html
import io
import math
from collections import Counter
from typing import Any

import numpy as np
from PIL import Image

from exo2ego.data.shards import EGO, ShardSample, ShardSet, pair_count
from exo2ego.data.told import Progress, told
from exo2ego.data.video import Frame, read_clip

FRAMES_SHOWN = 4
FRAME_PX = 112

_STYLE = """:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em}
h1{font-size:1.4em}h2{font-size:1.05em;margin:0}p{margin:.15em 0}
dl{columns:17em;column-gap:2.5em;margin:1em 0}
dl div{display:flex;justify-content:space-between;break-inside:avoid;border-bottom:1px solid #8884;padding:.15em 0}
dd{margin:0;font-variant-numeric:tabular-nums}
section{border-top:1px solid #8888;padding:1em 0}
.where{opacity:.65;font-size:.85em;overflow-wrap:anywhere}
.views{display:flex;flex-wrap:wrap;gap:.7em 1.2em;margin-top:.5em}
figure{margin:0}figcaption{font-size:.85em;opacity:.8}img{display:block;max-width:100%}
.best{font-weight:600}.answer{opacity:.8}"""
_ONLY_PAIRS = ("narrations", "pairs", "pairs_with_best_exo", "video_hours")
_ONLY_INSTRUCTIONS = ("conversations",)


def statistics(shards: ShardSet, progress: Progress | None = None) -> dict[str, Any]:
    """Figures of a shard directory; every record is read once. `progress` is told (samples read, in all) now and then.

    `videos` counts distinct (take, view), `video_hours` is their length (the paper's hours); `clip_hours` is the sum of
    all stored clips' intervals, every view counted; `pairs` is one per (narration, exo view).
    """
    count: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    scenarios: Counter[str] = Counter()
    videos: set[tuple[str, str]] = set()
    widths, seen_s = np.zeros(len(shards)), np.zeros(len(shards))
    for number, sample in enumerate(told(shards.samples, len(shards), progress)):
        widths[number] = sample.end_s - sample.start_s
        seen_s[number] = widths[number] * len(sample.views)
        videos.update((sample.take_uid, view) for view in sample.views)
        splits[sample.split] += 1
        scenarios[sample.scenario] += bool(sample.scenario)
        pairs = pair_count(sample)
        best = pairs > 0 and sample.best_exo in sample.views and sample.best_exo != EGO
        count.update(views=len(sample.views), ego=EGO in sample.views, pairs=pairs, best=best)
        count["conversations"] += len(sample.conversations)
    return {
        "takes": len({take for take, _ in videos}),
        "videos": len(videos),
        "video_hours": float(shards.manifest["report"].get("video_hours", 0.0)),
        "clips": count["views"],
        "clip_hours": math.fsum(seen_s) / 3600,
        "narrations": len(shards) if count["ego"] else 0,
        "pairs": count["pairs"],
        "pairs_with_best_exo": count["best"],
        "conversations": count["conversations"],
        "mean_clip_s": float(np.mean(widths)) if len(widths) else 0.0,
        "share_under_1_s": float(np.mean(widths < 1)) if len(widths) else 0.0,
        "splits": dict(splits),
        "scenarios": dict((+scenarios).most_common()),
        "quarantined": shards.manifest["counts"]["quarantined"],
        "filter_report": shards.manifest["report"],
    }


def statistics_rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures as (name, value) for people, without those that this kind of shards cannot have."""
    hidden = _ONLY_INSTRUCTIONS if figures["narrations"] else _ONLY_PAIRS
    rows = [
        (name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else f"{value:,}")
        for name, value in figures.items()
        if isinstance(value, int | float) and name not in hidden
    ]
    for table in ("splits", "scenarios"):
        rows += [(f"{table[:-1]}: {name}", f"{count:,}") for name, count in figures[table].items()]
    dropped = figures["filter_report"].get("dropped", {})
    return rows + [(f"left out: {reason}", f"{count:,}") for reason, count in dropped.items()]


def statistics_text(figures: dict[str, Any]) -> str:
    """The figures as a table of two columns."""
    rows = statistics_rows(figures)
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value:>12}" for name, value in rows)


def contact_sheet(shards: ShardSet, figures: dict[str, Any], examples: int = 12) -> str:
    """A self-contained HTML page: the figures of `statistics`, and evenly spread samples with frames of every view.

    Raises ChecksumError or VideoError when a stored clip is damaged.
    """
    count = min(examples, len(shards))
    places = [round(i * (len(shards) - 1) / max(1, count - 1)) for i in range(count)]
    rows = "".join(f"<div><dt>{_text(n)}</dt><dd>{_text(v)}</dd></div>" for n, v in statistics_rows(figures))
    sections = "".join(_section(shards, shards.samples[place]) for place in places)
    title = _text(f"{'Ego-exo pairs' if shards.pairs else 'Instructions'}: {shards.folder.resolve().name}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><dl>{rows}</dl>"
        f"<p>{count} of {len(shards):,} samples, evenly spread; {FRAMES_SHOWN} frames of each view.</p>"
        f"{sections}</html>\n"
    )


def _section(shards: ShardSet, sample: ShardSample) -> str:
    heading = f"<h2>{_text(sample.text)}</h2>" if sample.text else ""
    turns = "".join(
        f'<p>{_text(turn.question)} <span class="answer">{_text(turn.answer)}</span></p>'
        for conversation in sample.conversations
        for turn in conversation
    )
    take = sample.scenario or sample.take_uid
    where = [take, sample.split, f"{sample.start_s:.2f} s to {sample.end_s:.2f} s", sample.key]
    place = f'<p class="where">{_text(", ".join(word for word in where if word))}</p>'
    return f'<section>{heading}{turns}{place}<div class="views">{_figures(shards, sample)}</div></section>'


def _figures(shards: ShardSet, sample: ShardSample) -> str:
    figures = []
    for view in sample.views:
        frames = read_clip(shards.read(sample, view), None, None, FRAMES_SHOWN, FRAME_PX)
        best = view == sample.best_exo
        caption = f'<span class="best">{_text(view)} (best)</span>' if best else _text(view)
        alt = _text(f"{FRAMES_SHOWN} frames of {view}")
        figures.append(f'<figure><figcaption>{caption}</figcaption><img alt="{alt}" src="{_image(frames)}"></figure>')
    return "".join(figures)


def _image(frames: Frame) -> str:
    """Frames side by side as a JPEG within the page."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _text(value: object) -> str:
    return html.escape(str(value))
