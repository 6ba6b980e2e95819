"""Compares the reference with torch, transformers and TRL, and checks properties that need no oracle."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from reference_impl.finetuning.sft import (
    END,
    PAD,
    VOCAB,
    chat_template,
    collate,
    curriculum_stages,
    encode,
    evaluate,
    sft_loss,
    tokenise_example,
)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' "
    "+ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
contents = st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=8)
conversations = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": contents}), max_size=4
)
token_lists = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=6)
examples = st.lists(token_lists.map(lambda ids: (ids, [i if i % 3 else -100 for i in ids])), min_size=1, max_size=5)
lines = st.lists(st.sampled_from(["The", "cow", "cow!", "says", "moo,", ""]), max_size=5).map(" ".join)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_labels(*shape: int, vocab: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, vocab, shape, generator=generator)
    return labels.masked_fill(torch.rand(shape, generator=generator) < 0.5, -100)


@pytest.mark.needs("transformers")
@settings(deadline=None, max_examples=30)
@given(conversations, st.booleans())
def test_chat_template_matches_transformers(messages: list[dict[str, str]], add_generation_prompt: bool) -> None:
    """The same Jinja template, rendered by transformers."""
    from transformers.utils.chat_template_utils import _compile_jinja_template

    rendered = _compile_jinja_template(CHATML).render(messages=messages, add_generation_prompt=add_generation_prompt)
    assert chat_template(messages, add_generation_prompt) == rendered


@settings(max_examples=50)
@given(conversations)
def test_tokenise_example_targets_assistant_turns_only(messages: list[dict[str, str]]) -> None:
    ids, labels = tokenise_example(messages)
    assert ids == encode(chat_template(messages))
    assert all(label in (-100, token) for token, label in zip(ids, labels, strict=True))
    expected = [message["content"].encode() + b"\xff" for message in messages if message["role"] == "assistant"]
    targets = [label for label in labels if label != -100]
    assert [255 if label == END else label for label in targets] == list(b"".join(expected))


@pytest.mark.needs("trl")
@settings(deadline=None, max_examples=30)
@given(examples)
def test_collate_matches_trl(batch: list[tuple[list[int], list[int]]]) -> None:
    """TRL's collator gets the labels that ours gets."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    rows = [{"input_ids": ids, "labels": labels} for ids, labels in batch]
    theirs = DataCollatorForLanguageModeling(pad_token_id=PAD)(rows)
    ours = collate(batch)
    for name in ("input_ids", "labels", "attention_mask"):
        torch.testing.assert_close(ours[name], theirs[name])


def test_sft_loss_matches_torch() -> None:
    logits, labels = draw(3, 6, 7), random_labels(3, 6)
    theirs = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
    torch.testing.assert_close(sft_loss(logits, labels), theirs)


@pytest.mark.needs("transformers")
def test_sft_loss_matches_transformers() -> None:
    """The same shift, mean and float32; without a target transformers' loss is nan and ours is 0."""
    from transformers.loss.loss_utils import ForCausalLMLoss

    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        logits, labels = (draw(2, 5, 7) * 100).to(dtype), random_labels(2, 5)
        torch.testing.assert_close(sft_loss(logits, labels), ForCausalLMLoss(logits, labels, vocab_size=7))
    no_targets = torch.full((2, 5), -100)
    assert ForCausalLMLoss(draw(2, 5, 7).float(), no_targets, vocab_size=7).isnan()
    assert sft_loss(draw(2, 5, 7), no_targets) == 0


def test_sft_loss_gradient_reaches_target_logits_only() -> None:
    labels = random_labels(2, 5)
    assert torch.autograd.gradcheck(lambda logits: sft_loss(logits, labels), draw(2, 5, 7).requires_grad_())
    logits = draw(2, 5, 7).requires_grad_()
    sft_loss(logits, labels).backward()
    unused = torch.cat([labels[:, 1:] == -100, torch.ones(2, 1, dtype=torch.bool)], dim=1)
    assert not logits.grad[unused].any()
    assert logits.grad[~unused].any()


@pytest.mark.parametrize("shape", [(1, 1, 4), (2, 1, 4), (2, 3, 4)])
def test_sft_loss_is_zero_without_targets(shape: tuple[int, ...]) -> None:
    logits = draw(*shape).requires_grad_()
    loss = sft_loss(logits, torch.full(shape[:2], -100))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_sft_loss_is_finite_for_huge_and_infinite_logits() -> None:
    logits = torch.tensor([[[1e4, -1e4, -torch.inf], [0.0, 0.0, -torch.inf]]], requires_grad=True)
    loss = sft_loss(logits, torch.tensor([[-100, 1]]))
    loss.backward()
    assert loss == 2e4
    assert logits.grad.isfinite().all()


@settings(max_examples=50)
@given(examples, st.integers(1, 4))
def test_curriculum_stages_grow_and_get_harder(batch: list[tuple[list[int], list[int]]], n_stages: int) -> None:
    stages = curriculum_stages(batch, n_stages)
    targets = [sum(label != -100 for label in labels) for _, labels in batch]
    assert len(stages) == n_stages
    assert sorted(stages[-1]) == list(range(len(batch)))
    assert stages[-1] == sorted(stages[-1], key=lambda index: (targets[index], index))
    assert all(later[: len(stage)] == stage for stage, later in zip(stages, stages[1:], strict=False))


def test_evaluate_matches_values_computed_by_hand() -> None:
    assert evaluate(["The cow says MOO!"], ["the cow says moo"]) == {"exact_match": 1.0, "f1": 1.0}
    got = evaluate(["moo moo", "", ""], ["moo", "", "moo"])
    assert got == {"exact_match": pytest.approx(1 / 3), "f1": pytest.approx((2 / 3 + 1 + 0) / 3)}
    with pytest.raises(ValueError, match="as many"):
        evaluate(["a"], [])


@settings(max_examples=50)
@given(lines, lines)
def test_evaluate_f1_is_symmetric_and_bounds_exact_match(response: str, gold: str) -> None:
    one, other = evaluate([response], [gold]), evaluate([gold], [response])
    assert one == other
    assert one["exact_match"] <= one["f1"] <= 1
