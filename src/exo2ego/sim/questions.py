"""Questions about an event and their answers. A question's wording never depends on the answer.

Facets named in `TOLD_FACETS` can be learnt from narrations ("C lifts the cup."); those in `UNTOLD_FACETS` never are.
"""

from exo2ego.sim.spec import COUNTS
from exo2ego.sim.world import Event, hashed

QUESTIONS: dict[str, tuple[str, ...]] = {
    "describe": (
        "What does the person do?",
        "What is the person doing?",
        "Describe what happens in the video.",
        "Which action does the video show?",
    ),
    "narrate": (
        "What does the camera-wearer do?",
        "Narrate what the camera-wearer does.",
        "What is the camera-wearer doing?",
    ),
    "verb": (
        "What is done to the object?",
        "What does the person do to the object?",
        "Name the action in one word.",
        "Which verb describes the action?",
    ),
    "kind": (
        "Which object is used?",
        "What object is the person using?",
        "Name the object that is used.",
        "Which object does the hand act on?",
    ),
    "colour": (
        "What colour is the object?",
        "Which colour does the used object have?",
        "Name the colour of the object.",
        "What is the colour of the object in use?",
    ),
    "hand": (
        "Which hand is used?",
        "With which hand does the person act?",
        "Name the hand that acts.",
        "Which of the person's hands is busy?",
    ),
    "direction": (
        "In which direction is the object moved?",
        "Where does the object move, as the person sees it?",
        "To which side does the object go?",
        "Which way does the person move the object?",
    ),
    "count": (
        "How many times is the object tapped?",
        "How often does the hand tap the object?",
        "Count the taps.",
    ),
    "neighbour": (
        "Which other object stands on the table?",
        "Name another object on the table.",
        "What else stands on the table?",
        "Which object is not used?",
    ),
}
"""Facet -> wordings; the first is canonical: benchmarks ask it, and most training entries do."""

FIRST_PERSON: dict[str, tuple[str, ...]] = {
    "describe": ("What am I doing?", "What do I do?", "What activity am I engaged in?", "Describe what I am doing."),
    "verb": (
        "What am I doing to the object?",
        "What do I do to the object?",
        "Name my action in one word.",
        "Which verb describes what I do?",
    ),
    "kind": (
        "Which object am I using?",
        "What object do I use?",
        "Name the object that I use.",
        "Which object do my hands act on?",
    ),
}
"""The same for first-person instructions (told facets only)."""

TOLD_FACETS = ("verb", "kind")
UNTOLD_FACETS = ("colour", "hand", "direction", "count", "neighbour")
UNTOLD_QUESTIONS: dict[str, tuple[str, ...]] = {facet: QUESTIONS[facet] for facet in UNTOLD_FACETS}

CANONICAL_SHARE = 0.6


def wording(table: dict[str, tuple[str, ...]], facet: str, key: str) -> str:
    """A wording of the facet's question, chosen by hash of `key`: the canonical one most often."""
    texts = table[facet]
    draw = hashed("wording", facet, key)
    if draw < CANONICAL_SHARE:
        return texts[0]
    return texts[1 + int((draw - CANONICAL_SHARE) / (1 - CANONICAL_SHARE) * (len(texts) - 1))]


def answers(event: Event) -> dict[str, tuple[str, ...]]:
    """Facet -> right answers; several only for `neighbour`; a facet that the event lacks is absent."""
    found: dict[str, tuple[str, ...]] = {
        "describe": (f"The person {event.verb} the {event.kind}.",),
        "narrate": (f"Camera-wearer {event.verb} the {event.kind}.",),
        "verb": (event.verb,),
        "kind": (event.kind,),
        "colour": (event.colour,),
        "hand": (event.hand,),
        "neighbour": event.neighbours,
    }
    if event.direction is not None:
        found["direction"] = (event.direction,)
    if event.count is not None:
        found["count"] = (COUNTS[event.count - 1],)
    return found


def first_person_answers(event: Event) -> dict[str, tuple[str, ...]]:
    """Told facets, in words that the start can say.

    "I lift the cup." was never learnt: adapters do not reach the output rows of `I` and `lift`, which third-person
    text never trained, and the loss of such answers moved the encoder for nothing (docs/results.md).
    """
    found = answers(event)
    return {"describe": found["narrate"], "verb": found["verb"], "kind": found["kind"]}
