"""The LLM: loss only on answers, LoRA that starts at nothing and folds in exactly, KL by hand."""

import math

import pytest
import torch
from torch.nn import functional

from exo2ego.data.batch import pack_text
from exo2ego.data.chat import ChatFormat, encode_segment
from exo2ego.models.language import Language, LoraSpec, add_lora, fold_lora, kl_divergence
from exo2ego.records import Turn

TURN = Turn(question="What colour?", answer="red cup")


@pytest.fixture
def language(small_start):
    return Language(small_start.model.language_model, small_start.lm_head).eval()


def text(tokenizer, answer="red cup"):
    return pack_text([[encode_segment(tokenizer, ChatFormat(), [Turn(question="What colour?", answer=answer)])]], 3)


def test_answer_loss_is_the_cross_entropy_of_the_answer_tokens_alone(language, tokenizer):
    packed = text(tokenizer)
    hidden = language.read([1], torch.randn(1, 5, 32), packed)
    logits = language.lm_head(hidden)[0]
    answer = [*tokenizer.encode(" red cup", add_special_tokens=False), tokenizer.eos_token_id]
    first = packed.tokens.shape[1] - len(answer)
    wanted = functional.cross_entropy(logits[first - 1 : -1], torch.tensor(answer))
    torch.testing.assert_close(language.answer_loss(hidden, packed), wanted)


def test_question_tokens_carry_no_gradient_of_their_own(language, tokenizer):
    """Changing which word the question would have to predict must not change the loss: only answers are targets."""
    packed = text(tokenizer)
    assert int((packed.labels != -100).sum()) == len(tokenizer.encode(" red cup", add_special_tokens=False)) + 1


def test_fresh_lora_changes_nothing_and_a_trained_one_folds_in(language, tokenizer):
    packed, visual = text(tokenizer), torch.randn(1, 5, 32)
    before = language.read([1], visual, packed)
    add_lora(language, LoraSpec(rank=4, alpha=8, dropout=0.0))
    torch.testing.assert_close(language.read([1], visual, packed), before)
    for name, parameter in language.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    trained = language.read([1], visual, packed)
    assert (trained - before).abs().max() > 1e-3
    fold_lora(language)
    assert not any("lora" in name for name in language.state_dict())
    torch.testing.assert_close(language.read([1], visual, packed), trained, atol=1e-4, rtol=1e-4)


def test_lora_sits_on_every_linear_layer_but_the_head(language):
    add_lora(language, LoraSpec(rank=2, alpha=4, dropout=0.0))
    adapted = {name.split(".lora_A")[0] for name, _ in language.named_parameters() if "lora_A" in name}
    assert len(adapted) == 2 * 7
    assert not any("lm_head" in name for name in adapted)


def test_kl_by_hand():
    teacher = torch.log(torch.tensor([[0.5, 0.5]]))
    student = torch.log(torch.tensor([[0.25, 0.75]]))
    wanted = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert float(kl_divergence(teacher, student, 1.0)) == pytest.approx(wanted, rel=1e-5)
    assert float(kl_divergence(student, student, 3.0)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("bad", [{"rank": 0}, {"alpha": 0}, {"dropout": 1.0}])
def test_impossible_lora_is_refused(bad):
    with pytest.raises(ValueError, match="impossible LoRA"):
        LoraSpec(**({"rank": 1, "alpha": 1, "dropout": 0.0} | bad))


def test_folded_weights_are_the_literal_sum(language):
    """W + alpha / rank x B A for each adapted layer, and every other weight as it was (Hu et al. 2021)."""
    before = {name: p.detach().clone() for name, p in language.named_parameters()}
    add_lora(language, LoraSpec(rank=4, alpha=6, dropout=0.3))
    adapters = {}
    for name, parameter in language.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
            layer, _, kind = name.replace(".default.weight", "").rpartition(".lora_")
            adapters.setdefault(layer, {})[kind] = parameter.detach().clone()
    assert len(adapters) == 2 * 7
    fold_lora(language)
    after = dict(language.named_parameters())
    assert set(after) == set(before)
    for name, value in before.items():
        pair = adapters.get(name.removesuffix(".weight"))
        wanted = value if pair is None else value + 6 / 4 * pair["B"] @ pair["A"]
        torch.testing.assert_close(after[name].detach(), wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_is_the_literal_sum_mean_over_rows_and_its_gradient_pulls_to_the_teacher(temperature):
    teacher, student = torch.randn(3, 7), torch.randn(3, 7, requires_grad=True)
    p, q = (teacher / temperature).softmax(-1), (student / temperature).softmax(-1)
    wanted = (p * (p / q).log()).sum(-1).mean() * temperature**2
    got = kl_divergence(teacher, student, temperature)
    torch.testing.assert_close(got, wanted)
    got.backward()
    torch.testing.assert_close(student.grad, (q - p).detach() * temperature / 3, atol=1e-6, rtol=1e-4)
