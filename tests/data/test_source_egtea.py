"""EGTEA Gaze+: both forms of its files, labels of several words, the training rows of a split only."""

from pathlib import Path

import pytest

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.egtea_labels import Label, spoken_label
from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import VideoSpan

EGTEA = SOURCES["egtea"]
REAL = Path(__file__).parents[3] / "shared/data/egtea_rulstm"
RAW = """# Clip ID (Unique, used only internally); Clip Prefix (Unique); Video Session; Starting Time (ms); \
 Ending Time (ms); Action Label; Verb Label; Noun Label(s)
2; P07-R01-PastaSalad-91730-93630; P07-R01-PastaSalad; 91730; 93630; Take eating_utensil; Take; eating_utensil
4; P11-R02-TurkeySandwich-523575-527805; P11-R02-TurkeySandwich; 523575; 527805; Squeeze condiment,sandwich; Squeeze; \
condiment,sandwich
6; P17-R03-BaconAndEggs-1282100-1288200; P17-R03-BaconAndEggs; 1282100; 1288200; Wash hand; Wash; hand
"""
TRAIN = """P07-R01-PastaSalad-91730-93630-F002197-F002242 3 3 3
P11-R02-TurkeySandwich-523575-527805-F012545-F012645 60 19 21 48
P17-R03-BaconAndEggs-1282100-1288200-F030732-F030878 39 10 28
"""
INDEX = "Inspect/Read recipe 1\nTake eating_utensil 3\nTurn on faucet 5\nSqueeze condiment,sandwich 60\nWash hand 39\n"


def options(**changes: object) -> ReadOptions:
    return ReadOptions(templates=load_templates("egtea", EGTEA.kinds), **changes)  # type: ignore[arg-type]


def answers(read: SourceRead) -> dict[str, str]:
    return {c.conversation_id: c.turns[0].answer for c in read.conversations}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    folder = tmp_path / "action_annotation"
    (folder / "raw_annotations").mkdir(parents=True)
    (folder / "raw_annotations/action_labels.csv").write_text(RAW)
    (folder / "action_idx.txt").write_text(INDEX)
    (folder / "train_split1.txt").write_text(TRAIN)
    (folder / "test_split1.txt").write_text("P05-R01-PastaSalad-583261-586055-F013976-F014043 4 4 4\n")
    return tmp_path


def test_the_official_files(official: Path) -> None:
    read = EGTEA.read(official, options())
    assert answers(read) == {
        "P07-R01-PastaSalad-91730-93630/action": "I take the eating utensil.",
        "P07-R01-PastaSalad-91730-93630/objects": "I am handling the eating utensil.",
        "P11-R02-TurkeySandwich-523575-527805/action": "I squeeze the condiment and handle the sandwich.",
        "P11-R02-TurkeySandwich-523575-527805/objects": "I am handling the condiment and the sandwich.",
        "P17-R03-BaconAndEggs-1282100-1288200/action": "I wash my hands.",
    }
    assert read.left_out == {"test split": 1}
    assert read.conversations[0].video == VideoSpan(
        path="cropped_clips/P07-R01-PastaSalad/P07-R01-PastaSalad-91730-93630-F002197-F002242.mp4"
    )


def test_without_the_raw_file_the_index_names_the_actions(official: Path) -> None:
    with_raw = answers(EGTEA.read(official, options()))
    (official / "action_annotation/raw_annotations/action_labels.csv").unlink()
    assert answers(EGTEA.read(official, options())) == with_raw
    (official / "action_annotation/action_idx.txt").write_text(INDEX + "Take\n")
    with pytest.raises(FormatError, match="line 6: expected '<name> <index>', found 'Take'"):
        EGTEA.read(official, options())
    (official / "action_annotation/action_idx.txt").unlink()
    with pytest.raises(MissingFileError, match="one of them names the actions"):
        EGTEA.read(official, options())


def test_verbs_of_several_words_are_those_that_the_verb_index_lists(official: Path) -> None:
    folder = official / "action_annotation"
    (folder / "raw_annotations/action_labels.csv").unlink()
    (folder / "action_idx.txt").write_text(INDEX.replace("Wash hand", "Shake Well salad_dressing"))
    assert "I shake the well salad dressing." in answers(EGTEA.read(official, options())).values()
    (folder / "verb_idx.txt").write_text("Take 3\nShake Well 10\n")
    assert "I shake well the salad dressing." in answers(EGTEA.read(official, options())).values()


def test_whole_sessions_are_cut_by_time(official: Path) -> None:
    (official / "videos").mkdir()
    video = EGTEA.read(official, options()).conversations[0].video
    assert video == VideoSpan(path="videos/P07-R01-PastaSalad.mp4", start_s=91.73, end_s=93.63)


def test_bad_rows_are_counted_and_named(official: Path) -> None:
    path = official / "action_annotation/train_split1.txt"
    path.write_text(TRAIN + "../../etc-R01-x-1-2 3\nP09-R01-PastaSalad-5-9 3 3 3\nP07-R01-PastaSalad-9-5 3 3 3\n")
    read = EGTEA.read(official, options())
    assert len(read.conversations) == 5
    reasons = [bad.reason.removeprefix(f"{path}: ") for bad in read.bad_rows]
    assert "line 4: field 'clip id' is \"../../etc-R01-x-1-2\"; expected <session>-<start ms>" in reasons[0]
    assert "line 5: field 'clip id' is" in reasons[1]
    assert "one that raw_annotations/action_labels.csv lists" in reasons[1]
    assert len(reasons) == 3


def test_splits_kinds_and_persons_can_be_chosen(official: Path) -> None:
    assert set(answers(EGTEA.read(official, options(skip=frozenset({"objects"}), first_person=False))).values()) == {
        "Take the eating utensil.",
        "Squeeze the condiment and handle the sandwich.",
        "Wash my hands.",
    }
    with pytest.raises(MissingFileError, match=r"looked for training2\.csv, action_annotation/train_split2\.txt"):
        EGTEA.read(official, options(split=2))
    with pytest.raises(InputError, match="split 4: EGTEA Gaze"):
        options(split=4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Divide/Pull Apart paper_towel", "I pull the paper towel apart."),
        ("Move Around bacon", "I move the bacon around."),
        ("Turn off faucet", "I turn off the faucet."),
        ("Turn page", "I turn the page."),
        ("Put", "I put something down."),
        ("Mix mixture,eating_utensil,bowl", "I mix the mixture and handle the eating utensil and the bowl."),
    ],
)
def test_labels_become_sentences(text: str, said: str) -> None:
    assert spoken_label(Label.parsed(text), True) == said


@pytest.mark.skipif(not REAL.is_dir(), reason="rulstm's EGTEA files are not beside this checkout (../shared/data)")
def test_the_real_files_of_rulstm() -> None:
    read = EGTEA.read(REAL, options(skip=frozenset({"objects"})))
    assert len(read.conversations) == 8299
    assert read.left_out == {"test split": 2022}
    assert not read.bad_rows
    assert len(set(answers(read).values())) == 106
    first = read.conversations[0]
    assert first.video == VideoSpan(path="videos/P07-R01-PastaSalad.mp4", start_s=91.7, end_s=93.6)
    assert first.turns[0].answer == "I take the eating utensil."
    for answer in answers(read).values():
        assert answer.startswith("I ")
        assert answer.endswith(".")
        assert not set("_:/") & set(answer)


@pytest.mark.skipif(not REAL.is_dir(), reason="rulstm's EGTEA files are not beside this checkout (../shared/data)")
def test_the_real_rows_of_the_official_file(official: Path) -> None:
    raw = (REAL / "action_labels.sample6.csv").read_text()
    (official / "action_annotation/raw_annotations/action_labels.csv").write_text(raw)
    prefixes = [line.split("; ")[1] for line in raw.splitlines()[1:]]
    rows = "".join(f"{prefix}-F000001-F000002 1 1 1\n" for prefix in prefixes)
    (official / "action_annotation/train_split1.txt").write_text(rows)
    read = EGTEA.read(official, options(skip=frozenset({"objects"})))
    assert list(answers(read).values()) == [
        "I cut the tomato.",
        "I take the eating utensil.",
        "I transfer the cucumber and handle the cutting board and the bowl.",
        "I squeeze the condiment and handle the sandwich.",
        "I squeeze the washing liquid and handle the plate.",
        "I wash the cooking utensil.",
    ]
