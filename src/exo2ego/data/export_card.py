"""The card of an exported folder: what is in it, how it was made, and whose licence holds."""

import json
from pathlib import PurePath
from typing import Any

from exo2ego.data.export_forms import FORMS, Form
from exo2ego.data.export_plan import DROP_REASONS, ExportReport, ExportRule
from exo2ego.data.shards import ShardSet

NAME = "exo2ego"
"""Of the data set in LLaMA-Factory's `dataset_info.json`."""


def dataset_info(form: Form) -> dict[str, Any]:
    """LLaMA-Factory's description of the file."""
    entry: dict[str, Any] = {"file_name": form.file, "formatting": "sharegpt", "columns": dict(form.columns)}
    return {NAME: entry | ({"tags": dict(form.tags)} if form.tags else {})}


def card(shards: ShardSet, rule: ExportRule, report: ExportReport, *, has_videos: bool) -> str:
    """Markdown. Nothing in it depends on when, or on how many runs, the export took."""
    form = FORMS[rule.form]
    rows = {
        "conversations": f"{report.conversations:,}",
        "turns": f"{report.turns:,}",
        "clips": f"{report.clips:,}",
        "hours of source video in the clips": f"{report.hours:.2f}",
        **{f"split: {name}": f"{count:,}" for name, count in sorted(report.splits.items())},
        **{f"source: {name}": f"{count:,}" for name, count in sorted(report.sources.items())},
        **{f"left out, {reason}": f"{report.dropped[reason]:,}" for reason in DROP_REASONS if report.dropped[reason]},
    }
    table = "\n".join(f"| {_cell(name)} | {value} |" for name, value in rows.items())
    clips = shards.manifest["clips"]
    size = f"{clips['size_px']} x {clips['size_px']}"
    videos = "`videos/` has the clips" if has_videos else "The clips are not here (the export was without them)"
    # Names instead of paths: where somebody keeps data is nobody's business.
    named = {name: _file_name(value) for name, value in shards.manifest["settings"].items()}
    settings = json.dumps(named, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    marked = (
        f"\n{report.marked_answers:,} answers hold `<video>` or `<image>` as text; other trainers may take that for "
        "one more video.\n"
        if report.marked_answers
        else ""
    )
    factory = (
        "\n`dataset_info.json` names the file for LLaMA-Factory: `dataset_dir` is this folder, `media_dir` too.\n"
        if form.columns
        else ""
    )
    return f"""# Conversations about video clips, in the form of {rule.form}

Written by `exo2ego data export`. `{form.file}` has the conversations, paths in it are relative to this folder.
{videos}: view `{rule.view}`, {clips["num_frames"]} frames of {size} px each, byte for byte as in the shards.
`origins.jsonl` says for each entry from which seconds of which recording its clip comes.
{factory}{marked}
| | |
|---|---|
{table}

## Licence

The clips and texts come from the sources above and are under their licences. Ego-Exo4D and Ego4D, for example, may not
be passed on: keep this folder where the recordings themselves may be.

## How the shards were made

```json
{settings}
```
"""


def _file_name(value: object) -> object:
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
