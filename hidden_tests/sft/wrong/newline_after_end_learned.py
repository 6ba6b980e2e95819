"""Everything behind the assistant's header is a target."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        header, body = encode(f"<|im_start|>{m['role']}\n"), encode(f"{m['content']}<|im_end|>\n")
        ids += header + body
        labels += [-100] * len(header) + (body if m["role"] == "assistant" else [-100] * len(body))
    return ids, labels
