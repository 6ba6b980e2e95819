"""Masks one token too many."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        header, body = encode(f"<|im_start|>{m['role']}\n"), encode(f"{m['content']}<|im_end|>")
        ids += header + body + [10]
        wanted = [-100] + body[1:] if m["role"] == "assistant" else [-100] * len(body)
        labels += [-100] * len(header) + wanted + [-100]
    return ids, labels
