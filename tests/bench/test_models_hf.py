"""`hf:` on tiny random models of every supported class: the figures of plain forwards, the words of plain generate."""

import json
import shutil

import pytest
import torch
from hf_tiny import MODELS

from exo2ego.bench import models_hf
from exo2ego.bench.frames import sample
from exo2ego.bench.hf_families import FAMILIES, Context
from exo2ego.bench.hf_options import HFOptions
from exo2ego.bench.models_hf import HFModel, load_hf
from exo2ego.errors import FormatError, InputError, MissingFileError, VideoError
from exo2ego.records import VideoSpan

QUESTION = "What does the camera-wearer do?"
OPTIONS = ("lifts the red cup.", "x", "pushes a jar", "lifts the red box.")
FRAMES = 5

every = pytest.mark.parametrize("kind", sorted(MODELS))


@pytest.fixture(scope="module")
def loaded(hf_folder):
    models = {}

    def load(kind) -> HFModel:
        if kind not in models:
            models[kind] = load_hf(str(hf_folder(kind)), HFOptions(frames=FRAMES))
        return models[kind]

    return load


@pytest.fixture(scope="module")
def clip(noise_clips):
    return VideoSpan(path=str(noise_clips[0]), start_s=0.3, end_s=1.7)


def plain_inputs(model, video):
    """Prompt and pixels for the class itself: nothing encoded beforehand."""
    inputs = model.inputs(video, QUESTION)
    if video is not None:
        context = Context(
            config=model._model.config, settings=model._settings, token=model._token,
            max_pixels=model._options.max_pixels,
        )  # fmt: skip
        del inputs["mm_encoder_outputs"]
        inputs |= model._family.prepare(sample(video, FRAMES), context).encode
    return inputs


def literal(model, video, option):
    """One option through one forward of the whole class over prompt, pixels and answer."""
    inputs, answer = plain_inputs(model, video), torch.tensor([model.answer_ids(option)])
    start = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], 1)
    if "mm_token_type_ids" in inputs:
        inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(answer)], 1)
    with torch.inference_mode():
        logprobs = model._model(**inputs).logits[0, start - 1 : -1].float().log_softmax(-1)
    return float(logprobs.gather(1, answer[0, :, None]).sum()), answer.shape[1]


def test_every_family_is_tried_here():
    assert set(FAMILIES) - set(MODELS) == {"qwen3_vl_moe"}  # Qwen3-VL with other feed-forward layers


@every
def test_scores_equal_one_plain_forward_per_option(loaded, clip, kind):
    model = loaded(kind)
    assert model.capabilities == {"text", "logprobs"}
    for video in (clip, None, clip):
        wanted = [literal(model, video, option) for option in OPTIONS]
        scores = model.option_logprobs(video, QUESTION, OPTIONS)
        assert [s.logprob for s in scores] == pytest.approx([logprob for logprob, _ in wanted], abs=2e-3)
        assert [s.tokens for s in scores] == [tokens for _, tokens in wanted]


@every
def test_answers_are_those_of_plain_generate(loaded, clip, kind):
    model = loaded(kind)
    for video in (clip, None):
        inputs = plain_inputs(model, video)
        with torch.inference_mode():
            out = model._model.generate(**inputs, max_new_tokens=6, do_sample=False, eos_token_id=[model._end])
        told = out[0, inputs["input_ids"].shape[1] :]
        assert model.generate(video, QUESTION, 6) == model._tokenizer.decode(told, skip_special_tokens=True).strip()


@every
def test_the_video_decides_and_is_encoded_once(loaded, noise_clips, kind, monkeypatch):
    model = loaded(kind)
    read = []
    monkeypatch.setattr(models_hf, "sample", lambda video, *how: read.append(video) or sample(video, *how))
    videos = [VideoSpan(path=str(path)) for path in noise_clips]
    scores = [[s.logprob for s in model.option_logprobs(video, QUESTION, OPTIONS)] for video in [*videos, *videos]]
    assert scores[0] == pytest.approx(scores[2], abs=1e-4)
    assert scores[0] != pytest.approx(scores[1], abs=1e-3)
    assert read == videos
    model.option_logprobs(videos[0], "And then?", OPTIONS)
    model.generate(videos[0], "And then?", 2)
    assert len(read) == 2


def test_frames_are_middles_of_equal_parts_and_are_told(loaded, clip):
    assert loaded("internvl").frame_times(clip) == pytest.approx([0.44, 0.72, 1.0, 1.28, 1.56])


def test_text_without_a_turn_for_answers_has_no_log_probabilities(hf_folder, tmp_path):
    folder = shutil.copytree(hf_folder("internvl"), tmp_path / "thinking")
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}"))
    model = load_hf(str(folder), HFOptions())
    assert model.capabilities == {"text"}
    with pytest.raises(InputError, match="writes answers otherwise"):
        model.option_logprobs(None, QUESTION, OPTIONS)


def test_number_type_and_device_are_as_asked(hf_folder, clip):
    model = load_hf(str(hf_folder("smolvlm")), HFOptions(dtype="bfloat16", device="cpu", frames=2))
    assert model.name == "hf:smolvlm"
    assert model._model.dtype == torch.bfloat16
    assert len(model.option_logprobs(clip, QUESTION, OPTIONS)) == len(OPTIONS)
    for wrong in ({"dtype": "int8"}, {"device": "tpu"}, {"frames": 0}):
        with pytest.raises(InputError, match="must be"):
            HFOptions(**wrong)


def test_folders_that_are_no_model_are_one_line(hf_folder, tmp_path):
    folder = shutil.copytree(hf_folder("internvl"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())

    def refused(told, kind=InputError):
        with pytest.raises(kind, match=told) as caught:
            load_hf(str(folder), HFOptions())
        assert "\n" not in str(caught.value)

    (folder / "config.json").write_text(
        json.dumps({**config, "model_type": "gpt_oss", "auto_map": {"AutoModel": "x.X"}})
    )
    refused("model_type 'gpt_oss' is not supported; supported are qwen2_vl, qwen2_5_vl")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": "half"}')
    refused(r"preprocessor_config\.json: object: image_std = 'half' must be three numbers", FormatError)
    (folder / "preprocessor_config.json").unlink()
    refused(r"no preprocessor_config\.json", MissingFileError)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    (folder / "preprocessor_config.json").write_text(json.dumps(MODELS["internvl"][2]))
    weights.write_bytes(whole[: len(whole) // 2])
    refused("cannot be loaded")
    weights.rename(folder / "pytorch_model.bin")
    refused(r"no \*\.safetensors; other weight files can run code")
    (folder / "config.json").unlink()
    refused(r"no config\.json", MissingFileError)


def test_missing_weights_are_not_drawn_by_lot(hf_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(hf_folder("internvl"), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    gone = next(name for name in weights if "mlp" in name)
    del weights[gone]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="1 weights are missing"):
        load_hf(str(folder), HFOptions())


@pytest.mark.parametrize("name", ["owner/model-that-nobody-has", "no/such/folder/at/all", "../x"])
def test_an_id_that_is_not_here_says_how_to_get_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    told = "hf download owner/model" if name.startswith("owner") else "no such folder"
    with pytest.raises(MissingFileError, match=told):
        load_hf(name, HFOptions())


def test_an_id_in_the_cache_is_found_at_its_revision(hf_folder, tmp_path, monkeypatch, clip):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--owner--tiny"
    commit = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(hf_folder("internvl"), home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs/main").write_text(commit)
    model = load_hf("owner/tiny", HFOptions(frames=2))
    assert model.name == "hf:owner/tiny"
    assert model.generate(clip, QUESTION, 2) == model.generate(clip, QUESTION, 2)
    with pytest.raises(MissingFileError, match="revision v2"):
        load_hf("owner/tiny", HFOptions(revision="v2"))


def test_questions_and_videos_that_cannot_be_asked(loaded, clip, hf_folder, tmp_path):
    model = loaded("internvl")
    with pytest.raises(FormatError, match="question is empty"):
        model.generate(clip, " ")
    with pytest.raises(FormatError, match="2 places for 1 video"):
        model.generate(clip, "What is <video> for?")
    with pytest.raises(VideoError, match="outside the video"):
        model.generate(VideoSpan(path=clip.path, start_s=1.0, end_s=9.0), QUESTION)
    folder = shutil.copytree(hf_folder("internvl"), tmp_path / "text-only")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}")
    with pytest.raises(FormatError, match="0 places for 1 video"):
        load_hf(str(folder), HFOptions()).generate(clip, QUESTION)
