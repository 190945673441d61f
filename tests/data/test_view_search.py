"""Search: the index against a slow literal reading of the same texts, and whatever a person may type."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from viewed_shards import instruction_samples, pair_samples, sample

from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.data.view_search import FACETS, Query, SampleIndex, parse_words
from exo2ego.errors import FormatError


class Stored:
    """A shard folder, as far as the index looks at it."""

    def __init__(self, samples: Sequence[ShardSample]) -> None:
        self.samples = list(samples)

    def __len__(self) -> int:
        return len(self.samples)


def indexed(**folders: Sequence[ShardSample]) -> SampleIndex:
    return SampleIndex(cast(dict[str, ShardSet], {name: Stored(samples) for name, samples in folders.items()}))


def texts_found(index: SampleIndex, query: Query | str) -> list[str]:
    query = Query(text=query) if isinstance(query, str) else query
    return [index.sample(number)[1].text for number in index.search(query).ids.tolist()]


def folded(text: str) -> list[str]:
    """Words in lower case without accents."""
    bare = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    return re.findall(r"[^\W_]+", bare.lower())


def occurs(text: str, term: str, exact: bool) -> bool:
    """The rule, literally: the words of the term in a row; the last may be the beginning of a word, if not exact."""
    words, wanted = folded(text), folded(term)
    if not wanted:
        return True
    for start in range(len(words) - len(wanted) + 1):
        *firsts, last = words[start : start + len(wanted)]
        if firsts == wanted[:-1] and (last == wanted[-1] or (not exact and last.startswith(wanted[-1]))):
            return True
    return False


WORDS = ["cup", "cups", "cupboard", "the", "C", "lifts", "Lifté", "é", "2", "2nd", "wearer's", "left-hand", "x", "茶"]
narration = st.lists(st.sampled_from([*WORDS, ".", ",", "\n", "<b>", '"', "-"]), max_size=6).map(" ".join)
word = st.sampled_from([*WORDS, "cu", "lift", "LIFT", "wearer", "t", "hand", "ca"])
phrase = st.lists(word, min_size=1, max_size=3).map(" ".join)


@given(
    texts=st.lists(narration, min_size=1, max_size=8),
    words=st.lists(word, max_size=2),
    phrases=st.lists(phrase, max_size=2),
    without=st.lists(word, max_size=1),
)
def test_as_the_slow_literal_search(texts: list[str], words: list[str], phrases: list[str], without: list[str]) -> None:
    index = indexed(a=[sample(n, text=text) for n, text in enumerate(texts)])
    typed = " ".join([*words, *(f'"{p}"' for p in phrases), *(f"-{w}" for w in without)])
    expected = [
        number
        for number, text in enumerate(texts)
        if all(occurs(text, w, exact=False) for w in words)
        and all(occurs(text, p, exact=True) for p in phrases)
        and not any(occurs(text, w, exact=False) for w in without)
    ]
    assert index.search(Query(text=typed)).ids.tolist() == expected


@given(typed=st.text(max_size=60), text=st.text(max_size=60))
def test_whatever_is_typed_or_told_is_searched_without_a_complaint(typed: str, text: str) -> None:
    index = indexed(a=[sample(0, text=text), sample(1, text="C lifts the cup.")])
    assert len(index.search(Query(text=typed)).ids) <= 2


@pytest.mark.parametrize(
    "typed", ['"', '""', "-", '-"', "AND", "NOT cup", "a OR b", "NEAR(a b)", "body:cup", "^cup", "*"]
)
def test_the_language_of_the_index_is_no_language_of_ours(typed: str) -> None:
    wanted, unwanted = parse_words(typed)
    assert not unwanted
    assert all(re.fullmatch(r'"[^"]*"( \*)?', term) for term in wanted)
    indexed(a=pair_samples()).search(Query(text=typed))


def test_half_a_surrogate_pair_and_a_zero_character() -> None:
    index = indexed(a=[sample(0, text="C lifts \ud800 the\0cup.")])
    assert len(index.search(Query(text="lifts")).ids) == 1
    index.search(Query(text="\ud800 \0 lifts"))


def test_questions_and_answers_are_searched() -> None:
    index = indexed(pairs=pair_samples(), ego=instruction_samples())
    found = index.search(Query(text="blue")).ids.tolist()
    assert [index.sample(number)[1].key for number in found] == ["span-0000000"]
    assert len(index.search(Query(text='"no other"')).ids) == 2


def test_each_filter_alone_and_all_together() -> None:
    index = indexed(pairs=pair_samples(), ego=instruction_samples())
    assert len(index.search(Query()).ids) == len(index) == 7
    assert len(index.search(Query(filed={"folder": "ego"})).ids) == 2
    assert len(index.search(Query(filed={"scenario": "Bike Repair"})).ids) == 2
    assert len(index.search(Query(filed={"source": "egoit"})).ids) == 2
    assert len(index.search(Query(filed={"take": "TAKE_B"})).ids) == 2
    assert index.search(Query(filed={"take": "S-0003"})).ids.tolist() == [3], "part of a key, too"
    assert len(index.search(Query(filed={"take": "%"})).ids) == 0
    assert len(index.search(Query(filed={"split": "val"})).ids) == 0
    assert len(index.search(Query(has_best_exo=True)).ids) == 4
    assert len(index.search(Query(has_best_exo=False)).ids) == 3
    assert index.search(Query(only=[6, 1])).ids.tolist() == [1, 6]
    both = Query(text="lifts", filed={"scenario": "Bike Repair", "take": "b"}, has_best_exo=False, min_s=1.5, max_s=1.7)
    assert texts_found(index, both) == ["C lifts the wheel, and the cup falls."]


def test_a_best_exo_that_was_not_stored_is_none() -> None:
    index = indexed(a=[sample(0, best_exo="cam09")])
    assert len(index.search(Query(has_best_exo=True)).ids) == 0


def test_lengths_and_their_order() -> None:
    widths = [1.5, 0.25, 3.0, 0.25]
    index = indexed(a=[replace(sample(n), end_s=n + width) for n, width in enumerate(widths)])
    assert index.search(Query(order="shortest")).ids.tolist() == [1, 3, 0, 2]
    assert index.search(Query(order="longest")).ids.tolist() == [2, 0, 1, 3]
    assert index.search(Query(min_s=0.25, max_s=1.5)).ids.tolist() == [0, 1, 3]


def test_counts_say_what_each_choice_would_find() -> None:
    index = indexed(pairs=pair_samples(), ego=instruction_samples())
    found = index.search(Query(text="cup", filed={"scenario": "Bike Repair"}))
    assert len(found.ids) == 1
    for facet in FACETS:
        for value, count in found.counts[facet].items():
            filed = {"scenario": "Bike Repair", facet: value}
            assert count == len(index.search(Query(text="cup", filed=filed)).ids), (facet, value)
    assert found.counts["scenario"] == {"Cooking": 2, "": 1, "Bike Repair": 1}


def test_samples_are_found_by_folder_and_key_alone() -> None:
    index = indexed(pairs=pair_samples(), more=pair_samples()[:2])
    assert index.find("pairs", "s-0001") == 1
    assert index.find("more", "s-0001") == 6
    assert index.find("more", "s-0004") is None
    assert index.find("../pairs", "s-0001") is None
    assert index.sample(6)[0] == "more"
    with pytest.raises(IndexError):
        index.sample(7)


def test_nothing_stored_and_unknown_filters() -> None:
    assert len(indexed(a=[]).search(Query(text="cup", filed={"take": "x"})).ids) == 0
    with pytest.raises(FormatError, match="colour"):
        Query(filed={"colour": "red"})
    with pytest.raises(FormatError, match="by 'size'"):
        Query(order="size")


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    shards = cast(ShardSet, Stored([sample(n) for n in range(4500)]))
    SampleIndex({"a": shards}, lambda done, total: told.append((done, total)))
    assert told[0] == (0, 4500)
    assert told[-1] == (4500, 4500)
    assert len(told) == 4
