"""What is asked, word for word. The three styles are the paper's three (base, + task details, + first-person cue).

The paper does not print its prompts; these words are ours. Candidate texts are
written the way training writes narrations.
"""

import re
from collections.abc import Sequence

from exo2ego.data.pairs import rewrite_subject

QUESTION = "What does the camera-wearer do?"
"""Training asks it about narrations (`training/config.py: narration_question`), so it is the one that models know."""

STYLES: dict[str, tuple[str, ...]] = {
    "base": (),
    "details": ("details",),
    "first_person": ("details", "cue"),
}

CUE = "The video is seen from the eyes of the camera-wearer: the hands at the lower edge are theirs."

CUES: dict[str, str] = {
    "forgetting": "The video is seen by a camera that stands in the room: the camera-wearer is the person at the table."
}
"""Where another view is to be named in the place of `CUE`."""

_LONG = "The video is one long recording. What is asked for may have been visible for a moment only."
_HOUSEHOLD = "The video shows a household task of one or two people. Think of causes, effects and what they intend."

DETAILS: dict[str, str] = {
    "egomcq": "The video is a short clip of one everyday action. Say in one short sentence what happens.",
    "egoschema": "The video shows a long activity. Find the answer that describes the whole video, not one moment.",
    "qaego4d_closed": _LONG,
    "qaego4d_open": _LONG,
    "egotaskqa_direct": _HOUSEHOLD,
    "egotaskqa_indirect": _HOUSEHOLD,
    "egotaskqa_mcq": _HOUSEHOLD,
    "epic_mir": "The video is a short clip of one kitchen action. Say in one short sentence which action it is.",
    "charades_ego": "The video shows half a minute at home. Say in a few words one thing that is done in it.",
    "egoplan": "The video shows the progress of a task up to now. Find the one action that comes next.",
    "vln_qa": "The video shows a walk that follows the instruction. Find the action that comes next at its end.",
    "forgetting": "The video is a short clip of one everyday action, seen by a camera that stands in the room.",
}

LETTER_RULE = "Answer with the option's letter from the given choices directly and only give the best option."

SHORT_RULE = "Answer in one word or a few words, without a sentence around them."
YES_NO_RULE = "Answer yes or no, or in a few words, without a sentence around them."

_DETERMINERS = frozenset(["the", "a", "an", "his", "her", "their", "its", "some", "another", "both", "all"])
_PARTICLES = frozenset(
    [
        "up",
        "down",
        "on",
        "off",
        "in",
        "out",
        "into",
        "onto",
        "over",
        "away",
        "back",
        "around",
        "through",
        "with",
        "from",
    ]
)


def styled(question: str, task: str, style: str) -> str:
    """`question` after the lines that the style adds for this task."""
    lines = {"details": DETAILS[task], "cue": CUES.get(task, CUE)}
    return "\n".join([*(lines[part] for part in STYLES[style]), question])


def with_letters(question: str, options: Sequence[str]) -> str:
    """The question, the options as `(A) text`, one a line, and the request for a letter."""
    listed = [f"({chr(ord('A') + index)}) {option}" for index, option in enumerate(options)]
    return "\n".join([question, *listed, LETTER_RULE])


def short_answer(question: str, rule: str = SHORT_RULE) -> str:
    """The question and, on a line of its own, the request to be brief."""
    return f"{question}\n{rule}"


def normal_narration(text: str) -> str:
    """A narration as training writes it: `#C C lifts the cup` and `C lifts the cup.` -> `Camera-wearer lifts the cup.`

    A narration about somebody else (`#O A man walks`) keeps its subject and loses its tag.
    """
    return rewrite_subject(text.strip()).rstrip(". ") + "."


def third_person(verb: str) -> str:
    """`lift` -> `lifts`, `push` -> `pushes`, `carry` -> `carries`, `pick up` -> `picks up`."""
    head, *particles = verb.split()
    if re.search(r"(?:s|x|z|ch|sh|o)$", head):
        head += "es"
    elif re.search(r"[^aeiou]y$", head):
        head = head[:-1] + "ies"
    else:
        head += "s"
    return " ".join([head, *particles])


def action_sentence(action: str) -> str:
    """An EPIC action as a narration: `put down plate` -> `Camera-wearer puts down the plate.`

    The verb is the first word with the particle that may follow it; "the" precedes the rest unless a determiner does.
    """
    words = action.replace("-", " ").split()
    length = 2 if len(words) > 2 and words[1] in _PARTICLES else 1
    rest = words[length:]
    article = ["the"] if rest and rest[0] not in _DETERMINERS else []
    return " ".join(["Camera-wearer", third_person(" ".join(words[:length])), *article, *rest]) + "."
