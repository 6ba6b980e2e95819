"""Everything by masks."""

# %% route
def route(logits: Tensor, k: int) -> Tensor:
    wide = logits.float()
    border = wide.sort(dim=-1, descending=True).values[:, k - 1 : k]
    return wide.masked_fill(wide < border, -torch.inf).softmax(dim=-1).to(logits.dtype)


# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    total = torch.zeros_like(x)
    for gate, expert in zip(gates.unbind(1), experts):
        mask = gate != 0
        total[mask] = total[mask] + expert(x[mask]) * gate[mask].unsqueeze(1)
    return total


# %% moe_module
class MoE(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, n_experts: int, k: int) -> None:
        super().__init__()
        self.settings = {"k": k}
        self.experts = nn.ModuleList(Expert(d_model, d_hidden) for _ in range(n_experts))
        self.router = nn.Linear(d_model, n_experts, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.router(x).reshape(-1, len(self.experts))
        gates = route(logits, **self.settings)
        return run_experts(x.reshape(len(logits), -1), gates, list(self.experts)).view_as(x), logits


# %% losses
def balance_loss(logits: Tensor, k: int) -> Tensor:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    border = logits.sort(dim=-1, descending=True).values[:, k - 1 : k]
    f = (logits >= border).to(logits.dtype).mean(dim=0) / k
    return logits.shape[-1] * f @ logits.softmax(dim=-1).mean(dim=0)


def router_z_loss(logits: Tensor) -> Tensor:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return (logits[:, :1] - logits.log_softmax(dim=-1)[:, :1]).pow(2).mean()


# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    too_late = (gates != 0).cumsum(0) > capacity
    return gates.masked_fill(too_late, 0)


# %% hybrid
def hybrid_forward(x: Tensor, blocks) -> tuple[Tensor, list[Tensor]]:
    logits = []
    for block in blocks:
        result = block(x)
        if torch.is_tensor(result):
            x = x + result
        else:
            x = x + result[0]
            logits += [result[1]]
    return x, logits


def hybrid_parameters(d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int) -> tuple[int, int]:
    kinds = [number % every == 0 for number in range(1, n_layers + 1)]
    expert = d_model * d_hidden + d_hidden * d_model
    held = sum(n_experts * (expert + d_model) if moe else expert for moe in kinds)
    return held, held - sum(kinds) * (n_experts - k) * expert
