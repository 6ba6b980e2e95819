"""A passage is said or told, whole, and no mark is left that would give it away."""

import re

from reference_impl.data import documents
from reference_impl.quotations import Passage, passages

STORY = """CHAPTER I

`Curiouser and curiouser, isn't it?' cried Alice, `so very `much' surprised was I,' for the dogs' voices were far away.

`Oh!' she said. Then, after a long while, `Now I'm opening out like the largest telescope!'"""


def test_what_is_said_and_what_is_told_in_their_order() -> None:
    text = "`I shall never get to sleep,' said the tired Dormouse, `while you don't stop talking.'"
    assert passages([text]) == [
        Passage("I shall never get to sleep", True),
        Passage("said the tired Dormouse", False),
        Passage("while you don't stop talking", True),
    ]


def test_short_pieces_and_marks_are_left_out() -> None:
    found = passages([STORY])
    assert Passage("Curiouser and curiouser, isn't it", True) in found
    assert Passage("Now I'm opening out like the largest telescope", True) in found
    assert not [passage for passage in found if re.search(r"[`\"]|^'|'$", passage.text)]
    assert all(len(passage.text) >= 20 for passage in found)


def test_the_shipped_text_has_many_of_both() -> None:
    found = passages(documents())
    assert 700 < sum(passage.spoken for passage in found) < 800 < len(found)
    assert 700 < sum(not passage.spoken for passage in found) < 800
