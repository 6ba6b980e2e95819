"""Always fills up with PAD."""

# %% collate
def collate(examples, pad_id=PAD):
    longest = max(len(ids) for ids, _ in examples)
    pad = lambda rows, value: torch.tensor([list(row) + [value] * (longest - len(row)) for row in rows])
    return {
        "input_ids": pad([i for i, _ in examples], PAD),
        "labels": pad([l for _, l in examples], -100),
        "attention_mask": pad([[1] * len(i) for i, _ in examples], 0),
    }
