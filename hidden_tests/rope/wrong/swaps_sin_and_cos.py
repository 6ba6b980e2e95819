"""Swaps sin and cos."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * sin - second * cos, second * sin + first * cos], dim=-1).to(x.dtype)
