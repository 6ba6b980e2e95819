"""Masks every label that equals pad_id, as a well-known collator does."""

# %% collate
def collate(examples, pad_id=PAD):
    longest = max(len(ids) for ids, _ in examples)
    pad = lambda rows, value: torch.tensor([list(row) + [value] * (longest - len(row)) for row in rows])
    labels = pad([l for _, l in examples], -100)
    labels[labels == pad_id] = -100
    return {
        "input_ids": pad([i for i, _ in examples], pad_id),
        "labels": labels,
        "attention_mask": pad([[1] * len(i) for i, _ in examples], 0),
    }
