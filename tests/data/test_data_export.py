"""Exported conversations are read back as they were, in every form; clips keep every byte; a kill costs nothing."""

import filecmp
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.export import export
from exo2ego.data.export_forms import FORMS
from exo2ego.data.export_plan import DROP_REASONS, ExportReport, ExportRule
from exo2ego.data.shards import ShardSample
from exo2ego.data.sources.conversations import read_conversations
from exo2ego.errors import ChecksumError, FormatError, OutputError
from exo2ego.records import Turn

MARKERS = ("<video>", "<image>")


class MemoryShards:
    """What an export uses of a shard directory, without the encoding of clips: a clip is its own name."""

    def __init__(self, folder: Path, samples: Sequence[ShardSample]) -> None:
        self.folder, self.samples = folder, tuple(samples)
        self.manifest: dict[str, Any] = {
            "clips": {"num_frames": 4, "size_px": 32},
            "settings": {"kind": "test", "source": "/somewhere/private/ego"},
        }
        self.reads = 0
        self.breaks_at: int | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text(json.dumps([sample.key for sample in samples]))

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, sample: ShardSample, view: str) -> bytes:
        if self.reads == self.breaks_at:
            raise ChecksumError("killed here")
        self.reads += 1
        return f"{sample.key} {view}".encode()


def sample(key: str, views: tuple[str, ...] = ("video",), **changes: Any) -> ShardSample:
    values: dict[str, Any] = {
        "key": key,
        "split": "train",
        "take_uid": "take",
        "scenario": "Cooking",
        "text": "",
        "start_s": 1.0,
        "end_s": 2.5,
        "fps": 4.0,
        "views": views,
        "best_exo": None,
        "source": "test",
    }
    return ShardSample(**(values | changes))


def exported(shards: MemoryShards, out: Path, **rule: Any) -> ExportReport:
    chosen = ExportRule(**({"form": "llava", "view": "video"} | rule))
    return export(shards, out, chosen, copy_videos=True)  # type: ignore[arg-type]


words = st.lists(
    st.sampled_from(
        ["<video>", "<image>", "\n", " ", "a", "é", "视", "\u2028", '"', "\\", "\t", "\x00", "🎥", "#", "\r"]
    )
    | st.characters(codec="utf-8"),
    max_size=5,
).map("".join)
conversations = st.lists(st.builds(Turn, question=words, answer=words), min_size=1, max_size=3).map(tuple)


def survives(turns: Sequence[Turn]) -> bool:
    """What an importer can tell apart, said once more and plainly."""
    filled = all(turn.question.strip() and turn.answer.strip() for turn in turns)
    return filled and not any(marker in turn.question for turn in turns for marker in MARKERS)


def stripped(turn: Turn) -> Turn:
    return Turn(question=turn.question.strip(), answer=turn.answer.strip())


@pytest.mark.parametrize(("form", "marker"), [*((form, "<video>") for form in FORMS), ("llava", "<image>")])
@given(st.lists(st.lists(conversations, min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_is_exported_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, form: str, marker: str, said: list[list[tuple[Turn, ...]]]
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    samples = [sample(f"s{n}", conversations=tuple(group)) for n, group in enumerate(said)]
    shards = MemoryShards(folder / "shards", samples)
    expected = [
        (
            f"videos/00000/s{n}.video.mp4",
            tuple(Turn(question=t.question.strip(), answer=t.answer.strip()) for t in turns),
        )
        for n, group in enumerate(said)
        for turns in group
        if survives(turns)
    ]
    if not expected:
        with pytest.raises(FormatError, match="nothing to export"):
            exported(shards, folder / "out", form=form, marker=marker)
        assert not (folder / "out" / FORMS[form].file).exists()
        return
    report = exported(shards, folder / "out", form=form, marker=marker)
    good, bad = read_conversations(folder / "out" / FORMS[form].file)
    assert not bad
    assert [(one.video.path, one.turns) for one in good] == expected
    assert all(one.video.start_s is one.video.end_s is None for one in good), "the whole of the clip"
    assert len({one.conversation_id for one in good}) == len(good)
    assert report.conversations == len(good)
    assert sum(report.dropped.values()) == sum(map(len, said)) - len(good)
    for one in good:
        assert (folder / "out" / one.video.path).read_bytes() == Path(one.video.path).name.split(".")[
            0
        ].encode() + b" video"
    origins = [json.loads(line) for line in (folder / "out/origins.jsonl").read_text("utf-8").split("\n") if line]
    assert [(o["id"], o["video"]) for o in origins] == [(one.conversation_id, one.video.path) for one in good]
    assert {(o["take_uid"], o["start_s"], o["end_s"], o["split"]) for o in origins} == {("take", 1.0, 2.5, "train")}


def pair(key: str, best: str | None = "cam02", **changes: Any) -> ShardSample:
    return sample(key, ("ego", "cam01", "cam02"), best_exo=best, text=f"C lifts {key}.", **changes)


@pytest.mark.parametrize(
    ("view", "clips"),
    [("ego", ["a ego", "b ego"]), ("cam01", ["a cam01", "b cam01"]), ("best-exo", ["a cam02"])],
)
def test_pairs_answer_the_question_about_one_of_their_views(tmp_path: Path, view: str, clips: list[str]) -> None:
    shards = MemoryShards(tmp_path / "shards", [pair("a"), pair("b", None), pair("v", split="val")])
    report = exported(shards, tmp_path / "out", view=view, question="What is done?")
    good, _ = read_conversations(tmp_path / "out/llava.json")
    assert [(tmp_path / "out" / one.video.path).read_text() for one in good] == clips
    assert good[0].turns == (Turn(question="What is done?", answer="C lifts a."),)
    assert report.dropped["other split"] == 1
    assert report.dropped["no such view"] == 2 - len(clips)
    assert set(report.dropped) <= set(DROP_REASONS)


def test_other_splits_come_when_they_are_asked_for(tmp_path: Path) -> None:
    shards = MemoryShards(tmp_path / "shards", [pair("a"), pair("v", split="val")])
    report = exported(shards, tmp_path / "out", view="ego", question="What?", splits=("train", "val"))
    assert report.splits == {"train": 1, "val": 1}


def test_an_interrupted_export_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    samples = [pair(f"s{n}") for n in range(6)]
    rule = {"view": "ego", "question": "What?", "form": "openai"}
    straight = MemoryShards(tmp_path / "shards", samples)
    exported(straight, tmp_path / "straight", **rule)
    broken = MemoryShards(tmp_path / "shards", samples)
    broken.breaks_at = 4
    with pytest.raises(ChecksumError):
        exported(broken, tmp_path / "out", **rule)
    assert not (tmp_path / "out/openai.jsonl").exists()
    assert not (tmp_path / "out/README.md").exists()
    leftover = tmp_path / "out/videos/00000/s4.ego.mp4.99.tmp"
    leftover.write_bytes(b"half")
    again = MemoryShards(tmp_path / "shards", samples)
    report = exported(again, tmp_path / "out", **rule)
    assert (again.reads, report.copied, report.clips) == (2, 2, 6)
    assert not leftover.exists()
    same = filecmp.dircmp(tmp_path / "straight", tmp_path / "out", ignore=[])
    assert not same.left_only + same.right_only + same.diff_files
    assert not filecmp.dircmp(tmp_path / "straight/videos/00000", tmp_path / "out/videos/00000").left_only


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    shards = MemoryShards(tmp_path / "shards", [pair("a")])
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("kept")
    with pytest.raises(OutputError, match=r"not empty \('precious.txt'\) and no export"):
        exported(shards, out, view="ego", question="What?")
    assert [path.name for path in out.iterdir() if path.name != "export.lock"] == ["precious.txt"]
    (out / "precious.txt").unlink()
    exported(shards, out, view="ego", question="What?")
    for changes in ({"question": "Who?"}, {"view": "cam01"}, {"form": "openai"}):
        with pytest.raises(OutputError, match="holds an export of other shards or settings"):
            exported(shards, out, **({"view": "ego", "question": "What?"} | changes))
    with pytest.raises(OutputError, match="holds an export of other shards"):
        exported(MemoryShards(tmp_path / "others", [pair("b")]), out, view="ego", question="What?")


def test_an_export_that_came_to_nothing_does_not_occupy_the_folder(tmp_path: Path) -> None:
    shards = MemoryShards(tmp_path / "shards", [pair("a", None)])
    with pytest.raises(FormatError, match=r"nothing to export \(1 no such view\)"):
        exported(shards, tmp_path / "out", view="best-exo", question="What?")
    assert exported(shards, tmp_path / "out", view="ego", question="What?").conversations == 1


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"form": "alpaca"}, "format 'alpaca'; expected one of llava, sharegpt, videollama2, openai"),
        ({"splits": ()}, "splits none; choose of train, val, test"),
        ({"splits": ("dev",)}, "splits dev"),
        ({"marker": "<audio>"}, "marker '<audio>'; expected <video> or <image>"),
        ({"marker": "<image>", "form": "openai"}, "only LLaVA's files have it"),
        ({"view": "ego"}, "holds narrated pairs; say what is asked about them with --question"),
    ],
)
def test_impossible_wishes_are_one_line(tmp_path: Path, rule: dict[str, Any], says: str) -> None:
    with pytest.raises(FormatError) as caught:
        exported(MemoryShards(tmp_path / "shards", [pair("a")]), tmp_path / "out", **rule)
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_instructions_have_one_view(tmp_path: Path) -> None:
    told = ((Turn(question="Who?", answer="I"),),)
    shards = MemoryShards(tmp_path / "shards", [sample("a", conversations=told)])
    with pytest.raises(FormatError, match="holds instructions, which have one view, 'video', and no 'ego'"):
        exported(shards, tmp_path / "out", view="ego")
    with pytest.raises(FormatError, match="holds no sample"):
        exported(MemoryShards(tmp_path / "none", []), tmp_path / "out")


def test_the_card_and_llama_factorys_description(tmp_path: Path) -> None:
    told = ((Turn(question="Who?", answer="Say <video>"),), (Turn(question="", answer="x"),))
    shards = MemoryShards(tmp_path / "shards", [sample("a", conversations=told)])
    exported(shards, tmp_path / "out", form="openai")
    card = (tmp_path / "out/README.md").read_text()
    assert "| conversations | 1 |" in card
    assert "| left out, empty text | 1 |" in card
    assert "1 answers hold `<video>`" in card
    assert "Ego-Exo4D and Ego4D" in card
    assert '"kind": "test"' in card
    assert '"source": "ego"' in card, "no path of this machine leaves it"
    info = json.loads((tmp_path / "out/dataset_info.json").read_text())["exo2ego"]
    assert info["file_name"] == "openai.jsonl"
    assert info["columns"] == {"messages": "messages", "videos": "videos"}
    assert info["tags"]["user_tag"] == "user"
    exported(shards, tmp_path / "llava", form="llava")
    assert not (tmp_path / "llava/dataset_info.json").exists()


def test_a_thousand_samples_a_folder(tmp_path: Path) -> None:
    samples = [sample(f"k{n}", conversations=((Turn(question="Who?", answer="I"),),)) for n in range(1001)]
    shards = MemoryShards(tmp_path / "shards", samples)
    rule = ExportRule(form="llava", view="video")
    export(shards, tmp_path / "out", rule, copy_videos=False)  # type: ignore[arg-type]
    good, _ = read_conversations(tmp_path / "out/llava.json")
    assert [good[0].video.path, good[-1].video.path] == ["videos/00000/k0.video.mp4", "videos/00001/k1000.video.mp4"]
    assert not (tmp_path / "out/videos").exists()
