"""nbgrader's folders: `<student>/<slug>/<file>`, with timestamp.txt beside the notebook (nbgrader's CourseDirectory).

A folder that is named by a student id of the roster and has the files directly in it is read too.
"""

from __future__ import annotations

import re
from dataclasses import replace

from autograde.lms_import.archive import EntryError
from autograde.lms_import.facts import Claim, Content, Listing, Member, Person, Reading

TIMESTAMP = "timestamp.txt"
MAX_TIMESTAMP = 100


def fits(top: str) -> bool:
    """Any folder may be a student's; only if other layouts do not fit."""
    return bool(re.fullmatch(r"[^/]+/", top))


def read(listing: Listing) -> Reading:
    reading = Reading()
    times: dict[Person, str] = {}
    for member in listing.members:
        student, _, rest = member.name.partition("/")
        folder, slash, file = rest.partition("/")
        if folder == listing.slug and (slash or member.entry.is_folder):
            pass
        elif student in listing.known_ids and rest and not slash and not member.entry.is_folder:
            file = folder
        else:
            reading.strays.append(member)
            continue
        person = Person(key=student, student=student)
        if file == TIMESTAMP and folder == listing.slug:
            times[person] = _read_time(listing, member)
        else:
            reading.claims.append(Claim(person, file, member.entry))
    reading.claims = [replace(claim, timestamp=times.get(claim.person, "")) for claim in reading.claims]
    claimed = {claim.person for claim in reading.claims}
    reading.claims += [Claim(person, "", None, Content.NOTHING) for person in times if person not in claimed]
    reading.bad_times = [person for person, time in times.items() if not time]
    return reading


def _read_time(listing: Listing, member: Member) -> str:
    """The time as nbgrader wrote it; empty if nbgrader could not read it."""
    from nbgrader.utils import parse_utc  # takes longer to import than most archives to read

    try:
        text = listing.archive.read(member.entry, MAX_TIMESTAMP).decode("utf-8").strip()
        parse_utc(text)
    except (EntryError, ValueError, OverflowError):
        return ""
    return text if text.isprintable() else ""
