"""As the library does it: softmax over all, top k, renormalised; indices by torch.where."""

# %% route
def route(logits: Tensor, k: int) -> Tensor:
    probabilities = torch.softmax(logits, dim=1, dtype=torch.float32)
    best, chosen = torch.topk(probabilities, k, dim=-1)
    best = best / best.sum(dim=-1, keepdim=True)
    gates = torch.zeros_like(probabilities)
    return gates.scatter_add(1, chosen, best).to(logits.dtype)


# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    final = torch.zeros_like(x)
    for index in range(len(experts)):
        (rows,) = torch.where(gates[:, index] != 0)
        if rows.numel() == 0:
            continue
        final.index_add_(0, rows, (experts[index](x[rows]) * gates[rows, index, None]).to(x.dtype))
    return final


# %% moe_module
class MoE(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, n_experts: int, k: int) -> None:
        super().__init__()
        self.router = nn.Linear(d_model, n_experts, bias=False)
        self.experts = nn.ModuleList()
        for _ in range(n_experts):
            self.experts.append(Expert(d_model, d_hidden))
        self.top_k = k

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        *leading, d_model = hidden.shape
        hidden = hidden.reshape(-1, d_model)
        router_logits = self.router(hidden)
        final = run_experts(hidden, route(router_logits, self.top_k), self.experts)
        return final.reshape(*leading, d_model), router_logits


# %% losses
def balance_loss(logits: Tensor, k: int) -> Tensor:
    probabilities = torch.softmax(logits, dim=-1, dtype=torch.float32)
    _, selected = torch.topk(logits, k, dim=-1)
    mask = nn.functional.one_hot(selected, logits.shape[-1]).float()
    tokens_per_expert = mask.mean(dim=0)
    return torch.sum(tokens_per_expert * probabilities.mean(dim=0).unsqueeze(0)) * logits.shape[-1] / k


def router_z_loss(logits: Tensor) -> Tensor:
    log_z = torch.logsumexp(logits.float(), dim=-1)
    return torch.mean(log_z**2)


# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    position = torch.cumsum((gates != 0).long(), dim=0) - 1
    return torch.where(position < capacity, gates, torch.zeros_like(gates))
