"""Rounds the angles to the dtype of x."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    angles = angles.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
