"""A buffer for 32 tokens."""

# %% cache
class KVCache:
    def __init__(self) -> None:
        self.keys = self.values = None
        self.used = 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if self.keys is None:
            self.keys = k.new_zeros(*k.shape[:2], 32, k.shape[-1])
            self.values = torch.zeros_like(self.keys)
        self.keys[:, :, self.used : self.used + k.shape[-2]] = k
        self.values[:, :, self.used : self.used + k.shape[-2]] = v
        self.used += k.shape[-2]
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]

    def length(self) -> int:
        return self.used

    def reset(self) -> None:
        self.keys = self.values = None
        self.used = 0
