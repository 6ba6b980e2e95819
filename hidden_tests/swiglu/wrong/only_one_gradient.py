"""Returns grad_gate alone."""

# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    s = torch.sigmoid(gate.float())
    return (grad_hidden * up * s * (1 + gate * (1 - s))).to(gate.dtype)
