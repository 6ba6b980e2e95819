"""Pairs the first feature with the last."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    second = second.flip(-1)
    return torch.cat([first * cos - second * sin, (second * cos + first * sin).flip(-1)], dim=-1).to(x.dtype)
