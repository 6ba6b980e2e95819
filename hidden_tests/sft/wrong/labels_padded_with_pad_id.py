"""Labels are filled up like input_ids, so padding is in the loss."""

# %% collate
def collate(examples, pad_id=PAD):
    longest = max(len(ids) for ids, _ in examples)
    pad = lambda rows, value: torch.tensor([list(row) + [value] * (longest - len(row)) for row in rows])
    return {
        "input_ids": pad([i for i, _ in examples], pad_id),
        "labels": pad([l for _, l in examples], pad_id),
        "attention_mask": pad([[1] * len(i) for i, _ in examples], 0),
    }
