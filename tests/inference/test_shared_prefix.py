"""Answers behind one reading of a prompt: the same figures as reading everything anew, and the prompt is kept."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_decoders import FAMILIES, literal_model, small_decoder
from transformers import DynamicCache, MistralConfig, MistralModel

from exo2ego.inference import shared_prefix as module
from exo2ego.inference.shared_prefix import SharedPrefix, groups_within

WORDS = 40
PROMPT = [3, 1, 4, 1, 5, 9]
ANSWERS = [[7], [2, 6], [7, 8, 9, 10], [2, 6, 2], [39]]


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=WORDS, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, sliding_window=None,
    )  # fmt: skip
    return MistralModel(config).eval(), torch.nn.Linear(32, WORDS)


def read(decoder, ids):
    model, head = decoder
    cache = DynamicCache()
    with torch.inference_mode():
        out = model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True)
        return SharedPrefix(model, head, cache, out.last_hidden_state[0, -1], len(ids))


def literal(decoder, answer):
    """One plain forward over prompt and answer."""
    model, head = decoder
    with torch.inference_mode():
        hidden = model(input_ids=torch.tensor([PROMPT + answer])).last_hidden_state[0]
        logprobs = head(hidden).log_softmax(-1)
    start = len(PROMPT) - 1
    return sum(float(logprobs[start + place, token]) for place, token in enumerate(answer))


@pytest.mark.parametrize("limit", [1024, 4, 1])
def test_scores_equal_plain_forwards_however_they_are_grouped(decoder, monkeypatch, limit):
    monkeypatch.setattr(module, "MAX_ANSWER_TOKENS", limit)
    prefix = read(decoder, PROMPT)
    for _ in range(2):
        scores = prefix.score(ANSWERS)
        assert [s.logprob for s in scores] == pytest.approx([literal(decoder, a) for a in ANSWERS], abs=1e-4)
        assert [s.tokens for s in scores] == [len(a) for a in ANSWERS]


def test_writing_is_greedy_ends_at_a_stop_word_and_leaves_the_prompt(decoder):
    prefix = read(decoder, PROMPT)
    before = prefix.score(ANSWERS)
    written = prefix.write(6, frozenset())
    ids = list(PROMPT)
    for token in written:
        model, head = decoder
        with torch.inference_mode():
            assert token == int(head(model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]).argmax())
        ids.append(token)
    assert len(written) == 6
    assert prefix.write(6, frozenset([written[3]])) == written[: written.index(written[3])]
    assert prefix.write(1, frozenset()) == written[:1]
    assert prefix.score(ANSWERS) == before


def test_an_answer_of_at_least_one_token_takes_the_likeliest_that_is_no_end(decoder):
    prefix = read(decoder, PROMPT)
    first = prefix.write(1, frozenset())[0]
    model, head = decoder
    with torch.inference_mode():
        ranked = head(model(input_ids=torch.tensor([list(PROMPT)])).last_hidden_state[0, -1]).argsort(descending=True)
    assert int(ranked[0]) == first
    assert prefix.write(3, frozenset([first])) == []
    assert prefix.write(1, frozenset([first]), least=1) == [int(ranked[1])]


def test_ends_are_those_of_plain_forwards(decoder, monkeypatch):
    model, _ = decoder
    monkeypatch.setattr(module, "MAX_ANSWER_TOKENS", 5)
    ends = read(decoder, PROMPT).ends(ANSWERS)
    with torch.inference_mode():
        for end, text in zip(ends, ANSWERS, strict=True):
            plain = model(input_ids=torch.tensor([PROMPT + text])).last_hidden_state[0, -1]
            torch.testing.assert_close(end, plain, atol=1e-4, rtol=1e-4)


def test_a_failure_while_reading_leaves_the_prompt_as_it_was(decoder):
    model, _ = decoder
    prefix = read(decoder, PROMPT)
    before = prefix.score(ANSWERS)

    def failing(**inputs):
        model(**inputs)
        raise MemoryError

    prefix._decoder = failing
    with pytest.raises(MemoryError):
        prefix.score(ANSWERS)
    prefix._decoder = model
    assert prefix.score(ANSWERS) == before


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=9), max_size=20), st.integers(1, 12))
def test_groups_hold_every_answer_once_in_order_within_the_limit(answers, limit):
    groups = groups_within(answers, limit)
    assert [answer for group in groups for answer in group] == answers
    assert all(len(group) == 1 or sum(map(len, group)) <= limit for group in groups)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_every_family_scores_and_writes_as_its_own_plain_forward(family):
    model, head = small_decoder(family)
    causal, prefix = literal_model(model, head), read((model, head), PROMPT)

    def logits(ids):
        return causal(input_ids=torch.tensor([ids]), use_cache=False).logits[0]

    for answer, got in zip(ANSWERS, prefix.score(ANSWERS), strict=True):
        rows = logits([*PROMPT, *answer])[len(PROMPT) - 1 : -1].log_softmax(-1)
        wanted = float(rows.gather(1, torch.tensor(answer)[:, None]).sum())
        assert got.logprob == pytest.approx(wanted, abs=1e-3, rel=1e-4)
    ids = list(PROMPT)
    for _ in range(6):
        ids.append(int(logits(ids)[-1].argmax()))
    assert prefix.write(6, frozenset()) == ids[len(PROMPT) :]
