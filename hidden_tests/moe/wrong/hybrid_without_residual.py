"""Forgets the residual connection."""

# %% hybrid
def hybrid_forward(x: Tensor, blocks) -> tuple[Tensor, list[Tensor]]:
    found = []
    for block in blocks:
        y = block(x)
        if isinstance(y, tuple):
            y, logits = y
            found.append(logits)
        x = y
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
