"""Questions about one video with listed options: the protocols such tasks share, and how a choice is read."""

from collections.abc import Sequence
from functools import partial

from exo2ego.bench.answers import parse_choice
from exo2ego.bench.items import Item
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import styled, with_letters
from exo2ego.bench.tasks.base import Ask, as_prediction, best
from exo2ego.records import Prediction

LETTER_TOKENS = 16


def ask_likelihood(task: str, model: AnswerModel, item: Item, style: str) -> Prediction:
    """Summed log P(option's text | video, question) of each option; the question is asked verbatim in style `base`."""
    question = styled(item.question, task, style)
    return as_prediction(item, [s.logprob for s in model.option_logprobs(item.videos[0], question, item.options)])


def ask_likelihood_mean(task: str, model: AnswerModel, item: Item, style: str) -> Prediction:
    """As `likelihood`, divided by the number of tokens of the option."""
    question = styled(item.question, task, style)
    scores = model.option_logprobs(item.videos[0], question, item.options)
    return as_prediction(item, [score.logprob / max(score.tokens, 1) for score in scores])


def ask_letter(task: str, model: AnswerModel, item: Item, style: str) -> Prediction:
    """Options listed as (A), (B), ...; the model writes, `answers.parse_choice` reads."""
    question = with_letters(styled(item.question, task, style), item.options)
    return Prediction(item_id=item.item_id, text=model.generate(item.videos[0], question, max_new_tokens=LETTER_TOKENS))


def choose(item: Item, prediction: Prediction) -> int | None:
    """The option that a prediction picks; None for a text in which none can be recognised."""
    if prediction.text is not None:
        return parse_choice(prediction.text, item.options)
    return best(prediction.scores, len(item.options), item.item_id)


def choice_protocols(task: str, question: str, options: Sequence[str]) -> dict[str, Ask]:
    """`likelihood`, `likelihood_mean` and `letter` of `task`; the question and its options are shown as the example."""
    last = chr(ord("A") + len(options) - 1)

    def scored(style: str) -> str:
        return f"{styled(question, task, style)}\n-> {options[1]}"

    return {
        "likelihood": Ask(
            describe="argmax of the summed log P(option text | video, question)",
            ask=partial(ask_likelihood, task),
            example=scored,
        ),
        "likelihood_mean": Ask(
            describe="argmax of the mean log P per token of the option",
            ask=partial(ask_likelihood_mean, task),
            example=scored,
        ),
        "letter": Ask(
            describe=f"options listed as (A) to ({last}), the generated text is read; unparsed counts as wrong",
            ask=partial(ask_letter, task),
            example=lambda style: with_letters(styled(question, task, style), options),
            needs=frozenset({"text"}),
            choose=choose,
        ),
    }
