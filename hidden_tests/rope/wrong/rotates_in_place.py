"""Writes the halves back into x."""

# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    half = x.shape[-1] // 2
    result = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
    x.data[..., :half] = result[..., :half].detach()
    return result
