"""Resets and reads the whole text at every step: right, but without use of the cache."""

# %% generate
def generate(model, prompt: Tensor, n_new: int, chunk_size: int) -> Tensor:
    model.reset()
    for chunk in prompt.split(chunk_size, dim=1):
        logits = model.step(chunk)
    tokens = []
    for _ in range(n_new):
        tokens.append(logits[:, -1].argmax(dim=-1, keepdim=True))
        model.reset()
        for chunk in torch.cat([prompt, *tokens], dim=1).split(chunk_size, dim=1):
            logits = model.step(chunk)
    return torch.cat(tokens, dim=1) if tokens else prompt[:, :0]
