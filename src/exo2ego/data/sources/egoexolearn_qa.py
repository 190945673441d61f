"""Questions about whole recordings of EgoExoLearn (`Video_QA/*.jsonl`), with lettered options or with open answers.

{"id": "<uid>_0", "image": {"video": "<uid>.mp4"}, "conversations": [
 {"from": "human", "value": "<video>\\nWhich?\\n(A) ...\\n(B) ...\\nAnswer with the option's letter ..."},
 {"from": "gpt", "value": "A"}]}
"""

import re
from dataclasses import dataclass

from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.answers import question_of, told
from exo2ego.data.sources.english import sentence
from exo2ego.data.sources.first_person import asked_of_me
from exo2ego.data.sources.options import LETTERS, lettered, same
from exo2ego.data.sources.reading import filled

MARKER = "<video>"
OPTION = re.compile(r"\(([A-J])\)\s*(\S.*)")
LETTER = re.compile(r"\(?([A-J])\)?[.:]?")
MIN_OPTIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as it will be asked; `options` is empty for an open one."""

    question: str
    options: str
    """Lettered, a line each."""
    answer: str


def question_of_row(row: Fields, first_person: bool) -> Question:
    """A line of the file. Raises FormatError naming the field for one that is unusable by itself."""
    turns = [Fields(turn, f"{row.where}: turn {number}") for number, turn in enumerate(row.items("conversations"))]
    if [turn.data.get("from") for turn in turns] != ["human", "gpt"]:
        raise row.fail("conversations", "one question (human) and its answer (gpt)")
    lines = [line.strip() for line in turns[0].text("value").replace(MARKER, "").splitlines() if line.strip()]
    options = [(number, OPTION.fullmatch(line)) for number, line in enumerate(lines)]
    found = [(number, form) for number, form in options if form]
    asked = " ".join(lines[: found[0][0]] if found else lines)
    if not asked:
        raise turns[0].fail("value", "a question")
    texts = [form[2] for _, form in found]
    if found and ([form[1] for _, form in found] != list(LETTERS[: len(found)]) or len(found) < MIN_OPTIONS):
        raise turns[0].fail("value", "options lettered (A), (B), ... in order, one a line")
    answer = filled(turns[1], "value")
    question = question_of(asked_of_me(asked) if first_person else asked)
    if not texts:
        said = told(question, asked_of_me(answer), row.text("id")) if first_person else sentence(answer)
        return Question(question=question, options="", answer=said)
    letter = _letter(turns[1], answer, texts)
    shown = [asked_of_me(text) for text in texts] if first_person else texts
    return Question(question=question, options=lettered(shown), answer=letter)


def _letter(turn: Fields, answer: str, texts: list[str]) -> str:
    """The letter; an answer that is a text counts where it is one option and no other."""
    form = LETTER.fullmatch(answer)
    if form and LETTERS.index(form[1]) < len(texts):
        return form[1]
    alike = [number for number, text in enumerate(texts) if same(text, answer)]
    if len(alike) != 1:
        raise turn.fail("value", f"a letter of {LETTERS[: len(texts)]}, or the text of one option")
    return LETTERS[alike[0]]
