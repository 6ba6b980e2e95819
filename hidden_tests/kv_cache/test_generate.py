"""Hidden checks for the exercise `generate`: chunks of the prompt, then one token at a time, each read once."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check, expect, expect_like
from reference_impl.model.kv_cache import generate

VOCAB = 13


class Story:
    """A model whose next token depends on every token read so far and on their order; notes how many came at once."""

    def __init__(self, earlier):
        self.read = earlier
        self.sizes = []

    def reset(self):
        self.read = self.read[:, :0]

    def step(self, tokens):
        if not (isinstance(tokens, torch.Tensor) and tokens.dim() == 2 and tokens.dtype == torch.int64):
            wanted = "step takes token ids of shape (batch, new) and dtype int64, also for one new token"
            raise ValueError(f"{wanted}: argmax(dim=-1, keepdim=True) keeps the second axis")
        self.sizes.append(tokens.shape[1])
        start = self.read.shape[1]
        self.read = torch.cat([self.read, tokens], dim=1)
        places = 1 + torch.arange(self.read.shape[1])
        following = (self.read * places).cumsum(dim=1)[:, start:] % VOCAB
        # The first text has the largest logits of the batch, so that an argmax over all texts is no tie.
        return torch.nn.functional.one_hot(following, VOCAB).float() * 3 - torch.arange(len(tokens))[:, None, None]


def written(prompt, n_new, chunk_size, earlier, how=generate):
    """The new tokens, by a model that still remembers `earlier` tokens of another conversation."""
    return how(Story(earlier), prompt, n_new, chunk_size)


oracle, nothing_oracle, reset_oracle = (Oracle(written) for _ in range(3))


@st.composite
def requests(draw, *, n_new=(1, 5), seq=(1, 7), earlier=0, chunks=None):
    """(prompt, n_new, chunk_size, earlier); a chunk is as long as the prompt at most, unless `chunks` says otherwise"""
    batch, length = draw(st.integers(1, 3)), draw(st.integers(*seq))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    tokens = torch.randint(0, VOCAB, (batch, length + earlier), generator=generator)
    chunk_size = draw(st.integers(*(chunks or (1, length))))
    return tokens[:, earlier:], draw(st.integers(*n_new)), chunk_size, tokens[:, :earlier]


def tell(student, prompt, n_new, chunk_size, earlier):
    """What the submission writes, and the model that it wrote with."""
    story = Story(earlier)
    model = student.SimpleNamespace(reset=story.reset, step=story.step)
    return student.generate(model, prompt, n_new, chunk_size), story


def expect_tokens(got, request):
    expect_like(got, torch.zeros(len(request[0]), request[1], dtype=torch.int64))


@check(points=2, examples=20)
@given(requests())
def test_tokens(student, request):
    """the new tokens are those that the model expects, for every text of the batch and any chunk size"""
    got, _ = tell(student, *request)
    oracle.compare(got, *request)


@check(points=1, after=test_tokens, examples=3)
@given(requests(n_new=(0, 0)))
def test_nothing(student, request):
    """n_new = 0 gives an empty tensor of shape (batch, 0)"""
    hint = "If nothing is to be written, the result is prompt[:, :0]: it has the shape (batch, 0) and is int64."
    with student.hint(hint, case="n_new = 0"):
        nothing_oracle.compare(tell(student, *request)[0], *request)


@check(points=1, after=test_tokens, examples=8)
@given(requests(n_new=(1, 4), earlier=3))
def test_reset(student, request):
    """a model that remembers an earlier conversation is reset first"""
    got, _ = tell(student, *request)
    reset_oracle.compare(got, *request)


@check(points=1, after=test_tokens, examples=10)
@given(requests(n_new=(2, 5), seq=(2, 7)))
def test_cost(student, request):
    """every token passes step once: the text that was read is never read again"""
    got, story = tell(student, *request)
    expect_tokens(got, request)
    prompt, n_new = request[0].shape[1], request[1]
    reads = sum(story.sizes)
    allowed = (prompt + n_new - 1, prompt + n_new)
    hint = "The cache holds what was read. After the prompt, pass step the newest token alone."
    expect(reads in allowed, f"for {prompt} + {n_new} tokens step read {reads}, not {allowed[0]}", hint)


@check(points=1, after=test_tokens, examples=10)
@given(requests(n_new=(1, 3), seq=(1, 9), chunks=(2, 4)))
def test_chunks(student, request):
    """the prompt is read in chunks of chunk_size, the last possibly shorter"""
    length, size = request[0].shape[1], request[2]
    hint = "A prompt may be shorter than chunk_size, and its last chunk too: then that chunk is as long as it is."
    with student.hint(hint, case=f"a prompt of {length} with chunk_size {size}"):
        got, story = tell(student, *request)
    expect_tokens(got, request)
    wanted = [min(size, length - start) for start in range(0, length, size)]
    found = story.sizes[: len(wanted)]
    hint = "prompt.split(chunk_size, dim=1) gives the chunks; pass them to step one after the other."
    expect(found == wanted, f"a prompt of {length} in chunks of {size}: step read {found}, not {wanted}", hint)


def decoded(model, prompt, n_new, chunk_size, *, row=-1, chunks=None, again=False, skip=0):
    """`generate` with one thing done otherwise: which row of the logits, which chunks, the last token read twice."""
    model.reset()
    for chunk in chunks(prompt.split(chunk_size, dim=1)) if chunks else prompt.split(chunk_size, dim=1):
        logits = model.step(chunk)
    if again:
        logits = model.step(prompt[:, -1:])
    tokens = [prompt[:, :0]]
    for _ in range(n_new + skip):
        tokens.append(logits[:, row].argmax(dim=-1, keepdim=True))
        logits = model.step(tokens[-1])
    return torch.cat(tokens, dim=1)[:, skip:]


@oracle.misconception
def generate_takes_the_first_row(prompt, n_new, chunk_size, earlier):
    """You take the logits of the first token of a chunk. What follows the chunk is scored by its last row: [:, -1]."""
    return written(prompt, n_new, chunk_size, earlier, lambda *args: decoded(*args, row=0))


@oracle.misconception
def generate_reads_the_last_twice(prompt, n_new, chunk_size, earlier):
    """After the prompt you read its last token once more. Its logits are there already, from the last chunk."""
    return written(prompt, n_new, chunk_size, earlier, lambda *args: decoded(*args, again=True))


@oracle.misconception
def generate_drops_the_rest(prompt, n_new, chunk_size, earlier):
    """You lose the end of a prompt that is no multiple of chunk_size. The last chunk may be shorter."""

    def whole(chunks):
        return [chunk for chunk in chunks if chunk.shape[1] == chunk_size]

    return written(prompt, n_new, chunk_size, earlier, lambda *args: decoded(*args, chunks=whole))


@oracle.misconception
def generate_reads_one_chunk(prompt, n_new, chunk_size, earlier):
    """You read the first chunk of the prompt only. Read all of them before you write."""
    return written(prompt, n_new, chunk_size, earlier, lambda *args: decoded(*args, chunks=lambda all: all[:1]))


@oracle.misconception
def generate_skips_the_first(prompt, n_new, chunk_size, earlier):
    """You lose the first new token: the last row of the prompt's logits gives it already."""
    return written(prompt, n_new, chunk_size, earlier, lambda *args: decoded(*args, skip=1))


@oracle.misconception
def generate_returns_the_prompt(prompt, n_new, chunk_size, earlier):
    """You return the prompt as well. Return the new tokens only."""
    return torch.cat([prompt, written(prompt, n_new, chunk_size, earlier)], dim=1)


@nothing_oracle.misconception
def generate_at_least_one(prompt, n_new, chunk_size, earlier):
    """With n_new = 0 you write a token all the same. Return an empty (batch, 0) tensor."""
    return written(prompt, max(n_new, 1), chunk_size, earlier)


@oracle.misconception
def generate_one_too_few(prompt, n_new, chunk_size, earlier):
    """You write one token too few: n_new counts the one that follows the prompt as well."""
    return written(prompt, max(n_new - 1, 0), chunk_size, earlier)


@oracle.misconception
def generate_one_text(prompt, n_new, chunk_size, earlier):
    """Your argmax runs over all texts of the batch at once. Each text has its own next token: argmax(dim=-1)."""
    return written(prompt[:1], n_new, chunk_size, earlier[:1]).expand(len(prompt), n_new)


@oracle.misconception
def generate_forgets_every_step(prompt, n_new, chunk_size, earlier):
    """You reset the model before every new token, so it reads that token without the text before it. Reset once."""

    def forgetful(model, prompt, n_new, chunk_size):
        tokens = [generate(model, prompt, min(n_new, 1), chunk_size)]
        for _ in range(n_new - 1):
            tokens.append(generate(model, tokens[-1], 1, 1))
        return torch.cat(tokens, dim=1)

    return written(prompt, n_new, chunk_size, earlier, forgetful)


@oracle.misconception
def generate_reads_all_again(prompt, n_new, chunk_size, earlier):
    """You pass step the whole text at every step, behind what it has read already. Pass only the newest token."""

    def again(model, prompt, n_new, chunk_size):
        model.reset()
        text = prompt
        for index in range(n_new):
            for chunk in text.split(chunk_size if index == 0 else text.shape[1], dim=1):
                logits = model.step(chunk)
            text = torch.cat([text, logits[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
        return text[:, prompt.shape[1] :]

    return written(prompt, n_new, chunk_size, earlier, again)


@reset_oracle.misconception
def generate_does_not_reset(prompt, n_new, chunk_size, earlier):
    """Your model still remembers the last conversation. Call model.reset() before the prompt."""
    return written(torch.cat([earlier, prompt], dim=1), n_new, 99, earlier)
