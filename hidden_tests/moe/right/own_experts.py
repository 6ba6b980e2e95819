"""The module does all the work itself, with stacked weights and sorted choices."""

# %% moe_module
class MoE(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, n_experts: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.router = nn.Linear(d_model, n_experts, bias=False)
        self.experts = nn.ModuleList([Expert(d_model, d_hidden) for _ in range(n_experts)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = x.reshape(-1, x.shape[-1])
        logits = tokens @ self.router.weight.T
        best, chosen = logits.topk(self.k, dim=-1)
        gates = best.softmax(dim=-1).flatten()
        order = chosen.flatten().argsort()
        groups = order.split(torch.bincount(chosen.flatten(), minlength=len(self.experts)).tolist())
        result = torch.zeros_like(tokens)
        for expert, group in zip(self.experts, groups):
            rows = group // self.k
            result = result.index_add(0, rows, gates[group, None] * expert(tokens[rows]))
        return result.view(x.shape), logits


# %% route
def route(logits: Tensor, k: int) -> Tensor:
    order = logits.argsort(dim=-1, descending=True)
    kept = order[:, :k]
    shares = logits.double().gather(-1, kept).softmax(dim=-1)
    gates = torch.zeros_like(logits, dtype=torch.float64)
    return gates.scatter(-1, kept, shares).to(logits.dtype)


# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    tokens, numbers = gates.nonzero(as_tuple=True)
    outputs = x.new_zeros(len(tokens), x.shape[-1])
    for number, expert in enumerate(experts):
        if (mine := numbers == number).any():
            outputs[mine] = expert(x[tokens[mine]]).to(x.dtype)
    weighted = gates[tokens, numbers].unsqueeze(-1).to(x.dtype) * outputs
    return torch.zeros_like(x).index_add(0, tokens, weighted)


# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    columns = []
    for column in gates.unbind(dim=1):
        seen, kept = 0, []
        for gate in column.unbind():
            chosen = bool(gate)
            kept.append(gate if chosen and seen < capacity else gate * 0)
            seen += chosen
        columns.append(torch.stack(kept))
    return torch.stack(columns, dim=1)


# %% hybrid
def hybrid_forward(x: Tensor, blocks) -> tuple[Tensor, list[Tensor]]:
    every = []
    for block in blocks:
        match block(x):
            case (result, logits):
                every.append(logits)
            case result:
                pass
        x = result + x
    return x, every


def hybrid_parameters(d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int) -> tuple[int, int]:
    def total(experts_counted):
        count = 0
        for number in range(n_layers):
            is_moe = (number + 1) % every == 0
            count += (experts_counted if is_moe else 1) * d_model * d_hidden * 2 + is_moe * n_experts * d_model
        return count

    return total(n_experts), total(k)
