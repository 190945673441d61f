"""Prompts and pixels are those of Transformers' own processors (their parts that run without torchvision)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.smolvlm import processing_smolvlm
from transformers.models.video_llama_3.image_processing_pil_video_llama_3 import VideoLlama3ImageProcessorPil
from transformers.models.video_llama_3.processing_video_llama_3 import VideoLlama3Processor
from transformers.video_utils import VideoMetadata

from exo2ego.bench.frames import Frames
from exo2ego.bench.hf_families import FAMILIES, Context, in_words
from exo2ego.bench.hf_folder import VideoSettings
from exo2ego.bench.hf_pixels import Colours, changed_tokens, fitting_size, normalised, patches
from exo2ego.errors import InputError, VideoError

HALF = Colours(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
T = 5
FPS = 2.0


def frames(height=56, width=84):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (T, height, width, 3), dtype=np.uint8)
    pictures[2, : height // 2] = pictures[1, : height // 2]
    times = (np.arange(T) + 0.5) / FPS
    return Frames(pictures=pictures, times_s=times, duration_s=T / FPS)


def prepared(kind, config, **raw):
    names = {1: "<v>", 2: "<i>", 3: "<|vision_start|>", 4: "<|vision_end|>"}
    full = SimpleNamespace(
        model_type=kind, video_token_id=1, image_token_id=2, vision_start_token_id=3, vision_end_token_id=4, **config
    )
    settings = VideoSettings(colours=HALF, size=raw.pop("size", {}), raw=raw)
    context = Context(config=full, settings=settings, token=names.__getitem__, max_pixels=10**6)
    return FAMILIES[kind].prepare(frames(), context)


def metadata():
    """The same frames as Transformers would know them: half a step from whole numbers of frames."""
    indices = [0.5 + number for number in range(T)]
    return VideoMetadata(total_num_frames=T, fps=FPS, frames_indices=indices, duration=T / FPS)


def stub(**fields):
    return SimpleNamespace(video_token="<v>", image_token="<i>", **fields)


VISION = SimpleNamespace(patch_size=14, spatial_merge_size=2, temporal_patch_size=2, image_size=56)


def test_qwen2_5_vl():
    found = prepared("qwen2_5_vl", {"vision_config": VISION})
    own = stub(video_processor=SimpleNamespace(merge_size=2))
    grid = found.encode["video_grid_thw"]
    assert grid.tolist() == [[3, 4, 6]]
    assert found.text == Qwen2_5_VLProcessor.replace_video_token(own, {"video_grid_thw": grid}, 0)
    # 5 frames show 2.5 s, a step of the grid holds two of them.
    assert found.forward["second_per_grid_ts"].tolist() == [1.0]


def test_qwen3_vl_dates_every_step():
    found = prepared("qwen3_vl", {"vision_config": SimpleNamespace(**{**vars(VISION), "patch_size": 16})})
    own = stub(
        video_processor=SimpleNamespace(merge_size=2, temporal_patch_size=2),
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
    )
    own._calculate_timestamps = lambda *a: Qwen3VLProcessor._calculate_timestamps(own, *a)
    inputs = {"video_grid_thw": found.encode["video_grid_thw"], "video_metadata": [metadata()]}
    assert found.text == Qwen3VLProcessor.replace_video_token(own, inputs, 0)
    assert found.text.startswith("<0.5 seconds><|vision_start|><v>")


@pytest.mark.parametrize("compress", [True, False])
def test_video_llama_3_leaves_out_what_did_not_change(compress):
    found = prepared("video_llama_3", {"vision_config": VISION}, use_token_compression=compress)
    keep = found.forward["video_compression_mask"]
    inputs = {**found.encode, "video_compression_mask": keep, "video_metadata": [metadata()]}
    assert found.text == VideoLlama3Processor.replace_video_token(stub(), inputs, 0)
    assert keep.all().item() is not compress
    # Frame 2 repeats the upper half of frame 1: 2 rows of 3 tokens, of which the first row is left out.
    assert keep.view(5, 6).tolist() == [[True] * 6, [True] * 6, [not compress] * 3 + [True] * 3, [True] * 6, [True] * 6]


def test_llava_onevision():
    found = prepared("llava_onevision", {"vision_config": VISION})
    own = stub(num_image_tokens=16)
    assert found.text == LlavaOnevisionProcessor.replace_video_token(own, found.encode, 0)
    assert found.encode["pixel_values_videos"].shape == (1, T, 3, 56, 56)


def test_internvl():
    found = prepared("internvl", {"vision_config": VISION, "image_seq_length": 4}, size={"height": 28, "width": 28})
    own = stub(start_image_token="<img>", end_image_token="</img>", image_seq_length=4)
    inputs = {"pixel_values_videos": found.encode["pixel_values"][None]}
    assert found.text == InternVLProcessor.replace_video_token(own, inputs, 0)
    assert found.encode["pixel_values"].shape == (T, 3, 28, 28)


def test_smolvlm(monkeypatch):
    found = prepared("smolvlm", {"vision_config": VISION, "scale_factor": 2}, max_image_size={"longest_edge": 56})
    monkeypatch.setattr(processing_smolvlm, "num2words", {T: "five"}.__getitem__)
    own = stub(image_seq_len=4, fake_image_token="<fake_token_around_image>", global_image_token="<global-img>")
    inputs = {"pixel_values": found.encode["pixel_values"], "video_metadata": [metadata()]}
    assert found.text == processing_smolvlm.SmolVLMProcessor.replace_video_token(own, inputs, 0)


@given(st.integers(28, 3000), st.integers(28, 3000), st.integers(1, 400), st.integers(1, 4000))
def test_free_sizes_are_those_of_transformers(height, width, least, more):
    least, most = least * 784, (least + more) * 784
    if max(height, width) > 200 * min(height, width):
        with pytest.raises(VideoError, match="too long and thin"):
            fitting_size(height, width, 28, least, most)
        return
    assert fitting_size(height, width, 28, least, most) == smart_resize(height, width, 28, least, most)


def test_patches_of_one_picture_are_those_of_transformers():
    picture = frames().pictures[0]
    pixels = normalised(picture[None], *picture.shape[:2], HALF)
    for processor, depth in ((Qwen2VLImageProcessorPil, 2), (VideoLlama3ImageProcessorPil, 1)):
        own = processor(do_resize=False, patch_size=14, merge_size=2, image_mean=[0.5] * 3, image_std=[0.5] * 3)
        wanted = own(picture, return_tensors="pt")
        found, grid = patches(pixels, 14, 2, depth)
        torch.testing.assert_close(found, wanted["pixel_values"], atol=1e-5, rtol=0)
        assert [list(grid)] == wanted["image_grid_thw"].tolist()


@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 2]))
def test_patches_lie_by_time_then_by_blocks(time, down, across, depth):
    pixels = torch.randn(time, 3, down * 8, across * 8)
    found, grid = patches(pixels, 4, 2, depth)
    assert grid == (-(-time // depth), down * 2, across * 2)
    filled = torch.cat([pixels, pixels[-1:]])
    literal = []
    for step in range(grid[0]):
        for block_y in range(down):
            for block_x in range(across):
                for y in range(2):
                    for x in range(2):
                        top, left = block_y * 8 + y * 4, block_x * 8 + x * 4
                        cut = filled[step * depth : step * depth + depth, :, top : top + 4, left : left + 4]
                        literal.append(cut.transpose(0, 1).flatten())
    assert torch.equal(found, torch.stack(literal))


def test_of_every_step_one_token_stays():
    still = torch.zeros(3 * 4 * 4, 12)
    assert changed_tokens(still, (3, 4, 4), 2).tolist() == [True] * 4 + [True, False, False, False] * 2


def test_pixels_are_resized_as_pillow_does():
    from PIL import Image

    picture = frames().pictures[:1]
    found = normalised(picture, 28, 42, HALF)[0]
    small = np.asarray(Image.fromarray(picture[0]).resize((42, 28), Image.Resampling.BICUBIC)) / 255.0
    wanted = torch.tensor((small - 0.5) / 0.5).permute(2, 0, 1)
    steps = (found - wanted).abs() * 255 / 2
    # Pillow rounds between its two passes: on noise, the worst case, a few steps of 255 at single places.
    assert steps.max() < 4
    assert steps.mean() < 0.5
    assert normalised(picture, 56, 84, HALF)[0, :, 0, 0].tolist() == pytest.approx(
        ((picture[0, 0, 0] / 255.0 - 0.5) / 0.5).tolist(), abs=1e-6
    )


def test_counts_in_words():
    assert [in_words(n) for n in (0, 8, 19, 20, 21, 99)] == [
        "zero",
        "eight",
        "nineteen",
        "twenty",
        "twenty-one",
        "ninety-nine",
    ]
    with pytest.raises(InputError, match="fewer than 100"):
        in_words(100)
