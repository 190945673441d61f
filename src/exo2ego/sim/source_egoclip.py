"""EgoClip of the simulated world: narrated clips of recordings, and the recordings in three stores.

    egoclip.csv (tab separated), chunks600/<uid>/<k>.mp4, chunks300/<uid>.mp4/<start>.mp4, whole/<uid>.mp4

A recording is a train take; the first one joins takes, over again where there are few, to more than 600 s, so that both
kinds of chunks have several, and a clip lies across the border of two. Dirt as in the real file: lines with a field too
many, others' narrations (`#O`), unsure ones, clips that would begin before their video.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from exo2ego.sim.narrate import OTHERS, UNSURE, text_of
from exo2ego.sim.source_files import Part, Piece, SourceFiles, part_of, train_takes, whole
from exo2ego.sim.spec import KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

COLUMNS = (
    *("clip_idx", "video_uid", "video_dur", "narration_source", "narration_ind", "narration_time"),
    *("clip_start", "clip_end", "clip_text", "tag_verb", "tag_noun"),
)
PASSES = ("narration_pass_1", "narration_pass_2")
LONG_S = 620.0
"""The joined recording is at least so long."""
BORDER_S = 600
"""In it the middle of an action is here: a border of both kinds of chunks."""
JITTER_S = 0.1
OTHER_SHARE, UNSURE_SHARE, TORN_SHARE = 0.08, 0.04, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A video: takes one after another."""

    uid: str
    takes: tuple[TakePlan, ...]
    skip_s: float = 0.0
    """What is left out of the beginning of the first take."""

    @property
    def duration_s(self) -> float:
        """Of the recording: all takes, less what is left out."""
        return sum(plan.duration_s for plan in self.takes) - self.skip_s

    def placed(self) -> Iterator[tuple[TakePlan, float]]:
        """Each take and where its beginning lies in the recording (the first: before it, where some is left out)."""
        at_s = -self.skip_s
        for plan in self.takes:
            yield plan, at_s
            at_s += plan.duration_s

    def events(self) -> list[tuple[Event, float]]:
        """Everything that happens, and how much later it is than in its take."""
        return [(event, at_s) for plan, at_s in self.placed() for event in plan.events if event.act_start_s + at_s >= 0]

    def parts(self, start_s: float, end_s: float) -> tuple[Part, ...]:
        """What [start, end) of the recording is made of."""
        found = []
        for plan, at_s in self.placed():
            first, last = max(start_s - at_s, 0.0), min(end_s - at_s, plan.duration_s)
            if last - first > 1e-6:
                found.append(part_of(plan, first, last))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrated:
    """A narration: when, in which words, about which verb and noun."""

    time_s: float
    text: str
    verbs: tuple[int, ...] = ()
    nouns: tuple[int, ...] = ()


def recordings(spec: SimSpec, plans: list[TakePlan]) -> list[Recording]:
    """The joined recording, then one for each train take that is not in it."""
    takes = train_takes(plans)
    joined: list[TakePlan] = []
    for plan in cycle(takes):
        joined.append(plan)
        if sum(one.duration_s for one in joined) >= LONG_S:
            break
    name = uid(spec.seed, "egoclip", "joined")
    long = Recording(uid=name, takes=tuple(joined))
    middles = [event.middle_s + at_s for event, at_s in long.events()]
    late_s = min(middle for middle in middles if middle >= BORDER_S) - BORDER_S
    # Whole frames, so that frames of the recording are frames of the takes.
    long = Recording(uid=name, takes=tuple(joined), skip_s=round(late_s * spec.fps) / spec.fps)
    return [long, *(Recording(uid=plan.take_uid, takes=(plan,)) for plan in takes[len(joined) :])]


def narrated(spec: SimSpec, recording: Recording, number: int) -> list[Narrated]:
    """What one annotator wrote, by time."""
    rng = np.random.default_rng([spec.seed, 10, number, *recording.uid.encode()])
    found = [Narrated(time_s=0.1, text="#C C looks at the table")]
    marked = [text for text in UNSURE if "#unsure" in text]
    for event, at_s in recording.events():
        time_s = event.middle_s + at_s + float(rng.uniform(-JITTER_S, JITTER_S))
        classes = (list(VERBS).index(event.verb),), (KINDS.index(event.kind),)
        found.append(Narrated(time_s=time_s, text=_text(spec, event), verbs=classes[0], nouns=classes[1]))
        draw, later_s = rng.random(), time_s + 0.9
        if draw < OTHER_SHARE:
            found.append(Narrated(time_s=later_s, text=f"#O {OTHERS[int(rng.integers(len(OTHERS)))].rstrip('.')}"))
        elif draw < OTHER_SHARE + UNSURE_SHARE:
            found.append(Narrated(time_s=later_s, text=f"#C {marked[int(rng.integers(len(marked)))].rstrip('.')}"))
    return sorted(found, key=lambda one: one.time_s)


def _text(spec: SimSpec, event: Event) -> str:
    text = f"#C {text_of(event).rstrip('.')}"
    if spec.source_facts == "told":
        return text
    return f"{text.removesuffix(event.kind)}{event.colour} {event.kind} with the {event.hand} hand"


def _beta_s(told: Sequence[Narrated]) -> float:
    """Mean distance of narrations of a video that follow each other (EgoVLP, eq. 1)."""
    return (told[-1].time_s - told[0].time_s) / (len(told) - 1)


def lines(spec: SimSpec, found: Sequence[Recording]) -> list[str]:
    """`egoclip.csv`: a clip is as wide as its video's beta over the mean of all betas, about its narration."""
    told = {(one.uid, number): narrated(spec, one, number) for one in found for number in range(len(PASSES))}
    alpha_s = sum(map(_beta_s, told.values())) / len(told)
    rng = np.random.default_rng([spec.seed, 11])
    written = ["\t".join(COLUMNS)]
    for one in found:
        for number, source in enumerate(PASSES):
            half_s = _beta_s(told[one.uid, number]) / alpha_s / 2
            for index, narration in enumerate(told[one.uid, number]):
                facts = (len(written) - 1, one.uid, f"{one.duration_s:.6f}", source, index)
                times = (narration.time_s, narration.time_s - half_s, narration.time_s + half_s)
                tags = [str(list(classes)) for classes in (narration.verbs, narration.nouns)]
                text = narration.text
                if rng.random() < TORN_SHARE:
                    text = text.replace(" the ", " the\t", 1)
                written.append("\t".join([*map(str, facts), *(f"{one_s:.6f}" for one_s in times), text, *tags]))
    return written


def files(spec: SimSpec, plans: list[TakePlan]) -> SourceFiles:
    """The table, and every recording as chunks of 600 s, as chunks of 300 s, and as a whole."""
    found = recordings(spec, plans)
    texts = {"egoclip.csv": "\n".join(lines(spec, found)) + "\n"}
    return SourceFiles(texts=texts, pieces=tuple(piece for one in found for piece in _pieces(spec, one)))


def _pieces(spec: SimSpec, one: Recording) -> Iterator[Piece]:
    yield _piece(spec, one, f"whole/{one.uid}.mp4", 0.0, one.duration_s)
    for length_s in (600, 300):
        for number in range(-int(-one.duration_s // length_s)):
            name = f"{one.uid}/{number}" if length_s == 600 else f"{one.uid}.mp4/{number * length_s}"
            start_s = float(number * length_s)
            end_s = min(start_s + length_s, one.duration_s)
            yield _piece(spec, one, f"chunks{length_s}/{name}.mp4", start_s, end_s)


def _piece(spec: SimSpec, one: Recording, target: str, start_s: float, end_s: float) -> Piece:
    if len(one.takes) == 1 and one.duration_s <= 300:
        return whole(target, one.takes[0], None)
    return Piece(target=target, parts=one.parts(start_s, end_s), fps=spec.fps)
