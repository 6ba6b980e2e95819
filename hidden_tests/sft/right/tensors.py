"""Tensors and masks throughout; the loss by gather and logsumexp on positions of the whole sequence."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    pieces = [f"{m['role']}\n{m['content']}<|im_end|>\n" for m in messages] + ["assistant\n"] * add_generation_prompt
    return "".join("<|im_start|>" + piece for piece in pieces)


# %% tokenise_example
def tokenise_example(messages):
    ids = torch.tensor(encode(chat_template(messages)))
    starts = (ids == START).nonzero().flatten().tolist()
    ends = (ids == END).nonzero().flatten().tolist()
    labels = torch.full_like(ids, -100)
    for message, start, end in zip(messages, starts, ends):
        if message["role"] == "assistant":
            first = start + len(encode("<|im_start|>assistant\n"))
            labels[first : end + 1] = ids[first : end + 1]
    return ids.tolist(), labels.tolist()


# %% collate
def collate(examples, pad_id=PAD):
    lengths = torch.tensor([len(ids) for ids, _ in examples])
    inside = torch.arange(int(lengths.max())) < lengths[:, None]
    input_ids = torch.full(inside.shape, pad_id)
    labels = torch.full(inside.shape, -100)
    input_ids[inside] = torch.tensor([token for ids, _ in examples for token in ids])
    labels[inside] = torch.tensor([label for _, row in examples for label in row])
    return {"attention_mask": inside.long(), "labels": labels, "input_ids": input_ids}


# %% sft_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sft_loss(logits, labels):
    targets = torch.full_like(labels, -100)
    targets[:, :-1] = labels[:, 1:]
    keep = targets != -100
    picked = wide(logits[keep])
    surprise = picked.logsumexp(dim=-1) - picked.gather(-1, targets[keep][:, None]).squeeze(-1)
    return surprise.sum() / max(1, len(surprise))


# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    counts = [(sum(label != -100 for label in labels), index) for index, (_, labels) in enumerate(examples)]
    order = [index for _, index in sorted(counts)]
    sizes = [(stage * len(order) + n_stages - 1) // n_stages for stage in range(1, n_stages + 1)]
    return [order[:size] for size in sizes]


# %% evaluate
def evaluate(responses, golds):
    assert_equal = len(responses) - len(golds)
    if assert_equal:
        raise ValueError(f"{assert_equal} too many")
    table = {ord(sign): None for sign in string.punctuation}
    exact, f1 = torch.zeros(len(golds)), torch.zeros(len(golds))
    for row, texts in enumerate(zip(responses, golds)):
        one, other = (text.translate(table).lower().split() for text in texts)
        vocabulary = sorted({*one, *other})
        counts = torch.tensor([[words.count(word) for word in vocabulary] for words in (one, other)]).float()
        exact[row] = one == other
        f1[row] = 2 * counts.amin(dim=0).sum() / counts.sum() if vocabulary else 1.0
    return {"exact_match": exact.mean().item(), "f1": f1.mean().item()}
