"""Masks with 0."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        header, body = encode(f"<|im_start|>{m['role']}\n"), encode(f"{m['content']}<|im_end|>")
        ids += header + body + [10]
        labels += [0] * len(header) + (body if m["role"] == "assistant" else [0] * len(body)) + [0]
    return ids, labels
