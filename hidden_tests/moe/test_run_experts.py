"""Hidden checks for the exercise `run_experts`: each expert on its own tokens, once.

The experts are functions of the check, which notes how many rows each of them gets.
"""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, contract, expect, expect_like
from reference_impl.model.moe import run_experts


def networks(matrices, dtype=None):
    """One expert for each (d_model, d_model) matrix; not linear, so that a gate in the wrong place shows."""
    return [lambda rows, matrix=matrix: torch.tanh(rows @ matrix.to(dtype or rows.dtype)) for matrix in matrices]


def mixture(x, gates, matrices):
    return run_experts(x, gates, networks(matrices))


oracle, dtype_oracle = Oracle(mixture), Oracle(mixture)


@st.composite
def mixtures(draw, *, dtype=torch.float32):
    """x: (tokens, d_model), gates: (tokens, n_experts) of which many are 0, matrices: (n_experts, d_model, d_model)"""
    tokens, n_experts, d_model = draw(st.sampled_from([(5, 3, 2), (7, 4, 3), (2, 5, 4), (6, 2, 3)]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    gates = torch.rand(tokens, n_experts, generator=generator) * 0.8 + 0.1
    gates = gates * (torch.rand(tokens, n_experts, generator=generator) < 0.5)
    gates[:, draw(st.integers(0, n_experts - 1))] *= draw(st.sampled_from([0.0, 1.0]))  # an expert without tokens
    gates[draw(st.integers(0, tokens - 1))] *= draw(st.sampled_from([0.0, 1.0]))  # a token without experts
    x = torch.randn(tokens, d_model, generator=generator)
    matrices = torch.randn(n_experts, d_model, d_model, generator=generator)
    return tuple(part.to(dtype) for part in (x, gates, matrices))


class Counted:
    """Experts that note how many rows they get at each call."""

    def __init__(self, matrices):
        self.rows = [[] for _ in matrices]
        self.experts = [self.count(number, network) for number, network in enumerate(networks(matrices))]

    def count(self, number, network):
        def expert(rows):
            if not (isinstance(rows, torch.Tensor) and rows.dim() == 2):
                raise ValueError("an expert takes a tensor of shape (rows, d_model): all its tokens at once, x[mine]")
            self.rows[number].append(len(rows))
            return network(rows)

        return expert


def run(student, inputs):
    x, gates, matrices = inputs
    counted = Counted(matrices)
    return student.run_experts(x, gates, counted.experts), counted


@check(points=3, examples=20)
@given(mixtures())
def test_values(student, inputs):
    """each token gets the sum of gate · expert(token) over its experts"""
    got, _ = run(student, inputs)
    oracle.compare(got, *inputs)


@check(points=2, after=test_values, examples=10)
@given(mixtures())
def test_cost(student, inputs):
    """each expert runs once at most, and only on its own tokens"""
    got, counted = run(student, inputs)
    expect_like(got, inputs[0])
    owned = (inputs[1] != 0).sum(dim=0).tolist()
    for number, (rows, own) in enumerate(zip(counted.rows, owned, strict=True)):
        hint = "Choose an expert's rows first, x[mine], and run it on those. Multiplying by 0 later saves nothing."
        expect(sum(rows) <= own, f"expert {number} has {own} tokens, but ran on {sum(rows)} rows", hint)
        hint = "Collect an expert's tokens and call it once with all their rows."
        expect(len(rows) <= 1, f"expert {number} was called {len(rows)} times", hint)


@check(points=1, examples=6)
@given(mixtures(dtype=torch.bfloat16))
def test_contract(student, inputs):
    """the result has the dtype of x, x and gates stay as they are, and a gradient reaches gates"""
    x, gates, matrices = inputs
    hint = "What you make yourself takes its dtype from x, as torch.zeros_like(x) does; and numpy knows no bfloat16."
    plain = [part.float() for part in inputs]
    with student.hint(hint, plain=lambda: run(student, plain), case="bfloat16, unlike float32,"):
        got, _ = run(student, inputs)
    if getattr(got, "dtype", None) != x.dtype:
        dtype_oracle.compare(got, *inputs)
    contract.input_unchanged(student.run_experts, x, gates, networks(matrices))
    _, gradients = student.gradients(student.run_experts, x, gates, networks(matrices))
    hint = "Your gates are cut off from autograd (.item(), .tolist(), .detach() or no_grad): the router cannot learn."
    expect(gradients is None or gradients.get(1) is not None or not gates.any(), "no gradient reaches gates", hint)


def parts(x, gates, matrices):
    """(n_experts, tokens, d_model): what each expert would say to each token"""
    return torch.stack([network(x) for network in networks(matrices)])


@oracle.misconception
def experts_ungated(x, gates, matrices):
    """You add the experts' results without their gates. Multiply each row by its gate."""
    return mixture(x, gates.ne(0).to(x.dtype), matrices)


@oracle.misconception
def experts_gate_before(x, gates, matrices):
    """You multiply the token by its gate before the expert. The gate belongs to the expert's result."""
    result = torch.zeros_like(x)
    for gate, network in zip(gates.T, networks(matrices), strict=True):
        result = result + gate.ne(0)[:, None] * network(gate[:, None] * x)
    return result


@oracle.misconception
def experts_overwrite(x, gates, matrices):
    """A token's last expert overwrites the others. Add each expert's rows to the result."""
    result = torch.zeros_like(x)
    for gate, part in zip(gates.T, parts(x, gates, matrices), strict=True):
        result = torch.where(gate.ne(0)[:, None], gate[:, None] * part, result)
    return result


@oracle.misconception
def experts_best_only(x, gates, matrices):
    """You run only the expert with the largest gate. Every expert with a gate above 0 adds its part."""
    best = gates == gates.amax(dim=-1, keepdim=True)
    return mixture(x, gates * best, matrices)


@oracle.misconception
def experts_add_x(x, gates, matrices):
    """You add x itself. The residual connection is outside: start with zeros."""
    return x + mixture(x, gates, matrices)


@oracle.misconception
def experts_renormalise(x, gates, matrices):
    """You divide by the sum of a token's gates. Take the gates as they are: after a drop they sum to less than 1."""
    sums = gates.sum(dim=-1, keepdim=True)
    return mixture(x, gates / torch.where(sums > 0, sums, 1), matrices)


@oracle.misconception
def experts_average(x, gates, matrices):
    """You divide by the number of a token's experts. Add gate · result, and nothing else."""
    return mixture(x, gates, matrices) / gates.ne(0).sum(dim=-1, keepdim=True).clamp_min(1)


@dtype_oracle.misconception
def experts_in_float32(x, gates, matrices):
    """Your result is float32 for bfloat16 tokens. Start with torch.zeros_like(x)."""
    return mixture(x, gates, matrices).float()
