"""Hidden checks for the exercise `collate`: examples of different lengths as one batch."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check
from reference_impl.finetuning.sft import END, IGNORE, collate

oracle = Oracle(collate)


@st.composite
def batches(draw, pad_ids):
    """(examples, pad_id); every example has a prompt that is masked, unless it is one token long."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    examples = []
    for length in lengths:
        ids = draw(st.lists(st.integers(1, 9), min_size=length - 1, max_size=length - 1)) + [END]
        masked = draw(st.integers(0, length - 1))
        examples.append((ids, [IGNORE] * masked + ids[masked:]))
    return examples, draw(st.sampled_from(pad_ids))


@check(points=3, examples=15)
@given(batches([0, 258]))
def test_padding(student, inputs):
    """three int64 tensors, filled up on the right to the longest example"""
    oracle.compare(student.collate(*inputs), *inputs)


@check(points=1, after=test_padding, examples=15)
@given(batches([END, 1]))
def test_pad_id_may_be_a_token(student, inputs):
    """a token that happens to have the id of the padding stays a token, and stays a target"""
    oracle.compare(student.collate(*inputs), *inputs)


def built(examples, pad_id, *, label_pad=IGNORE, left=False, width=None):
    """The right batch but for the named detail."""
    width = width or max(len(ids) for ids, _ in examples)

    def rows(lists, value):
        filled = [[value] * (width - len(row)) if left else [] for row in lists]
        rest = [[] if left else [value] * (width - len(row)) for row in lists]
        return torch.tensor([(a + list(row) + b)[:width] for a, row, b in zip(filled, lists, rest, strict=True)])

    return {
        "input_ids": rows([ids for ids, _ in examples], pad_id),
        "labels": rows([labels for _, labels in examples], label_pad),
        "attention_mask": rows([[1] * len(ids) for ids, _ in examples], 0),
    }


@oracle.misconception
def labels_padded_with_pad_id(examples, pad_id):
    """You fill labels up with pad_id, so the model is trained to write padding. Fill them up with -100."""
    return built(examples, pad_id, label_pad=pad_id)


@oracle.misconception
def labels_padded_with_zero(examples, pad_id):
    """You fill labels up with 0, which is a token. What is not to be learned has the label -100."""
    return built(examples, pad_id, label_pad=0)


@oracle.misconception
def padded_on_the_left(examples, pad_id):
    """You fill up on the left. Our batches are filled up on the right."""
    return built(examples, pad_id, left=True)


@oracle.misconception
def cut_to_the_shortest(examples, pad_id):
    """You cut all examples to the shortest. Fill up to the longest: the end of an answer is what teaches to stop."""
    return built(examples, pad_id, width=min(len(ids) for ids, _ in examples))


@oracle.misconception
def pad_id_ignored(examples, pad_id):
    """You fill input_ids up with a fixed id. Use the argument pad_id."""
    return built(examples, 258)


@oracle.misconception
def mask_inverted(examples, pad_id):
    """Your attention_mask is 1 at the padding. It is 1 at the tokens of the example and 0 at the padding."""
    batch = collate(examples, pad_id)
    return batch | {"attention_mask": 1 - batch["attention_mask"]}


@oracle.misconception
def mask_of_ones(examples, pad_id):
    """Your attention_mask is 1 everywhere. It is 0 where the row was filled up."""
    batch = collate(examples, pad_id)
    return batch | {"attention_mask": torch.ones_like(batch["input_ids"])}


@oracle.misconception
def mask_is_bool(examples, pad_id):
    """Your attention_mask is bool. It is to be int64, of zeros and ones."""
    batch = collate(examples, pad_id)
    return batch | {"attention_mask": batch["attention_mask"].bool()}


@oracle.misconception
def mask_of_targets(examples, pad_id):
    """Your attention_mask hides the prompt. The model must read it: only padding has 0."""
    batch = collate(examples, pad_id)
    return batch | {"attention_mask": (batch["labels"] != IGNORE).long()}


@oracle.misconception
def labels_from_ids(examples, pad_id):
    """Your labels are the ids of the examples. Take the labels that came with them: the prompt is -100 there."""
    return built([(ids, ids) for ids, _ in examples], pad_id)


@oracle.misconception
def batch_shifts_labels(examples, pad_id):
    """You shift the labels here, and the loss will shift once more. Leave each at the place of its own token."""
    return built([(ids, [*labels[1:], IGNORE]) for ids, labels in examples], pad_id)


@oracle.misconception
def mask_by_value(examples, pad_id):
    """Your attention_mask hides every token that equals pad_id, also real ones. Decide by the length."""
    batch = collate(examples, pad_id)
    return batch | {"attention_mask": (batch["input_ids"] != pad_id).long()}


@oracle.misconception
def labels_masked_by_value(examples, pad_id):
    """You mask every label that equals pad_id, so the end token is never learned. Decide by the length."""
    batch = collate(examples, pad_id)
    return batch | {"labels": batch["labels"].masked_fill(batch["input_ids"] == pad_id, IGNORE)}
