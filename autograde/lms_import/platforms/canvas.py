"""Canvas, "Download Submissions": files without folders.

From lib/content_zipper.rb of instructure/canvas-lms: `<name>[_LATE]_<user id>_<attachment id>_<file>`, or with
`_link.html` or `_text.html` after the user id for a web address or a text entry. The name is the sortable one in lower
case without anything but word characters, of a group the group's name, and never contains `_<digits>_`; an anonymous
assignment has `anon_<anonymous id>` instead of the name and the user id. The file keeps the name that the student gave
it, and Canvas adds `-1` to one that the student has uploaded before. An instructor who unpacks students' zips gets
folders with these names.
"""

from __future__ import annotations

import re
from dataclasses import replace

from autograde.lms_import.facts import Claim, Content, Listing, Member, Person, Reading

NAME = r"(?P<name>[^\x00-/:-@\[-^`{-\x7f]*?)_(?P<late>LATE_)?(?P<number>\d+)"
"""a name of word characters, which in ASCII are letters, digits and underscores"""
UPLOAD = re.compile(NAME + r"_\d+_(?P<file>[^/]+)")
ENTRY = re.compile(NAME + r"_(?P<kind>link|text)\.html")
ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<key>anon_[0-9A-Za-z]+)_(?:\d+_(?P<file>[^/]+)|(?P<kind>link|text)\.html)")
NAME_ENDS_WITH_NUMBER = re.compile(r"_(?P<number>\d+)_\d+_(?P<file>[^/]+)")
USER_NUMBERS = re.compile(r"(?<=_)(\d+)(?=_\d+_.)")
CONTENT = {"link": Content.LINK, "text": Content.TEXT, None: Content.FILE}


def fits(top: str) -> bool:
    name = top.removesuffix("/")
    return any(pattern.fullmatch(name) for pattern in (UPLOAD, ENTRY, ANONYMOUS))


def read(listing: Listing) -> Reading:
    """Read all names. Whether students are anonymous is a setting of the assignment, so it holds for all or none."""
    reading = Reading()
    tops = {member.top.removesuffix("/") for member in listing.members}
    anonymous = all(ANONYMOUS.fullmatch(top) for top in tops if fits(top))
    for member in listing.members:
        claim = _read_anonymous(member) if anonymous else _read_named(member, listing)
        if claim is None:
            reading.strays.append(member)
        elif not anonymous and _gives_two_users(member, listing):
            reading.unclear.append(member)
        else:
            reading.claims.append(claim)
    reading.claims = _unite_names(reading.claims)
    return reading


def _unite_names(claims: list[Claim]) -> list[Claim]:
    """Make one person of all claims of a user, who may have changed their name between two uploads."""
    people = {claim.person.key: claim.person for claim in reversed(claims)}
    return [replace(claim, person=people[claim.person.key]) for claim in claims]


def _join(file: str, member: Member) -> str:
    """The student's file, or its path in a folder that has the file's name."""
    _, _, rest = member.name.partition("/")
    return f"{file}/{rest}" if rest else file


def _read_anonymous(member: Member) -> Claim | None:
    found = ANONYMOUS.fullmatch(member.top.removesuffix("/"))
    if not found:
        return None
    person = Person(key=found["key"], anonymous=True)
    return Claim(
        person, _join(found["file"] or "", member), member.entry, CONTENT[found["kind"]], late=bool(found["late"])
    )


def _read_named(member: Member, listing: Listing) -> Claim | None:
    """Read a name; where a user's name may end with a number, the reading with a number of the roster is right."""
    top = member.top.removesuffix("/")
    upload, entry = UPLOAD.fullmatch(top), ENTRY.fullmatch(top)
    known = listing.known_numbers
    if entry and (upload is None or (entry["number"] in known and upload["number"] not in known)):
        person = _person(entry["number"], entry["name"])
        return Claim(person, "", member.entry, CONTENT[entry["kind"]], late=bool(entry["late"]))
    if upload is None:
        return None
    number, name, file = upload["number"], upload["name"], upload["file"]
    later = NAME_ENDS_WITH_NUMBER.fullmatch(top, upload.end("number"))
    if later and number not in known and later["number"] in known:
        number, name, file = later["number"], f"{name}_{number}", later["file"]
    return Claim(_person(number, name), _join(file, member), member.entry, late=bool(upload["late"]))


def _person(number: str, name: str) -> Person:
    return Person(key=number, number=number, name=name)


def _gives_two_users(member: Member, listing: Listing) -> bool:
    """Whether the name contains the numbers of two students of the roster where Canvas writes one.

    A student may choose a file name or, on some servers, a name that looks like the part that Canvas writes.
    """
    entry = ENTRY.fullmatch(member.top)
    numbers = {*USER_NUMBERS.findall(member.top), *([entry["number"]] if entry else [])}
    return len(numbers & listing.known_numbers) > 1
