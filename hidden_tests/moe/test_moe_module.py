"""Hidden checks for the exercise `moe_module`: the module MoE.

Each check puts right functions in the place of the student's `route` and `run_experts` and sets the parameters itself,
so that earlier mistakes are not charged again. The right `run_experts` uses the weights that the check has set.
"""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, expect_parameters
from reference_impl.model.moe import route, run_experts

TAKES = "run_experts takes x (tokens, d_model) and gates (tokens, n_experts)"


def networks(ups, downs):
    return [
        lambda rows, up=up, down=down: torch.nn.functional.silu(rows @ up.mT) @ down.mT
        for up, down in zip(ups, downs, strict=True)
    ]


def layer_of(x, router, ups, downs, k):
    """x: (..., d_model), router: (n, d_model), ups: (n, d_hidden, d_model), downs: (n, d_model, d_hidden)"""
    tokens = x.reshape(-1, x.shape[-1])
    logits = tokens @ router.mT
    return run_experts(tokens, route(logits, k), networks(ups, downs)).reshape(x.shape), logits


def one_network(x, up, down):
    return networks([up], [down])[0](x)


oracle, training_oracle, dense_oracle = Oracle(layer_of), Oracle(layer_of), Oracle(one_network)


def has_no_ties(inputs):
    x, router, *_ = inputs
    gaps = (x.reshape(-1, x.shape[-1]) @ router.mT).sort(dim=-1).values.diff(dim=-1)
    return bool((gaps > 0.02).all())


@st.composite
def layers(draw, *, k=None, leading=(0, 2)):
    """(x, router, ups, downs, k)"""
    d_model, d_hidden, n_experts = draw(st.sampled_from([(3, 5, 4), (4, 2, 3), (5, 4, 4)]))
    shape = [draw(st.integers(2, 3)) for _ in range(draw(st.integers(*leading)))]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    sizes = [(*shape, d_model), (n_experts, d_model), (n_experts, d_hidden, d_model), (n_experts, d_model, d_hidden)]
    inputs = [torch.randn(size, generator=generator) for size in sizes]
    return *inputs, k(n_experts) if k else draw(st.integers(1, n_experts))


def make_layer(student, router, ups, downs, k):
    """The student's module with these weights, as far as it has such; test_parameters charges what is amiss there."""

    def right_run_experts(x, gates, experts):
        if not (x.dim() == gates.dim() == 2):
            raise ValueError(TAKES)
        return run_experts(x, gates, networks(ups, downs))

    student.supply(route=route, run_experts=right_run_experts)
    layer = student.MoE(ups.shape[2], ups.shape[1], len(ups), k)
    wanted = {"router.weight": router}
    for number, (up, down) in enumerate(zip(ups, downs, strict=True)):
        wanted |= {f"experts.{number}.up.weight": up, f"experts.{number}.down.weight": down}
    own = layer.named_parameters()
    state = {name: wanted.get(name, torch.zeros_like(start)) for name, start in own.items()}
    layer.load_state_dict({name: value for name, value in state.items() if value.shape == own[name].shape})
    return layer


def run(student, layer, x):
    hint = "x has any number of leading axes, also none: x.reshape(-1, x.shape[-1]), and reshape the result back."
    tokens = x.reshape(-1, x.shape[-1])
    with student.hint(hint, plain=lambda: layer(tokens), case=f"x of shape {tuple(x.shape)}"):
        found = layer(x)
    pair = isinstance(found, (tuple, list)) and len(found) == 2
    expect(pair, "the layer does not return a pair", "Return (result, logits): the losses need the router's logits.")
    return found


@check(points=1, examples=3)
@given(st.sampled_from([(3, 4, 5, 2), (4, 2, 3, 1)]))
def test_parameters(student, sizes):
    """the module learns router.weight and the weights of n_experts experts, each with a start of its own"""
    d_model, d_hidden, n_experts, k = sizes
    layer = student.MoE(*sizes)
    shapes = {"router.weight": (n_experts, d_model)}
    for number in range(n_experts):
        shapes[f"experts.{number}.up.weight"] = (d_hidden, d_model)
        shapes[f"experts.{number}.down.weight"] = (d_model, d_hidden)
    expect_parameters(layer, shapes)
    found = layer.named_parameters()
    same = torch.equal(found["experts.0.up.weight"], found["experts.1.up.weight"])
    expect(not same, "all experts start with the same weights", "Make each expert anew: Expert(d_model, d_hidden).")


@check(points=2, examples=12)
@given(layers().filter(has_no_ties))
def test_forward(student, inputs):
    """the layer returns the mixture and the router's logits, for any number of leading axes"""
    x, *weights = inputs
    oracle.compare(run(student, make_layer(student, *weights), x), *inputs)


@check(points=1, after=test_forward, examples=4)
@given(layers(leading=(1, 2)).filter(has_no_ties))
def test_laws(student, inputs):
    """identical experts are one dense network, and new names for the experts change no result"""
    x, router, ups, downs, k = inputs
    twins = [part[:1].expand_as(part).contiguous() for part in (ups, downs)]
    dense, _ = run(student, make_layer(student, router, *twins, k), x)
    dense_oracle.compare(dense, x, ups[0], downs[0])
    renamed = [part.flip(0) for part in (router, ups, downs)]
    result, logits = run(student, make_layer(student, *renamed, k), x)
    oracle.compare((result, logits.flip(-1) if isinstance(logits, torch.Tensor) and logits.dim() else logits), *inputs)


@check(points=1, after=test_forward, examples=4)
@given(layers(k=lambda n_experts: n_experts).filter(has_no_ties))
def test_training(student, inputs):
    """the gradients of x and of the router are right, through the logits and through the gates"""
    x, router, ups, downs, k = inputs
    layer, built_with = make_layer(student, router, ups, downs, k), {"ups": ups, "downs": downs, "k": k}
    training_oracle.compare_gradients(layer, x, parameters={"router.weight": router}, built_with=built_with)


@check(points=1, after=test_forward, examples=2)
@given(layers(k=lambda n_experts: 1, leading=(2, 2)).filter(has_no_ties))
def test_cost(student, inputs):
    """a token costs its k experts, not all of them"""
    x, router, ups, downs, k = inputs
    layer = make_layer(student, router, ups, downs, k)
    cost = student.cost(layer, x)
    oracle.compare(cost.result, *inputs)
    tokens = x.numel() // x.shape[-1]
    allowed = 1.5 * 2 * tokens * (router.numel() + k * 2 * ups[0].numel())
    hint = "Use run_experts: it runs an expert only on the tokens that chose it."
    expect(cost.flops <= allowed, f"{tokens} tokens took {cost.flops:,} operations; {allowed:,.0f} are ample", hint)


@training_oracle.misconception
def moe_detaches_gates(x, router, ups, downs, k):
    """Your gates are cut off from autograd (.detach(), .data or no_grad): the router learns from the logits only."""
    tokens = x.reshape(-1, x.shape[-1])
    logits = tokens @ router.mT
    return run_experts(tokens, route(logits, k).detach(), networks(ups, downs)).reshape(x.shape), logits


@training_oracle.misconception
def moe_detaches_the_router(x, router, ups, downs, k):
    """The router's input is cut off from autograd (.detach(), .data or no_grad): x gets no gradient through it."""
    tokens = x.reshape(-1, x.shape[-1])
    logits = tokens.detach() @ router.mT
    return run_experts(tokens, route(logits, k), networks(ups, downs)).reshape(x.shape), logits


@oracle.misconception
def moe_returns_gates(x, router, ups, downs, k):
    """You return the gates in the place of the logits. The losses need the router's logits, before the softmax."""
    result, logits = layer_of(x, router, ups, downs, k)
    return result, route(logits, k)


@oracle.misconception
def moe_returns_probabilities(x, router, ups, downs, k):
    """You return the softmax of the logits. Return the router's numbers as they are."""
    result, logits = layer_of(x, router, ups, downs, k)
    return result, logits.softmax(dim=-1)


@oracle.misconception
def moe_routes_twice(x, router, ups, downs, k):
    """You take a softmax before route, which takes one itself. Give it the logits."""
    tokens = x.reshape(-1, x.shape[-1])
    logits = tokens @ router.mT
    gates = route(logits.softmax(dim=-1), k)
    return run_experts(tokens, gates, networks(ups, downs)).reshape(x.shape), logits


@oracle.misconception
def moe_uses_two(x, router, ups, downs, k):
    """Your module uses two experts for each token. Keep the k that it was built with."""
    return layer_of(x, router, ups, downs, 2)


@oracle.misconception
def moe_adds_x(x, router, ups, downs, k):
    """You add x to the result. The residual connection is outside the layer."""
    result, logits = layer_of(x, router, ups, downs, k)
    return x + result, logits


@oracle.misconception
def moe_keeps_flat(x, router, ups, downs, k):
    """Your result stays flat, (tokens, d_model). Give it back the leading axes of x."""
    result, logits = layer_of(x, router, ups, downs, k)
    return result.reshape(-1, x.shape[-1]), logits


@oracle.misconception
def moe_unflattens_logits(x, router, ups, downs, k):
    """Your logits have the leading axes of x. Return them flat, (tokens, n_experts)."""
    result, logits = layer_of(x, router, ups, downs, k)
    return result, logits.reshape(*x.shape[:-1], -1)
