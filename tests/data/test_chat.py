"""Text for the LLM: loss on the answers only, pieces tokenized apart, nothing guessed for an empty question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.chat import (
    IGNORE,
    ChatFormat,
    answer_ids,
    encode_question,
    encode_segment,
    prefix_ids,
    question_ids,
)
from exo2ego.errors import FormatError
from exo2ego.records import Turn


class Letters:
    """A tokenizer with one id a character."""

    eos_token_id, bos_token_id = 2, 1

    def encode(self, text, add_special_tokens=False, split_special_tokens=False):
        assert not add_special_tokens
        assert split_special_tokens
        return [ord(c) + 10 for c in text]


TOKENIZER, CHAT = Letters(), ChatFormat()
words = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)


def text(ids):
    return "".join(chr(i - 10) for i in ids if i > 9)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=4))
def test_labels_are_the_answers_with_their_ends_and_nothing_else(turns):
    segment = encode_segment(TOKENIZER, CHAT, [Turn(question=q, answer=a) for q, a in turns])
    labelled = [label for label in segment.labels if label != IGNORE]
    wanted = [i for _, a in turns for i in answer_ids(TOKENIZER, CHAT, a)]
    assert labelled == wanted
    assert all(label in (IGNORE, token) for label, token in zip(segment.labels, segment.ids, strict=True))
    assert segment.labels[0] == IGNORE


def test_the_whole_of_a_mistral_prompt():
    segment = encode_segment(TOKENIZER, CHAT, [Turn(question="What?", answer="red")])
    assert text(prefix_ids(TOKENIZER, CHAT)) + "<video>" + text(segment.ids) == "[INST] <video>\nWhat? [/INST] red"
    assert segment.ids[-1] == TOKENIZER.eos_token_id


def test_a_question_alone_ends_where_the_answer_starts():
    alone = encode_question(TOKENIZER, CHAT, "What?")
    with_answer = encode_segment(TOKENIZER, CHAT, [Turn(question="What?", answer="red")])
    assert with_answer.ids[: len(alone.ids)] == alone.ids
    assert set(alone.labels) == {IGNORE}


def test_spaces_around_texts_do_not_matter():
    assert question_ids(TOKENIZER, CHAT, " What? ") == question_ids(TOKENIZER, CHAT, "What?")
    assert answer_ids(TOKENIZER, CHAT, " red\n") == answer_ids(TOKENIZER, CHAT, "red")


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_question_is_refused(empty):
    with pytest.raises(FormatError, match="question is empty"):
        question_ids(TOKENIZER, CHAT, empty)
