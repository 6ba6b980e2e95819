"""Pairs neighbours, as in the paper."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.float()[..., 0::2], x.float()[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2).to(x.dtype)
