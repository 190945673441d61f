"""Something-Something-V2 as written: VP9 at 12 frames a second, labels that are their template with blanks filled."""

import json

import av
from coded_sources import CodedSources

from exo2ego.data.video import probe
from exo2ego.sim.source_files import train_pairs
from exo2ego.sim.source_ssv2 import files, ids, plain
from exo2ego.sim.spec import COLOURS, SimSpec
from exo2ego.sim.world import TakePlan


def test_videos_are_vp9_and_show_their_event(coded: CodedSources) -> None:
    """From approach to withdrawal, as the frames' numbers say."""
    folder = coded.root / "ssv2" / "20bn-something-something-v2"
    pairs = train_pairs(coded.plans)
    for name, (plan, event) in zip(ids(coded.spec, pairs), pairs, strict=True):
        path = folder / f"{name}.webm"
        info = probe(path)
        assert abs(info.fps - 12) < 0.2
        assert info.frames == round((event.end_s - event.start_s) * 12)
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.name == "vp9"
        times_s = [0.0, 1.0, event.act_end_s - event.start_s]
        wanted = [coded.expected(plan, event.start_s + time_s) for time_s in times_s]
        assert coded.near(coded.shown(path, times_s), wanted)
    assert len(list(folder.iterdir())) == len(pairs)


def test_labels_fit_templates_and_every_video_is_in_one_split(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """The rules by which the real files hang together, and the forms that make them hard."""
    made = files(plan_spec, plans)
    labels = json.loads(made.texts["labels/labels.json"])
    assert sorted(labels.values(), key=int) == [str(number) for number in range(len(labels))]
    splits = {name: json.loads(made.texts[f"labels/{name}.json"]) for name in ("train", "validation", "test")}
    for row in splits["train"] + splits["validation"]:
        assert list(row) == ["id", "label", "template", "placeholders"]
        assert plain(row["template"]) in labels
        filled = row["template"].lower()
        for thing in row["placeholders"]:
            filled = filled.replace("[something]", thing, 1)
        assert filled == row["label"]
        assert "[" not in row["label"]
    assert all(list(row) == ["id"] for row in splits["test"])
    answers = dict(line.split(";") for line in made.texts["labels/test-answers.csv"].splitlines())
    assert list(answers) == [row["id"] for row in splits["test"]]
    assert set(answers.values()) <= set(labels)
    named = [row["id"] for rows in splits.values() for row in rows]
    assert len(set(named)) == len(named) == len(made.pieces) == len(train_pairs(plans))
    train = splits["train"]
    assert len(train) > len(splits["validation"]) > 0
    assert any(len(row["placeholders"]) == 2 for row in train)
    assert any(row["template"].startswith("[Something]") for row in train)
    assert any(row["placeholders"][0].startswith("a ") for row in train)
    assert not set(COLOURS) & {word for row in train for word in row["label"].split()}
