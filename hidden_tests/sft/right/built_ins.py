"""torch's own padding and loss; the template's prefixes tell where a message begins."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    parts = ["<|im_start|>{role}\n{content}<|im_end|>\n".format(**message) for message in messages]
    if add_generation_prompt:
        parts.append("<|im_start|>assistant\n")
    return "".join(parts)


# %% tokenise_example
def tokenise_example(messages):
    ids = encode(chat_template(messages))
    labels = [-100] * len(ids)
    for count, message in enumerate(messages):
        if message["role"] == "assistant":
            start = len(encode(chat_template(messages[:count], add_generation_prompt=True)))
            stop = len(encode(chat_template(messages[: count + 1]))) - 1
            labels[start:stop] = ids[start:stop]
    return ids, labels


# %% collate
def collate(examples, pad_id=PAD):
    def pad(rows, value):
        return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)

    return {
        "input_ids": pad([ids for ids, _ in examples], pad_id),
        "labels": pad([labels for _, labels in examples], -100),
        "attention_mask": pad([[1] * len(ids) for ids, _ in examples], 0),
    }


# %% sft_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sft_loss(logits, labels):
    logits = wide(logits)
    targets = labels[:, 1:].reshape(-1)
    if (targets == -100).all():
        return logits.sum() * 0.0
    return F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), targets)


# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    import math

    counts = torch.tensor([len(labels) - labels.count(-100) for _, labels in examples])
    order = counts.argsort(stable=True).tolist()
    return [order[: math.ceil(stage * len(order) / n_stages)] for stage in range(1, n_stages + 1)]


# %% evaluate
def evaluate(responses, golds):
    def words(text):
        return re.sub("[" + re.escape(string.punctuation) + "]", "", text.lower()).split()

    pairs = [(words(one), words(other)) for one, other in zip(responses, golds, strict=True)]
    scores = []
    for one, other in pairs:
        common = sum((Counter(one) & Counter(other)).values())
        if not one or not other:
            scores.append(float(one == other))
        elif common == 0:
            scores.append(0.0)
        else:
            precision, recall = common / len(one), common / len(other)
            scores.append(2 * precision * recall / (precision + recall))
    return {"exact_match": sum(one == other for one, other in pairs) / len(pairs), "f1": sum(scores) / len(scores)}
