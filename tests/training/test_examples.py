"""Sources to one list of examples: shares by weight, nothing that a benchmark asks about, and every refusal by name."""

from fractions import Fraction

import numpy as np
import pytest
from training_fixtures import build, planned_pair, planned_span, sample

from exo2ego.data.held_out import HeldOutSpan, held_out
from exo2ego.data.mixture import Mixture, Source, by_size
from exo2ego.errors import FormatError, InputError, LeakageError
from exo2ego.training.examples import training_data
from exo2ego.training.stages import STAGES


@pytest.fixture(scope="module")
def few(videos, tmp_path_factory):
    return build(
        tmp_path_factory.mktemp("few") / "shards", [planned_span(videos, n, "red", key="few") for n in range(3)]
    )


def mixture(**sources):
    return Mixture(
        sources=tuple(
            Source(name=name, folders=tuple(s.folder for s in shards), weight=Fraction(weight))
            for name, (weight, *shards) in sources.items()
        )
    )


def data(recipe, mixed, stage="practice", **more):
    return training_data(STAGES[stage], mixed, recipe, 0, **more)


def test_examples_stand_source_by_source_and_come_by_weight(recipe, instructions, few):
    found = data(recipe, mixture(many=("1/4", instructions), few=("3/4", few)))
    assert [e.sample.key for e in found.examples[12:]] == ["few-0", "few-1", "few-2"]
    drawn = found.order.examples(range(40))
    assert sum(i >= 12 for i in drawn) == 30
    assert found.order.seen(40) == [10, 30]


def test_a_source_may_have_several_folders(recipe, instructions, few):
    found = data(recipe, mixture(all=(1, instructions, few)))
    assert found.order.sizes == (15,)
    assert sorted(found.order.examples(range(15))) == list(range(15))


def test_a_weighted_source_without_an_example_is_named(recipe, pairs, instructions):
    with pytest.raises(FormatError, match=r"source 'b' holds no example .*ego-exo pairs"):
        data(recipe, mixture(a=(1, pairs), b=(1, instructions)), stage="teacher")
    both = data(recipe, by_size([pairs.folder, instructions.folder]), stage="teacher")
    assert both.order.sizes == (12, 0)
    with pytest.raises(InputError, match="no data was given"):
        data(recipe, Mixture(sources=()))


def span(video, start_s=None, end_s=None):
    return HeldOutSpan(video=video, start_s=start_s, end_s=end_s, bench="egomcq", item="17")


def test_what_a_benchmark_asks_about_is_refused_with_sample_video_and_item(recipe, instructions, few):
    """Samples last from 0 to 1.6 s of `take-<key>`."""
    asked = held_out([span("take-few-1", 1.0, 3.0), span("take-few-2", 1.6, 9.0), span("take-span-1", 2.0)])
    mixed = mixture(many=(1, instructions), few=(1, few))
    with pytest.raises(LeakageError) as refused:
        data(recipe, mixed, held_out=asked)
    said = str(refused.value)
    assert str(few.folder) in said
    assert "sample few-1 is 0 s to 1.6 s of take-few-1, which is held out (egomcq item 17, from 1 s to 3 s)" in said
    assert "1 such samples; --drop-held-out leaves them out" in said


def test_dropped_samples_are_counted_and_never_drawn(recipe, few, instructions):
    asked = held_out([span("Take-Few-1.mp4".removesuffix(".mp4").lower()), span("take-few-2", 0.0, 0.5)])
    found = data(recipe, mixture(many=(1, instructions), few=(1, few)), held_out=asked, drop_held_out=True)
    assert found.left_out == 2
    assert found.order.sizes == (12, 1)
    assert {found.examples[i].sample.key for i in found.order.examples(range(60)) if i >= 12} == {"few-0"}
    everything = held_out(span(f"take-few-{n}") for n in range(3))
    with pytest.raises(LeakageError, match="source 'few': all of its samples are held out"):
        data(recipe, mixture(many=(1, instructions), few=(1, few)), held_out=everything, drop_held_out=True)


def test_a_sample_with_several_views_is_one_sample(recipe, videos, tmp_path):
    twice = planned_pair(videos, 0)
    views = ("ego", "cam01", "cam02")
    record = sample("pair-0", views, text=twice.sample.text, best_exo="cam01")
    planned = type(twice)(sample=record, videos=(*twice.videos, ("cam02", twice.videos[1][1])))
    shards = build(tmp_path / "shards", [planned, planned_pair(videos, 1)])
    asked = held_out([span("take-pair-0")])
    found = data(recipe, by_size([shards.folder]), stage="teacher", held_out=asked, drop_held_out=True)
    assert (found.left_out, [e.sample.key for e in found.examples]) == (1, ["pair-1"])


def test_held_out_splits_are_refused_without_any_list(recipe, videos, tmp_path):
    shards = build(tmp_path / "shards", [planned_pair(videos, 0, split="val")])
    with pytest.raises(LeakageError, match="split 'val'"):
        data(recipe, by_size([shards.folder]), stage="teacher")


def test_examples_are_the_same_by_number_in_slices_and_in_order(recipe, instructions, few, pairs):
    """Also where some are left out in the middle, at the beginning and at the end."""
    for stage, mixed in (
        ("practice", mixture(many=(1, instructions), few=(1, few))),
        ("teacher", by_size([pairs.folder])),
    ):
        found = data(recipe, mixed, stage=stage).examples
        for some in (found, found.only(np.array([0, 3, 4, len(found) - 1])), found.only(np.array([5, 7]))):
            names = [example.name for example in some]
            assert len(names) == len(some) == len(set(names))
            assert [some[n].name for n in range(len(some))] == names
            assert [example.name for example in some[1:3]] == names[1:3]
            assert some[-1].name == names[-1]
        assert [e.name for e in found.only(np.array([5, 7]))] == [found[5].name, found[7].name]


def test_pair_shards_hold_no_instructions(recipe, pairs):
    with pytest.raises(FormatError, match=r"the shards hold no example .*it needs instructions"):
        data(recipe, by_size([pairs.folder]))
