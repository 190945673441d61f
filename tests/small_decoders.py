"""Small random language models of many families, and what each says when it reads one text alone (slow, literal)."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from exo2ego.models.decoder import build_decoder, build_head

WIDTH, WORDS = 32, 40
LLAMA_LIKE = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip
GPT_LIKE = {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "n_positions": 128}
SLIDES_THEN_ALL = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4}
TWO_EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1}
FAMILIES = {
    "mistral": LLAMA_LIKE | {"sliding_window": None},
    "mistral, window": LLAMA_LIKE | {"sliding_window": 4},
    "mistral, eager": LLAMA_LIKE | {"sliding_window": None, "attn_implementation": "eager"},
    "mistral, window, eager": LLAMA_LIKE | {"sliding_window": 4, "attn_implementation": "eager"},
    "llama": LLAMA_LIKE,
    "qwen2": LLAMA_LIKE,
    "qwen2, window": LLAMA_LIKE | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "qwen3": LLAMA_LIKE,
    "qwen3, tied": LLAMA_LIKE | {"tie_word_embeddings": True},
    "gemma2": LLAMA_LIKE | SLIDES_THEN_ALL | {"final_logit_softcapping": 2.0},
    "gemma3_text": LLAMA_LIKE | SLIDES_THEN_ALL,
    "phi3": LLAMA_LIKE,
    "phi3, window": LLAMA_LIKE | {"sliding_window": 4},
    "phi": LLAMA_LIKE,
    "smollm3": LLAMA_LIKE,
    "olmo3": LLAMA_LIKE | SLIDES_THEN_ALL,
    "cohere": LLAMA_LIKE | {"logit_scale": 0.25},
    "cohere2": LLAMA_LIKE | SLIDES_THEN_ALL,
    "cohere2_moe": LLAMA_LIKE | TWO_EXPERTS | {"logit_scale": 0.5, "num_experts": 2, "first_k_dense_replace": 1},
    "granite": LLAMA_LIKE | {"logits_scaling": 8.0, "embedding_multiplier": 3.0, "residual_multiplier": 0.5},
    "granitemoe": LLAMA_LIKE | TWO_EXPERTS | {"logits_scaling": 4.0},
    "granitemoeshared": LLAMA_LIKE | TWO_EXPERTS | {"logits_scaling": 4.0, "shared_intermediate_size": 16},
    "gpt_oss": LLAMA_LIKE | SLIDES_THEN_ALL | TWO_EXPERTS,
    "gpt_neox": LLAMA_LIKE,
    "gpt2": GPT_LIKE,
    "gptj": GPT_LIKE | {"rotary_dim": 8},
    "opt": LLAMA_LIKE | {"ffn_dim": 48, "word_embed_proj_dim": WIDTH, "tie_word_embeddings": False},
    "opt, tied": LLAMA_LIKE | {"ffn_dim": 48, "word_embed_proj_dim": WIDTH, "tie_word_embeddings": True},
}
"""Kind of model, and what makes it special: windows shorter than the texts, attention that is not SDPA, caps."""


def text_config(family, words=WORDS, **more):
    """The small config of a family."""
    special = {"vocab_size": words, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
    return AutoConfig.for_model(family.partition(",")[0], **special, **FAMILIES[family], **more)


def small_decoder(family, words=WORDS):
    """The model without its head, and the head; weights far from zero, so that what is wrongly seen shows."""
    torch.manual_seed(0)
    config = text_config(family, words)
    model, head = build_decoder(config).eval(), build_head(config).eval()
    with torch.no_grad():
        for parameter in (*model.parameters(), *head.parameters()):
            parameter.add_(0.2 * torch.randn_like(parameter))
        if config.tie_word_embeddings:
            head.weight.copy_(model.get_input_embeddings().weight)
    return model, head


def literal_model(model, head):
    """Transformers' own causal model with the same weights."""
    causal = AutoModelForCausalLM.from_config(model.config).eval()
    causal.base_model.load_state_dict(model.state_dict())
    causal.get_output_embeddings().load_state_dict(head.state_dict())
    return causal
