"""Plain loops, one token at a time."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    text = ""
    for message in messages:
        text += "<|im_start|>"
        text += message["role"]
        text += "\n"
        text += message["content"]
        text += "<|im_end|>"
        text += "\n"
    if add_generation_prompt:
        text += "<|im_start|>assistant\n"
    return text


# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for message in messages:
        parts = [("<|im_start|>", False), (message["role"], False), ("\n", False)]
        parts += [(message["content"], True), ("<|im_end|>", True), ("\n", False)]
        for text, learned in parts:
            for token in encode(text):
                ids.append(token)
                labels.append(token if learned and message["role"] == "assistant" else -100)
    return ids, labels


# %% collate
def collate(examples, pad_id=PAD):
    longest = 0
    for ids, _ in examples:
        longest = max(longest, len(ids))
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in examples:
        row = {"input_ids": [], "labels": [], "attention_mask": []}
        for place in range(longest):
            inside = place < len(ids)
            row["input_ids"].append(ids[place] if inside else pad_id)
            row["labels"].append(labels[place] if inside else -100)
            row["attention_mask"].append(int(inside))
        for name in batch:
            batch[name].append(row[name])
    return {name: torch.tensor(rows) for name, rows in batch.items()}


# %% sft_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sft_loss(logits, labels):
    logits = wide(logits)
    total, count = logits[..., :0].sum(), 0
    for row in range(labels.shape[0]):
        for place in range(labels.shape[1] - 1):
            target = labels[row, place + 1].item()
            if target != -100:
                total = total - logits[row, place].log_softmax(dim=0)[target]
                count += 1
    return total / max(count, 1)


# %% curriculum_stages
def curriculum_stages(examples, n_stages):
    order = []
    for index, (_, labels) in enumerate(examples):
        count = len([label for label in labels if label != -100])
        place = len(order)
        while place > 0 and order[place - 1][0] > count:
            place -= 1
        order.insert(place, (count, index))
    stages = []
    for stage in range(1, n_stages + 1):
        size = 0
        while size * n_stages < stage * len(examples):
            size += 1
        stages.append([index for _, index in order[:size]])
    return stages


# %% evaluate
def evaluate(responses, golds):
    if len(responses) != len(golds):
        raise ValueError("the lists differ in length")
    exact = f1 = 0.0
    for response, gold in zip(responses, golds):
        lists = []
        for text in (response, gold):
            kept = ""
            for letter in text.lower():
                if letter not in string.punctuation:
                    kept += letter
            lists.append(kept.split())
        ours, theirs = lists
        exact += ours == theirs
        left, common = list(theirs), 0
        for word in ours:
            if word in left:
                left.remove(word)
                common += 1
        if len(ours) + len(theirs) == 0:
            f1 += 1
        else:
            f1 += 2 * common / (len(ours) + len(theirs))
    return {"exact_match": exact / len(golds), "f1": f1 / len(golds)}
