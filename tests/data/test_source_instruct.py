"""Choosing conversations, and what people are told about them."""

from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.sources.instruct import chosen, examples, lines_of, report_of
from exo2ego.data.sources.reading import BadRow, SourceRead
from exo2ego.records import Conversation, Turn, VideoSpan


def numbered(count: int) -> list[Conversation]:
    return [
        Conversation(
            conversation_id=f"row{number}/{('open', 'options')[number % 2]}",
            video=VideoSpan(path="v.mp4", start_s=1.0, end_s=2.5),
            turns=(Turn(question=f"Q{number}?\nsecond line", answer="I see it."),),
        )
        for number in range(count)
    ]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_a_larger_limit_adds_to_a_smaller_one_and_order_is_kept(count: int, limit: int, seed: int) -> None:
    all_of_them = numbered(count)
    few, more = chosen(all_of_them, limit, seed), chosen(all_of_them, limit + 3, seed)
    assert len(few) == min(count, limit)
    assert [c for c in more if c in few] == few
    assert sorted(few, key=all_of_them.index) == few
    assert chosen(all_of_them, None, seed) == all_of_them


def test_the_seed_changes_the_choice_and_all_are_reached() -> None:
    taken = [tuple(c.conversation_id for c in chosen(numbered(12), 3, seed)) for seed in range(60)]
    assert len(set(taken)) > 40
    assert len({name for names in taken for name in names}) == 12


def test_examples_take_turns_between_kinds() -> None:
    shown = examples(numbered(30), seed=1, count=4)
    assert [text.split(" ")[0].rpartition("/")[2] for text in shown].count("open") == 2
    assert "[v.mp4 1.00-2.50 s]\n  Q: Q" in shown[0]
    assert "?\n     second line\n  A: I see it." in shown[0]


def test_people_and_the_manifest_are_told_everything() -> None:
    bad = tuple(BadRow(row=number, reason=f"file: row {number}: bad") for number in range(1500))
    read = SourceRead(conversations=tuple(numbered(3)), bad_rows=bad, left_out={"test split": 7}, notes=("a note",))
    assert lines_of(read, "name (Title)") == [
        "name (Title): 3 conversations",
        "  open: 2",
        "  options: 1",
        "  left out, test split: 7",
        "  bad rows: 1500; the first: file: row 0: bad",
        "  note: a note",
    ]
    report = report_of(read, 3, [])
    assert report["kinds"] == {"open": 2, "options": 1}
    assert (report["bad_rows_count"], len(report["bad_rows"]), report["left_out"]) == (1500, 1000, {"test split": 7})
