"""Functional calls; the module flattens by view."""

# %% moe_module
class MoE(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, n_experts: int, k: int) -> None:
        super().__init__()
        self.router = nn.Linear(d_model, n_experts, bias=False)
        self.experts = nn.ModuleList([Expert(d_model, d_hidden) for _ in range(n_experts)])
        self.route = lambda logits: route(logits, k)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        flat = torch.atleast_2d(x).flatten(end_dim=-2)
        logits = nn.functional.linear(flat, self.router.weight)
        mixed = run_experts(flat, self.route(logits), self.experts)
        return mixed.unflatten(0, x.shape[:-1]) if x.dim() > 1 else mixed[0], logits


# %% losses
def balance_loss(logits: Tensor, k: int) -> Tensor:
    logits = logits.double() if logits.dtype == torch.float64 else logits.float()
    f = logits.new_zeros(logits.shape[-1])
    for index in logits.topk(k).indices.flatten().tolist():
        f[index] += 1 / (k * len(logits))
    return nn.functional.softmax(logits, -1).mean(0).mul(f).mul(logits.shape[-1]).sum()


def router_z_loss(logits: Tensor) -> Tensor:
    z = logits.float().logsumexp(1)
    return nn.functional.mse_loss(z, torch.zeros_like(z))


# %% hybrid
def hybrid_forward(x: Tensor, blocks) -> tuple[Tensor, list[Tensor]]:
    logits = []

    def result_of(found):
        if isinstance(found, tuple):
            logits.append(found[1])
            return found[0]
        return found

    for block in blocks:
        x = torch.add(x, result_of(block(x)))
    return x, logits


def hybrid_parameters(d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int) -> tuple[int, int]:
    blocks = range(1, n_layers + 1)
    moe = len([number for number in blocks if not number % every])
    size = d_hidden * d_model * 2
    return tuple((n_layers - moe) * size + moe * (d_model * n_experts + n * size) for n in (n_experts, k))
