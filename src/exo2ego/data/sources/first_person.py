"""Narrations -> what the camera wearer would say.

"Use your right hand to take a knife." (EgoExoLearn's narrations are instructions), "The left hand holds a bowl",
"C picks up a cup." and "The person pours water." become sentences about me. A sentence that cannot be turned so is told
as seen: "I see that the oil is boiling." Rules are words at known places only; nothing is parsed.
"""

import re

from exo2ego.data.sources.answers import mine
from exo2ego.data.sources.english import VERBS, base_of_third, mend_articles, sentence

SIDE = r"(?:left|right)"
HANDS = re.compile(
    rf"\b(?:(?:the|your|his|her|their|a|one's|its|c's|my)\s+)?(?:camera wearer's\s+)?(?P<side>{SIDE})"
    rf"(?P<more>\s+and\s+{SIDE})?"
    r"(?P<hand>[- ]hands?)\b(?!\s+(?:side|corner|edge|drawer|cabinet|burner|shelf|door))",
    re.IGNORECASE,
)
ANY_HAND = re.compile(
    r"\b(?:the|your|his|her|their|one's|c's)\s+(?P<hand>hands?|fingers?|thumb|palm|arms?|wrists?)\b",
    re.IGNORECASE,
)
OTHER_HAND = re.compile(r"\b(?:the|your|his|her|their)\s+other\s+hand\b", re.IGNORECASE)
WEARER = (
    r"(?:#?c\s+c|#?c|the\s+(?:camera[- ]?wearer|wearer|person(?!\s+[A-Z]\b)|man|woman|lady|individual|user|operator|"
    r"cook|chef|experimenter|actor|subject)|camera[- ]?wearer|he/she|he\s+or\s+she|he|she|they|you|we|one)"
)
THIRD = re.compile(
    rf"^(?P<who>{WEARER})\s+(?P<adverb>(?:then|also|carefully|slowly|gently|now|continuously|again)\s+)?"
    r"(?P<verb>[a-z]+(?:-[a-z]+)?)\b",
    re.IGNORECASE,
)
ASKED = r"(?:[Tt]he\s+camera[- ]wearer|[Tt]he\s+wearer)"
OWN_AUXILIARIES = {"does": "do", "is": "am", "has": "have", "was": "was", "did": "did", "can": "can", "will": "will"}
POSSESSIVE = re.compile(rf"\b{WEARER}'s\s+", re.IGNORECASE)
OPENERS = re.compile(
    r"(?:after|before|when|while|once|with|using|holding|if|in|on|at|from|to|by|during|as|until|waiting|continuing|"
    r"pressing|taking|sprinkling|wearing|simultaneously|meanwhile|similarly|again|next|then|finally|first|second|"
    r"secondly|lastly|now|afterwards?|subsequently|also|and|always|each|every|throughout|through|without|due|"
    r"because|since|[a-z]+ing)\b",
    re.IGNORECASE,
)
ADVERBS = re.compile(
    r"(?P<adverbs>(?:(?:then|next|finally|first|firstly|second|secondly|lastly|now|again|also|and|afterwards?|"
    r"subsequently|continuously|carefully|slowly|gently|quickly|evenly|constantly|repeatedly|always|simultaneously|please|directly|"
    r"slightly|briefly|once|lightly|firmly|thoroughly)(?:,)?\s+)+)",
    re.IGNORECASE,
)
SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z\[\"'])")
NOTES = re.compile(r"[\[(][^\])]*[\])]|[①-⑳]")
AUXILIARY = re.compile(r"\b(?:is|are|was|were|has|have|can|will|there)\b")
ME = re.compile(r"\b(?:I|I'm|I've|I'll|me|[Mm]y|myself)\b")


def first_person(text: str) -> str:
    """A narration in the first person, one sentence or several.

    >>> first_person("Use your right hand to take a knife and slice the meat.")
    'I use my right hand to take a knife and slice the meat.'
    >>> first_person("The left hand holds a bowl, and the right hand uses a spatula.")
    'My left hand holds a bowl, and my right hand uses a spatula.'
    >>> first_person("C picks up the cup."), first_person("The person washes his hands.")
    ('I pick up the cup.', 'I wash my hands.')
    >>> first_person("Next, using your left hand, add salt."), first_person("The oil is boiling")
    ('Next, using my left hand, I add salt.', 'I see that the oil is boiling.')
    """
    words = " ".join(re.sub(r"[;:](?=\s)", ",", NOTES.sub(" ", text)).replace("_", " ").split())
    words = re.sub(r"^(?:using|with|in)\s*,\s*", "", words, flags=re.IGNORECASE)
    said = [_sentence(part) for part in SENTENCES.split(words) if re.search(r"\w", part)]
    told = " ".join(sentence(part) for part in said)
    if told and not ME.search(told):
        seen = told if re.match(r"[A-Z]{2}", told) else _lower(told)
        acts = re.match(r"(?!during|spring|string|ring\b)[a-z]+ing\b", seen) and not AUXILIARY.search(
            seen.partition(",")[0]
        )
        told = f"I am {seen}" if acts else f"I see {'that ' if AUXILIARY.search(seen) else ''}{seen}"
    return told


def my_hands(text: str) -> str:
    """The hands in a text become mine.

    >>> my_hands("The left and right hands hold it, then the hand lets go of the right-hand drawer.")
    'My left and right hands hold it, then my hand lets go of the right-hand drawer.'
    >>> my_hands("Which object does the camera wearer's right hand push?")
    'Which object does my right hand push?'
    """

    def mine_of(found: re.Match[str]) -> str:
        return f"{_my(found)}{found['side'].lower()}{found['more'] or ''}{found['hand']}"

    text = HANDS.sub(mine_of, text)
    text = OTHER_HAND.sub(lambda found: "My other hand" if found[0][0].isupper() else "my other hand", text)
    return ANY_HAND.sub(lambda found: f"{_my(found)}{found['hand']}", text)


def hands_used(text: str) -> str | None:
    """Which of my hands a narration names, as a sentence; None where it names none for sure.

    >>> hands_used("Use your right hand to stir."), hands_used("Hold it with both hands."), hands_used("Stir it.")
    ('I use my right hand.', 'I use both hands.', None)
    """
    text = NOTES.sub(" ", text)
    found = list(HANDS.finditer(text))
    sides = {one["side"].lower() for one in found}
    both = re.search(r"\bboth\s+(?:my\s+|your\s+|of\s+\w+\s+)?hands\b", text, re.IGNORECASE)
    if both or len(sides) == 2 or any(one["more"] for one in found):
        return "I use both hands."
    return f"I use my {sides.pop()} hand." if sides and not OTHER_HAND.search(text) else None


def names_hands(text: str) -> bool:
    """Whether a narration says which hand does something.

    >>> names_hands("The left hand holds it."), names_hands("Both hands hold it."), names_hands("Use your hand.")
    (True, True, False)
    """
    text = NOTES.sub(" ", text)
    return bool(HANDS.search(text) or re.search(r"\bboth\s+hands\b", text, re.IGNORECASE))


def asked_of_me(text: str) -> str:
    """A question or an option about the camera wearer, as it is asked about me.

    >>> asked_of_me("What does the camera wearer do with the camera wearer's left hand?")
    'What do I do with my left hand?'
    >>> asked_of_me("Why is the camera wearer cracking eggs?"), asked_of_me("The right hand flips the pork.")
    ('Why am I cracking eggs?', 'My right hand flips the pork.')
    """
    text = re.sub(rf"\b{ASKED}'s?\s+(?=\w)", _my, text, flags=re.IGNORECASE)
    text = my_hands(text)
    for other, own in OWN_AUXILIARIES.items():
        text = re.sub(rf"\b{other}\s+{ASKED}\b", f"{own} I", text)
        text = re.sub(rf"\b{other.capitalize()}\s+{ASKED}\b", f"{own.capitalize()} I", text)
    text = re.sub(
        rf"\b{ASKED}\s+(?P<adverb>likely\s+|only\s+|first\s+|then\s+)?(?P<verb>[a-z]+s|doesn't|isn't)\b",
        lambda found: f"I {found['adverb'] or ''}{base_of_third(found['verb'])}",
        text,
        flags=re.IGNORECASE,
    )
    return re.sub(rf"\b{ASKED}\b", "I", text, flags=re.IGNORECASE)


def _my(found: re.Match[str]) -> str:
    return "My " if found[0][0].isupper() else "my "


def _sentence(text: str) -> str:
    """One sentence of a narration, about me."""
    text = my_hands(POSSESSIVE.sub(_my, text))
    text = re.sub(r"\b(one) hand\b|^(both) hands\b", r"\1\2 of my hands", text, flags=re.IGNORECASE)
    text = _third(text)
    text = re.sub(r"\b((?:with|in) my (?:left|right) hands?), they\b", r"\1, I", text, flags=re.IGNORECASE)
    text = mend_articles(mine(text))
    return _instruction(text)


def _third(text: str) -> str:
    """ "C picks up": the wearer named at the beginning becomes I, with the verb that belongs to it."""
    found = THIRD.match(text)
    if found is None:
        return text
    verb, who = found["verb"], found["who"].lower()
    if who == "one" and verb.lower() not in {"holds", "takes", "puts", "uses"}:
        return text
    own = (
        base_of_third(verb.lower())
        if who not in ("you", "we", "they")
        else {"are": "am", "were": "was"}.get(verb, verb)
    )
    rest = re.sub(r"\b(?:his|her|their)\b(?! own \w+'s)", "my", text[found.end() :])
    return f"I {found['adverb'] or ''}{own}{rest}"


def _instruction(text: str) -> str:
    """An instruction gets its "I": before the verb it begins with, or before the verb after its opening words."""
    head = ADVERBS.match(text)
    start = head.end() if head else 0
    if _begins_with_verb(text[start:]):
        return f"{text[:start]}I {_lower(text[start:])}"
    if not OPENERS.match(text[start:]) and not head:
        return text
    for comma in re.finditer(r",\s+", text):
        rest = text[comma.end() :]
        told = _third(rest)
        if told != rest:
            return f"{text[: comma.end()]}{told}"
        adverbs = ADVERBS.match(rest)
        skipped = adverbs.end() if adverbs else 0
        if _begins_with_verb(rest[skipped:]):
            return f"{text[: comma.end()]}{rest[:skipped]}I {rest[skipped:]}"
        if re.match(r"(?:my|I|both|the|it|one)\b", rest):
            break
    return text


def _begins_with_verb(text: str) -> bool:
    if re.match(r"(?:do not|don't)\s", text, re.IGNORECASE):
        return True
    first = re.match(r"[A-Za-z]+(?:-[a-z]+)?", text)
    if first is None or first[0].lower() not in VERBS:
        return False
    # "Place the cup", not "Place is limited": an instruction goes on with what it is about.
    return not re.match(r"\s+(?:is|are|was|were|has|have|of)\b", text[first.end() :])


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
