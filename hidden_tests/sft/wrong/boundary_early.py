"""The prompt's length is taken without its last newline."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        header, body = encode(f"<|im_start|>{m['role']}"), encode(f"\n{m['content']}<|im_end|>")
        ids += header + body + [10]
        labels += [-100] * len(header) + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return ids, labels
