"""Treats the angles as degrees."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    angles = torch.deg2rad(angles)
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
