"""Takes every token that equals pad_id for padding."""

# %% collate
def collate(examples, pad_id=PAD):
    longest = max(len(ids) for ids, _ in examples)
    pad = lambda rows, value: torch.tensor([list(row) + [value] * (longest - len(row)) for row in rows])
    input_ids = pad([i for i, _ in examples], pad_id)
    return {
        "input_ids": input_ids,
        "labels": pad([l for _, l in examples], -100),
        "attention_mask": (input_ids != pad_id).long(),
    }
