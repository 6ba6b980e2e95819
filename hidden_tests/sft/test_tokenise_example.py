"""Hidden checks for the exercise `tokenise_example`: ids and labels, judged with a correct `chat_template` in place."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, Supplies, check, expect
from reference_impl.finetuning.sft import END, IGNORE, chat_template, encode, tokenise_example


def expected_labels(messages):
    return torch.tensor(tokenise_example(messages)[1])


oracle = Oracle(expected_labels)
supplies = Supplies(chat_template=chat_template)
plain = st.sampled_from(["Moo", "4 legs", "no", "What says the cow?"])
# Questions and answers with letters of several bytes, that are empty, repeat each other or name a role.
AWKWARD = [
    ("h\u00e9", "\u732b\u732b"),
    ("\u732b", "moo"),
    ("moo", "h\u00e9"),
    ("Say moo", ""),
    ("", "moo"),
    ("Say moo", "moo"),
    ("user", "assistant"),
    ("assistant\n", "assistant\nuser"),
]
TURNS = [
    ("user", "assistant", "user", "assistant"),
    ("system", "user", "assistant"),
    ("assistant", "user"),
    ("system", "user"),
    ("user", "assistant", "assistant"),
]


@st.composite
def conversations(draw, turns, contents):
    return [{"role": role, "content": draw(contents)} for role in draw(st.sampled_from(turns))]


def judge(student, messages):
    pair = student.tokenise_example(messages)
    fits = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(map(is_list_of_numbers, pair))
    expect(fits, "the result is not a pair of lists of numbers", "Return the tuple (ids, labels).")
    ids, labels = pair
    hint = "ids must be encode(chat_template(messages)), token by token."
    expect(ids == encode(chat_template(messages)), "ids are not the tokens of the conversation", hint)
    hint = "ids and labels go together, one label for each id: put -100 where nothing is to be learned."
    expect(len(labels) == len(ids), f"there are {len(ids)} ids, but {len(labels)} labels", hint)
    oracle.compare(torch.tensor(labels), messages, what="the labels")


def is_list_of_numbers(part):
    return isinstance(part, list) and all(type(number) is int and abs(number) < 2**31 for number in part)


@check(points=3, examples=8)
@given(conversations([("user", "assistant")], plain))
def test_one_answer(student, messages):
    """the answer and its end marker have labels; prompt and template have −100"""
    judge(student, messages)


@check(points=1, after=test_one_answer, examples=10)
@given(conversations(TURNS, plain))
def test_turns(student, messages):
    """every assistant message is learned, however many there are, and nobody else's"""
    judge(student, messages)


@check(points=1, after=test_one_answer, examples=10)
@given(st.sampled_from(AWKWARD))
def test_awkward_contents(student, contents):
    """contents may be empty, occur twice, name a role or have letters of several bytes"""
    question, answer = contents
    judge(student, [{"role": "user", "content": question}, {"role": "assistant", "content": answer}])


def by_parts(messages, header=False, content=True, end=True, newline=False, others=False, shift=0):
    """The labels when these parts of an assistant's message (and with `others` of everyone's) are targets."""
    labels = []
    for message in messages:
        mine = others or message["role"] == "assistant"
        parts = [
            (encode(f"<|im_start|>{message['role']}\n"), header),
            (encode(message["content"]), content),
            ([END], end),
            (encode("\n"), newline),
        ]
        for tokens, wanted in parts:
            labels += tokens if mine and wanted else [IGNORE] * len(tokens)
    return torch.tensor(labels[shift:] + [IGNORE] * shift)


def tokens_and_targets(messages):
    ids = torch.tensor(encode(chat_template(messages)))
    return ids, expected_labels(messages) != IGNORE


def only(ids, learned):
    return torch.where(learned, ids, IGNORE)


@oracle.misconception
def prompt_not_masked(messages):
    """Every token is a target, the prompt too: the model learns to ask. Only what the assistant writes has labels."""
    return by_parts(messages, header=True, newline=True, others=True)


@oracle.misconception
def users_not_masked(messages):
    """You train on the messages of users as well. Only the assistant's have labels."""
    return by_parts(messages, others=True)


@oracle.misconception
def response_masked(messages):
    """It is the other way round: you mask the answer and train on the rest."""
    ids, learned = tokens_and_targets(messages)
    return only(ids, ~learned)


@oracle.misconception
def end_left_out(messages):
    """The end marker has no label, so the model never learns to stop. It belongs to what the assistant writes."""
    return by_parts(messages, end=False)


@oracle.misconception
def newline_after_end_learned(messages):
    """The newline behind <|im_end|> has a label. The model has stopped by then: it is template, so -100."""
    return by_parts(messages, newline=True)


@oracle.misconception
def header_learned(messages):
    """The header of the assistant's message has labels. At use it is given, as generation prompt: -100."""
    return by_parts(messages, header=True)


@oracle.misconception
def boundary_early(messages):
    """Your labels begin one token early: the newline behind the role belongs to the header."""
    ids, learned = tokens_and_targets(messages)
    return only(ids, learned | learned.roll(-1))


@oracle.misconception
def boundary_late(messages):
    """Your labels begin one token late: the first token of the answer is to be learned as well."""
    ids, learned = tokens_and_targets(messages)
    return only(ids, learned & learned.roll(1))


@oracle.misconception
def labels_already_shifted(messages):
    """You shift the labels here, and the loss will shift once more. Leave each at the place of its own token."""
    return by_parts(messages, shift=1)


@oracle.misconception
def masked_with_zero(messages):
    """You mask with 0, which is a token. What is not to be learned has the label -100."""
    ids, learned = tokens_and_targets(messages)
    return torch.where(learned, ids, 0)


@oracle.misconception
def only_last_answer(messages):
    """You train on the last message only. Every assistant message counts."""
    ids, learned = tokens_and_targets(messages)
    return only(ids, learned & (torch.arange(len(ids)) >= len(encode(chat_template(messages[:-1])))))


@oracle.misconception
def all_after_first_answer(messages):
    """From the first answer on you train on everything. What the user writes after it has -100 again."""
    ids, learned = tokens_and_targets(messages)
    begun = learned.cumsum(dim=0) > 0
    begun[-1] = False
    return only(ids, begun)


@oracle.misconception
def counts_characters(messages):
    """You count characters where tokens count: a letter may be several bytes. Encode first, then take lengths."""
    ids, _ = tokens_and_targets(messages)
    learned, place = torch.zeros(len(ids), dtype=torch.bool), 0
    for message in messages:
        start = place + 1 + len(message["role"]) + 1
        place = start + len(message["content"]) + 2
        learned[start : place - 1] |= message["role"] == "assistant"
    return only(ids, learned)


@oracle.misconception
def searches_for_the_answer(messages):
    """You search for the answer in the text, but it may stand there earlier. Count: where does its message begin?"""
    ids = encode(chat_template(messages))
    learned = torch.zeros(len(ids), dtype=torch.bool)
    for message in messages:
        if message["role"] == "assistant":
            answer = encode(message["content"])
            at = next(i for i in range(len(ids)) if ids[i : i + len(answer)] == answer)
            learned[at : at + len(answer) + 1] = True
    return only(torch.tensor(ids), learned)
