"""length counts the calls of append."""

# %% cache
class KVCache:
    def __init__(self) -> None:
        self.keys = self.values = None
        self.calls = 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        if self.keys is not None:
            k = torch.cat([self.keys, k], dim=-2)
            v = torch.cat([self.values, v], dim=-2)
        self.keys, self.values = k, v
        return k, v

    def length(self) -> int:
        return self.calls

    def reset(self) -> None:
        self.keys = self.values = None
        self.calls = 0
