"""A prompt read once: answers are scored, or one is written, behind its cached keys and values.

Works for every decoder of Transformers whose layers only attend, to all or to a window (`models/decoder.py`). Shapes:
`P` tokens of the prompt (the video's included), `M` answer tokens read side by side, `D` width.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from exo2ego.models.decoder import AttentionForm
from exo2ego.records import OptionScore

MAX_ANSWER_TOKENS = 1024
"""Answer tokens read side by side in one pass."""


class SharedPrefix:
    """The prompt's keys and values. Every use leaves them as they were."""

    def __init__(
        self, decoder: nn.Module, head: nn.Module, cache: Any, last_hidden: Tensor, next_position: int
    ) -> None:
        """After the prompt was read.

        Args:
            decoder: a model without its head, or one that holds it with its vision tower: takes `input_ids`,
                `attention_mask`, `position_ids`, `past_key_values`, `use_cache`.
            cache: a `DynamicCache` with the keys and values of all P tokens.
            last_hidden: float[D], the hidden state of the prompt's last token.
            next_position: position of the first answer token (not P where a video's tokens share positions).
        """
        self._decoder: Callable[..., Any] = decoder
        self._head, self._cache = head, cache
        self._attention = AttentionForm.of(decoder)
        self.last_hidden = last_hidden
        self._first_logits: Tensor = head(last_hidden).float()
        self._length, self._next = cache.get_seq_length(), next_position

    @torch.inference_mode()
    def score(self, answers: Sequence[Sequence[int]]) -> list[OptionScore]:
        """log P of each answer's tokens (none may be empty), each read as if it alone stood behind the prompt."""
        out: list[OptionScore] = []
        for group in groups_within(answers, MAX_ANSWER_TOKENS):
            out += self._score_group(group)
        return out

    def _score_group(self, answers: Sequence[Sequence[int]]) -> list[OptionScore]:
        device = self._first_logits.device
        first = torch.tensor([answer[0] for answer in answers], device=device)
        totals = self._first_logits[first] - self._first_logits.logsumexp(-1)
        # The last token of an answer predicts nothing that is asked for, so it is not read.
        targets = torch.tensor([token for answer in answers for token in answer[1:]], device=device)
        if len(targets):
            ids, owners, offsets = self._packed([answer[:-1] for answer in answers])
            logits = self._head(self._read_side_by_side(ids, owners, offsets)).float()
            logprobs = logits.gather(1, targets.unsqueeze(1)).squeeze(1) - logits.logsumexp(-1)
            totals = totals.index_add(0, owners, logprobs)
        return [OptionScore(logprob=float(t), tokens=len(a)) for t, a in zip(totals, answers, strict=True)]

    @torch.inference_mode()
    def ends(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """float[texts, D]: the hidden state at the end of each text, read as if it alone stood behind the prompt."""
        out: list[Tensor] = []
        for group in groups_within(texts, MAX_ANSWER_TOKENS):
            hidden = self._read_side_by_side(*self._packed(group))
            lengths = torch.tensor([len(ids) for ids in group], device=hidden.device)
            out.append(hidden[lengths.cumsum(0) - 1])
        return torch.cat(out)

    def _packed(self, texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids of all texts in one row, to which text each belongs, and its place in it: int64[M] each."""
        lists = (
            [token for ids in texts for token in ids],
            [number for number, ids in enumerate(texts) for _ in ids],
            [place for ids in texts for place in range(len(ids))],
        )
        ids, owners, offsets = (torch.tensor(values, device=self.last_hidden.device) for values in lists)
        return ids, owners, offsets

    def _read_side_by_side(self, ids: Tensor, owners: Tensor, offsets: Tensor) -> Tensor:
        """int64[M] each -> hidden states float[M, D]; a token sees the prompt and what precedes it of its own text.

        One row instead of one row an answer: the prompt's keys and values are read in place, not copied for each.
        """
        count = len(ids)
        own = (owners.unsqueeze(0) == owners.unsqueeze(1)).tril()
        seen = torch.cat([own.new_ones(count, self._length), own], dim=1)[None, None]
        places = (offsets + self._length).unsqueeze(0)
        before = torch.arange(self._length, device=places.device).unsqueeze(0)
        try:
            out = self._decoder(
                input_ids=ids.unsqueeze(0),
                attention_mask=self._attention.masks(seen, places, torch.cat([before, places], dim=1)),
                position_ids=(offsets + self._next).unsqueeze(0),
                past_key_values=self._cache,
                use_cache=True,
            )
        finally:
            self._forget()
        hidden: Tensor = out.last_hidden_state[0]
        return hidden

    @torch.inference_mode()
    def write(self, max_new_tokens: int, stop: frozenset[int], *, least: int = 0) -> list[int]:
        """The greedy answer's token ids, at least `least`, without the token of `stop` that ended it."""
        written: list[int] = []
        logits = self._first_logits
        try:
            for place in range(max_new_tokens):
                if place < least:
                    logits = logits.index_fill(0, torch.tensor(sorted(stop), device=logits.device), -torch.inf)
                token = int(logits.argmax())
                if token in stop:
                    break
                written.append(token)
                if place + 1 == max_new_tokens:
                    break
                out = self._decoder(
                    input_ids=torch.tensor([[token]], device=logits.device),
                    attention_mask=None,
                    position_ids=torch.tensor([[self._next + place]], device=logits.device),
                    past_key_values=self._cache,
                    use_cache=True,
                )
                logits = self._head(out.last_hidden_state[0, -1]).float()
        finally:
            self._forget()
        return written

    def _forget(self) -> None:
        """Drop what was read behind the prompt."""
        surplus = self._cache.get_seq_length() - self._length
        if surplus:
            self._cache.crop(-surplus)


def groups_within(answers: Sequence[Sequence[int]], limit: int) -> list[list[Sequence[int]]]:
    """Answers in order, in groups of at most `limit` tokens (a longer answer stands alone)."""
    groups: list[list[Sequence[int]]] = []
    used = limit + 1
    for answer in answers:
        if used + len(answer) > limit:
            groups.append([])
            used = 0
        groups[-1].append(answer)
        used += len(answer)
    return groups
