"""Sampling against transformers' warpers and generate, and the laws of the loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reference_impl.model import Config, LanguageModel
from reference_impl.sampling import generate, generate_stream, is_greedy, next_token, top_k_logits, top_p_logits
from reference_impl.tests.rounding import greedy

SMALL: dict[str, Any] = {"vocab_size": 17, "context_length": 12, "d_model": 12, "n_layers": 2, "n_heads": 3}


def model(**changes: Any) -> LanguageModel:
    """One whose greedy texts vary, and hang on more than the last token.

    Its matrices are so large, and its numbers so wide, that no two logits nearly tie; with tied weights the last token
    would come again, for ever.
    """
    torch.manual_seed(0)
    made = LanguageModel(Config.modern(**SMALL | {"tie_weights": False} | changes)).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(30 if weight.dim() > 1 else 1)
    return made.double()


@pytest.mark.parametrize("changes", [{}, {"window": 3, "sinks": 1}, {"positions": "learned"}, {"d_latent": 6}])
def test_do_greedy_texts_vary_and_hang_on_more_than_the_last_token(changes: dict[str, Any]) -> None:
    prompts = torch.tensor([[3, 1, 4], [1, 5, 9], [2, 7, 4], [8, 8, 4]])
    texts = greedy(model(**changes), prompts, 9)
    assert all(len(set(text[3:])) >= 3 for text in texts.tolist())
    assert len(set(texts[[0, 2, 3], 3].tolist())) > 1, "the same last token, and another next one"


@pytest.mark.needs("transformers")
@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 20), st.floats(0.01, 1.0))
@example(383, 1, 1.0)  # here the likelier tokens' probabilities, summed up, reach 1 too early
def test_are_top_k_and_top_p_transformers(seed: int, k: int, p: float) -> None:
    import transformers

    logits = torch.randn(3, 17, generator=torch.Generator().manual_seed(seed)) * 3
    expected = transformers.TopKLogitsWarper(k)(None, logits)
    torch.testing.assert_close(top_k_logits(logits, k), expected)
    torch.testing.assert_close(top_p_logits(logits, p), transformers.TopPLogitsWarper(p)(None, logits))


def test_does_the_likeliest_token_always_stay() -> None:
    logits = torch.tensor([[0.0, 9.0, 1.0]])
    assert top_p_logits(logits, 1e-9).isfinite().tolist() == [[False, True, False]]
    assert top_k_logits(torch.zeros(1, 3), 1).isfinite().all()  # all tie


def test_are_draws_as_likely_as_the_temperature_says() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0]]).expand(20_000, -1)
    drawn = next_token(logits, temperature=0.5, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor([2.0, 0.0, -2.0]).softmax(dim=0)
    torch.testing.assert_close(torch.bincount(drawn) / 20_000, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_are_settings_without_meaning_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        next_token(torch.zeros(1, 3), **wrong)


@pytest.mark.parametrize(
    "changes", [{}, {"window": 3, "sinks": 1}, {"positions": "learned"}, {"d_latent": 6, "n_heads": 3}]
)
def test_is_greedy_decoding_the_argmax_of_the_whole_text(changes: dict[str, Any]) -> None:
    made, text = model(**changes), torch.tensor([[3, 1, 4], [1, 5, 9]])
    found = [generate(made, text, 9, **choice) for choice in ({"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9})]
    assert torch.equal(found[0], greedy(made, text, 9))
    for _ in range(9):
        text = torch.cat([text, made(text)[:, -1:].argmax(dim=-1)], dim=1)
    assert all(torch.equal(one, text) for one in found)


def test_is_an_empty_prompt_refused() -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        generate(model(), torch.zeros(1, 0, dtype=torch.int64), 3)


def test_is_every_token_read_once() -> None:
    made, sizes = model(), []
    made.embedding.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[1]))
    generate(made, torch.tensor([[3, 1, 4]]), 5)
    assert sizes == [3, 1, 1, 1, 1]


def test_does_a_text_that_outgrows_the_model_go_on_from_its_last_half() -> None:
    made, prompt = model(positions="learned"), torch.tensor([[3, 1, 4]])
    found = generate(made, prompt, 30, temperature=0)
    assert found.shape == (1, 33)
    # Twelve tokens fit: the thirteenth position is the first that makes the model read six again.
    assert found[0, 13] == made(found[:, 7:13])[0, -1].argmax()
    longer = generate(made, found, 1, temperature=0)  # a prompt longer than the model reads
    assert longer[0, -1] == made(found[:, -12:])[0, -1].argmax()


def test_does_a_window_need_no_second_reading() -> None:
    made, sizes = model(window=4), []
    made.embedding.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[1]))
    generate(made, torch.tensor([[3, 1, 4]]), 40)
    assert sizes == [3] + [1] * 39


def test_does_each_text_stop_by_itself() -> None:
    made, prompt = model(), torch.tensor([[3, 1, 4], [1, 5, 9]])
    free = greedy(made, prompt, 9)[:, 3:]
    stops = [free[0, 2].item(), free[1, 4].item()]
    found = generate(made, prompt, 9, temperature=0, stop=stops)[:, 3:]
    for row in range(2):
        end = next(index for index, token in enumerate(free[row].tolist()) if token in stops)
        assert found[row, : end + 1].tolist() == free[row, : end + 1].tolist()
        assert set(found[row, end:].tolist()) == {free[row, end].item()}
    one = generate(made, prompt[:1], 9, temperature=0, stop=stops[0])
    assert one[0, -1] == stops[0]
    assert one.shape[1] < 12


def test_is_the_stream_what_generate_gives_and_the_mode_kept() -> None:
    made, prompt = model(dropout=0.5).train(), torch.tensor([[3, 1, 4]])

    def settings_of(seed: int) -> dict[str, Any]:
        return {"temperature": 0.8, "top_k": 5, "top_p": 0.9, "generator": torch.Generator().manual_seed(seed)}

    streamed = [token.item() for token in generate_stream(made, prompt, 6, **settings_of(1))]
    assert generate(made, prompt, 6, **settings_of(1))[0, 3:].tolist() == streamed
    assert made.training
    stream = generate_stream(made, prompt, 6, **settings_of(2))
    next(stream)
    stream.close()  # as when a listener goes away
    assert made.training
    assert generate(made, prompt, 0).shape == (1, 3)


def test_does_a_batch_give_what_each_text_gives_alone() -> None:
    made, prompts = model(), torch.tensor([[3, 1, 4], [1, 5, 9]])
    alone = [greedy(made, prompt, 6) for prompt in prompts.split(1)]
    assert torch.equal(greedy(made, prompts, 6), torch.cat(alone))


def test_is_greedy_allows_rounding_and_no_other_token() -> None:
    made, prompt = model(), torch.tensor([[3, 1, 4]])
    text = greedy(made, prompt, 6)
    assert is_greedy(made, text, 3).tolist() == [[True] * 6]
    other = text.clone()
    other[0, 5] = (text[0, 5] + 1) % 17
    assert is_greedy(made, other, 3)[0, :3].tolist() == [True, True, False]
    with torch.no_grad():  # token 16 takes the logits of the one that was written, but for a rounding
        made.unembed.weight[16] = made.unembed.weight[text[0, 3]] * (1 + 2**-50)
    tied = torch.tensor([[3, 1, 4, 16], [3, 1, 4, text[0, 3]]])
    assert is_greedy(made, tied, 3).all()


def test_are_equal_prompts_read_once_and_stopped_texts_no_more() -> None:
    made, sizes = model(), []
    prompts = torch.tensor([[3, 1, 4], [5, 3, 5], [3, 1, 4], [3, 1, 4]])
    greedy(made, prompts, 9)
    early, late = (generate(made, prompt, 9, temperature=0, stop=1) for prompt in prompts[:2].split(1))
    assert [text[0, 3:].tolist().index(1) for text in (early, late)] == [1, 5]
    made.embedding.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(inputs[0].shape)))
    found = generate(made, prompts, 9, temperature=0, stop=1)
    assert sizes == [(2, 3), (4, 1), (1, 1), (1, 1), (1, 1), (1, 1)]
    assert torch.equal(found[[0, 2, 3], :5], early.expand(3, -1))
    assert torch.equal(found[1:2], late)
