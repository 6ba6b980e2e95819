"""Masks the answer and trains on the prompt."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        header, body = encode(f"<|im_start|>{m['role']}\n"), encode(f"{m['content']}<|im_end|>")
        ids += header + body + [10]
        labels += header + ([-100] * len(body) if m["role"] == "assistant" else body) + [10]
    return ids, labels
