"""A large file of conversations, read: CPU seconds and peak memory, entry by entry and as a whole.

python benchmarks/conversation_rows.py --rows 500000          # 310 MB as a list, and as much as lines

Each way runs in a process of its own and prints one JSON line.

    whole     `json.loads` of the file, what loaders of other projects do
    ijson     its C backend, where it is installed (pip install ijson)
    rows      `json_rows`: the file's entries one by one
    entries   `iter_conversations`: the same, recognised and checked, as Conversation records
    lines     `iter_conversations` of the `.jsonl` file
"""

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from exo2ego.data.sources.conversations import iter_conversations
from exo2ego.data.sources.json_rows import json_rows

WAYS = ("whole", "ijson", "rows", "entries", "lines")


def entry(number: int) -> dict[str, object]:
    """Two turns of some length, a letter beyond ASCII in every other one."""
    asked = f"<video>\nWhat happens in this clip{' é' if number % 2 else ''}? " + "Look closely. " * 15
    turns = [("human", asked), ("gpt", "I lift the cup. " * 12), ("human", "Why?"), ("gpt", "To drink from it.")]
    said = [{"from": speaker, "value": text} for speaker, text in turns]
    return {"id": str(number), "video": f"videos/{number}.mp4", "conversations": said}


def generate(folder: Path, rows: int) -> None:
    """`rows.json` and `rows.jsonl`."""
    with (folder / "rows.json").open("w", encoding="utf-8") as whole, (folder / "rows.jsonl").open("w") as lines:
        for number in range(rows):
            text = json.dumps(entry(number), ensure_ascii=False)
            whole.write((",\n" if number else "[\n") + text)
            lines.write(text + "\n")
        whole.write("\n]\n")


def read(way: str, folder: Path) -> Iterable[object]:
    """Every entry once."""
    path = folder / ("rows.jsonl" if way == "lines" else "rows.json")
    if way == "whole":
        return list(json.loads(path.read_bytes()))
    if way == "ijson":
        return importlib.import_module("ijson").items(path.open("rb"), "item", use_float=True)  # type: ignore[no-any-return]
    return json_rows(path) if way == "rows" else iter_conversations(path)


def main() -> None:
    """Generates, then reads in every way, each in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        rows = sum(1 for _ in read(options.way, options.folder))
        cpu_s = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        figures = {"way": options.way, "rows": rows, "cpu_s": round(cpu_s, 2)}
        print(json.dumps(figures | {"peak_mb": peak >> 10, "before_mb": idle >> 10}), flush=True)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, options.rows)
        print(json.dumps({"rows": options.rows, "mb": (folder / "rows.json").stat().st_size >> 20}), flush=True)
        for way in WAYS:
            if way == "ijson" and importlib.util.find_spec("ijson") is None:
                continue
            subprocess.run([sys.executable, __file__, "--way", way, "--folder", name], check=True)


if __name__ == "__main__":
    main()
