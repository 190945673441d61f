"""Language models of many families: texts read packed as the model reads each alone; the unfit ones are refused."""

import pytest
import torch
from small_decoders import FAMILIES, LLAMA_LIKE, WIDTH, literal_model, small_decoder, text_config
from transformers import AutoConfig, AutoModelForImageTextToText

from exo2ego.data.batch import pack_text
from exo2ego.data.chat import Segment
from exo2ego.errors import InputError
from exo2ego.models.decoder import AttentionForm, build_decoder
from exo2ego.models.language import Language, LoraSpec, add_lora, fold_lora
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration
from exo2ego.models.roles import MappingSpec, Roles

PREFIX = [1, 9, 8]
TEXTS = [[5, 6, 7, 8, 9, 10], [11, 12], [5, 6, 7, 8, 30, 31, 32, 33]]


def packed():
    """Two rows: the first and last text packed, the second alone with padding behind it."""
    segments = [Segment(ids=tuple(ids), labels=tuple(ids)) for ids in TEXTS]
    return pack_text([[segments[0], segments[2]], [segments[1]]], 3)


def alone(causal, visual, ids):
    """Logits of one text, read by a plain forward behind prefix and video."""
    words = causal.get_input_embeddings()
    parts = [words(torch.tensor([PREFIX])), visual, words(torch.tensor([ids]))]
    return causal(inputs_embeds=torch.cat(parts, dim=1)).logits[:, -len(ids) :]


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_packed_texts_are_read_as_the_model_reads_each_alone(family):
    model, head = small_decoder(family)
    causal, visual = literal_model(model, head), torch.randn(2, 5, WIDTH)
    hidden = Language(model, head).read(PREFIX, visual, packed())
    logits, first = head(hidden), len(TEXTS[0])
    for row, start, ids in ((0, 0, TEXTS[0]), (0, first, TEXTS[2]), (1, 0, TEXTS[1])):
        wanted = alone(causal, visual[row : row + 1], ids)[0]
        torch.testing.assert_close(logits[row, start : start + len(ids)], wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "opt, tied", "gemma2", "granite", "phi", "mistral, window"])
def test_an_export_of_any_family_loads_with_equal_logits(config_of, family, tmp_path):
    """Word vectors have another name in each; some heads are tied, have a bias, a scale or a cap."""
    config = config_of(mapping="none", video_token_id=4)
    config.text_config = text_config(family)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings
    torch.manual_seed(0)
    model = Exo2EgoForConditionalGeneration(config).eval()
    tied = model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    assert tied == config.text_config.tie_word_embeddings
    model.save_pretrained(tmp_path)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[1, *[4] * model.model.token_grid().tokens, 5, 6, 7]])
    given = {"input_ids": ids, "pixel_values_videos": torch.randn(1, 4, 3, 32, 32)}
    assert torch.equal(loaded(**given).logits, model(**given).logits)
    mask, new = torch.ones_like(ids), {"max_new_tokens": 6, "do_sample": False}
    assert loaded.generate(**given, attention_mask=mask, **new).equal(
        model.generate(**given, attention_mask=mask, **new)
    )


def test_lora_adapts_gpt2_and_folds_in():
    """GPT-2 writes its linear layers as `Conv1D`, with the weight the other way round."""
    language = Language(*small_decoder("gpt2"))
    visual, before = torch.randn(2, 5, WIDTH), set(language.state_dict())
    plain = language.read(PREFIX, visual, packed())
    add_lora(language, LoraSpec(rank=2, alpha=4, dropout=0.0))
    adapted = [name for name, _ in language.named_parameters() if "lora_B" in name]
    assert len(adapted) == 2 * 4
    for name in adapted:
        torch.nn.init.normal_(language.get_parameter(name), std=0.1)
    trained = language.read(PREFIX, visual, packed())
    assert (trained - plain).abs().max() > 1e-2
    fold_lora(language)
    assert set(language.state_dict()) == before
    torch.testing.assert_close(language.read(PREFIX, visual, packed()), trained, atol=1e-4, rtol=1e-4)


ODD = {
    "bloom": ({}, "takes no position_ids"),
    "falcon": ({"alibi": True}, "ALiBi"),
    "mamba": ({}, "linear_attention"),
    "mamba2": ({"head_dim": 16, "num_heads": 4, "expand": 2, "n_groups": 2}, "kind mamba|kind linear|state"),
    "qwen3_next": (LLAMA_LIKE, "linear_attention"),
    "llama4_text": (LLAMA_LIKE, "chunked_attention"),
    "hyperclovax": (LLAMA_LIKE | {"logits_scaling": 8.0}, "logits_scaling is 8.0"),
    "minicpm3": (LLAMA_LIKE | {"dim_model_base": 16}, "not known here"),
    "gemma3": ({}, "text part alone"),
    "gemma4_text": (LLAMA_LIKE, "visual tokens are no words"),
    "t5": ({}, "no causal language model"),
    "bert": ({}, "no causal language model"),
    "opt": (LLAMA_LIKE | {"word_embed_proj_dim": 16, "ffn_dim": 48}, "16 wide and its layers 32"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_model_that_reads_otherwise_is_refused_when_built_in_one_line(kind):
    settings, reason = ODD[kind]
    sizes = {"vocab_size": 40, "num_hidden_layers": 2} if kind != "gemma3" else {}
    config = AutoConfig.for_model(kind, **(sizes | {"hidden_size": WIDTH, "pad_token_id": 3} | settings))
    with pytest.raises(InputError, match=reason) as caught:
        build_decoder(config)
    assert f"'{kind}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_attention_that_takes_no_such_mask_is_refused():
    model, _ = small_decoder("llama")
    model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(InputError, match=r"'flash_attention_2' cannot read texts side by side; .*'sdpa'"):
        AttentionForm.of(model)


def test_sdpa_without_a_window_gets_the_boolean_mask_itself():
    """Made into numbers it would be slower and take more memory."""
    seen = torch.ones(1, 1, 3, 3, dtype=torch.bool).tril()
    places = torch.arange(3)[None]
    assert AttentionForm(added=None, window=None, by_layer=False).masks(seen, places, places) is seen


def test_a_window_counts_places_of_the_own_text():
    """Window 2 over a prefix of 2 and texts of 2 and 1: each sees itself and what stands just before it."""
    form = AttentionForm(added=torch.float32, window=2, by_layer=True)
    seen = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]]).bool()
    places = torch.tensor([[0, 1, 2, 3, 2]])
    masks = form.masks(seen[None, None], places, places)
    least = torch.finfo(torch.float32).min
    near = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 1, 0, 0, 1]]
    assert ((masks["sliding_attention"] == 0) == torch.tensor(near).bool()).all()
    assert ((masks["full_attention"] == 0) == seen).all()
    assert set(masks["full_attention"].unique().tolist()) == {least, 0.0}


def test_visual_tokens_must_leave_places_for_a_question(config_of):
    """GPT-2 has 1024 places; more would be an index out of range, and only while training."""
    config = config_of(mapping="none")
    config.text_config = text_config("gpt2")
    tokens = Exo2EgoForConditionalGeneration(config).model.token_grid().tokens
    config.text_config.n_positions = tokens
    with pytest.raises(InputError, match=f"{tokens} visual tokens do not fit the {tokens} places .* 'gpt2'"):
        Exo2EgoForConditionalGeneration(config)
    config.text_config.n_positions = 2 * tokens
    start = Exo2EgoForConditionalGeneration(config)
    with pytest.raises(InputError, match=f"{2 * tokens} visual tokens do not fit"):
        Roles(start, MappingSpec(width=16, blocks=1))
