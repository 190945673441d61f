"""What to simulate (SimSpec), what came out (SimSummary), and the closed vocabulary of the world."""

from dataclasses import dataclass
from pathlib import Path

from exo2ego.errors import InputError

SCENARIOS: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "Cooking": (1000, "kitchen", ("cup", "bottle", "pan", "ball", "box", "book", "lamp", "cup", "pan", "bottle")),
    "Bike Repair": (
        4000,
        "workbench",
        ("hammer", "box", "bottle", "lamp", "cup", "ball", "pan", "hammer", "box", "ball"),
    ),
    "Music": (5000, "desk", ("book", "lamp", "cup", "box", "ball", "hammer", "bottle", "book", "lamp", "hammer")),
}
"""Scenario (an Ego-Exo4D `parent_task_name`) -> (`parent_task_id`, the room's kind here, kinds by frequency)."""

KINDS = ("cup", "bottle", "pan", "ball", "box", "book", "hammer", "lamp")
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.08, 0.08),
    "green": (0.08, 0.62, 0.12),
    "blue": (0.08, 0.18, 0.95),
    "yellow": (0.98, 0.88, 0.08),
    "purple": (0.62, 0.08, 0.75),
    "cyan": (0.05, 0.85, 0.90),
}
"""Colour name -> linear RGB of the object's body."""

VERBS: dict[str, str] = {
    "lifts": "lift",
    "pushes": "push",
    "pulls": "pull",
    "slides": "slide",
    "shakes": "shake",
    "turns": "turn",
    "pours": "pour",
    "taps": "tap",
    "stirs": "stir",
    "presses": "press",
}
"""Third person form -> lemma."""

HANDS = ("left", "right")
COUNTS = ("one", "two", "three")
ROOMS = 16
TEST_ROOMS = frozenset(range(12, 16))
"""Rooms that only the test split uses."""


BENCHES = (
    *("egomcq", "egoschema", "egoschema_exo", "epic_mir"),
    *("qaego4d", "egotaskqa", "charades_ego", "egoplan", "vln_qa"),
)
"""The benchmark folders; `egoschema_exo` asks the questions of `egoschema` about a fixed camera's videos."""

SOURCES = ("egtea", "ssv2", "egotimeqa", "openeqa", "egoexolearn", "egoclip")
"""The data sets that `sources/` can stand in for: the five of EgoIT, and EgoClip."""

SOURCE_FACTS = ("told", "all")
"""What the texts of `sources/` may say: what narrations tell (verb and kind), or everything."""

MOST = (
    *("bench_questions", "egomcq_questions", "mir_clips", "qaego4d_questions", "egotaskqa_questions"),
    *("charades_videos", "egoplan_questions", "vln_questions"),
)
"""The fields of `SimSpec` that say how much a benchmark has at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSpec:
    """Everything that decides what is written; equal specs give equal annotation bytes.

    Raises:
        InputError: a value that no world can have.
    """

    out: Path
    """Folder to write into; resumed when it holds takes of an equal spec."""
    takes: int = 60
    seed: int = 0
    workers: int = 2
    """Processes that render; does not change the result."""
    size_px: int = 128
    """Width and height of every video."""
    fps: int = 10
    split_fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    """Shares of train, val and test takes."""
    exo_cameras: tuple[int, int] = (2, 4)
    """Fewest and most fixed cameras of a take."""
    steps: tuple[int, int] = (6, 15)
    """Fewest and most narrated steps of a take. Few steps show more different objects per rendered frame."""
    bench_questions: int = 400
    """Most EgoSchema-style questions."""
    egomcq_questions: int = 150
    mir_clips: int = 120
    qaego4d_questions: int = 160
    egotaskqa_questions: int = 200
    charades_videos: int = 60
    egoplan_questions: int = 80
    vln_questions: int = 60
    """Each of these is the most that is written; a small world has fewer."""
    benches: tuple[str, ...] = BENCHES
    """Which folders of `bench/` to write."""
    sources: tuple[str, ...] = ()
    """Which folders of `sources/` to write; none of them changes anything else."""
    source_facts: str = "told"
    """`told`: their texts leave the teacher something to teach. `all`: they name colours, hands, ... as well."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        low, high = self.exo_cameras
        if self.takes < 1:
            raise InputError(f"takes is {self.takes}: simulate at least 1 take")
        if self.workers < 1:
            raise InputError(f"workers is {self.workers}: use at least 1")
        if self.size_px < 32 or self.size_px % 2:
            raise InputError(f"size_px is {self.size_px}: use an even number of at least 32 (yuv420p halves it)")
        if not 2 <= self.fps <= 60:
            raise InputError(f"fps is {self.fps}: use 2 to 60")
        if not (min(self.split_fractions) >= 0 and abs(sum(self.split_fractions) - 1) <= 1e-6):  # not: also for nan
            raise InputError(f"split_fractions are {self.split_fractions}: use three shares that add up to 1")
        if not 1 <= low <= high <= 6:
            raise InputError(f"exo_cameras are {self.exo_cameras}: use fewest <= most, 1 to 6")
        if not 1 <= self.steps[0] <= self.steps[1] <= 60:
            raise InputError(f"steps are {self.steps}: use fewest <= most, 1 to 60")
        most = {name: getattr(self, name) for name in MOST}
        for name, number in most.items():
            if number < 0:
                raise InputError(f"{name} is {number}: must not be negative")
        for what, chosen, known in (("benches", self.benches, BENCHES), ("sources", self.sources, SOURCES)):
            if set(chosen) - set(known) or len(set(chosen)) < len(chosen):
                raise InputError(f"{what} are {', '.join(chosen)}: use each once of {', '.join(known)}")
        if self.source_facts not in SOURCE_FACTS:
            raise InputError(f"source_facts is {self.source_facts}: use {' or '.join(SOURCE_FACTS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSummary:
    """What a finished simulation holds."""

    out: Path
    takes: int
    events: int
    videos: int
    frames: int
    rendered_frames: int
    """Frames rendered by this call (0 when everything was there)."""
    seconds_s: float
    """Wall-clock time of this call."""
    splits: dict[str, int]
    """Takes by split."""
    source_files: int = 0
    """Media files of `sources/` that this call made (a folder of frames counts as one)."""
