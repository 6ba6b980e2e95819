"""Brightspace (D2L), "Download" of an assignment's submissions: a folder for each submission, and index.html.

From D2L's guide "Retrieve and evaluate submissions" and from scripts that read these archives: the folder is
`<number>-<number> - <full name> - <date>`, such as `397063-2557369 - Mary-Ann Smith - Sep 24, 2024 926 PM`, in local
time without the colon; a download of single files has ` - <file>` after it instead of the folder. What the numbers
mean is not documented, so students are found by their names. A group has its name instead of a person's.
"""

from __future__ import annotations

import re
from dataclasses import replace

from autograde.lms_import.facts import Claim, Listing, Person, Reading
from autograde.lms_import.times import parse_local

PERSON = r"(?P<numbers>\d+-\d+) - (?P<name>.+?) - "
DATE = r"[^\W\d]{3,12}\.? \d{1,2}, \d{4} \d{3,4} ?[AP]M"
FOLDER = re.compile(rf"{PERSON}(?P<date>{DATE}|(?:(?! - ).)*\d(?:(?! - ).)*)", re.IGNORECASE)
"""the date may be written in another language or order, which is not read"""
FLAT = re.compile(rf"{PERSON}(?P<date>{DATE}) - (?P<file>[^/]+)", re.IGNORECASE)
INDEX = "index.html"


def fits(top: str) -> bool:
    return _match(top) is not None


def read(listing: Listing) -> Reading:
    reading = Reading()
    parsed = [(member, _match(member.top)) for member in listing.members]
    user = find_user_number([found["numbers"] for _, found in parsed if found])
    for member, found in parsed:
        if found:
            time = parse_date(found["date"], listing.timezone)
            person = Person(key=found["name"], name=found["name"], hint=found["numbers"].split("-")[user])
            file = "/".join(filter(None, (found.groupdict().get("file"), member.name.partition("/")[2])))
            date = found["date"]
            claim = Claim(person, file, member.entry, submission=date, attempt=time, timestamp=time)
            reading.claims.append(claim if time else replace(claim, unread_time=date))
        elif member.name != INDEX:
            reading.strays.append(member)
    return reading


def _match(top: str) -> re.Match[str] | None:
    """A folder with the prefix of a file is one that an instructor got by unpacking a student's zip."""
    name = top.removesuffix("/")
    return FLAT.fullmatch(name) or (FOLDER.fullmatch(name) if top.endswith("/") else None)


def find_user_number(numbers: list[str]) -> int:
    """Which of the two numbers is the user's: the first, unless it is the same for all and the second is not."""
    firsts, seconds = ({pair.split("-")[index] for pair in numbers} for index in (0, 1))
    return 1 if len(firsts) == 1 < len(seconds) else 0


def parse_date(text: str, timezone: str) -> str:
    """Convert `Sep 24, 2024 926 PM` to UTC; empty if it is written in another language or order."""
    found = re.fullmatch(r"(\w{3})\w*\.? (\d{1,2}), (\d{4}) (\d{1,2})(\d\d) ?([AP]M)", text, re.IGNORECASE)
    if not found:
        return ""
    month, day, year, hour, minute, half = found.groups()
    return parse_local(f"{month} {day} {year} {hour}:{minute} {half}", "%b %d %Y %I:%M %p", timezone)
