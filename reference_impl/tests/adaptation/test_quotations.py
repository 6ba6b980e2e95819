"""A passage is speech or narration, and contains no quotation mark that would reveal which."""

import re

from reference_impl.adaptation.quotations import Passage, passages
from reference_impl.training.data import documents

STORY = """CHAPTER I

`Curiouser and curiouser, isn't it?' cried Alice, `so very `much' surprised was I,' for the dogs' voices were far away.

`Oh!' she said. Then, after a long while, `Now I'm opening out like the largest telescope!'"""


def test_passages_separates_speech_and_narration_in_order() -> None:
    text = "`I shall never get to sleep,' said the tired Dormouse, `while you don't stop talking.'"
    assert passages([text]) == [
        Passage("I shall never get to sleep", True),
        Passage("said the tired Dormouse", False),
        Passage("while you don't stop talking", True),
    ]


def test_passages_drops_short_pieces_and_quotation_marks() -> None:
    got = passages([STORY])
    assert Passage("Curiouser and curiouser, isn't it", True) in got
    assert Passage("Now I'm opening out like the largest telescope", True) in got
    assert not [passage for passage in got if re.search(r"[`\"]|^'|'$", passage.text)]
    assert all(len(passage.text) >= 20 for passage in got)


def test_passages_of_the_shipped_text_are_balanced() -> None:
    found = passages(documents())
    assert 700 < sum(passage.spoken for passage in found) < 800 < len(found)
    assert 700 < sum(not passage.spoken for passage in found) < 800
