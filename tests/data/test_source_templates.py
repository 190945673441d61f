"""Instruction templates: chosen by id alone, ten or more of each kind, every mistake in a user's file named by line."""

import re
from collections import Counter
from pathlib import Path

import pytest

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.templates import Kind, load_templates, parse_templates, pick, shuffled
from exo2ego.errors import FormatError, MissingFileError

ASK = Kind(name="ask", needs=frozenset({"question"}), offers=frozenset({"options"}), tells="an answer")
PLAIN = Kind(name="action", tells="a sentence")
EVERY_KIND = [(source.name, kind) for source in SOURCES.values() for kind in source.kinds]


@pytest.mark.parametrize(("name", "kind"), EVERY_KIND, ids=lambda value: getattr(value, "name", value))
def test_each_kind_has_ten_instructions_that_differ(name: str, kind: Kind) -> None:
    lines = load_templates(name, [kind]).lines[kind.name]
    assert len(lines) >= 10
    assert len({re.sub(r"\W+", " ", line).strip().lower() for line in lines}) == len(lines)
    for line in lines:
        assert "  " not in line
        assert line.rstrip()[-1] in ".?!}:", line


@pytest.mark.parametrize(("name", "kind"), EVERY_KIND, ids=lambda value: getattr(value, "name", value))
def test_instructions_ask_for_the_answer_that_is_given(name: str, kind: Kind) -> None:
    """A letter is asked for where options stand, and nowhere else; nobody is asked for brevity or for a list."""
    for line in load_templates(name, [kind]).lines[kind.name]:
        assert ("letter" in line.lower()) == ("options" in kind.needs), line
        assert not re.search(r"\b(one word|single word|briefly|in detail|step by step|yes or no)\b", line.lower()), line


def test_the_choice_depends_on_the_id_only() -> None:
    templates = load_templates("egtea", SOURCES["egtea"].kinds)
    asked = [templates.ask("action", f"clip-{n}") for n in range(3000)]
    assert asked == [templates.ask("action", f"clip-{n}") for n in range(3000)]
    counts = Counter(asked)
    assert set(counts) == set(templates.lines["action"])
    assert max(counts.values()) < 1.5 * min(counts.values())
    assert [pick(1000, "egtea", "a", "action"), pick(1000, "egtea", "a", "objects")] == [682, 662]


def test_orders_are_orders_and_all_occur() -> None:
    orders = Counter(tuple(shuffled(4, "egotimeqa", f"q{n}")) for n in range(4800))
    assert len(orders) == 24
    assert min(orders.values()) > 130
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)


def test_a_users_file_replaces_the_packages(tmp_path: Path) -> None:
    (tmp_path / "egtea").mkdir()
    (tmp_path / "egtea" / "action.txt").write_text("# mine\n\nWhat now?\\nSay it.\n")
    templates = load_templates("egtea", SOURCES["egtea"].kinds, tmp_path)
    assert templates.ask("action", "x") == "What now?\nSay it."
    assert len(templates.lines["objects"]) >= 10
    (tmp_path / "egtea" / ".DS_Store").write_bytes(b"\0")
    load_templates("egtea", SOURCES["egtea"].kinds, tmp_path)
    (tmp_path / "egtea" / "actoin.txt").write_text("What now?\n")
    with pytest.raises(FormatError, match=r"actoin\.txt: no kind of question of egtea; known are action\.txt"):
        load_templates("egtea", SOURCES["egtea"].kinds, tmp_path)
    with pytest.raises(MissingFileError, match="no such folder of templates"):
        load_templates("egtea", SOURCES["egtea"].kinds, tmp_path / "gone")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# only a remark\n", "holds no instruction"),
        ("{question}\n{noun}?\n", r"mine: line 2: nobody fills \{noun\}"),
        ("What? {options}\n", r"mine: line 1: \{question\} is missing"),
        ("{question\n", "line 1: braces do not match"),
        ("{question} {0}\n", r"nobody fills \{0\}"),
        ("{question} {}\n", r"nobody fills \{\}"),
        ("{question.__class__}\n", r"nobody fills \{question\.__class__\}"),
        ("{question!r:>99999999}\n", "nobody fills"),
    ],
)
def test_a_mistake_in_a_file_is_named(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_templates(text, ASK, "mine")


def test_braces_in_questions_are_text() -> None:
    lines = parse_templates("{{x}} {question}\n", ASK, "mine")
    assert lines[0].format(question="{y} {0.__class__}") == "{x} {y} {0.__class__}"
