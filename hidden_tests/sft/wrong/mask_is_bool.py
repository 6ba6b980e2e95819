"""The mask is a comparison."""

# %% collate
def collate(examples, pad_id=PAD):
    lengths = torch.tensor([len(ids) for ids, _ in examples])
    longest = int(lengths.max())
    pad = lambda rows, value: torch.tensor([list(row) + [value] * (longest - len(row)) for row in rows])
    return {
        "input_ids": pad([i for i, _ in examples], pad_id),
        "labels": pad([l for _, l in examples], -100),
        "attention_mask": torch.arange(longest) < lengths[:, None],
    }
