"""Functions that a cell to paste defines above its calls, because a plain call would not show the error."""

UNPACK = """import base64, zlib

def unpacked(text, dtype, *shape):  # the check's own numbers, too many to write out
    return torch.frombuffer(bytearray(zlib.decompress(base64.b64decode(text))), dtype=dtype).reshape(shape)
"""
GRADIENTS = """def gradients(function, *args, upstream=None, **named):  # of each floating input, and of each parameter
    inputs = [x.requires_grad_() for x in [*args, *named.values()] if torch.is_tensor(x) and x.is_floating_point()]
    inputs += [x for x in getattr(function, "parameters", list)() if x.requires_grad]
    results = torch.utils._pytree.tree_flatten(function(*args, **named))[0]
    pairs = [(x, up) for x, up in zip(results, upstream or [None] * len(results)) if torch.is_tensor(x)]
    pairs = [(x, torch.ones_like(x) if up is None else up.to(x.dtype)) for x, up in pairs if x.requires_grad]
    if not pairs:
        return "no gradient"
    values, upstream = zip(*pairs)
    return torch.autograd.grad(values, inputs, upstream, allow_unused=True)
"""
UNCHANGED = """def call_unchanged(function, *args, **named):  # the call must not write to its inputs
    inputs = [x for x in torch.utils._pytree.tree_flatten([args, named])[0] if torch.is_tensor(x)]
    before = [x.clone() for x in inputs]
    function(*args, **named)
    for old, new in zip(before, inputs):
        torch.testing.assert_close(new, old, rtol=0, atol=0, equal_nan=True)
"""
UNSHARED = """def call_unshared(function, *args, **named):  # the result must not share memory with an input
    inputs = [x for x in torch.utils._pytree.tree_flatten([args, named])[0] if torch.is_tensor(x)]
    results = torch.utils._pytree.tree_flatten(function(*args, **named))[0]
    memory = {x.untyped_storage().data_ptr() for x in results if torch.is_tensor(x)}
    assert not any(x.untyped_storage().data_ptr() in memory for x in inputs), "the result shares memory with an input"
"""
SPREAD = """def noncontiguous(x):  # the same numbers, with the axes in reverse order in memory
    axes = tuple(reversed(range(x.dim())))
    return x.permute(axes).contiguous().permute(axes)
"""
COST = """def flops(function, *args, **named):  # of matrix products and attention; and the result
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter:
        result = function(*args, **named)
    return counter.get_total_flops(), result
"""
HELPERS = {
    "unpacked": UNPACK,
    "gradients": GRADIENTS,
    "call_unchanged": UNCHANGED,
    "call_unshared": UNSHARED,
    "noncontiguous": SPREAD,
    "flops": COST,
}
