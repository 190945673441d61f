"""Short answers to questions -> sentences of the camera wearer ("on the table" -> "I put it on the table.").

A sentence is built from the question only where its form is known for sure; every other answer keeps its words behind a
lead ("From what I can see, brown."), so that nothing is claimed that the source does not say.
"""

import re

from exo2ego.data.sources.english import VERBS, is_past, is_plural, mend_articles, past, sentence, with_article
from exo2ego.data.sources.templates import pick

LEADS = ("From what I can see, {}", "As far as I can tell, {}", "Going by what I see, {}")
PREPOSITION = re.compile(
    r"(?:in|on|at|to|under|inside|into|from|next to|near|behind|by|between|beside|beneath|above|below|over|outside|"
    r"through|off|around|onto|underneath|against|across|in front of|on top of|out of|towards?|along|(?:up|down)stairs$|"
    r"within|among|hanging|standing|leaning|sitting|attached|mounted|located|right (?:next|above|below|beside|behind)|"
    r"directly|just|up on|down|for)\b",
    re.IGNORECASE,
)
PARTICLE = (
    r"(?:in|on|at|to|under|inside|into|from|with|behind|by|for|up|down|off|out|over|around|onto|about|of|through|away)"
)
STRANDED = re.compile(
    rf"(?P<first>{PARTICLE})(?:$|\s+(?=(?:{PARTICLE}|before|after|while|when|as|then)\b)(?P<rest>.*))"
)
YES_NO = re.compile(r"(?P<word>yes|no)\b[\s,.;:!-]*(?P<rest>.*)", re.IGNORECASE)
NUMBER = re.compile(
    r"(?:\d+|zero|none|no|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice|\w+ times?)\.?$",
    re.IGNORECASE,
)
CLAUSE = re.compile(
    r"\b(?:is|are|was|were|has|have|can|could|should|would|will|there's|it's|they're|you|i)\b", re.IGNORECASE
)
PROPER = re.compile(r"(?:[A-Z][a-z]*(?:['’][a-z]+)?|I|[A-Z0-9]{2,})(?:\s|$)")
THING = (
    r"(?:what|which)(?: (?!did\b|colou?rs?\b|time\b|day\b|number\b|way\b|direction\b|side\b|shape\b|size\b|location\b|"
    r"place\b|room\b|hands?\b|position\b)[a-z]+){0,2}"
)
"""What did I take, which tool did I use: the answer is the thing itself."""
HOW_STARTS = {"why": "to|because|so|for|since", "how": "by|with|using", "when": "before|after|while|when|as"}
FLAGS = re.IGNORECASE
MAX_WORDS = 14
"""Longer answers are sentences already."""


def told(question: str, answer: str, identity: str) -> str:
    """The answer as a first-person sentence; which lead an answer gets depends on the id only.

    >>> told("What did I do with the coffee?", "gave it to Person B", "x")
    'I gave it to Person B.'
    >>> told("What did I put in the box?", "the cup", "x"), told("Where did I put the cup?", "on the table", "x")
    ('I put the cup in the box.', 'I put the cup on the table.')
    >>> told("How many trays did I put in the trolley?", "seven", "x")
    'I put seven trays in the trolley.'
    >>> told("Where are the towels?", "Above the sink", "x"), told("Is the bin empty?", "No, it's full", "x")
    ('I see them above the sink.', "No, as far as I can tell, it's full.")
    """
    asked = _clean(question)
    said = mend_articles(mine(" ".join(answer.split()).rstrip(" .;,")))
    lowered = said if re.match(r"who(?:se)?\b", asked) else _lowered(said)
    for rule in RULES:
        built = rule(asked, lowered) if len(lowered.split()) <= MAX_WORDS else None
        if built:
            return sentence(built)
    if re.match(r"(?:i|i'm|i've|my)\b", said, re.IGNORECASE):
        return sentence(said)
    if (
        re.search(r"\bI\b", asked, FLAGS)
        and is_past(lowered.partition(" ")[0])
        and not re.match(r"(?:where|which|how)\b", asked)
    ):
        lowered = f"I {lowered}"
    return sentence(LEADS[pick(len(LEADS), "lead", identity)].format(lowered))


def mine(text: str) -> str:
    """What is said to the camera wearer as the wearer says it.

    >>> mine("you can use your phone, if you are tired"), mine("it is next to you")
    ('I can use my phone, if I am tired', 'it is next to me')
    """
    text = re.sub(r"\byou are\b", "I am", text, flags=FLAGS)
    text = re.sub(r"\byou're\b", "I'm", text, flags=FLAGS)
    text = re.sub(
        r"\b(to|for|of|with|from|by|behind|near|beside|at|on|in front of|around) you\b(?!r)",
        r"\1 me",
        text,
        flags=FLAGS,
    )
    text = re.sub(r"\byou('(?:ll|ve|d))?\b", lambda found: f"I{found[1] or ''}", text, flags=FLAGS)
    text = re.sub(r"\byourself\b", "myself", text, flags=FLAGS)
    return re.sub(r"\byours?\b", lambda found: "mine" if found[0].lower() == "yours" else "my", text, flags=FLAGS)


def question_of(text: str) -> str:
    """A question with a capital, single blanks and a question mark; one that is no question keeps its full stop.

    >>> question_of("where is the bench"), question_of("I'm looking for my bag. Where is it?")
    ('Where is the bench?', "I'm looking for my bag. Where is it?")
    """
    words = re.sub(r"\s+([?!.,])", r"\1", " ".join(text.split()))
    words = words[:1].upper() + words[1:]
    if words.endswith(("?", "!")):
        return words
    return words.rstrip(" .,;:") + "?"


def _clean(question: str) -> str:
    """The last clause that asks, in lower case, without its mark."""
    text = " ".join(question.split()).rstrip(" ?.!")
    text = re.split(
        r"(?<=[.?!,])\s+(?=(?:so |and )?(?:what|where|who|how|which|is|are|did)\b)", text, flags=re.IGNORECASE
    )[-1]
    text = re.sub(r"^(?:so|and|well),?\s+", "", text, flags=re.IGNORECASE)
    return text[:1].lower() + text[1:]


def _lowered(said: str) -> str:
    """The answer as it stands within a sentence: no capital at its beginning unless it is a name or "I"."""
    first = said.partition(" ")[0]
    if first in ("I", "I'm", "I've", "I'd") or (len(first) > 1 and first[1:] != first[1:].lower()):
        return said
    if PROPER.match(said) and re.match(r"(?:Person [A-Z]\b|[A-Z]\w*['’]s\b)", said):
        return said
    return said[:1].lower() + said[1:]


def _did(asked: str, said: str) -> str | None:
    """What I did: "gave it to Person B"."""
    if not re.match(r"what (?:else )?did i do\b", asked, FLAGS) or re.match(r"(?:it|they|the|a)\b", said):
        return None
    said = re.sub(r"^i\s+", "", said, flags=re.IGNORECASE)
    return f"I {said}" if is_past(said.partition(" ")[0]) else None


def _did_what(asked: str, said: str) -> str | None:
    """What (thing), whom or where I (verb) (rest)."""
    form = re.match(rf"(?P<ask>{THING}|who|whom|where) did I (?P<verb>[a-z]+)(?: (?P<rest>.*))?$", asked, FLAGS)
    if form is None or form["verb"] == "do" or is_past(said.partition(" ")[0]):
        return None
    verb, rest = past(form["verb"]), form["rest"] or ""
    then = re.search(r"\band ([a-z]+)\b", rest)
    if CLAUSE.search(said) or (then and then[1] in VERBS):
        return None
    if form["ask"].lower() == "where":
        if rest in ("to", "into", "towards", "through"):
            return None if PREPOSITION.match(said) else f"I {verb} {rest} {said}"
        fits = PREPOSITION.match(said) and not re.search(r"\b(?:before|after|when|while)\b", rest)
        return f"I {verb} {rest} {said}" if fits else None
    if PREPOSITION.match(said):
        return None
    thing = said if form["ask"].lower().startswith("who") else with_article(said)
    return f"I {verb} {_placed(thing, rest)}"


def _did_how(asked: str, said: str) -> str | None:
    """Why, how or when I did something: "to check the chain", "by hand", "before lunch"."""
    form = re.match(r"(?P<ask>why|how|when) did I (?P<verb>[a-z]+)(?: (?P<rest>.*))?$", asked, FLAGS)
    if form is None or not re.match(rf"(?:{HOW_STARTS[form['ask'].lower()]})\b", said):
        return None
    return f"I {past(form['verb'])} {form['rest'] or ''} {said}"


def _did_or_not(asked: str, said: str) -> str | None:
    """Did I close the fridge: yes, no."""
    form = re.match(r"did I (?P<verb>[a-z]+)(?: (?P<rest>.*))?$", asked, FLAGS)
    word = said.lower().rstrip(".")
    if form is None or word not in ("yes", "no") or re.search(r"\b(?:any|or|ever)\b", form["rest"] or ""):
        return None
    did = past(form["verb"]) if word == "yes" else f"did not {form['verb']}"
    return f"{word}, I {did} {form['rest'] or ''}"


def _which_hand(asked: str, said: str) -> str | None:
    form = re.match(r"(?:the |my )?(left|right)(?: hand)?$|(both)(?: hands)?$", said.lower())
    if form is None or not re.match(r"(?:which|what) hands? did I use\b", asked, FLAGS):
        return None
    return f"I used my {form[1]} hand" if form[1] else "I used both hands"


def _others_did(asked: str, said: str) -> str | None:
    """What Person A did: I saw it."""
    form = re.match(r"what did (?P<who>person [A-Z]) do\b", asked, FLAGS)
    if form is None or not is_past(said.partition(" ")[0]):
        return None
    return f"I saw that {form['who'][0].upper()}{form['who'][1:]} {said}"


def _placed(said: str, rest: str) -> str:
    """An object before or within the rest of its clause: a word that waits for its noun takes it."""
    stranded = STRANDED.match(rest)
    if stranded:
        return f"{stranded['first']} {said} {stranded['rest'] or ''}"
    return f"{said} {rest}"


def _was_doing(asked: str, said: str) -> str | None:
    """What or whom I was holding, talking to, ..."""
    form = re.match(r"(?:what|who|whom) was i (?P<verb>[a-z]+ing)(?: (?P<rest>.*))?$", asked, FLAGS)
    if form is None or CLAUSE.search(said) or PREPOSITION.match(said):
        return None
    if form["verb"] == "doing":
        return f"I was {said}" if re.match(r"[a-z]+ing\b", said) else None
    return f"I was {form['verb']} {_placed(said, form['rest'] or '')}"


def _how_many(asked: str, said: str) -> str | None:
    if not NUMBER.match(said) or said.lower().startswith(("none", "no", "zero")):
        return None
    form = re.match(r"how many (?P<things>[a-z' -]+?) did i (?P<verb>[a-z]+)(?: (?P<rest>.*))?$", asked, FLAGS)
    if form is None:
        return f"I count {said}" if re.match("how many", asked, FLAGS) and re.match(r"(?:\d+|[a-z]+)$", said) else None
    if form["things"] == "times":
        return None
    things = form["things"]
    if said.lower() in ("one", "1"):
        return None  # the singular of a noun is not always known
    return f"I {past(form['verb'])} {_placed(f'{said} {things}', form['rest'] or '')}"


def _yes_no(asked: str, said: str) -> str | None:
    form = YES_NO.match(said)
    if form is None or re.match(r"(?:what|where|who|which|how|why)\b", asked):
        return None
    rest = form["rest"]
    return f"{form['word'].lower()}, as far as I can tell{', ' if rest else ''}{_lowered(rest)}"


def _where_is(asked: str, said: str) -> str | None:
    form = re.match(r"where (?:is|are|was|were|'s) (?P<thing>.+)$", asked, FLAGS)
    if (
        form is None
        or not PREPOSITION.match(said)
        or CLAUSE.search(said)
        or re.search(r"\b(?:before|after|when)\b", asked)
    ):
        return None
    plural = re.match(r"where (?:are|were)\b", asked)
    seen = "saw" if re.match(r"where (?:was|were)\b", asked) else "see"
    return f"I {seen} {'them' if plural else 'it'} {said}"


def _colour(asked: str, said: str) -> str | None:
    form = re.match(
        r"(?:what|which) (?P<ask>colou?r|colou?rs|shape) (?P<be>is|are|was|were) "
        r"(?P<thing>(?:most of |all of |some of )?(?:the |my |this |that |those |these ))(?P<of>.+)$",
        asked,
        FLAGS,
    )
    if form is None or CLAUSE.search(said):
        return None
    seen = "saw" if form["be"].lower().startswith("w") else "see"
    return f"I {seen} that {form['thing']}{form['of']} {form['be']} {said}"


def _colour_of(asked: str, said: str) -> str | None:
    form = re.match(r"what(?: is|'s) (?:the )?(?P<ask>colou?r|shape) of (?P<thing>.+)$", asked, FLAGS)
    if form is None or CLAUSE.search(said):
        return None
    return f"I see that the {form['ask']} of {form['thing']} is {said}"


def _can_use(asked: str, said: str) -> str | None:
    """What I can use, where I can do something."""
    if CLAUSE.search(said):
        return None
    used = re.match(
        r"what (?:else )?(?:can|could|should) i (?P<verb>use|wear|eat|drink|play|read|watch)\b", asked, FLAGS
    )
    if used and not PREPOSITION.match(said) and said.partition(" ")[0] not in VERBS | {"with"}:
        return f"I can {used['verb']} {with_article(said)}"
    place = re.match(r"where (?:can|could|should) i (?P<act>.+)$", asked, FLAGS)
    if place and PREPOSITION.match(said):
        return f"I can {place['act']} {said}"
    return None


def _either(asked: str, said: str) -> str | None:
    """Open or closed, on or off: one of the two that the question offers."""
    form = re.match(
        r"(?P<be>is|are|was|were) (?P<thing>.+?) (?P<how>turned |switched )?(?P<a>\w+) or (?P<b>\w+)$", asked, FLAGS
    )
    if form is None or said not in (form["a"].lower(), form["b"].lower()):
        return None
    return f"I see that {form['thing']} {form['be'].lower()} {form['how'] or ''}{said}"


def _advice(asked: str, said: str) -> str | None:
    """How I can do something: "close the curtains", "using the tap"."""
    if not re.match(r"(?:how|what|where) (?:else )?(?:can|could|should|do|i can) (?:i\b)?", asked, FLAGS):
        return None
    first = said.partition(" ")[0]
    if first in VERBS and not CLAUSE.search(said.partition(",")[0]):
        return f"I can {said}"
    gerund = re.match(r"(?:by )?(?P<how>[a-z]+ing .+)$", said)
    if gerund and asked.lower().startswith("how"):
        return f"I can do that by {gerund['how']}"
    return None


def _what_is(asked: str, said: str) -> str | None:
    """What is somewhere, what something is: I see it."""
    form = re.match(r"what(?: is|'s| are| object is| objects are| kind of \w+ is| type of \w+ is)\b", asked)
    about = re.match(
        r"what(?: is|'s| are)(?: the)?(?: \w+)? (?:colou?r|material|shape|style|brand|name|time|number|temperature|"
        r"state|purpose|use|function)\b|.*(?:made (?:of|from)|used for|written|for)$",
        asked,
    )
    odd = re.match(r"(?:used|to|because|by|for|so|it|they|there|no|yes|not)\b", said) or PREPOSITION.match(said)
    if form is None or about or odd or CLAUSE.search(said) or re.match(r"(?!red\b)[a-z]+(?:ing|ed)\b", said):
        return None
    return f"I see {with_article(said) if not is_plural(said) else said}"


RULES = (
    _did,
    _which_hand,
    _did_what,
    _did_how,
    _did_or_not,
    _others_did,
    _was_doing,
    _how_many,
    _yes_no,
    _where_is,
    _colour,
    _colour_of,
    _either,
    _can_use,
    _advice,
    _what_is,
)
"""Tried in order; each gives a sentence or None."""
