"""Splits into even and odd features, joins halves."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.float()[..., 0::2], x.float()[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
