"""Cuts off what is longer than the shortest."""

# %% collate
def collate(examples, pad_id=PAD):
    width = min(len(ids) for ids, _ in examples)
    input_ids = torch.tensor([ids[:width] for ids, _ in examples])
    labels = torch.tensor([labels[:width] for _, labels in examples])
    return {"input_ids": input_ids, "labels": labels, "attention_mask": torch.ones_like(input_ids)}
