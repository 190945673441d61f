"""A shard directory, completed: the parts of all shards become the index, the quarantine, and last of all the manifest.

The parts are read one by one; memory holds 16 bytes a sample.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exo2ego.data.atomic import refusing_bad_output, temporary, utf8
from exo2ego.data.jsonfile import load_json, write_json
from exo2ego.data.pairs import FilterReport
from exo2ego.data.shard_group import ClipFormat, part_path
from exo2ego.data.shard_index import INDEX_FILES, IndexWriter
from exo2ego.data.shards import (
    LAYOUT_VERSION,
    MANIFEST,
    QUARANTINE,
    pair_count,
    sample_from_json,
    sha256_of,
    shard_name,
)


def finish(
    out: Path,
    shards: int,
    clip_format: ClipFormat,
    settings: Mapping[str, Any],
    report: FilterReport | Mapping[str, Any],
) -> None:
    """Index, quarantine, manifest, each atomically. Raises OutputError when the disk refuses."""
    counts: Counter[str] = Counter(shards=shards, samples=0, clips=0, quarantined=0)
    files: dict[str, str] = {}
    aside = temporary(out / QUARANTINE)
    with refusing_bad_output(out / QUARANTINE), IndexWriter(out) as index:
        with aside.open("w", encoding="utf-8", errors="backslashreplace") as quarantine:
            for number in range(shards):
                part = load_json(part_path(out, number))
                files[shard_name(number)] = part["sha256"]
                _add_samples(index, number, part["samples"], counts)
                for entry in part["quarantine"]:
                    counts["quarantined"] += 1
                    quarantine.write(json.dumps(entry, ensure_ascii=False) + "\n")
        os.replace(aside, out / QUARANTINE)
        index.finish()
    files |= {name: sha256_of(out / name) for name in (*INDEX_FILES, QUARANTINE)}
    manifest = {
        "version": LAYOUT_VERSION,
        "settings": dict(settings),
        "clips": asdict(clip_format),
        "counts": dict(counts),
        "report": asdict(report) if isinstance(report, FilterReport) else dict(report),
        "files": files,
    }
    write_json(out / MANIFEST, manifest)


def _add_samples(index: IndexWriter, shard: int, rows: list[dict[str, Any]], counts: Counter[str]) -> None:
    for row in rows:
        sample = sample_from_json(row["sample"], f"part {shard}")
        record = utf8(json.dumps(row["sample"], ensure_ascii=False, separators=(",", ":")))
        places = [(offset, size, crc32) for offset, size, crc32 in row["members"]]
        index.add(sample.key, record, places, shard, pair_count(sample))
        counts["samples"] += 1
        counts["clips"] += len(sample.views)
