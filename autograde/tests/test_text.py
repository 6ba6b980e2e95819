"""Text of a submission is cleaned the same way wherever it is recorded or shown."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograde.text import clean, normalise_run_dependent, replace_lone_surrogates, to_plain_text, to_xml_text

CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A}
DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
DIRECTION_MARKS = {0x200E, 0x200F}
SURROGATES = set(range(0xD800, 0xE000))
ODD = "".join(map(chr, sorted(CONTROLS | DIRECTIONS | DIRECTION_MARKS | {0xD800, 0xDFFF, 0xFFFE, 0xFFFF, 0x10FFFF})))

any_text = st.text(st.characters() | st.sampled_from(ODD), max_size=40)
without_escapes = any_text.map(lambda text: text.replace("\x1b", ""))


def replaced(text: str, codes: set[int], by: str) -> str:
    return "".join(by if ord(letter) in codes else letter for letter in text)


@given(any_text)
def test_clean_replaces_control_and_direction_characters(text: str) -> None:
    stored = replaced(text, SURROGATES, "?")
    assert clean(text, 100) == replaced(stored, CONTROLS | DIRECTIONS | DIRECTION_MARKS, "\ufffd")


@given(without_escapes)
def test_plain_drops_controls_and_replaces_what_cannot_be_shown(text: str) -> None:
    assert to_plain_text(text) == replaced(replaced(text, CONTROLS, ""), SURROGATES | DIRECTIONS, "\ufffd")


@given(any_text)
def test_replace_lone_surrogates_touches_nothing_else(text: str) -> None:
    assert replace_lone_surrogates(text) == replaced(text, SURROGATES, "\ufffd")


@given(any_text)
def test_xml_text_is_what_a_parser_reads_back(text: str) -> None:
    element = ET.Element("e")
    element.text = to_xml_text(text)
    assert (ET.fromstring(ET.tostring(element, encoding="utf-8")).text or "") == element.text
    assert element.text == replaced(to_plain_text(text), {0xFFFE, 0xFFFF}, "\ufffd")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://a\x1b\\link", "link"),
        ("\x1bM up", " up"),
        ("bell\x07, back\x08, return\r\n", "bell, back, return\n"),
        ("a\u202eb", "a\ufffdb"),
        ("left\u200emark", "left\u200emark"),
        (["two ", "parts"], "two parts"),
        (3, "3"),
    ],
)
def test_plain_removes_terminal_codes(text: object, shown: str) -> None:
    assert to_plain_text(text) == shown


def test_plain_cuts_long_text_and_says_so() -> None:
    assert to_plain_text("abcdef", 6) == "abcdef"
    assert to_plain_text("abcdef", 5) == "abcde\n[cut here]"


@pytest.mark.parametrize(
    ("value", "normalised"),
    [
        ("<f at 0x7f0a1b2c3d4e>", "<f at 0x…>"),
        ("colour at 0xff", "colour at 0xff"),
        (f"{tempfile.gettempdir()}/course-scratch-ab_12cd3/data.txt", "~/data.txt"),
        (f"{tempfile.gettempdir()}/other-ab_12cd3", f"{tempfile.gettempdir()}/other-ab_12cd3"),
        ({"\ud800": ["a\udfff", 1, None]}, {"?": ["a?", 1, None]}),
    ],
)
def test_normalise_run_dependent_replaces_what_differs_between_runs(value: object, normalised: object) -> None:
    assert normalise_run_dependent(value) == normalised


def test_clean_cuts_after_replacing() -> None:
    assert clean("<f at 0x7f0a1b2c3d4e> and more", 13) == "<f at 0x…> an"
