"""EGTEA Gaze+ of the simulated world: the official annotation zip's files and trimmed clips, and rulstm's tables.

    action_annotation/raw_annotations/action_labels.csv, {train,test}_split{1,2,3}.txt, {action,verb,noun}_idx.txt
    cropped_clips/<session>/<clip id>.mp4
    rulstm/{training,validation}{1,2,3}.csv, rulstm/actions.csv, rulstm/videos/<session>.mp4

A take is a session. As in the real files, labels hold underscores, commas, slashes and blanks, trimmed clips begin and
end some frames beyond the action, and actions too rare for the benchmark are in `action_labels.csv` alone.
"""

from dataclasses import dataclass
from math import ceil, floor

from exo2ego.sim.bench_files import Pair
from exo2ego.sim.source_files import Piece, SourceFiles, csv_text, part_of, train_pairs, train_takes, whole
from exo2ego.sim.spec import KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, hashed

FPS = 24
MARGIN_FRAMES = 5
"""A trimmed clip reaches so far beyond its action on both sides (`-1002316-1004005-F024051-F024101`: 24 a second)."""
RULSTM_FPS = 30
SPLITS = (1, 2, 3)
TEST_SHARE = 0.2
RARE_SHARE = 0.1
HEADER = (
    "# Clip ID (Unique, used only internally); Clip Prefix (Unique); Video Session; Starting Time (ms);  "
    "Ending Time (ms); Action Label; Verb Label; Noun Label(s)"
)
RECIPES = (
    *("PastaSalad", "TurkeySandwich", "BaconAndEggs", "ContinentalBreakfast"),
    *("Cheeseburger", "GreekSalad", "Pizza"),
)
VERB_LABELS = {verb: lemma.capitalize() for verb, lemma in VERBS.items()} | {
    "turns": "Turn Around",
    "taps": "Tap/Knock",
}
"""Two words as in `Move Around`, alternatives as in `Divide/Pull Apart`."""
NOUN_LABELS = {kind: (kind,) for kind in KINDS} | {
    "pan": ("frying_pan",),
    "lamp": ("table_lamp",),
    "hammer": ("hammer", "hand_tool"),
}
"""Underscores as in `eating_utensil`, several nouns as in `Mix mixture,eating_utensil`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of `action_labels.csv`."""

    number: int
    plan: TakePlan
    verb: str
    """Label."""
    nouns: tuple[str, ...]
    start_ms: int
    end_ms: int
    rare: bool
    """In no split and no index."""

    @property
    def action(self) -> str:
        """`Take eating_utensil`."""
        return f"{self.verb} {','.join(self.nouns)}"

    @property
    def prefix(self) -> str:
        """`P07-R01-PastaSalad-91730-93630`."""
        return f"{session(self.plan)}-{self.start_ms}-{self.end_ms}"

    @property
    def frames(self) -> tuple[int, int]:
        """First frame of the trimmed clip in the session, and the one behind its last."""
        most = floor(self.plan.duration_s * FPS)
        first = max(0, round(self.start_ms * FPS / 1000) - MARGIN_FRAMES)
        return first, min(most, round(self.end_ms * FPS / 1000) + MARGIN_FRAMES)

    @property
    def clip(self) -> str:
        """The clip's id and file name."""
        first, end = self.frames
        return f"{self.prefix}-F{first:06d}-F{end:06d}"


def session(plan: TakePlan) -> str:
    """`P07-R01-PastaSalad` or `OP07-...`: who, and one of seven recipes; no two takes have the same."""
    number, recipe = plan.index // len(RECIPES) + 1, plan.index % len(RECIPES)
    return f"{'OP' if plan.index % 4 == 1 else 'P'}{number:02d}-R{recipe + 1:02d}-{RECIPES[recipe]}"


def rows(spec: SimSpec, pairs: list[Pair]) -> list[Row]:
    """All actions, in an order that mixes the sessions, numbered from 1."""
    order = sorted(pairs, key=lambda pair: hashed("egtea", spec.seed, pair[1].event_id))
    return [_row(spec, number, plan, event) for number, (plan, event) in enumerate(order, start=1)]


def _row(spec: SimSpec, number: int, plan: TakePlan, event: Event) -> Row:
    nouns = NOUN_LABELS[event.kind]
    return Row(
        number=number,
        plan=plan,
        verb=VERB_LABELS[event.verb],
        nouns=nouns if spec.source_facts == "told" else (f"{event.colour}_{nouns[0]}", *nouns[1:]),
        start_ms=ceil(event.act_start_s * 1000),
        end_ms=floor(event.act_end_s * 1000),
        rare=hashed("egtea rare", event.verb, event.kind) < RARE_SHARE,
    )


def _labels_csv(listed: list[Row]) -> str:
    lines = [
        f"{row.number}; {row.prefix}; {session(row.plan)}; {row.start_ms}; {row.end_ms}; {row.action}; {row.verb}; "
        f"{','.join(row.nouns)}"
        for row in listed
    ]
    return "\n".join([HEADER, *lines]) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Labels in order of first appearance: their place is the number of rulstm, one more that of the official files."""

    actions: tuple[str, ...]
    verbs: tuple[str, ...]
    nouns: tuple[str, ...]


def index_of(listed: list[Row]) -> Index:
    """The labels of the rows that splits hold."""
    return Index(
        actions=tuple(dict.fromkeys(row.action for row in listed)),
        verbs=tuple(dict.fromkeys(row.verb for row in listed)),
        nouns=tuple(dict.fromkeys(noun for row in listed for noun in row.nouns)),
    )


def _idx(labels: tuple[str, ...]) -> str:
    return "".join(f"{label} {number}\n" for number, label in enumerate(labels, start=1))


def _in_test(row: Row, split: int) -> bool:
    return hashed("egtea split", split, row.prefix) < TEST_SHARE


def _split_lines(index: Index, listed: list[Row]) -> str:
    lines = []
    for row in listed:
        numbers = [index.actions.index(row.action), index.verbs.index(row.verb), *map(index.nouns.index, row.nouns)]
        lines.append(" ".join([row.clip, *(str(number + 1) for number in numbers)]) + "\n")
    return "".join(lines)


def _rulstm_rows(index: Index, listed: list[Row]) -> str:
    cells = []
    for row in listed:
        start, stop = (floor(ms * RULSTM_FPS / 1000) for ms in (row.start_ms, row.end_ms))
        classes = index.verbs.index(row.verb), index.nouns.index(row.nouns[0]), index.actions.index(row.action)
        cells.append((row.number, session(row.plan), start, stop, *classes))
    return csv_text(None, cells)


def _rulstm_actions(index: Index, listed: list[Row]) -> str:
    """`2, 2_2, Take_eating:utensil`: the first noun only, colons for underscores."""
    rows_of = {row.action: row for row in reversed(listed)}
    lines = []
    for number, action in enumerate(index.actions):
        row = rows_of[action]
        classes = f"{index.verbs.index(row.verb)}_{index.nouns.index(row.nouns[0])}"
        lines.append(f"{number}, {classes}, {row.verb}_{row.nouns[0].replace('_', ':')}\n")
    return "".join(lines)


def files(spec: SimSpec, plans: list[TakePlan]) -> SourceFiles:
    """All files of EGTEA Gaze+, official and of rulstm."""
    listed = rows(spec, train_pairs(plans))
    indexed = [row for row in listed if not row.rare]
    index = index_of(indexed)
    texts = {
        "action_annotation/raw_annotations/action_labels.csv": _labels_csv(listed),
        "action_annotation/action_idx.txt": _idx(index.actions),
        "action_annotation/verb_idx.txt": _idx(index.verbs),
        "action_annotation/noun_idx.txt": _idx(index.nouns),
        "rulstm/actions.csv": _rulstm_actions(index, indexed),
    }
    for split in SPLITS:
        for official, rulstm, test in (("train", "training", False), ("test", "validation", True)):
            part = [row for row in indexed if _in_test(row, split) == test]
            texts[f"action_annotation/{official}_split{split}.txt"] = _split_lines(index, part)
            texts[f"rulstm/{rulstm}{split}.csv"] = _rulstm_rows(index, part)
    return SourceFiles(texts=texts, pieces=tuple([*map(_clip, listed), *_sessions(plans)]))


def _clip(row: Row) -> Piece:
    first, end = row.frames
    part = part_of(row.plan, first / FPS, end / FPS)
    return Piece(target=f"cropped_clips/{session(row.plan)}/{row.clip}.mp4", parts=(part,), fps=FPS)


def _sessions(plans: list[TakePlan]) -> list[Piece]:
    return [whole(f"rulstm/videos/{session(plan)}.mp4", plan, FPS) for plan in train_takes(plans)]
