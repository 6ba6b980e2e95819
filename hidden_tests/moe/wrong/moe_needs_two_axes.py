"""Does not flatten."""

# %% moe_module
class MoE(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, n_experts: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.router = nn.Linear(d_model, n_experts, bias=False)
        self.experts = nn.ModuleList([Expert(d_model, d_hidden) for _ in range(n_experts)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = x
        logits = self.router(tokens)
        result = run_experts(tokens, route(logits, self.k), self.experts)
        return result.reshape(x.shape), logits
