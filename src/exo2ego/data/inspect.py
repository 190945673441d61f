"""What a shard directory holds: the figures the paper gives of Ego-ExoClip, and a page of examples to look at."""

import base64
import html
import io
import math
from collections import Counter
from typing import Any

import numpy as np
from PIL import Image

from exo2ego.data.shards import EGO, ShardSample, ShardSet
from exo2ego.data.video import Frame, read_clip

FRAMES_SHOWN = 4
FRAME_PX = 112

_STYLE = """body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}
section{border-top:2px solid #ccc;padding:.6em 0}h2{font-size:1.05em;margin:.2em 0}figure{margin:.3em 0}
figcaption{color:#555;font-size:.9em}img{display:block;max-width:100%}.best{color:#06722f}"""


def statistics(shards: ShardSet) -> dict[str, Any]:
    """Figures of a shard directory.

    `videos` counts distinct (take, view); `clip_hours` is the sum of all stored clips' intervals, every view counted
    (the paper's hours are those of whole videos, which shards do not hold); `pairs` is one per (narration, exo view).
    """
    widths = [sample.end_s - sample.start_s for sample in shards.samples]
    views = [(sample.take_uid, view) for sample in shards.samples for view in sample.views]
    is_pairs = any(EGO in sample.views for sample in shards.samples)
    return {
        "takes": len({sample.take_uid for sample in shards.samples}),
        "videos": len(set(views)),
        "clips": len(views),
        "clip_hours": math.fsum(w * len(s.views) for w, s in zip(widths, shards.samples, strict=True)) / 3600,
        "narrations": len(shards.samples) if is_pairs else 0,
        "pairs": len(shards.pairs),
        "pairs_with_best_exo": sum(best for _, _, best in shards.pairs),
        "conversations": sum(len(sample.conversations) for sample in shards.samples),
        "mean_clip_s": float(np.mean(widths)) if widths else 0.0,
        "share_under_1_s": float(np.mean(np.array(widths) < 1)) if widths else 0.0,
        "splits": dict(Counter(sample.split for sample in shards.samples)),
        "scenarios": dict(Counter(sample.scenario for sample in shards.samples if sample.scenario).most_common()),
        "quarantined": shards.manifest["counts"]["quarantined"],
        "filter_report": shards.manifest["report"],
    }


def statistics_rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures as (name, value) for people."""
    rows = [
        (name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else f"{value:,}")
        for name, value in figures.items()
        if isinstance(value, int | float)
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


def contact_sheet(shards: ShardSet, examples: int = 12) -> str:
    """A self-contained HTML page: the figures, and evenly spread samples with frames of every view.

    Raises ChecksumError or VideoError when a stored clip is damaged.
    """
    count = min(examples, len(shards))
    places = [round(i * (len(shards) - 1) / max(1, count - 1)) for i in range(count)]
    rows = "".join(f"<tr><td>{_text(n)}</td><td>{_text(v)}</td></tr>" for n, v in statistics_rows(statistics(shards)))
    sections = "".join(_section(shards, shards.samples[place]) for place in places)
    title = _text(shards.folder.name)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><table>{rows}</table>{sections}</html>\n"
    )


def _section(shards: ShardSet, sample: ShardSample) -> str:
    words = [sample.text] if sample.text else []
    words += [f"{turn.question} - {turn.answer}" for turns in sample.conversations for turn in turns]
    heading = "<br>".join(_text(line) for line in words)
    where = f"{sample.take_uid}, {sample.scenario} {sample.split}, {sample.start_s:.2f} s to {sample.end_s:.2f} s"
    return f"<section><h2>{heading}</h2><div>{_text(where)}</div>{_figures(shards, sample)}</section>"


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
