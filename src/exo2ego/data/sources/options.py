"""Questions with lettered options: an order that depends on the id only, and the letter that answers."""

import re
from collections.abc import Sequence

from exo2ego.data.sources.templates import shuffled

LETTERS = "ABCDEFGHIJ"


def lettered(options: Sequence[str]) -> str:
    """Options as they stand below a question, a line each.

    >>> lettered(["a cup", "a pan"])
    '(A) a cup\\n(B) a pan'
    """
    return "\n".join(f"({LETTERS[number]}) {option}" for number, option in enumerate(options))


def mixed(right: str, wrong: Sequence[str], source: str, identity: str) -> tuple[list[str], str]:
    """All options in an order that depends on (source, id) only, and the letter of the right one."""
    options = [right, *wrong]
    order = shuffled(len(options), source, identity, "options")
    return [options[number] for number in order], LETTERS[order.index(0)]


def same(one: str, other: str) -> bool:
    """Whether two answers are the same but for case, blanks, an article before and a full stop behind.

    >>> same("Meat slices.", " the meat  slices"), same("a cup", "cups")
    (True, False)
    """
    return _bare(one) == _bare(other)


def _bare(text: str) -> str:
    return re.sub(r"^(?:the|an?) ", "", " ".join(text.lower().split()).rstrip(" ."))
