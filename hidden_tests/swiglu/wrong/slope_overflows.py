"""By exponentials."""

# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    g, z = grad_hidden.float(), gate.float()
    s = torch.sigmoid(z)
    slope = torch.exp(-z) * (1 + z + torch.exp(z)) / (1 + torch.exp(-z)) ** 2
    return (g * up * slope).to(gate.dtype), (g * z * s).to(up.dtype)
