"""One token, one expert, one number at a time, as far as the cost allows."""

# %% route
def route(logits: Tensor, k: int) -> Tensor:
    rows = []
    for row in logits.float():
        best = sorted(range(len(row)), key=lambda i: -row[i].item())[:k]
        top = torch.stack([row[i] for i in best])
        shares = (top - top.max()).exp()
        shares = shares / shares.sum()
        rows.append(torch.stack([shares[best.index(i)] if i in best else row.new_zeros(()) for i in range(len(row))]))
    return torch.stack(rows).to(logits.dtype)


# %% run_experts
def run_experts(x: Tensor, gates: Tensor, experts) -> Tensor:
    sums = [torch.zeros_like(x[0]) for _ in range(len(x))]
    for e, expert in enumerate(experts):
        mine = [t for t in range(len(x)) if gates[t, e] != 0]
        if mine:
            for t, row in zip(mine, expert(x[mine])):
                sums[t] = sums[t] + gates[t, e] * row
    return torch.stack(sums)


# %% losses
def balance_loss(logits: Tensor, k: int) -> Tensor:
    tokens, n = logits.shape
    total = 0.0
    for e in range(n):
        count = sum(int(e in row.topk(k).indices.tolist()) for row in logits)
        probability = sum(row.float().softmax(0)[e] for row in logits) / tokens
        total = total + count / (k * tokens) * probability
    return n * total


def router_z_loss(logits: Tensor) -> Tensor:
    total = 0.0
    for row in logits.float():
        top = row.max()
        total = total + (top + (row - top).exp().sum().log()) ** 2
    return total / len(logits)


# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    kept = torch.zeros_like(gates)
    for e in range(gates.shape[1]):
        mine = gates[:, e].nonzero().flatten()[:capacity]
        kept[mine, e] = gates[mine, e]
    return kept


# %% hybrid
def hybrid_forward(x: Tensor, blocks) -> tuple[Tensor, list[Tensor]]:
    found = []
    for block in blocks:
        y = block(x)
        if isinstance(y, tuple):
            y, logits = y
            found.append(logits)
        x = x + y
    return x, found


def hybrid_parameters(d_model: int, d_hidden: int, n_layers: int, every: int, n_experts: int, k: int) -> tuple[int, int]:
    held = used = 0
    for number in range(1, n_layers + 1):
        if number % every == 0:
            held += n_experts * 2 * d_model * d_hidden + d_model * n_experts
            used += k * 2 * d_model * d_hidden + d_model * n_experts
        else:
            held += 2 * d_model * d_hidden
            used += 2 * d_model * d_hidden
    return held, used
