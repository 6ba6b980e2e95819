"""Determines which platform made an archive, once, from the names at its top level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from autograde.lms_import.archive import Archive, ArchiveError
from autograde.lms_import.facts import Listing, Member, Platform, Reading
from autograde.lms_import.files import is_submission_file
from autograde.lms_import.platforms import blackboard, brightspace, canvas, gradescope, moodle, nbgrader_folders


@dataclass(frozen=True)
class Layout:
    """How one platform names the files of an archive."""

    platform: Platform
    fits: Callable[[str], bool]
    """whether a name at the top level, of a folder with a slash at its end, is one that the platform writes"""
    read: Callable[[Listing], Reading]
    certain: bool = False
    """whether no other platform writes such names, whatever students choose"""


LAYOUTS = {
    layout.platform: layout
    for layout in (
        Layout(Platform.GRADESCOPE, gradescope.fits, gradescope.read, certain=True),
        Layout(Platform.MOODLE, moodle.fits, moodle.read, certain=True),
        Layout(Platform.BRIGHTSPACE, brightspace.fits, brightspace.read, certain=True),
        Layout(Platform.CANVAS, canvas.fits, canvas.read),
        Layout(Platform.BLACKBOARD, blackboard.fits, blackboard.read),
        Layout(Platform.NBGRADER, nbgrader_folders.fits, nbgrader_folders.read),
    )
}


def open_listing(
    archive: Archive,
    slug: str,
    timezone: str,
    *,
    known_ids: Set[str] = frozenset(),
    known_numbers: Set[str] = frozenset(),
    platform: Platform | None = None,
) -> Listing:
    """List the archive's files without the folders that enclose all of them; `platform` is given if it is known."""
    members = [Member(entry.name, entry) for entry in archive.entries]
    may_be_student = platform in (None, Platform.NBGRADER)
    enclosing = ""
    while top := _find_enclosing_folder(members, slug if may_be_student else "", known_ids):
        members = [
            Member(member.name.removeprefix(top), member.entry) for member in members if member.name.startswith(top)
        ]
        enclosing += top
    return Listing(archive, members, slug, timezone, known_ids, known_numbers, enclosing)


def _find_enclosing_folder(members: Sequence[Member], slug: str, known_ids: Set[str]) -> str:
    """The folder, with its slash, that contains every submission and is no person's; empty if there is none."""
    tops = {member.top for member in members if not _is_hidden(member)}
    folders = {top for top in tops if top.endswith("/")}
    if len(folders) != 1 or any(is_submission_file(top) or _fits_any(top) for top in tops - folders):
        return ""
    (top,) = folders
    inside = [member.name.removeprefix(top) for member in members if member.name.startswith(top)]
    if not inside or top.removesuffix("/") in known_ids or _fits_any(top) or _is_student_folder(top, inside, slug):
        return ""
    return top


def _is_student_folder(top: str, inside: Sequence[str], slug: str) -> bool:
    """Whether the folder is a student's in nbgrader's layout, because it contains the assignment's folder.

    What the files in it are called does not matter, because the student may have named them.
    """
    return top != f"{slug}/" and any(name == slug or name.startswith(f"{slug}/") for name in inside)


def _fits_any(top: str) -> bool:
    return any(layout.fits(top) for layout in LAYOUTS.values() if layout.platform is not Platform.NBGRADER)


def _is_hidden(member: Member) -> bool:
    """Whether the name is a hidden file's, and not that of a person which begins with a dot."""
    return member.name.startswith(".") and not _fits_any(member.top)


def find_layout(listing: Listing) -> Layout | None:
    """The layout that most names at the top level fit; None if no layout fits any. ArchiveError if two fit equally.

    Students choose a part of the names that Canvas and Blackboard write, so a few names may fit another layout.
    """
    tops = {member.top for member in listing.members if not _is_hidden(member)}
    if gradescope.METADATA in tops:
        return LAYOUTS[Platform.GRADESCOPE]
    votes: Counter[Platform] = Counter()
    for top in tops:
        votes.update(_match_platforms(top))
    if not votes:
        return _nbgrader_layout(listing)
    (first, count), *others = votes.most_common()
    if others and others[0][1] == count:
        names = " or ".join(sorted(platform.value for platform in (first, others[0][0])))
        raise ArchiveError(f"the file names fit archives of {names}; say which it is with --from")
    return LAYOUTS[first]


def _match_platforms(top: str) -> list[Platform]:
    fitting = [layout for layout in LAYOUTS.values() if layout.platform is not Platform.NBGRADER and layout.fits(top)]
    return [layout.platform for layout in fitting if layout.certain][:1] or [layout.platform for layout in fitting]


def _nbgrader_layout(listing: Listing) -> Layout | None:
    """nbgrader's layout if a folder at the top has the assignment's folder in it, or is named by a student's id."""
    for member in listing.members:
        parts = member.name.split("/")
        if parts[0] in listing.known_ids and member.top.endswith("/"):
            return LAYOUTS[Platform.NBGRADER]
        if len(parts) > 1 and parts[1] == listing.slug and (len(parts) > 2 or member.entry.is_folder):
            return LAYOUTS[Platform.NBGRADER]
    return None
