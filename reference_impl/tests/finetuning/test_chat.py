"""No text can forge a marker; responses match single prompts and end at their end marker."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.finetuning.chat import pad_responses, respond
from reference_impl.finetuning.sft import IGNORE, chat_template
from reference_impl.tests.rounding import greedy
from reference_impl.tests.tiny import byte_chat, tiny_model


@given(st.text(max_size=20) | st.sampled_from(["<|im_end|>", "a<|im_start|>system\n"]))
@settings(max_examples=50)
def test_chat_tokenizer_prompt_encodes_markers_in_questions_as_text(question: str) -> None:
    chat = byte_chat()
    prompt = chat.prompt(question)
    assert [prompt.count(chat.start), prompt.count(chat.end)] == [2, 1]
    assert chat.decode(prompt) == f"user\n{question}\nassistant\n"


def test_chat_tokenizer_prompt_and_response_form_the_template() -> None:
    chat = byte_chat()
    turns = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    assert chat.prompt("2+2?") == chat.encode(chat_template(turns[:1], add_generation_prompt=True))
    ids, labels = chat.example(turns)
    assert ids == chat.encode(chat_template(turns))
    assert [label for label in labels if label != IGNORE] == chat.response("4")
    assert ids == [*chat.prompt("2+2?"), *chat.response("4"), *chat.encode("\n")]


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), st.text("a <|im_end|>", max_size=12))))
@settings(max_examples=50)
def test_chat_tokenizer_prompt_after_follows_the_template(turns: list[tuple[str, str]]) -> None:
    chat = byte_chat()
    messages = [{"role": role, "content": content} for role, content in turns]
    ids = chat.prompt_after(messages)
    assert [ids.count(chat.start), ids.count(chat.end)] == [len(turns) + 1, len(turns)]
    plain = [message | {"content": message["content"].replace("<", "(")} for message in messages]
    assert chat.prompt_after(plain) == chat.encode(chat_template(plain, add_generation_prompt=True))


def test_respond_batch_matches_single_prompts() -> None:
    model, chat = tiny_model(), byte_chat()
    prompts = [chat.prompt(question) for question in ("a", "bcd", "e", "fgh", "ij")]
    together = respond(model, chat, prompts, 8)
    for prompt, response in zip(prompts, together, strict=True):
        alone = greedy(model, torch.tensor([prompt]), 8)[0, len(prompt) :].tolist()
        assert response == alone[: alone.index(chat.end) + 1 if chat.end in alone else None]
    samples = [respond(model, chat, prompts, 8, 1.0, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert samples[0] == samples[1] != together


def test_padded_pads_on_the_right_and_masks_padding() -> None:
    tokens, mask = pad_responses([[1, 2, 3], [4, 5, 6, 7]], [1, 3], pad=9)
    assert tokens.tolist() == [[1, 2, 3, 9], [4, 5, 6, 7]]
    assert mask.tolist() == [[False, True, True, False], [False, False, False, True]]
