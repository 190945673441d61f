"""The engine: shared-prefix scores equal a plain forward, greedy answers are the scores' argmax, errors are clear."""

import math

import numpy as np
import pytest
import torch

from exo2ego.data.chat import answer_ids, prefix_ids
from exo2ego.data.video import decode_at, squarer
from exo2ego.errors import FormatError, InputError, VideoError
from exo2ego.inference.engine import EMBED_QUESTION, Engine
from exo2ego.records import VideoSpan

QUESTION = "What colour is the object?"
OPTIONS = ("red", "green cup", "Camera-wearer lifts the cup.")


def with_placeholders(engine, ids):
    """int64[1, L] of a text-only prompt -> the same with the video's placeholders behind the prefix."""
    p = engine.processor
    length = len(prefix_ids(p.tokenizer, p.chat))
    holes = torch.full((1, p.video_tokens), engine.model.config.video_token_id)
    return torch.cat([ids[:, :length], holes, ids[:, length:]], dim=1)


def literal_logprob(engine, video, option):
    """One option at a time through Hugging Face `forward` with placeholders."""
    p = engine.processor
    ids = with_placeholders(engine, p(text=QUESTION)["input_ids"])
    answer = torch.tensor([answer_ids(p.tokenizer, p.chat, option)])
    with torch.inference_mode():
        logits = engine.model(
            input_ids=torch.cat([ids, answer], 1), pixel_values_videos=engine.frames(video)
        ).logits.log_softmax(-1)
    read = logits[0, ids.shape[1] - 1 : -1]
    return float(read.gather(1, answer[0, :, None]).sum()), answer.shape[1]


def test_scores_equal_one_plain_forward_per_option(engine, clips):
    video = VideoSpan(path=clips[0])
    for option, score in zip(OPTIONS, engine.option_logprobs(video, QUESTION, OPTIONS), strict=True):
        wanted, tokens = literal_logprob(engine, video, option)
        assert score.logprob == pytest.approx(wanted, abs=1e-3)
        assert score.tokens == tokens


def test_the_frames_that_are_read_are_those_that_are_told(engine, clips):
    p = engine.processor
    for video in (VideoSpan(path=clips[0]), VideoSpan(path=clips[0], start_s=0.4, end_s=1.1)):
        times = engine.frame_times(video)
        assert len(times) == p.num_frames
        decoded = dict(decode_at(video.path, times, convert=squarer(p.image_size)))
        told = p.pixels(np.stack([decoded[place] for place in range(len(times))])[None])
        assert torch.equal(told, engine.frames(video))
    with pytest.raises(VideoError, match="empty or reversed"):
        engine.frame_times(VideoSpan(path=clips[0], start_s=2.0, end_s=1.0))


def test_a_video_is_embedded_as_the_state_that_would_say_the_word(engine, clips):
    p = engine.processor
    ids = with_placeholders(engine, p(text=EMBED_QUESTION)["input_ids"])
    with torch.inference_mode():
        hidden = engine.model.model(input_ids=ids, pixel_values_videos=engine.frames(VideoSpan(path=clips[0])))
    wanted = torch.nn.functional.normalize(hidden.last_hidden_state[0, -1], dim=0).numpy()
    found = engine.embed_video(VideoSpan(path=clips[0]))
    assert found.shape == wanted.shape
    assert found == pytest.approx(wanted, abs=1e-4)
    assert engine.embed_video(VideoSpan(path=clips[1])) != pytest.approx(found, abs=1e-4)


def test_texts_are_embedded_alike_alone_and_together(engine):
    together = engine.embed_text(OPTIONS)
    assert (together**2).sum(1) == pytest.approx([1.0] * len(OPTIONS), abs=1e-5)
    for text, vector in zip(OPTIONS, together, strict=True):
        assert engine.embed_text([text])[0] == pytest.approx(vector, abs=1e-4)
    with pytest.raises(InputError, match="no text to embed"):
        engine.embed_text(["red", " "])


def test_the_video_decides(engine, clips):
    scores = [engine.option_logprobs(VideoSpan(path=c), QUESTION, OPTIONS)[0].logprob for c in clips]
    assert len({round(s, 4) for s in scores}) == 3
    blind = engine.option_logprobs(None, QUESTION, OPTIONS)[0].logprob
    assert blind not in scores


def test_answers_are_those_of_plain_generate(engine, clips):
    p = engine.processor
    ids = with_placeholders(engine, p(text=QUESTION)["input_ids"])
    for clip in clips:
        video = VideoSpan(path=clip)
        with torch.inference_mode():
            plain = engine.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                pixel_values_videos=engine.frames(video),
                max_new_tokens=5,
                do_sample=False,
                eos_token_id=p.tokenizer.eos_token_id,
                pad_token_id=p.tokenizer.pad_token_id,
            )
        first = engine.generate(video, QUESTION, max_new_tokens=5)
        assert first == p.decode_answer(plain[0, ids.shape[1] :])
        assert first == engine.generate(video, QUESTION, max_new_tokens=5)


def test_answers_without_a_video_follow_the_text_prior(engine):
    p = engine.processor
    ids = p(text=QUESTION)["input_ids"]
    with torch.inference_mode():
        logits = engine.model(input_ids=ids).logits
    first = engine.generate(None, QUESTION, max_new_tokens=1)
    assert first == p.decode_answer(logits[0, -1].argmax().view(1))


def test_videos_are_encoded_once(student, clips, monkeypatch):
    engine = Engine.load(student)
    calls = []
    monkeypatch.setattr(engine, "frames", lambda v, real=engine.frames: calls.append(v) or real(v))
    for _ in range(3):
        engine.option_logprobs(VideoSpan(path=clips[0]), QUESTION, OPTIONS)
    assert len(calls) == 1


def test_bad_questions_and_videos_are_one_clear_line(engine, clips, tmp_path):
    video = VideoSpan(path=clips[0])
    with pytest.raises(FormatError, match="question is empty"):
        engine.generate(video, "  ")
    with pytest.raises(InputError, match="no option"):
        engine.option_logprobs(video, QUESTION, [])
    with pytest.raises(InputError, match="max_new_tokens"):
        engine.generate(video, QUESTION, max_new_tokens=0)
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    with pytest.raises(VideoError, match=r"empty\.mp4"):
        engine.generate(VideoSpan(path=str(empty)), QUESTION)
    with pytest.raises(VideoError):
        engine.generate(VideoSpan(path=clips[0], start_s=5.0, end_s=6.0), QUESTION)


def test_an_options_score_does_not_depend_on_its_neighbours(engine, clips):
    """Order, company and repetition change nothing: each is read as if it alone stood behind the question."""
    video = VideoSpan(path=clips[0])
    alone = {option: engine.option_logprobs(video, QUESTION, [option])[0] for option in OPTIONS}
    for order in (OPTIONS[::-1], (*OPTIONS, OPTIONS[0]), OPTIONS[1:]):
        for option, score in zip(order, engine.option_logprobs(video, QUESTION, order), strict=True):
            assert score.logprob == pytest.approx(alone[option].logprob, abs=1e-4)
            assert score.tokens == alone[option].tokens
    spaced = engine.option_logprobs(video, f"  {QUESTION}\n", [f" {OPTIONS[0]} "])[0]
    assert spaced.logprob == pytest.approx(alone[OPTIONS[0]].logprob, abs=1e-4), "space around a text says nothing"


def test_the_scores_of_all_continuations_are_probabilities(engine, clips):
    """Over all words that could stand there they add up to one, and behind a first word to that word's own."""
    prefix = engine.read(VideoSpan(path=clips[0]), QUESTION)
    words = range(engine.model.config.text_config.vocab_size)
    first = prefix.score([[word] for word in words])
    assert sum(math.exp(score.logprob) for score in first) == pytest.approx(1.0, abs=1e-4)
    second = prefix.score([[7, word] for word in words])
    assert sum(math.exp(score.logprob) for score in second) == pytest.approx(math.exp(first[7].logprob), rel=1e-3)
