"""Sampling against transformers' warpers, and generation with a cache against full forward passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reference_impl.model.language_model import Config, LanguageModel
from reference_impl.model.sampling import generate, generate_stream, is_greedy, next_token, top_k_logits, top_p_logits
from reference_impl.tests.rounding import greedy

SMALL: dict[str, Any] = {"vocab_size": 17, "context_length": 12, "d_model": 12, "n_layers": 2, "n_heads": 3}


def make_model(**changes: Any) -> LanguageModel:
    """A model whose greedy sequences vary and depend on more than the last token.

    Large weights in float64 keep any two logits apart. With tied weights the last token would repeat for ever.
    """
    torch.manual_seed(0)
    model = LanguageModel(Config.modern(**SMALL | {"tie_weights": False} | changes)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(30 if weight.dim() > 1 else 1)
    return model.double()


@pytest.mark.parametrize("changes", [{}, {"window": 3, "sinks": 1}, {"positions": "learned"}, {"d_latent": 6}])
def test_make_model_sequences_vary_and_depend_on_earlier_tokens(changes: dict[str, Any]) -> None:
    prompts = torch.tensor([[3, 1, 4], [1, 5, 9], [2, 7, 4], [8, 8, 4]])
    sequences = greedy(make_model(**changes), prompts, 9)
    assert all(len(set(sequence[3:])) >= 3 for sequence in sequences.tolist())
    assert len(set(sequences[[0, 2, 3], 3].tolist())) > 1, "the same next token after equal last tokens"


@pytest.mark.needs("transformers")
@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 20), st.floats(0.01, 1.0))
@example(383, 1, 1.0)  # summed in descending order, the probabilities round to 1 too early
def test_top_k_and_top_p_match_transformers(seed: int, k: int, p: float) -> None:
    import transformers

    logits = torch.randn(3, 17, generator=torch.Generator().manual_seed(seed)) * 3
    expected = transformers.TopKLogitsWarper(k)(None, logits)
    torch.testing.assert_close(top_k_logits(logits, k), expected)
    torch.testing.assert_close(top_p_logits(logits, p), transformers.TopPLogitsWarper(p)(None, logits))


def test_top_p_keeps_the_most_likely_token() -> None:
    logits = torch.tensor([[0.0, 9.0, 1.0]])
    assert top_p_logits(logits, 1e-9).isfinite().tolist() == [[False, True, False]]
    assert top_k_logits(torch.zeros(1, 3), 1).isfinite().all()  # all tie


def test_next_token_samples_the_tempered_distribution() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0]]).expand(20_000, -1)
    tokens = next_token(logits, temperature=0.5, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor([2.0, 0.0, -2.0]).softmax(dim=0)
    torch.testing.assert_close(torch.bincount(tokens) / 20_000, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_next_token_rejects_invalid_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        next_token(torch.zeros(1, 3), **wrong)


@pytest.mark.parametrize(
    "changes", [{}, {"window": 3, "sinks": 1}, {"positions": "learned"}, {"d_latent": 6, "n_heads": 3}]
)
def test_generate_greedy_matches_argmax_of_full_forward(changes: dict[str, Any]) -> None:
    model, sequences = make_model(**changes), torch.tensor([[3, 1, 4], [1, 5, 9]])
    settings = ({"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9})
    generated = [generate(model, sequences, 9, **options) for options in settings]
    assert torch.equal(generated[0], greedy(model, sequences, 9))
    for _ in range(9):
        sequences = torch.cat([sequences, model(sequences)[:, -1:].argmax(dim=-1)], dim=1)
    assert all(torch.equal(one, sequences) for one in generated)


def test_generate_rejects_an_empty_prompt() -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        generate(make_model(), torch.zeros(1, 0, dtype=torch.int64), 3)


def test_generate_computes_each_token_once() -> None:
    model, sizes = make_model(), []
    model.embedding.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[1]))
    generate(model, torch.tensor([[3, 1, 4]]), 5)
    assert sizes == [3, 1, 1, 1, 1]


def test_generate_continues_with_half_the_context_at_the_limit() -> None:
    model, prompt = make_model(positions="learned"), torch.tensor([[3, 1, 4]])
    sequence = generate(model, prompt, 30, temperature=0)
    assert sequence.shape == (1, 33)
    # Twelve tokens fit, so the token at index 13 is the first that follows from only the last six.
    assert sequence[0, 13] == model(sequence[:, 7:13])[0, -1].argmax()
    longer = generate(model, sequence, 1, temperature=0)  # a prompt longer than the context
    assert longer[0, -1] == model(sequence[:, -12:])[0, -1].argmax()


def test_generate_with_window_recomputes_nothing() -> None:
    model, sizes = make_model(window=4), []
    model.embedding.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[1]))
    generate(model, torch.tensor([[3, 1, 4]]), 40)
    assert sizes == [3] + [1] * 39


def test_generate_stops_each_sequence_at_its_own_token() -> None:
    model, prompt = make_model(), torch.tensor([[3, 1, 4], [1, 5, 9]])
    free = greedy(model, prompt, 9)[:, 3:]
    stops = [free[0, 2].item(), free[1, 4].item()]
    stopped = generate(model, prompt, 9, temperature=0, stop=stops)[:, 3:]
    for row in range(2):
        end = next(index for index, token in enumerate(free[row].tolist()) if token in stops)
        assert stopped[row, : end + 1].tolist() == free[row, : end + 1].tolist()
        assert set(stopped[row, end:].tolist()) == {free[row, end].item()}
    single = generate(model, prompt[:1], 9, temperature=0, stop=stops[0])
    assert single[0, -1] == stops[0]
    assert single.shape[1] < 12


def test_generate_stream_matches_generate_and_restores_the_mode() -> None:
    model, prompt = make_model(dropout=0.5).train(), torch.tensor([[3, 1, 4]])

    def make_options(seed: int) -> dict[str, Any]:
        return {"temperature": 0.8, "top_k": 5, "top_p": 0.9, "generator": torch.Generator().manual_seed(seed)}

    streamed = [token.item() for token in generate_stream(model, prompt, 6, **make_options(1))]
    assert generate(model, prompt, 6, **make_options(1))[0, 3:].tolist() == streamed
    assert model.training
    stream = generate_stream(model, prompt, 6, **make_options(2))
    next(stream)
    stream.close()  # as when a client disconnects
    assert model.training
    assert generate(model, prompt, 0).shape == (1, 3)


def test_generate_batch_matches_single_prompts() -> None:
    model, prompts = make_model(), torch.tensor([[3, 1, 4], [1, 5, 9]])
    alone = [greedy(model, prompt, 6) for prompt in prompts.split(1)]
    assert torch.equal(greedy(model, prompts, 6), torch.cat(alone))


def test_is_greedy_accepts_ties_up_to_rounding_only() -> None:
    model, prompt = make_model(), torch.tensor([[3, 1, 4]])
    sequence = greedy(model, prompt, 6)
    assert is_greedy(model, sequence, 3).tolist() == [[True] * 6]
    other = sequence.clone()
    other[0, 5] = (sequence[0, 5] + 1) % 17
    assert is_greedy(model, other, 3)[0, :3].tolist() == [True, True, False]
    with torch.no_grad():  # gives token 16 the logits of the generated token, up to rounding
        model.unembed.weight[16] = model.unembed.weight[sequence[0, 3]] * (1 + 2**-50)
    tied = torch.tensor([[3, 1, 4, 16], [3, 1, 4, sequence[0, 3]]])
    assert is_greedy(model, tied, 3).all()


def test_generate_skips_equal_prompts_and_stopped_sequences() -> None:
    model, sizes = make_model(), []
    prompts = torch.tensor([[3, 1, 4], [5, 3, 5], [3, 1, 4], [3, 1, 4]])
    greedy(model, prompts, 9)
    early, late = (generate(model, prompt, 9, temperature=0, stop=1) for prompt in prompts[:2].split(1))
    assert [sequence[0, 3:].tolist().index(1) for sequence in (early, late)] == [1, 5]
    model.embedding.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(inputs[0].shape)))
    together = generate(model, prompts, 9, temperature=0, stop=1)
    assert sizes == [(2, 3), (4, 1), (1, 1), (1, 1), (1, 1), (1, 1)]
    assert torch.equal(together[[0, 2, 3], :5], early.expand(3, -1))
    assert torch.equal(together[1:2], late)


def test_generate_with_a_context_of_one_reads_the_last_token_only() -> None:
    model = make_model(context_length=1)
    sequence = generate(model, torch.tensor([[3, 1, 4]]), 5, temperature=0)
    assert sequence.shape == (1, 8)
    for index in range(2, 7):
        assert sequence[0, index + 1] == model(sequence[:, index : index + 1])[0, -1].argmax()
