"""The assistant's message is a target with its header."""

# %% tokenise_example
def tokenise_example(messages):
    ids, labels = [], []
    for m in messages:
        whole = encode(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>")
        ids += whole + [10]
        labels += (whole if m["role"] == "assistant" else [-100] * len(whole)) + [-100]
    return ids, labels
