"""One-hot vectors and einsum."""

# %% route
def route(logits: Tensor, k: int) -> Tensor:
    values, chosen = torch.topk(logits.float(), k)
    places = nn.functional.one_hot(chosen, logits.shape[-1]).float()
    return torch.einsum("tk,tke->te", torch.softmax(values, -1), places).type_as(logits)


# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    parts = []
    for gate, expert in zip(gates.T, experts):
        rows = torch.nonzero(gate, as_tuple=True)[0]
        placed = nn.functional.one_hot(rows, len(x)).to(x.dtype)
        parts.append(torch.einsum("rt,r,rd->td", placed, gate[rows], expert(x[rows]).to(x.dtype)))
    return torch.stack(parts).sum(dim=0)


# %% losses
def balance_loss(logits: Tensor, k: int) -> Tensor:
    logits = logits.float()
    chosen = nn.functional.one_hot(logits.topk(k).indices, logits.shape[-1]).sum(1).float()
    return torch.einsum("te,se->", chosen, logits.softmax(-1)) * logits.shape[-1] / (k * len(logits) ** 2)


def router_z_loss(logits: Tensor) -> Tensor:
    z = logits.float().logsumexp(-1)
    return torch.dot(z, z) / len(z)


# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    earlier = gates.new_ones(len(gates), len(gates)).tril(-1)
    before = earlier @ (gates != 0).float()
    return gates * (before < capacity)


# %% hybrid
def hybrid_forward(x: Tensor, blocks) -> tuple[Tensor, list[Tensor]]:
    if not blocks:
        return x, []
    found = blocks[0](x)
    y, own = found if isinstance(found, tuple) else (found, None)
    result, later = hybrid_forward(x + y, blocks[1:])
    return result, later if own is None else [own, *later]


def hybrid_parameters(d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int) -> tuple[int, int]:
    moe, expert = n_layers // every, 2 * d_model * d_hidden
    common = (n_layers - moe) * expert + moe * d_model * n_experts
    return common + moe * n_experts * expert, common + moe * k * expert
