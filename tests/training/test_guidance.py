"""What the stages compute, against literal versions: sample by sample, segment by segment, one plain forward each."""

from dataclasses import replace

import pytest
import torch

from exo2ego.data.batch import PAD_SEGMENT
from exo2ego.data.mixture import by_size
from exo2ego.models.roles import set_trainable
from exo2ego.models.weights import load_roles
from exo2ego.training.config import Objectives
from exo2ego.training.run import stage_of
from exo2ego.training.stages import STAGES


@pytest.fixture
def batch_of(stream_of, pairs, instructions):
    def make(stage, step=0, **changes):
        shards = pairs if STAGES[stage].data == "pairs" else instructions
        return stream_of(stage, by_size([shards.folder]), **changes).batch(step)

    return make


@pytest.fixture
def roles(recipe, start):
    """All parts with weights of their own: encoders that differ, mappings that are no identity."""
    torch.manual_seed(0)
    roles, _ = load_roles(start, recipe.mapping)
    with torch.no_grad():
        for name, parameter in roles.named_parameters():
            if not name.startswith("language"):
                parameter.add_(0.05 * torch.randn_like(parameter))
    return roles.eval()


def segments(text, row):
    """Token ids and labels of each segment of a sample, without padding."""
    for number in sorted({int(n) for n in text.segments[row]} - {PAD_SEGMENT}):
        own = text.segments[row] == number
        yield text.tokens[row][own], text.labels[row][own]


def plain(roles, prefix, visual, ids):
    """Logits float[ids, vocabulary] of one plain forward over the naive concatenation, without mask or positions."""
    words = roles.language.model.get_input_embeddings()
    embeds = torch.cat([words(torch.tensor(prefix)), visual, words(ids)])
    hidden = roles.language.model(inputs_embeds=embeds[None], use_cache=False).last_hidden_state[0]
    return roles.language.lm_head(hidden[-len(ids) :]).float()


def literal_vtg(roles, prefix, visual, text):
    """Mean over all answer tokens of -log p, visual tokens float[B, N, D]."""
    found = []
    for row in range(len(text.tokens)):
        for ids, labels in segments(text, row):
            logprobs = plain(roles, prefix, visual[row], ids).log_softmax(-1)
            found += [-logprobs[place - 1, int(label)] for place, label in enumerate(labels) if int(label) != -100]
    return torch.stack(found).mean()


READS = {
    "teacher": ("exo",),
    "practice": ("ego",),
    "ego_only": ("ego",),
    "mixed": ("ego", "exo"),
    "guidance": ("ego",),
}
"""Stage -> the videos whose tokens the LLM reads."""


@pytest.mark.parametrize("stage", READS)
def test_vtg_is_that_of_one_plain_forward_a_segment(roles, recipe, batch_of, mixed, stream_of, stage):
    """With two views the mean of both; with several segments and padding as without."""
    kind, config = stage_of(recipe, stage)
    batch = stream_of(stage, mixed).batch(1) if stage == "practice" else batch_of(stage, step=1)
    if stage == "practice":
        assert (batch.text.segments == PAD_SEGMENT).any()
        assert int(batch.text.segments.max()) > 0
    with torch.no_grad():
        got = kind.losses(roles, batch, config.objectives)["vtg"]
        videos = [batch.videos[view] for view in READS[stage]]
        seen = [roles.exo_tokens(v) if stage == "teacher" else roles.student_tokens(v)[2] for v in videos]
        wanted = torch.stack([literal_vtg(roles, batch.prefix, visual, batch.text) for visual in seen]).mean()
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("reads", ["mapped", "concat"])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_answer_kl_is_that_of_one_plain_forward_a_probe(roles, recipe, batch_of, reads, temperature):
    """The next word behind each question: the teacher's from y, the student's from its tokens; no answer is read."""
    batch = batch_of("guidance")
    objectives = Objectives(answer_kl=1.0, answer_reads=reads, answer_kl_temperature=temperature)
    with torch.no_grad():
        got = STAGES["guidance"].losses(roles, batch, objectives)
        _, mapped, both = roles.student_tokens(batch.videos["ego"])
        y = roles.exo_tokens(batch.videos["exo"])
        found = []
        for row in range(len(batch.ids)):
            for ids, labels in segments(batch.probes, row):
                assert (labels == -100).all()
                teacher = (plain(roles, batch.prefix, y[row], ids)[-1] / temperature).softmax(-1)
                student = {"mapped": mapped, "concat": both}[reads][row]
                said = (plain(roles, batch.prefix, student, ids)[-1] / temperature).softmax(-1)
                found.append((teacher * (teacher.log() - said.log())).sum() * temperature**2)
    assert len(found) == 2 * len(batch.ids)
    torch.testing.assert_close(got["answer_kl"], torch.stack(found).mean(), atol=1e-6, rtol=1e-3)
    alone = STAGES["guidance"].losses(roles, replace(batch, probes=None), Objectives())
    torch.testing.assert_close(got["vtg"], alone["vtg"].detach(), atol=1e-5, rtol=1e-4)


def test_answer_kl_without_probes_is_refused(roles, batch_of):
    with pytest.raises(ValueError, match="needs probe questions in the batch"):
        STAGES["guidance"].losses(roles, replace(batch_of("guidance"), probes=None), Objectives(answer_kl=1.0))


def test_cycles_go_there_and_back_from_each_side(roles, batch_of):
    """|G(F(x)) - x| and |F(G(y)) - y|, each number by itself."""
    batch = batch_of("guidance")
    with torch.no_grad():
        got = STAGES["guidance"].losses(roles, batch, Objectives(cycle_forward=1.0, cycle_backward=1.0))
        grid = roles.grid(batch.videos["ego"])
        x, y = roles.ego_tokens(batch.videos["ego"]), roles.exo_tokens(batch.videos["exo"])
        forward = roles.exo_to_ego(roles.ego_to_exo(x, grid), grid)
        backward = roles.ego_to_exo(roles.exo_to_ego(y, grid), grid)
    for name, back, original in (("cycle_forward", forward, x), ("cycle_backward", backward, y)):
        pairs = zip(back.flatten().tolist(), original.flatten().tolist(), strict=True)
        total = sum(abs(a - b) for a, b in pairs)
        assert float(got[name]) == pytest.approx(total / original.numel(), rel=1e-4)


def gradient_of(roles, loss, part):
    roles.zero_grad(set_to_none=True)
    loss.backward()
    return [p.grad for n, p in roles.named_parameters() if n.startswith(part) and p.grad is not None]


@pytest.mark.parametrize("stop", [True, False])
def test_the_cycle_pulls_the_encoder_through_its_target_only_where_that_is_wanted(roles, batch_of, stop):
    set_trainable(roles, ("ego.*", "ego_to_exo.*", "exo_to_ego.*"))
    batch = batch_of("guidance")
    objectives = Objectives(cycle_forward=1.0, cycle_stop_gradient=stop)
    got = gradient_of(roles, STAGES["guidance"].losses(roles, batch, objectives)["cycle_forward"], "ego.")
    grid, x = roles.grid(batch.videos["ego"]), roles.ego_tokens(batch.videos["ego"])
    target = x.detach() if stop else x
    wanted = gradient_of(roles, (roles.exo_to_ego(roles.ego_to_exo(x, grid), grid) - target).abs().mean(), "ego.")
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-3)


def test_read_twice_gives_half_of_the_batch_its_tokens_twice(roles, batch_of):
    batch = batch_of("initial")
    with torch.no_grad():
        got = STAGES["initial"].losses(roles, batch, Objectives(read_twice=True))["vtg"]
        y = roles.exo_tokens(batch.videos["exo"])
        twice = literal_vtg(roles, batch.prefix, torch.cat([y[:2], y[:2]], dim=1), batch.text.rows(0, 2))
        once = literal_vtg(roles, batch.prefix, y[2:], batch.text.rows(2, None))
    torch.testing.assert_close(got, (twice + once) / 2, atol=1e-5, rtol=1e-4)


def test_tags_without_a_reader_are_refused(roles, batch_of):
    with pytest.raises(ValueError, match="set tag_reader_width in the recipe"):
        STAGES["initial"].losses(roles, batch_of("initial"), Objectives(tags=1.0))
