"""Overwrites the first half too early."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    first = first * cos - second * sin
    second = second * cos + first * sin
    return torch.cat([first, second], dim=-1).to(x.dtype)
