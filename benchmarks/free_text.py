"""What models say when they are asked in free text, where scores only let them choose: right, and of the right sort.

    python benchmarks/free_text.py W31=C31 W32=C32
    python benchmarks/free_text.py runs/demo/world=runs/demo

W31 is a world of `exo2ego sim`, C31 what `compare_arms.py W31 --out C31` left, or a folder of the demo. The questions
of the EgoSchema form are asked without their options. "right": the answer is the right option, word for word. "of the
sort": it is one of the answers that questions of this facet have in this world ("turns" is no colour). The clips of
verb and kind questions are also asked "What am I doing?": "a sentence" when the answer has the form of a narration,
"names the verb" when the right word is in it. Prints a Markdown table, percent with 95 % intervals over recordings.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from compare_arms import LIMITS
from compare_worlds import seeds_of

from exo2ego.bench.items import Item
from exo2ego.bench.stats import Stratum, bootstrap
from exo2ego.bench.tasks import TASKS
from exo2ego.inference.engine import Engine
from exo2ego.models.weights import START
from exo2ego.training.run import StageRun

MODELS = {
    "start": None,
    "ours before practice": ("ours", "guidance"),
    "ours": ("ours", "practice"),
    "ego_only": ("ego_only", "practice"),
    "mixed": ("mixed", "practice"),
}
"""Column -> arm and its stage whose model is asked; the shipped start without one."""
DEMO_NAMES = {"ours": "ours", "ego_only": "no-teacher"}
"""What the demo calls the arms that it trains."""
FACETS = ("verb", "kind", "colour", "count", "hand", "direction", "neighbour")
ASK = "What am I doing?"
ROWS = (
    *(f"{facet}, {what}" for facet in FACETS for what in ("right", "of the sort")),
    *(f"{ASK} {what}" for what in ("a sentence", "names the verb", "names the kind")),
)


@dataclass(slots=True)
class Row:
    """One truth value a question, with the recording it belongs to."""

    values: list[float] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)

    def add(self, cluster: str, truth: bool) -> None:
        """One question more."""
        self.values.append(float(truth))
        self.clusters.append(cluster)

    def cell(self) -> str:
        """Percent [low, high]; "-" where no such model was asked."""
        if not self.values:
            return "-"
        ids = tuple(str(n) for n in range(len(self.values)))
        over = bootstrap([Stratum(item_ids=ids, clusters=tuple(self.clusters), values=tuple(self.values))])
        return f"{100 * over.value:.1f} [{100 * over.low:.0f}, {100 * over.high:.0f}]"


def questions(world: Path) -> list[Item]:
    """The items that `compare_arms.py` asks, with the paths of their videos, recordings named with their world."""
    root = world / "bench" / "egoschema"
    items = TASKS["egoschema"].load(root, LIMITS["egoschema"], 0)
    return [replace(item.rooted(root), cluster=f"{world.name} {item.cluster}") for item in items]


def plain(text: str) -> str:
    """Lower case, without a full stop at the end."""
    return text.strip().rstrip(".").lower()


def is_sentence(text: str) -> bool:
    """'Camera-wearer lifts the cup.'"""
    words = plain(text).split()
    return len(words) == 4 and words[0] == "camera-wearer" and words[2] == "the"


def ask(engine: Engine, items: Sequence[Item], table: Mapping[str, Row]) -> None:
    """Adds the outcomes of a world's questions to the rows of the table."""
    sorts: dict[str, set[str]] = defaultdict(set)
    for item in items:
        sorts[item.groups["facet"]] |= {plain(option) for option in item.options}
    for item in items:
        facet, video = item.groups["facet"], item.videos[0]
        if item.answer is None:
            raise SystemExit(f"question {item.item_id} has no public answer")
        right, said = plain(item.options[item.answer]), plain(engine.generate(video, item.question))
        table[f"{facet}, right"].add(item.cluster, said == right)
        table[f"{facet}, of the sort"].add(item.cluster, said in sorts[facet])
        if facet in ("verb", "kind"):
            sentence = engine.generate(video, ASK)
            table[f"{ASK} names the {facet}"].add(item.cluster, right in plain(sentence).split())
            table[f"{ASK} a sentence"].add(item.cluster, is_sentence(sentence))


def folders(runs: Path, source: tuple[str, str] | None) -> list[Path]:
    """The models of one column in one world: a seed each."""
    if source is None:
        return [START]
    arm, stage = source
    if (runs / "demo.json").is_file():
        name = DEMO_NAMES.get(arm)
        return [StageRun(out=runs / "train" / f"{name}-{stage}").model] if name else []
    return [StageRun(out=runs / "train" / f"{name}-{stage}").model for name in seeds_of(runs, arm)]


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="+", metavar="W=C", help="a world and its comparison")
    table: dict[str, dict[str, Row]] = {column: {row: Row() for row in ROWS} for column in MODELS}
    for pair in parser.parse_args().worlds:
        world, _, runs = pair.partition("=")
        items = questions(Path(world))
        for column, source in MODELS.items():
            for folder in folders(Path(runs), source):
                ask(Engine.load(folder), items, table[column])
    print(f"| asked | n | {' | '.join(MODELS)} |\n|---|---|{'---|' * len(MODELS)}")
    for row in ROWS:
        n = len(table["start"][row].values)
        if n:
            print(f"| {row} | {n} | {' | '.join(table[column][row].cell() for column in MODELS)} |")


if __name__ == "__main__":
    main()
