"""Hidden checks for the exercise `hybrid`: residual blocks, dense and MoE, and what they hold."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect
from reference_impl.model.moe import hybrid_forward, hybrid_parameters


def blocks_of(matrices, routed):
    """Blocks that are functions: tanh(x A), and for those that route the pair with logits 3 x A."""

    def block(matrix, routes):
        return lambda x: (torch.tanh(x @ matrix), 3 * x @ matrix) if routes else torch.tanh(x @ matrix)

    return [block(matrix, routes) for matrix, routes in zip(matrices, routed, strict=True)]


def stack(x, matrices, routed):
    """x: (tokens, d_model), matrices: (n_blocks, d_model, d_model), routed: for each block, does it route"""
    return hybrid_forward(x, blocks_of(matrices, routed))


oracle, count_oracle = Oracle(stack), Oracle(hybrid_parameters)


@st.composite
def stacks(draw):
    routed = draw(st.lists(st.booleans(), max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    width = draw(st.integers(2, 4))
    x = torch.randn(3, width, generator=generator)
    return x, torch.randn(len(routed), width, width, generator=generator), routed


@check(points=3, examples=20)
@given(stacks())
def test_forward(student, inputs):
    """each block adds its result to x, and the logits of all MoE blocks are listed in order"""
    x, matrices, routed = inputs

    def dense_blocks_only():
        student.hybrid_forward(x, blocks_of(matrices, [False] * len(routed)))

    hint = "A dense block returns a tensor, an MoE block a tuple of two; isinstance(found, tuple) tells them apart."
    kinds = ["MoE" if routes else "dense" for routes in routed]
    with student.hint(hint, plain=dense_blocks_only, case=f"the list of blocks {kinds}, unlike dense ones only,"):
        got = student.hybrid_forward(x, blocks_of(matrices, routed))
    pair = isinstance(got, (tuple, list)) and len(got) == 2 and isinstance(got[1], (tuple, list))
    expect(pair, "the result is not a pair of a tensor and a list", "Return (x, all_logits) with a list of logits.")
    oracle.compare(got, *inputs)


@check(points=2, examples=12)
@given(st.integers(3, 9), st.integers(2, 3), st.permutations([3, 5, 7, 11]), st.integers(1, 2))
def test_parameters(student, n_layers, every, sizes, k):
    """hybrid_parameters counts what the model holds and what one token uses"""
    d_model, d_hidden, n_experts = sizes[:3]
    request = d_model, d_hidden, n_layers, every, n_experts, k
    got = student.hybrid_parameters(*request)
    pair = isinstance(got, (tuple, list)) and len(got) == 2
    expect(pair, "the result is not a pair", "Return (held, used), two whole numbers.")
    count_oracle.compare(got, *request)


@oracle.misconception
def hybrid_without_residual(x, matrices, routed):
    """x becomes block(x), without the residual connection. Add: x + block(x)."""
    found = []
    for block, routes in zip(blocks_of(matrices, routed), routed, strict=True):
        x = block(x)
        if routes:
            x, logits = x
            found.append(logits)
    return x, found


@oracle.misconception
def hybrid_residual_of_moe_only(x, matrices, routed):
    """Only the MoE blocks have a residual connection. Dense blocks add to x as well."""
    found = []
    for block, routes in zip(blocks_of(matrices, routed), routed, strict=True):
        result = block(x)
        if routes:
            found.append(result[1])
        x = x + result[0] if routes else result
    return x, found


@oracle.misconception
def hybrid_in_parallel(x, matrices, routed):
    """Every block gets the first x. Each works on what the one before it left."""
    found = [block(x) for block in blocks_of(matrices, routed)]
    results = [part[0] if isinstance(part, tuple) else part for part in found]
    return sum(results, x), [part[1] for part in found if isinstance(part, tuple)]


@oracle.misconception
def hybrid_keeps_the_first_x(x, matrices, routed):
    """You add the very first x after each block. Add the x that the block was given."""
    first, found = x, []
    for block, routes in zip(blocks_of(matrices, routed), routed, strict=True):
        result = block(x)
        if routes:
            result, logits = result
            found.append(logits)
        x = first + result
    return x, found


@oracle.misconception
def hybrid_last_logits_only(x, matrices, routed):
    """You return the logits of the last MoE block only. The losses need those of every one: append them to a list."""
    result, found = stack(x, matrices, routed)
    return result, found[-1:]


@oracle.misconception
def hybrid_logits_reversed(x, matrices, routed):
    """Your list of logits runs backwards. The first block comes first."""
    result, found = stack(x, matrices, routed)
    return result, found[::-1]


def counts(d_model, d_hidden, n_layers, n_moe, n_experts, k, router=1):
    expert = 2 * d_model * d_hidden
    dense, routers = (n_layers - n_moe) * expert, n_moe * router * d_model * n_experts
    return dense + n_moe * n_experts * expert + routers, dense + n_moe * k * expert + routers


@count_oracle.misconception
def count_without_router(d_model, d_hidden, n_layers, every, n_experts, k):
    """You leave the routers out. Each MoE has d_model · n_experts weights more, and a token uses all of them."""
    return counts(d_model, d_hidden, n_layers, n_layers // every, n_experts, k, router=0)


@count_oracle.misconception
def count_from_zero(d_model, d_hidden, n_layers, every, n_experts, k):
    """You number the blocks from 0, so block 0 is an MoE. Blocks are counted from 1."""
    return counts(d_model, d_hidden, n_layers, -(-n_layers // every), n_experts, k)


@count_oracle.misconception
def count_all_moe(d_model, d_hidden, n_layers, every, n_experts, k):
    """You make every block an MoE. Only those whose number is a multiple of `every` are."""
    return counts(d_model, d_hidden, n_layers, n_layers, n_experts, k)


@count_oracle.misconception
def count_uses_everything(d_model, d_hidden, n_layers, every, n_experts, k):
    """You say that a token uses all experts. It uses k of each MoE."""
    held, _ = hybrid_parameters(d_model, d_hidden, n_layers, every, n_experts, k)
    return held, held


@count_oracle.misconception
def count_holds_k(d_model, d_hidden, n_layers, every, n_experts, k):
    """You say that the model holds k experts for each MoE. It holds all of them: any token may need any."""
    _, used = hybrid_parameters(d_model, d_hidden, n_layers, every, n_experts, k)
    return used, used


@count_oracle.misconception
def count_moe_only(d_model, d_hidden, n_layers, every, n_experts, k):
    """You count the MoE blocks only. The dense blocks have an Expert each, which every token uses."""
    return counts(d_model, d_hidden, n_layers // every, n_layers // every, n_experts, k)


@count_oracle.misconception
def count_one_matrix(d_model, d_hidden, n_layers, every, n_experts, k):
    """You count one matrix for an expert. It has two: up and down."""
    n_moe = n_layers // every
    routers = n_moe * d_model * n_experts
    return tuple((part - routers) // 2 + routers for part in counts(d_model, d_hidden, n_layers, n_moe, n_experts, k))
