"""Something-Something-V2 of the simulated world: a short webm an event, labelled by a template with its blanks filled.

    labels/{train,validation,test,labels}.json, labels/test-answers.csv, 20bn-something-something-v2/<id>.webm

The templates are this world's, not the 174 of the real data; their forms are the real ones: one blank or two, a blank
that opens the sentence (`[Something] being shaken ...`), things named with and without an article.
"""

from typing import Any

from exo2ego.sim.bench_files import Pair
from exo2ego.sim.encode import WEBM
from exo2ego.sim.source_files import Piece, SourceFiles, json_text, part_of, train_pairs
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import Event, TakePlan, hashed

FPS = 12
VIDEOS = 220847
"""The real data set's number of videos: ids are numbers up to it."""
BLANK = "[something]"
TEMPLATES: dict[str, tuple[str, ...]] = {
    "lifts": ("Lifting [something]", "Lifting up [something]"),
    "pushes": ("Pushing [something]", "Pushing [something] away"),
    "pulls": ("Pulling [something]", "Pulling [something] closer"),
    "slides": ("Sliding [something]", "Sliding [something] over the table"),
    "shakes": ("Shaking [something]", "[Something] being shaken in the air"),
    "turns": ("Turning [something]", "Turning [something] around"),
    "pours": ("Pouring [something]", "Pouring [something] out"),
    "taps": ("Tapping [something]", "Tapping on [something] with [something]"),
    "stirs": ("Stirring [something]", "Stirring in [something] with [something]"),
    "presses": ("Pressing [something]", "Pressing down [something]"),
}
"""Verb -> templates; none tells colour, hand, direction, count or neighbours."""
SECOND = "a hand"
"""What fills a second blank."""
SHARES = (("train", 0.8), ("validation", 0.9), ("test", 1.0))


def ids(spec: SimSpec, pairs: list[Pair]) -> list[str]:
    """An id for each event, no two the same."""
    taken: dict[int, None] = {}
    for _, event in pairs:
        number = int(hashed("ssv2", spec.seed, event.event_id) * VIDEOS) + 1
        while number in taken:
            number = number % VIDEOS + 1
        taken[number] = None
    return [str(number) for number in taken]


def row(spec: SimSpec, name: str, event: Event) -> dict[str, Any]:
    """An entry of `train.json`."""
    template = TEMPLATES[event.verb][int(hashed("ssv2 template", name, event.event_id) < 0.4)]
    thing = event.kind if spec.source_facts == "told" else f"{event.colour} {event.kind}"
    article = "a " if hashed("ssv2 article", name, event.event_id) < 0.3 else ""
    things = [f"{article}{thing}", SECOND][: template.lower().count(BLANK)]
    label = template.lower()
    for one in things:
        label = label.replace(BLANK, one, 1)
    return {"id": name, "label": label, "template": template, "placeholders": things}


def plain(template: str) -> str:
    """A template as `labels.json` has it: without brackets."""
    return template.replace("[", "").replace("]", "")


def files(spec: SimSpec, plans: list[TakePlan]) -> SourceFiles:
    """The label files and all videos."""
    pairs = train_pairs(plans)
    by_split: dict[str, list[dict[str, Any]]] = {split: [] for split, _ in SHARES}
    pieces = []
    for name, (plan, event) in zip(ids(spec, pairs), pairs, strict=True):
        draw = hashed("ssv2 split", spec.seed, name)
        by_split[next(split for split, up_to in SHARES if draw < up_to)].append(row(spec, name, event))
        part = part_of(plan, event.start_s, event.end_s)
        target = f"20bn-something-something-v2/{name}.webm"
        pieces.append(Piece(target=target, parts=(part,), fps=FPS, form=WEBM))
    labels = sorted(plain(one) for many in TEMPLATES.values() for one in many)
    texts = {
        "labels/train.json": json_text(by_split["train"]),
        "labels/validation.json": json_text(by_split["validation"]),
        "labels/test.json": json_text([{"id": one["id"]} for one in by_split["test"]]),
        "labels/labels.json": json_text({label: str(number) for number, label in enumerate(labels)}),
        "labels/test-answers.csv": "".join(f"{one['id']};{plain(one['template'])}\n" for one in by_split["test"]),
    }
    return SourceFiles(texts=texts, pieces=tuple(pieces))
