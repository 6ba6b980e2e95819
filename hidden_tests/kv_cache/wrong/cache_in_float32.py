"""A buffer of torch.zeros, in the default dtype."""

# %% cache
class KVCache:
    def __init__(self) -> None:
        self.keys = self.values = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        empty = torch.zeros(*k.shape[:2], 0, k.shape[-1])
        old_k, old_v = (empty, empty) if self.keys is None else (self.keys, self.values)
        self.keys = torch.cat([old_k, k.float()], dim=-2)
        self.values = torch.cat([old_v, v.float()], dim=-2)
        return self.keys, self.values

    def length(self) -> int:
        return 0 if self.keys is None else self.keys.shape[-2]

    def reset(self) -> None:
        self.keys = self.values = None
