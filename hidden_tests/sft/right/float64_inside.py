"""Computes the loss in float64 with an explicit maximum; recursion and generators elsewhere."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    if not messages:
        return "<|im_start|>assistant\n" if add_generation_prompt else ""
    first, *rest = messages
    head = "<|im_start|>%s\n%s<|im_end|>\n" % (first["role"], first["content"])
    return head + chat_template(rest, add_generation_prompt)


# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for message in messages:
        whole = encode(chat_template([message]))
        header = 2 + len(message["role"].encode())
        answers = message["role"] == "assistant"
        labels.extend(t if answers and header <= at < len(whole) - 1 else -100 for at, t in enumerate(whole))
        ids.extend(whole)
    return ids, labels


# %% collate
def collate(examples, pad_id=PAD):
    import numpy as np

    longest = max(len(ids) for ids, _ in examples)
    batch = np.full((3, len(examples), longest), [[[pad_id]], [[-100]], [[0]]], dtype=np.int64)
    for row, (ids, labels) in enumerate(examples):
        batch[:, row, : len(ids)] = [ids, labels, [1] * len(ids)]
    return {name: torch.from_numpy(part) for name, part in zip(("input_ids", "labels", "attention_mask"), batch)}


# %% sft_loss
def sft_loss(logits, labels):
    wide = logits[:, :-1].double()
    targets = labels[:, 1:]
    keep = targets != -100
    top = wide.amax(dim=-1, keepdim=True)
    log_sum = (wide - top).exp().sum(dim=-1).log() + top.squeeze(-1)
    chosen = wide.gather(-1, torch.where(keep, targets, 0).unsqueeze(-1)).squeeze(-1)
    loss = torch.where(keep, log_sum - chosen, 0.0).sum() / keep.sum().clamp(min=1)
    return loss if logits.dtype == torch.float64 else loss.float()


# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    import numpy as np

    counts = np.array([np.sum(np.array(labels) != -100) for _, labels in examples])
    order = np.argsort(counts, kind="stable")
    return [[int(i) for i in order[: int(np.ceil(len(order) * s / n_stages))]] for s in range(1, n_stages + 1)]


# %% evaluate
def evaluate(responses, golds):
    if len(responses) > len(golds) or len(golds) > len(responses):
        raise ValueError

    def score(response, gold):
        one, other = Counter(response), Counter(gold)
        if one == other:
            return 1.0
        return 2 * sum(min(one[word], other[word]) for word in one) / (one.total() + other.total())

    def words(text):
        for sign in string.punctuation:
            text = text.replace(sign, "")
        return text.casefold().split()

    cleaned = [[words(text) for text in texts] for texts in (responses, golds)]
    exact = [one == other for one, other in zip(*cleaned)]
    f1 = [score(one, other) for one, other in zip(*cleaned)]
    return {"f1": sum(f1) / len(f1), "exact_match": sum(exact) / len(exact)}
