"""Looks for the answer in the ids and takes the first place where it is found."""

# %% tokenise_example
def tokenise_example(messages):
    ids = encode(chat_template(messages))
    labels = [-100] * len(ids)
    for m in messages:
        if m["role"] == "assistant":
            answer = encode(m["content"])
            start = 0
            while ids[start : start + len(answer)] != answer:
                start += 1
            labels[start : start + len(answer) + 1] = ids[start : start + len(answer) + 1]
    return ids, labels
