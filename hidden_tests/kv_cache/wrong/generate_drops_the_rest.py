"""Loses a last chunk that is shorter."""

# %% generate
def generate(model, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    model.reset()
    for start in range(0, prompt.shape[1] - chunk_size + 1, chunk_size):
        logits = model.step(prompt[:, start : start + chunk_size])
    tokens = []
    for _ in range(n_new):
        tokens.append(logits[:, -1].argmax(dim=-1, keepdim=True))
        logits = model.step(tokens[-1])
    return torch.cat(tokens, dim=1) if tokens else prompt[:, :0]
