"""Something-Something-V2 -> "I am holding a potato next to a bottle.": what is done with things, by its templates.

    ROOT/labels/train.json          [{"id": "78687", "label": "holding potato next to bottle",
                                      "template": "Holding [something] next to [something]",
                                      "placeholders": ["potato", "bottle"]}, ...]
    ROOT/labels/labels.json         {"Holding something next to something": "19", ...}; where it is there, it must
                                    know every template
    ROOT/20bn-something-something-v2/<id>.webm

Older names: `something-something-v2-{train,labels}.json`, in ROOT/labels or in ROOT. Validation and test rows
(`validation.json`, `test.json`) are never read: they are what models are measured on. Not all of it is egocentric, but
hands act close to the camera in all of it; EgoIT uses it for action recognition.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from exo2ego.data.jsonfile import Fields, load_json
from exo2ego.data.sources.english import sentence, with_article
from exo2ego.data.sources.reading import Made, SourceRead, filled, first_existing, gather, inner_path, json_fields
from exo2ego.data.sources.source import ReadOptions, Source
from exo2ego.data.sources.templates import Kind
from exo2ego.errors import FormatError
from exo2ego.records import Conversation, Turn, VideoSpan

VIDEOS = "20bn-something-something-v2"
PLACE = re.compile(r"\[([^\]]*)\]")
BLANK = "____"
KINDS = (
    Kind(name="action", tells="what is done with which things, as a sentence"),
    Kind(name="fill", needs=frozenset({"pattern"}), tells="the pattern with its blanks filled, as a sentence"),
    Kind(name="template", tells="what is done, with 'something' for every thing, as a sentence"),
)
COUNTED = "number of"
"""A place filled by a number; the thing after it takes no article: "[number of] [something]"."""


def read(root: Path, options: ReadOptions) -> SourceRead:
    """All rows of `train.json`. Raises MissingFileError, FormatError where a file as a whole is unusable."""
    path = first_existing(root, _places("train"), "labels of Something-Something-V2")
    names = [root / name for name in _places("labels") if (root / name).is_file()]
    known = _known_templates(names[0]) if names else None

    def made(row: Fields) -> Made:
        return _conversations(row, known, options)

    read = gather(json_fields(path), made, str(path))
    checked = (
        f"templates checked against {names[0]}" if names else "no labels.json beside it: templates are not checked"
    )
    return replace(read, notes=(f"{path}; {checked}",))


def _places(part: str) -> tuple[str, ...]:
    long = f"something-something-v2-{part}.json"
    return f"labels/{part}.json", f"labels/{long}", long, f"{part}.json"


def _known_templates(path: Path) -> frozenset[str]:
    """Keys of labels.json: templates without brackets."""
    table = load_json(path)
    if not isinstance(table, Mapping) or not table:
        raise FormatError(f'{path}: expected an object {{"<template>": "<number>", ...}}')
    return frozenset(table)


def _conversations(row: Fields, known: frozenset[str] | None, options: ReadOptions) -> Made:
    identity = filled(row, "id")
    label, template = filled(row, "label"), filled(row, "template")
    things = [" ".join(thing.split()) for thing in row.items("placeholders") if isinstance(thing, str)]
    if len(things) != len(row.items("placeholders")) or not all(things):
        raise row.fail("placeholders", "a list of texts")
    plain = PLACE.sub(lambda place: place[1], template)
    if known is not None and plain not in known:
        raise row.fail("template", "one that labels.json lists, with [...] around its places")
    video = VideoSpan(path=inner_path(row, "id", f"{VIDEOS}/{identity}.webm"))
    fits = len(PLACE.findall(template)) == len(things)
    told = _told(_fill(template, things) if fits else label, options.first_person)
    questions = {"action": ("", told), "template": ("", _told(plain, options.first_person))}
    if fits and things:
        questions["fill"] = (sentence(PLACE.sub(BLANK, template)), told)
    return [
        Conversation(
            conversation_id=f"{identity}/{kind}",
            video=video,
            turns=(Turn(question=options.templates.ask(kind, identity, pattern=pattern), answer=answer),),
        )
        for kind, (pattern, answer) in questions.items()
        if options.asks(kind)
    ]


def _fill(template: str, things: list[str]) -> str:
    """The template with its things in it: "a" at the first mention, "the" at the next, as numbers and parts ask.

    >>> _fill("Putting [number of] [something] onto [something]", ["3", "pens", "book"])
    'Putting 3 pens onto a book'
    >>> _fill("Failing to put [a] into [b] because [a] does not fit", ["ball", "cup", "ball"])
    'Failing to put a ball into a cup because the ball does not fit'
    """
    pieces = PLACE.split(template)
    seen: set[str] = set()
    out = [pieces[0]]
    counted = False
    for name, after, thing in zip(pieces[1::2], pieces[2::2], things, strict=True):
        is_number = name.lower().startswith(COUNTED)
        if name.lower() == "part":
            said = thing if thing.startswith(("the ", "a ", "an ")) else f"the {thing}"
        elif is_number or counted or out[-1].endswith("stack of "):
            said = thing
        elif thing.lower() in seen:
            said = thing if thing.lower().startswith(("the ", "my ", "his ", "her ")) else f"the {_bare(thing)}"
        else:
            said = with_article(thing)
        seen.add(thing.lower())
        counted = is_number
        out += [said, after]
    return "".join(out)


def _bare(thing: str) -> str:
    return re.sub(r"^(?:an?|some)\s+", "", thing)


def _told(text: str, first_person: bool) -> str:
    """A label as a sentence: what begins with a verb is done by me, what begins with a thing is seen by me.

    >>> _told("Holding a potato", True), _told("Plastic falling like a feather", True)
    ('I am holding a potato.', 'I see plastic falling like a feather.')
    """
    if not first_person:
        return sentence(text)
    text = re.sub(r"\byour\b", "my", text[:1].lower() + text[1:])
    text = re.sub(r"\bas you (?=\w)", "as I ", text)
    acts = re.match(r"\w+ing\b", text) and not re.match(r"(?:something|string|ring|spring|wing|earring|king)\b", text)
    return sentence(f"I am {text}" if acts else f"I see {text}")


SOURCE = Source(
    name="ssv2",
    title="Something-Something-V2",
    kinds=KINDS,
    read=read,
    licence="Qualcomm (20BN), for research; ask for it at their site",
)
