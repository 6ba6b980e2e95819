"""Hidden checks for the exercise `cache_bytes`: what the caches of a model hold, in bytes."""

from hypothesis import given
from hypothesis import strategies as st

from autograde.testing import Oracle, check
from reference_impl.model.kv_cache import cache_bytes

oracle = Oracle(cache_bytes)

# All different, and no 1: each factor that is left out must show.
models = st.permutations([2, 3, 5, 7, 11, 4]).map(tuple)


@check(points=2, examples=10)
@given(models)
def test_bytes(student, sizes):
    """cache_bytes counts keys and values of every text, layer, key-value head and token"""
    oracle.compare(student.cache_bytes(*sizes), *sizes)


@oracle.misconception
def bytes_of_keys_only(batch, n_layers, n_kv_heads, d_head, seq, bytes_per_number):
    """Your count is half of it. Each token has a key and a value."""
    return batch * n_layers * n_kv_heads * d_head * seq * bytes_per_number


@oracle.misconception
def bytes_of_one_layer(batch, n_layers, n_kv_heads, d_head, seq, bytes_per_number):
    """You count one layer. Each layer has keys and values of its own."""
    return cache_bytes(batch, 1, n_kv_heads, d_head, seq, bytes_per_number)


@oracle.misconception
def bytes_of_one_head(batch, n_layers, n_kv_heads, d_head, seq, bytes_per_number):
    """You count one head. Each of the n_kv_heads heads keeps d_head numbers."""
    return cache_bytes(batch, n_layers, 1, d_head, seq, bytes_per_number)


@oracle.misconception
def bytes_of_one_text(batch, n_layers, n_kv_heads, d_head, seq, bytes_per_number):
    """You count one text. Each text of the batch has a cache of its own."""
    return cache_bytes(1, n_layers, n_kv_heads, d_head, seq, bytes_per_number)


@oracle.misconception
def bytes_are_numbers(batch, n_layers, n_kv_heads, d_head, seq, bytes_per_number):
    """You count numbers. Multiply by bytes_per_number."""
    return cache_bytes(batch, n_layers, n_kv_heads, d_head, seq, 1)


@oracle.misconception
def bytes_in_half_precision(batch, n_layers, n_kv_heads, d_head, seq, bytes_per_number):
    """You always count 2 bytes for a number. Use the argument bytes_per_number."""
    return cache_bytes(batch, n_layers, n_kv_heads, d_head, seq, 2)


@oracle.misconception
def bytes_of_scores(batch, n_layers, n_kv_heads, d_head, seq, bytes_per_number):
    """You count a square of seq × seq. The cache holds keys and values, which grow with seq; scores are not kept."""
    return cache_bytes(batch, n_layers, n_kv_heads, 1, seq * seq, bytes_per_number) // 2
