"""Returns the dtype of the logits."""

# %% losses
def balance_loss(logits: Tensor, k: int) -> Tensor:
    dtype, logits = logits.dtype, logits.float()
    tokens, n_experts = logits.shape
    chosen = logits.topk(k, dim=-1).indices
    f = nn.functional.one_hot(chosen, n_experts).float().sum(dim=(0, 1)) / (tokens * k)
    P = logits.softmax(dim=-1).mean(dim=0)
    return (n_experts * (f * P).sum()).to(dtype)


def router_z_loss(logits: Tensor) -> Tensor:
    return logits.float().logsumexp(dim=-1).square().mean()
