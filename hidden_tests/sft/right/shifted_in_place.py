"""The shift by padding the labels at the end; the mask multiplied, not indexed; divisions as fractions."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    lines = []
    for message in messages:
        lines.append("<|im_start|>" + message["role"])
        lines.append(message["content"] + "<|im_end|>")
    if add_generation_prompt:
        lines.append("<|im_start|>assistant")
    return "\n".join(lines) + ("\n" if lines else "")


# %% tokenise_example
def tokenise_example(messages):
    ids = encode(chat_template(messages))
    roles = [message["role"] for message in messages]
    labels, turn, position, learning = [], -1, 0, False
    for token in ids:
        if token == START:
            turn, position, learning = turn + 1, 0, roles[turn + 1] == "assistant"
        position += 1
        header = 1 + len(roles[turn]) + 1
        labels.append(token if learning and position > header else -100)
        if token == END:
            learning = False
    return ids, labels


# %% collate
def collate(examples, pad_id=PAD):
    longest = max(len(ids) for ids, _ in examples)
    rows = [
        (
            F.pad(torch.tensor(ids), (0, longest - len(ids)), value=pad_id),
            F.pad(torch.tensor(labels), (0, longest - len(ids)), value=-100),
            F.pad(torch.ones(len(ids), dtype=torch.int64), (0, longest - len(ids))),
        )
        for ids, labels in examples
    ]
    return dict(zip(["input_ids", "labels", "attention_mask"], map(torch.stack, zip(*rows))))


# %% sft_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sft_loss(logits, labels):
    labels = F.pad(labels[:, 1:], (0, 1), value=-100)
    surprise = F.cross_entropy(wide(logits).mT, labels, ignore_index=-100, reduction="none")
    weights = (labels != -100).float()
    return (surprise * weights).sum() / weights.sum().clamp(min=1.0)


# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    from fractions import Fraction
    from math import ceil

    left = list(range(len(examples)))
    order = []
    while left:
        easiest = min(left, key=lambda index: len([x for x in examples[index][1] if x != -100]))
        left.remove(easiest)
        order.append(easiest)
    return [order[: ceil(Fraction(s, n_stages) * len(order))] for s in range(1, n_stages + 1)]


# %% evaluate
def evaluate(responses, golds):
    try:
        pairs = list(zip(responses, golds, strict=True))
    except ValueError:
        raise
    totals = {"exact_match": 0.0, "f1": 0.0}
    for pair in pairs:
        one, other = ["".join(c for c in text if c not in string.punctuation).lower().split() for text in pair]
        surplus, missing = Counter(one) - Counter(other), Counter(other) - Counter(one)
        both = len(one) + len(other)
        totals["exact_match"] += not surplus and not missing and one == other
        totals["f1"] += 1 - (surplus.total() + missing.total()) / both if both else 1
    return {name: total / len(pairs) for name, total in totals.items()}
