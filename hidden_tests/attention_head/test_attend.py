"""Hidden checks for the exercise `attend`: one weighted sum of the values per query. Weights need not sum to one."""

from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, tensors
from reference_impl.model.attention import attend

oracle = Oracle(attend)


@st.composite
def weights_and_values(draw, *, leading=1, square=False):
    """weights: (..., seq_q, seq_k) and v: (..., seq_k, d_v)"""
    batch_shape = tuple(draw(st.integers(1, 3)) for _ in range(leading))
    seq_q, d_v = draw(st.integers(2, 7)), draw(st.integers(1, 9))
    seq_k = seq_q if square else draw(st.integers(1, 9))
    return draw(tensors((*batch_shape, seq_q, seq_k))), draw(tensors((*batch_shape, seq_k, d_v)))


@check(points=1)
@given(weights_and_values(square=True))
def test_formula(student, inputs):
    """output i is the sum of the values, each times its weight in row i"""
    oracle.compare(student.attend(*inputs), *inputs)


@check(points=1, after=test_formula)
@given(st.sampled_from([0, 1, 2]).flatmap(lambda leading: weights_and_values(leading=leading)))
def test_shapes(student, inputs):
    """queries and keys may differ in number, and any number of leading axes will do"""
    hint = "Only the last two axes matter: `@` and `torch.matmul` work with any axes before them."
    case = "weights and values of shape " + " and ".join(str(tuple(tensor.shape)) for tensor in inputs)
    with student.hint(hint, case=case):
        oracle.compare(student.attend(*inputs), *inputs)


@check(points=1, after=test_formula)
@given(weights_and_values())
def test_gradient(student, inputs):
    """the gradient flows to the weights and to the values"""
    oracle.compare_gradients(student.attend, *inputs)


@oracle.misconception
def weights_transposed(weights, v):
    """You took the weights by columns. Row i holds what query i takes of each value."""
    return weights.mT @ v


@oracle.misconception
def sums_to_one_summary(weights, v):
    """You return one vector for the whole text. Each query gets an output of its own."""
    return (weights @ v).sum(dim=-2)


@oracle.misconception
def averages_to_one_summary(weights, v):
    """You return one average for the whole text. Each query gets an output of its own."""
    return (weights @ v).mean(dim=-2)


@oracle.misconception
def softmax_again(weights, v):
    """You run a softmax over the weights. They are weights already: take them as they are."""
    return weights.softmax(dim=-1) @ v


@oracle.misconception
def normalises_again(weights, v):
    """You divide the weights by their sum. Take them as they are: after dropout they need not sum to one."""
    return weights / weights.sum(dim=-1, keepdim=True) @ v


@oracle.misconception
def detaches_weights(weights, v):
    """Your weights are cut off from autograd (.detach(), .data or no_grad), so query and key could never learn."""
    return weights.detach() @ v
