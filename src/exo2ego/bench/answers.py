"""The one reader of answers: of letters, of yes and no, and the form in which short answers are compared.

A choice is an index or None; nothing is guessed.

Accepted: a lone letter ("B", "b.", "(B)"), a letter with its text ("(B) the cup", "B. the cup"), a letter after a cue
("Answer: b", "The answer is (C)", "Option D is correct"), one bracketed letter in a sentence, or the
exact text of an option.
Two different letters, a letter beyond the options, or a letter beside the text of another option: None.
"""

import re
import unicodedata
from collections.abc import Sequence

_CUE = r"(?:answer|option|choice)\b[\s:*_\"'`]*(?:is|would be|should be)?[\s:*_\"'`]*"
_AFTER_CUE = re.compile(_CUE + r"(?:option\s+)?\(?([A-Za-z])\b(?!['’])(?P<close>\))?(?P<rest>[^\n]*)", re.IGNORECASE)
_LEADING = re.compile(r"^[\s\"'`*_]*(?:\(([A-Za-z])\)|([A-Za-z])\s*[).:,\]*](?!\w)|([A-Za-z])[\s\"'`*_]*(?=$|\n))")
_BRACKETED = re.compile(r"\(([A-Z])\)")
_REASON = re.compile(r"^\s+(?:because|since|as|is|and|which|would|seems|best|the best|correct)\b", re.IGNORECASE)
_LEAD_IN = re.compile(
    r"^(?:the\s+|my\s+)?(?:best\s+|correct\s+|final\s+)*(?:answer|option|choice)\s*(?:is|:)+\s*", re.IGNORECASE
)


def spoken(text: str) -> str:
    """What a model says after thinking aloud in `<think> ... </think>`; nothing where the thought was cut off.

    >>> spoken("<think>Is it (A)?</think> (B)"), spoken("<think>Is it (A)?"), spoken("(C)")
    (' (B)', '', '(C)')
    """
    said = text.rpartition("</think>")[2]
    return "" if "<think>" in said else said


def parse_choice(text: str, options: Sequence[str]) -> int | None:
    """Index of the option that `text` names, or None where none can be recognised for certain.

    >>> parse_choice("(B) the red cup", ["the blue cup", "the red cup"])
    1
    >>> parse_choice("A man lifts it", ["x", "y"]) is None
    True
    """
    text = spoken(text)
    letters = _letters(text)
    by_text = _by_text(text, options)
    if not letters:
        return by_text
    if len(letters) > 1:
        return None
    index = ord(letters.pop()) - ord("A")
    if index >= len(options) or by_text not in (None, index):
        return None
    return index


def _letters(text: str) -> set[str]:
    """Every letter that the text names as a choice, upper case."""
    found = set(_BRACKETED.findall(text))
    leading = _LEADING.match(text)
    if leading:
        found.add(next(letter for letter in leading.groups() if letter).upper())
    for cue in _AFTER_CUE.finditer(text):
        letter, rest = cue.group(1), cue.group("rest")
        # "the answer is a cup", "the answer is I think ...": a word of the sentence, not a letter of the list.
        is_word = not cue.group("close") and re.match(r"\s*\w", rest) and not (letter.isupper() and _REASON.match(rest))
        if not is_word:
            found.add(letter.upper())
    return found


def _by_text(text: str, options: Sequence[str]) -> int | None:
    """Index of the one option whose text this is, once letter, cue, case and punctuation are off."""
    stripped = _LEAD_IN.sub("", text.strip())
    bare = re.sub(r"^[\s\"'`*_]*(?:\([A-Za-z]\)|[A-Za-z][).:\]])[\s\"'`*_]+", "", stripped)
    said = {_plain(text), _plain(stripped), _plain(bare)} - {""}
    matches = [index for index, option in enumerate(options) if _plain(option) in said]
    return matches[0] if len(matches) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


_ARTICLES = frozenset(["a", "an", "the"])
_NUMBERS = {
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
}


def normal_answer(text: str) -> str:
    """A short answer as it is compared: what does not change the meaning is off.

    Unicode compatibility forms, case, punctuation (each mark separates words), the articles a/an/the, a lead-in such
    as "The answer is", and white space; number words up to twelve become digits. No stemming, no synonyms.

    >>> normal_answer("The answer is: Seven cups, on the cutting-board.")
    '7 cups on cutting board'
    """
    said = unicodedata.normalize("NFKC", spoken(text)).strip()
    words = re.findall(r"[^\W_]+", _LEAD_IN.sub("", said).casefold())
    return " ".join(_NUMBERS.get(word, word) for word in words if word not in _ARTICLES)


def parse_yes_no(text: str) -> str | None:
    """`yes` or `no` where the text begins with that word and does not hold the other one; else None.

    >>> parse_yes_no("Yes, the cup is on the table."), parse_yes_no("Yes and no"), parse_yes_no("It is.")
    ('yes', None, None)
    """
    words = normal_answer(text).split()
    said = {"yes", "no"} & set(words)
    return words[0] if len(said) == 1 and words[0] in said else None
