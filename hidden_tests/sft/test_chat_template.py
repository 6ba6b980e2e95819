"""Hidden checks for the exercise `chat_template`: a conversation as one text, between markers."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect
from reference_impl.finetuning.sft import chat_template


def as_bytes(text):
    """A text as the tensor of its bytes, since an oracle compares numbers."""
    return torch.tensor(list(text.encode(errors="replace")))


def template_bytes(messages, add_generation_prompt=False):
    return as_bytes(chat_template(messages, add_generation_prompt))


oracle = Oracle(template_bytes)
plain = st.sampled_from(["Moo?", "How many legs", "4", "the cow says moo"])
# Empty, and with space at the ends: what a template that tidies up would lose.
untidy = st.sampled_from(["", " two  spaces ", "line\nline\n", "\tdef f():\n", "h\u00e9 \u732b"])


def conversations(contents, **sizes):
    role = st.sampled_from(["system", "user", "assistant"])
    return st.lists(st.fixed_dictionaries({"role": role, "content": contents}), max_size=3, **sizes)


def judge(student, *arguments):
    text = student.chat_template(*arguments)
    expect(isinstance(text, str), "the result is not a text", "Return one str that holds the whole conversation.")
    shown = f"got {text[:300]!r}", f"expected {chat_template(*arguments)!r}"
    oracle.compare(as_bytes(text), *arguments, reason="the text is not what the template asks for", shown=shown)


@check(points=2, examples=12)
@given(conversations(plain, min_size=1))
def test_format(student, messages):
    """each message stands between its markers, with its role on the first line, and ends with a newline"""
    judge(student, messages)


@check(points=1, after=test_format, examples=8)
@given(conversations(plain))
def test_generation_prompt(student, messages):
    """the generation prompt opens an assistant's message, and only if it is asked for"""
    judge(student, messages, True)
    judge(student, messages, False)


@check(points=1, after=test_format, examples=12)
@given(conversations(untidy, min_size=1))
def test_content(student, messages):
    """contents stay as they are: spaces, newlines, empty ones"""
    judge(student, messages)


def messages_with(
    messages, add_generation_prompt, *, start="<|im_start|>", end="<|im_end|>", after_role="\n", close="\n"
):
    text = "".join(f"{start}{m['role']}{after_role}{m['content']}{end}{close}" for m in messages)
    return text + f"{start}assistant{after_role}" * add_generation_prompt


@oracle.misconception
def template_without_newline(messages, add_generation_prompt=False):
    """You leave out the newline behind <|im_end|>. Every message ends with one, also the last."""
    return as_bytes(messages_with(messages, add_generation_prompt, close=""))


@oracle.misconception
def template_joins_with_newlines(messages, add_generation_prompt=False):
    """You put newlines between the messages, so the last one has none. Every message ends with a newline."""
    text = messages_with(messages, False).removesuffix("\n")
    return as_bytes(text + "\n<|im_start|>assistant\n" * add_generation_prompt)


@oracle.misconception
def template_space_behind_role(messages, add_generation_prompt=False):
    """You put something else than a newline between role and content. The role has a line of its own."""
    return as_bytes(messages_with(messages, add_generation_prompt, after_role=" "))


@oracle.misconception
def template_colon_behind_role(messages, add_generation_prompt=False):
    """You write a colon behind the role. Between role and content there is one newline and nothing else."""
    return as_bytes(messages_with(messages, add_generation_prompt, after_role=": "))


@oracle.misconception
def template_leaves_last_open(messages, add_generation_prompt=False):
    """You leave the last message open, without <|im_end|>. To let a model go on there is the generation prompt."""
    text = messages_with(messages, False).removesuffix("<|im_end|>\n")
    return as_bytes(text + "<|im_start|>assistant\n" * add_generation_prompt)


@oracle.misconception
def template_without_roles(messages, add_generation_prompt=False):
    """You leave the roles out, so that nobody can tell a question from an answer."""
    text = "".join(f"<|im_start|>{m['content']}<|im_end|>\n" for m in messages)
    return as_bytes(text + "<|im_start|>assistant\n" * add_generation_prompt)


@oracle.misconception
def template_drops_system(messages, add_generation_prompt=False):
    """You leave out the system message. It is a message like any other."""
    return template_bytes([m for m in messages if m["role"] != "system"], add_generation_prompt)


@oracle.misconception
def template_always_prompts(messages, add_generation_prompt=False):
    """You always add the generation prompt. Add it only if add_generation_prompt is True: training texts have none."""
    return template_bytes(messages, True)


@oracle.misconception
def template_never_prompts(messages, add_generation_prompt=False):
    """You ignore add_generation_prompt. If it is True, the text ends with the opening of an assistant's message."""
    return template_bytes(messages, False)


@oracle.misconception
def template_closes_prompt(messages, add_generation_prompt=False):
    """You close the generation prompt with <|im_end|>. It must stay open: the model writes the content and the end."""
    return as_bytes(messages_with(messages, add_generation_prompt) + "<|im_end|>\n" * add_generation_prompt)


@oracle.misconception
def template_prompt_without_newline(messages, add_generation_prompt=False):
    """Your generation prompt lacks the newline behind assistant. In training a newline stands there."""
    return as_bytes(messages_with(messages, False) + "<|im_start|>assistant" * add_generation_prompt)


@oracle.misconception
def template_strips(messages, add_generation_prompt=False):
    """You strip the contents. Ours stay as they are: in code, for example, spaces at the start matter."""
    stripped = [m | {"content": m["content"].strip()} for m in messages]
    return template_bytes(stripped, add_generation_prompt)


@oracle.misconception
def template_drops_empty(messages, add_generation_prompt=False):
    """You leave out messages whose content is empty. An empty turn is a turn."""
    return template_bytes([m for m in messages if m["content"]], add_generation_prompt)
