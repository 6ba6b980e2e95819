"""The gate as it is."""

# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    g, z = grad_hidden.float(), gate.float()
    s = torch.sigmoid(z)
    slope = s + z * s * (1 - s)
    return (g * up * slope).to(gate.dtype), (g * z).to(up.dtype)
