"""Python loops over pairs and positions."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2:
        raise ValueError("odd")
    frequencies, factor, current = [], base ** (-2 / d_head), 1.0
    for _ in range(d_head // 2):
        frequencies.append(current)
        current *= factor
    return torch.tensor(frequencies)


# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    half, wide = x.shape[-1] // 2, x.float()
    columns: list[Tensor] = [torch.empty(0)] * (2 * half)
    for i in range(half):
        cos, sin = torch.cos(angles[..., i]), torch.sin(angles[..., i])
        columns[i] = wide[..., i] * cos - wide[..., i + half] * sin
        columns[i + half] = wide[..., i + half] * cos + wide[..., i] * sin
    return torch.stack(columns, dim=-1).to(x.dtype)


# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    places = positions.expand(x.shape[:-1])
    tokens = [rotate(x[..., t, :], places[..., t, None] * frequencies) for t in range(x.shape[-2])]
    return torch.stack(tokens, dim=-2)


# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    matrix, half = torch.zeros(d_head, d_head), d_head // 2
    for i in range(half):
        angle = distance * base ** (-2 * i / d_head)
        matrix[i, i] = matrix[i + half, i + half] = math.cos(angle)
        matrix[i, i + half] = math.sin(angle)
        matrix[i + half, i] = -math.sin(angle)
    return matrix


# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    rows, offset = [], k.shape[-2] - q.shape[-2]
    for i in range(q.shape[-2]):
        row = []
        for j in range(k.shape[-2]):
            matrix = score_matrix(offset + i - j, q.shape[-1], base).to(q.device)
            row.append((q[..., i, :].float() @ matrix * k[..., j, :].float()).sum(dim=-1))
        rows.append(torch.stack(row, dim=-1))
    return (torch.stack(rows, dim=-2) / math.sqrt(q.shape[-1])).to(q.dtype)
