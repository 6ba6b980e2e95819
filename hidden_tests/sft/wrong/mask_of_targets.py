"""The mask is 0 at the prompt as well."""

# %% collate
def collate(examples, pad_id=PAD):
    longest = max(len(ids) for ids, _ in examples)
    pad = lambda rows, value: torch.tensor([list(row) + [value] * (longest - len(row)) for row in rows])
    labels = pad([l for _, l in examples], -100)
    return {"input_ids": pad([i for i, _ in examples], pad_id), "labels": labels, "attention_mask": (labels != -100).long()}
