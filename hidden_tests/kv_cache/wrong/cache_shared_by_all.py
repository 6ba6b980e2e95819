"""The lists stand in the class body."""

# %% cache
class KVCache:
    keys: list[Tensor] = []
    values: list[Tensor] = []

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.keys.append(k)
        self.values.append(v)
        return torch.cat(self.keys, dim=-2), torch.cat(self.values, dim=-2)

    def length(self) -> int:
        return sum(k.shape[-2] for k in self.keys)

    def reset(self) -> None:
        self.keys.clear()
        self.values.clear()
