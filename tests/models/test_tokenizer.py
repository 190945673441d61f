"""The small tokenizer: any text survives, words of its corpus are single tokens, special tokens stay whole."""

from hypothesis import given
from hypothesis import strategies as st

from exo2ego.models.tokenizer import VIDEO, train_tokenizer

TOKENIZER = train_tokenizer([" red green cup lifts", " What colour is the cup?"] * 5, 400)


@given(st.text(max_size=60))
def test_any_text_survives(text):
    plain = text
    for token in TOKENIZER.all_special_tokens:
        plain = plain.replace(token, "")
    ids = TOKENIZER.encode(plain, add_special_tokens=False)
    assert TOKENIZER.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) == plain


def test_words_of_the_corpus_are_single_tokens():
    for word in (" red", " green", " cup", " lifts"):
        assert len(TOKENIZER.encode(word, add_special_tokens=False)) == 1


def test_the_video_marker_is_one_token():
    assert TOKENIZER.encode(VIDEO, add_special_tokens=False) == [TOKENIZER.convert_tokens_to_ids(VIDEO)]
    assert (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id) == (1, 2, 3)
