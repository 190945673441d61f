"""Mixed streams: shares kept, budgets kept, the same samples however many processes, resumed by a cursor."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from exo2ego.data.batch import jitter_frames, pack_text
from exo2ego.data.mixture import by_size
from exo2ego.data.mixture_order import example_order
from exo2ego.errors import CheckpointError, InputError
from exo2ego.training.config import Optim
from exo2ego.training.shares import contents

BUDGET = 400


def optim(**limits) -> Optim:
    return Optim(steps=99, lr=1e-3, **limits)


LIMITS = [
    {"batch_size": 3},
    {"batch_size": 3, "bucket_samples": 12},
    {"tokens_per_batch": BUDGET, "bucket_samples": 20},
]


@pytest.mark.parametrize("limits", LIMITS)
def test_each_source_keeps_its_share_and_epochs_are_counted(stream_of, mixed, limits):
    stream = stream_of("practice", mixed, optim=optim(**limits))
    counts: Counter[str] = Counter()
    for step in range(24):
        for index in stream.indices(step):
            counts["long" if index < 9 else "short"] += 1
        assert stream.seen(step + 1) == {"long": counts["long"], "short": counts["short"]}
    total = counts.total()
    window = limits.get("bucket_samples", 1)  # within a window batches are shuffled: only its end is exact
    assert abs(counts["long"] - total / 3) <= 1 + window / 2
    assert stream.epochs(24) == {"long": counts["long"] / 9, "short": counts["short"] / 5}
    fresh = stream_of("practice", mixed, optim=optim(**limits))
    assert fresh.seen(24) == {"long": counts["long"], "short": counts["short"]}


@pytest.mark.parametrize("stage", ["practice", "guidance"])
def test_a_budget_counts_everything_that_the_llm_reads(stream_of, mixed, pairs, stage):
    data = mixed if stage == "practice" else by_size([pairs.folder])
    stream = stream_of(stage, data, optim=optim(tokens_per_batch=1000, bucket_samples=24))
    sizes = set()
    for step in range(6):
        batch = stream.batch(step)
        found = contents(batch, stream.spec.visual_tokens)
        assert 0 < found["tokens"] <= 1000
        sizes.add(len(batch.ids))
    assert max(sizes) > 1
    if stage == "practice":
        assert len(sizes) > 1


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("ranks", [2, 5])
def test_processes_share_a_batch_without_changing_it(stream_of, mixed, limits, ranks):
    """Every sample on one process, with the very frames and words it has where one process computes all."""
    stream = stream_of("practice", mixed, optim=optim(**limits))
    for step in (0, 7):
        whole = stream.batch(step)
        parts = [stream.batch(step, rank, ranks) for rank in range(ranks)]
        shares = [part for part in parts if part.counts]
        assert sorted(name for part in shares for name in part.ids) == sorted(whole.ids)
        assert len(parts) == ranks
        for rank, part in enumerate(parts):
            rows = list(range(len(whole.ids)))[rank::ranks] if part.counts else [0]
            for row, there in enumerate(rows):
                assert torch.equal(part.videos["ego"][row], whole.videos["ego"][there])
                said = whole.text.tokens[there][whole.text.segments[there] >= 0]
                assert torch.equal(part.text.tokens[row][part.text.segments[row] >= 0], said)


def test_a_budget_resumes_from_its_cursor_without_what_came_before(stream_of, mixed):
    whole = stream_of("practice", mixed, optim=optim(**LIMITS[2]))
    steps = [whole.batch(step) for step in range(30)]
    cursor = whole.cursor(17)
    resumed = stream_of("practice", mixed, optim=optim(**LIMITS[2]))
    asked: list[int] = []
    lengths = resumed.plan.lengths
    resumed.plan.lengths = lambda places: asked.append(places.start) or lengths(places)
    resumed.resume_at(cursor, Path("step-17"))
    for step in range(17, 30):
        again = resumed.batch(step)
        assert again.ids == steps[step].ids
        assert torch.equal(again.text.tokens, steps[step].text.tokens)
        assert torch.equal(again.videos["ego"], steps[step].videos["ego"])
        assert resumed.seen(step + 1) == whole.seen(step + 1)
    assert min(asked) == cursor["window"] * 20


def test_a_cursor_of_other_batches_is_refused(stream_of, mixed):
    cursor = stream_of("practice", mixed, optim=optim(**LIMITS[2])).cursor(17)
    other = stream_of("practice", mixed, optim=optim(**LIMITS[2]), segments=1)
    with pytest.raises(CheckpointError, match="gives other batches than when it was written"):
        other.resume_at(cursor, Path("step-17"))
    with pytest.raises(CheckpointError, match="does not say where in the data it stopped"):
        other.resume_at(None, Path("step-17"))


def test_a_sample_longer_than_the_budget_is_refused_by_name_before_the_first_step(stream_of, mixed):
    roomy = stream_of("practice", mixed, optim=optim(tokens_per_batch=10_000, bucket_samples=20))
    longest = max(roomy._longest(e, lambda turns: len(roomy._segment(turns).ids)) for e in roomy.examples)
    needed = longest + roomy.rule.fixed_tokens
    assert stream_of("practice", mixed, optim=optim(tokens_per_batch=needed)).batch(0).ids
    with pytest.raises(InputError, match=rf"sample long-8\[video\] has {longest} text tokens, with the video {needed}: "
                                         rf"more than tokens_per_batch {needed - 1}"):  # fmt: skip
        stream_of("practice", mixed, optim=optim(tokens_per_batch=needed - 1))


def test_only_texts_that_may_be_too_long_are_tokenized_at_the_start(stream_of, mixed, monkeypatch):
    roomy = stream_of("practice", mixed, optim=optim(tokens_per_batch=10_000))
    for example in roomy.examples:
        for turns in example.conversations:
            assert len(roomy._segment(turns).ids) <= roomy._most_tokens(turns)
    called = []
    monkeypatch.setattr("exo2ego.training.stream.encode_segment", lambda *args: called.append(args))
    roomy._refuse_too_long(10_000)
    assert called == []


def test_buckets_pad_less(stream_of, mixed):
    """The same samples; the share of cells that hold nothing falls."""

    def padding(limits):
        stream = stream_of("practice", mixed, optim=optim(**limits), segments=1)
        found = [contents(stream.batch(step), 0) for step in range(40)]
        return sum(f["padding"] for f in found) / sum(f["text_cells"] for f in found)

    assert padding({"batch_size": 3, "bucket_samples": 60}) < padding({"batch_size": 3}) / 2


def test_a_plain_batch_is_drawn_as_it_always_was(stream_of, pairs, recipe):
    """The literal procedure of the versions that the shipped results were made with, step by step."""
    stream = stream_of("guidance", by_size([pairs.folder]), seed=3)
    for step, rank, ranks in ((0, 0, 1), (4, 0, 1), (2, 1, 2)):
        batch = stream.batch(step, rank, ranks)
        rng = np.random.default_rng([3, 1, step, rank])
        places = [(p // 12, p % 12) for p in range(4 * step, 4 * step + 4)][rank::ranks]
        chosen = [stream.examples[int(example_order(3, epoch, 12)[place])] for epoch, place in places]
        assert batch.ids == tuple(e.name for e in chosen)
        for role in ("ego", "exo"):
            clips = [stream.cache.get(e.shards, e.sample, e.views[role]) for e in chosen]
            drawn = np.stack([jitter_frames(clip, rng, recipe.jitter_px) for clip in clips])
            assert torch.equal(batch.videos[role], torch.from_numpy(drawn))
        probes = pack_text([stream._probe_segments(rng) for _ in chosen], stream.spec.pad_id)
        assert torch.equal(batch.probes.tokens, probes.tokens)
        texts = pack_text([stream._text_segments(e, rng) for e in chosen], stream.spec.pad_id)
        assert torch.equal(batch.text.tokens, texts.tokens)
