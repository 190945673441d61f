"""What of a shard directory is exported: which view of each sample, which conversations, and what is left out."""

from collections import Counter
from dataclasses import dataclass, field

from exo2ego.data.export_forms import FORMS, IMAGE_MARKER, VIDEO_MARKER, marked_answers, unfit
from exo2ego.data.shards import EGO, ShardSample, ShardSet
from exo2ego.errors import FormatError
from exo2ego.records import SPLITS, Conversation, Turn, VideoSpan

BEST_EXO = "best-exo"
VIDEOS = "videos"
SAMPLES_PER_FOLDER = 1000
DROP_REASONS = ("other split", "no such view", "empty text", "marker in a question", "no Unicode text")
"""Why a sample (the first two), or one of its conversations, is not exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRule:
    """What is exported, and how."""

    form: str
    view: str
    """`video`, `ego`, a camera, or `best-exo`."""
    question: str = ""
    """What pair samples are asked; their narration is the answer."""
    splits: tuple[str, ...] = ("train",)
    marker: str = VIDEO_MARKER

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise FormatError(f"format '{self.form}'; expected one of {', '.join(FORMS)}")
        if not self.splits or set(self.splits) - set(SPLITS):
            raise FormatError(f"splits {', '.join(self.splits) or 'none'}; choose of {', '.join(SPLITS)}")
        if self.marker not in (VIDEO_MARKER, IMAGE_MARKER):
            raise FormatError(f"marker '{self.marker}'; expected {VIDEO_MARKER} or {IMAGE_MARKER}")
        if self.marker != VIDEO_MARKER and self.form != "llava":
            raise FormatError(f"marker {self.marker}: only LLaVA's files have it; {self.form} has {VIDEO_MARKER}")


@dataclass(slots=True)
class ExportReport:
    """What was written, and what was not; grows sample by sample."""

    conversations: int = 0
    turns: int = 0
    clips: int = 0
    copied: int = 0
    """Clips written by this run."""
    marked_answers: int = 0
    """Answers with `<video>` or `<image>` in them."""
    hours: float = 0.0
    """Of the clips."""
    splits: Counter[str] = field(default_factory=Counter)
    """Conversations by split."""
    sources: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    """Samples and conversations, by reason of `DROP_REASONS`."""

    def told_drops(self) -> str:
        """What was left out, in a line."""
        return ", ".join(f"{self.dropped[reason]} {reason}" for reason in DROP_REASONS if self.dropped[reason])


def check_view(shards: ShardSet, rule: ExportRule) -> None:
    """Raises FormatError where no sample can have the view, or pairs have no question."""
    first = shards.samples[0] if len(shards) else None
    if first is None:
        raise FormatError(f"{shards.folder}: holds no sample")
    if EGO in first.views and not rule.question.strip():
        raise FormatError(f"{shards.folder}: holds narrated pairs; say what is asked about them with --question")
    if EGO not in first.views and rule.view not in first.views:
        raise FormatError(
            f"{shards.folder}: holds instructions, which have one view, '{first.views[0]}', and no '{rule.view}'"
        )


def chosen_view(sample: ShardSample, rule: ExportRule) -> str | None:
    """The view of a sample that is exported, None where it has none such."""
    view = sample.best_exo if rule.view == BEST_EXO else rule.view
    return view if view in sample.views and not (rule.view == BEST_EXO and view == EGO) else None


def clip_path(sample: ShardSample, view: str, number: int) -> str:
    """Where the clip of the `number`-th sample goes, relative to the folder."""
    return f"{VIDEOS}/{number // SAMPLES_PER_FOLDER:05d}/{sample.key}.{view}.mp4"


def exported(sample: ShardSample, number: int, rule: ExportRule, report: ExportReport) -> list[Conversation]:
    """The conversations of a sample that are exported, each about the whole of its clip; counts them and the others."""
    view = chosen_view(sample, rule)
    if sample.split not in rule.splits or view is None:
        report.dropped["other split" if sample.split not in rule.splits else "no such view"] += 1
        return []
    said = sample.conversations or ((Turn(question=rule.question, answer=sample.text),),)
    out = []
    for position, turns in enumerate(said):
        reason = unfit(turns)
        if reason is not None:
            report.dropped[reason] += 1
            continue
        report.marked_answers += marked_answers(turns)
        report.turns += len(turns)
        # "#" is in no key: names stay apart whatever the keys are.
        name = f"{sample.key}#{position}" if len(said) > 1 else sample.key
        span = VideoSpan(path=clip_path(sample, view, number))
        out.append(Conversation(conversation_id=name, video=span, turns=turns))
    if out:
        report.clips += 1
        report.hours += (sample.end_s - sample.start_s) / 3600
        report.conversations += len(out)
        report.splits[sample.split] += len(out)
        report.sources[sample.source] += len(out)
    return out
