"""Takes lengths of texts for lengths of token lists."""

# %% tokenise_example
def tokenise_example(messages):
    ids = encode(chat_template(messages))
    labels, place = [-100] * len(ids), 0
    for m in messages:
        start = place + 1 + len(m["role"]) + 1
        place = start + len(m["content"]) + 2
        if m["role"] == "assistant":
            labels[start : place - 1] = ids[start : place - 1]
    return ids, labels
