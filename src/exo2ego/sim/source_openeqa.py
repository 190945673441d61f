"""OpenEQA of the simulated world: questions about episodes, which are folders of pictures.

    data/open-eqa-v0.json, data/frames/<episode_history>/<n>-rgb.png

An episode is two actions in a row of one take. Quirks of the real file: `extra_answers` in some entries only, answers
with and without a full stop, episodes of two data sets whose names count on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exo2ego.sim.bench_qaego4d import PAST
from exo2ego.sim.source_files import FRAMES, PARTICIPLES, Piece, SourceFiles, json_text, part_of, train_takes
from exo2ego.sim.spec import VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, hashed, uid

FPS = 5
EPISODES = 60
"""Most episodes; about two dozen pictures each."""
STOP_SHARE, EXTRA_SHARE = 0.1, 0.16
USES: dict[str, tuple[str, str]] = {
    "cup": ("drink from", "drinking"),
    "bottle": ("keep water in", "keeping water"),
    "pan": ("fry an egg in", "frying"),
    "ball": ("throw and catch", "playing"),
    "box": ("keep small things in", "keeping things"),
    "book": ("read", "reading"),
    "hammer": ("drive in a nail with", "driving in nails"),
    "lamp": ("light up the table with", "giving light"),
}
"""Kind -> what one can do with it, what it is for."""

Asked = tuple[str, str, str, tuple[str, ...]]
"""Category, question, answer, extra answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Two actions in a row."""

    number: int
    plan: TakePlan
    events: tuple[Event, ...]

    @property
    def history(self) -> str:
        """`hm3d-v0/004-hm3d-3fJqW9xKcPe` or `scannet-v0/005-scannet-scene0231_00`."""
        key = uid(0, "openeqa", self.plan.take_uid, self.events[0].index).replace("-", "")
        if self.number % 3 == 1:
            return f"hm3d-v0/{self.number:03d}-hm3d-{key[:11]}"
        return f"scannet-v0/{self.number:03d}-scannet-scene{int(key[:8], 16) % 10_000:04d}_00"

    @property
    def span_s(self) -> tuple[float, float]:
        """The stretch of the take that is shown."""
        return self.events[0].start_s, min(self.events[-1].end_s, self.plan.duration_s)


def episodes(spec: SimSpec, plans: list[TakePlan]) -> list[Episode]:
    """At most `EPISODES`, drawn by lot over all train takes."""
    firsts = [(plan, at) for plan in train_takes(plans) for at in range(0, max(1, len(plan.events) - 1), 2)]
    found = [(plan, plan.events[at : at + 2]) for plan, at in firsts]
    drawn = sorted(found, key=lambda one: hashed("openeqa", spec.seed, one[1][0].event_id))[:EPISODES]
    return [Episode(number=number, plan=plan, events=events) for number, (plan, events) in enumerate(drawn)]


def asked(spec: SimSpec, episode: Episode) -> Iterator[Asked]:
    """Questions of an episode; what narrations leave out is asked where `source_facts` is `all`."""
    kinds = list(dict.fromkeys(event.kind for event in episode.events))
    for event in episode.events:
        extra = (f"a {event.kind}", f"It is the {event.kind}.")
        yield "object recognition", f"Which object did I {VERBS[event.verb]}?", f"The {event.kind}", extra
        yield from _state(episode, event)
    for kind in kinds:
        use, purpose = USES[kind]
        yield "functional reasoning", f"What can I {use}?", f"The {kind}", (f"the {kind} on the table",)
        yield "world knowledge", f"What is a {kind} for?", f"For {purpose}", (purpose,)
    yield "object localization", f"Where is the {kinds[0]}?", "On the table", ("on the table in front of me",)
    if spec.source_facts == "all":
        for event in episode.events[: len(kinds)]:
            colour = f"What colour is the {event.kind} that I {PAST[event.verb]}?"
            yield "attribute recognition", colour, event.colour.capitalize(), (f"It is {event.colour}.",)
        first, second = episode.events[0].neighbours
        beside = f"What else is on the table besides the {episode.events[0].kind}?"
        yield "spatial understanding", beside, f"A {first} and a {second}", (f"a {second} and a {first}",)


def _state(episode: Episode, event: Event) -> Iterator[Asked]:
    """A question with yes or with no, by lot."""
    done = {one.verb for one in episode.events if one.kind == event.kind}
    others = [verb for verb in VERBS if verb not in done]
    draw = hashed("openeqa state", event.event_id)
    verb = event.verb if draw < 0.5 else others[int((2 * draw - 1) * len(others))]
    question = f"Has the {event.kind} been {PARTICIPLES[verb]}?"
    yield "object state recognition", question, "Yes" if verb == event.verb else "No", ()


def rows(spec: SimSpec, shown: list[Episode]) -> list[dict[str, Any]]:
    """Entries of `open-eqa-v0.json`."""
    found = []
    for episode in shown:
        for number, (category, question, answer, extra) in enumerate(asked(spec, episode)):
            name = uid(spec.seed, "openeqa question", episode.history, number)
            row: dict[str, Any] = {
                "question": question,
                "answer": f"{answer}." if hashed("stop", name) < STOP_SHARE else answer,
                "category": category,
                "question_id": name,
                "episode_history": episode.history,
            }
            if extra and hashed("extra", name) < EXTRA_SHARE:
                row["extra_answers"] = list(extra)
            found.append(row)
    return found


def files(spec: SimSpec, plans: list[TakePlan]) -> SourceFiles:
    """The questions, and a folder of pictures for each episode."""
    shown = episodes(spec, plans)
    pieces = []
    for episode in shown:
        part = part_of(episode.plan, *episode.span_s)
        pieces.append(Piece(target=f"data/frames/{episode.history}", parts=(part,), fps=FPS, form=FRAMES))
    texts = {"data/open-eqa-v0.json": json_text(rows(spec, shown), indent=2)}
    return SourceFiles(texts=texts, pieces=tuple(pieces))
