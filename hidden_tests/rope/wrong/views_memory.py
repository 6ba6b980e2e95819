"""Uses view, which needs contiguous memory."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.view(-1, x.shape[-1]).view(*x.shape[:-1], 2, x.shape[-1] // 2).float().unbind(-2)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
