"""Shifts the labels by one."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        header, body = encode(f"<|im_start|>{m['role']}\n"), encode(f"{m['content']}<|im_end|>")
        ids += header + body + [10]
        labels += [-100] * len(header) + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return ids, labels[1:] + [-100]
