"""Labels of EGTEA Gaze+ ("Divide/Pull Apart lettuce", "Mix mixture,eating_utensil") -> what the camera wearer says."""

from collections.abc import Collection
from dataclasses import dataclass

from exo2ego.data.jsonfile import Fields
from exo2ego.errors import FormatError

VERBS: dict[str, str] = {
    "clean/wipe": "wipe {}",
    "close": "close {}",
    "compress": "press down on {}",
    "crack": "crack {}",
    "cut": "cut {}",
    "divide/pull apart": "pull {} apart",
    "inspect/read": "read {}",
    "mix": "mix {}",
    "move around": "move {} around",
    "open": "open {}",
    "operate": "operate {}",
    "pour": "pour {}",
    "put": "put {} down",
    "spread": "spread {}",
    "squeeze": "squeeze {}",
    "take": "take {}",
    "transfer": "transfer {}",
    "turn around": "turn {} around",
    "turn off": "turn off {}",
    "turn on": "turn on {}",
    "wash": "wash {}",
}
"""Verb label in lower case -> what follows "I"; `{}` is the first object. `transfer` occurs in the raw labels only."""
OWN = {"hand": "my hands", "hands": "my hands"}
"""What is the camera wearer's own takes no article."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A verb and its objects, as the annotators wrote them (underscores within an object)."""

    verb: str
    nouns: tuple[str, ...]

    @classmethod
    def parsed(cls, text: str, verbs: Collection[str] = ()) -> "Label":
        """An action label: a known verb of several words is one verb, else the first space parts verb and objects.

        `verbs` are further known ones, in lower case.

        >>> Label.parsed("Mix mixture,eating_utensil")
        Label(verb='Mix', nouns=('mixture', 'eating_utensil'))
        >>> Label.parsed("Turn on faucet").verb
        'Turn on'
        """
        known = [verb for verb in (*VERBS, *verbs) if text.lower().startswith(f"{verb} ")]
        length = len(max(known, key=len)) if known else len(text.partition(" ")[0])
        nouns = tuple(noun.strip() for noun in text[length:].split(",") if noun.strip())
        return cls(verb=text[:length], nouns=nouns)


def rulstm_label(row: Fields) -> Label:
    """The label of a row of rulstm's `actions.csv`: `_` parts verb and object, `:` stands for `_` within the object."""
    verb, _, noun = row.text("label").partition("_")
    if not verb or not noun:
        raise row.fail("label", "'<Verb>_<object>', ':' for '_' within the object")
    return Label(verb=verb, nouns=tuple(part for part in noun.replace(":", "_").split(",") if part))


def spoken_label(label: Label, first_person: bool) -> str:
    """A sentence: "I cut the tomato." or "Cut the tomato."

    >>> spoken_label(Label(verb="Mix", nouns=("mixture", "eating_utensil")), True)
    'I mix the mixture and handle the eating utensil.'
    """
    verb = label.verb.lower().replace("_", " ")
    form = VERBS[verb] if verb in VERBS else f"{verb.partition('/')[0]} {{}}"
    first, rest = label.nouns[:1], label.nouns[1:]
    said = form.format(_spoken_noun(first[0]) if first else "something")
    if rest:
        said += f" and handle {joined([_spoken_noun(noun) for noun in rest])}"
    return f"I {said}." if first_person else f"{said[0].upper()}{said[1:]}."


def spoken_objects(label: Label, first_person: bool) -> str:
    """A sentence that names all objects, in the annotators' order: "I am handling the condiment and the sandwich"."""
    said = joined([_spoken_noun(noun) for noun in label.nouns])
    return f"I am handling {said}." if first_person else f"{said[0].upper()}{said[1:]}."


def joined(parts: list[str]) -> str:
    """An enumeration.

    >>> joined(["a", "b", "c"]), joined(["a", "b"])
    ('a, b and c', 'a and b')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _spoken_noun(noun: str) -> str:
    name = noun.lower().replace("_", " ").replace("/", " or ")
    if not name.strip():
        raise FormatError(f"'{noun}' is no object")
    return OWN.get(name, f"the {name}")
