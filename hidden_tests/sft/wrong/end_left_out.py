"""The end marker is not a target."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        header, body = encode(f"<|im_start|>{m['role']}\n"), encode(m["content"])
        ids += header + body + [END, 10]
        labels += [-100] * len(header) + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100, -100]
    return ids, labels
