"""Gives each person of an archive the student that they are, or the reason why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from autograde.course import CourseError
from autograde.lms_import.facts import Person
from autograde.lms_import.options import Options
from autograde.lms_import.outcomes import Note, Outcome, Refusal, ToDo
from autograde.lms_import.roster import Roster, Strength, invent_id, is_safe_id


@dataclass(frozen=True)
class Assigned:
    """A person who is this student."""

    person: Person
    student: str
    strength: Strength
    other_number: str = ""
    """the roster's number, if the platform's is another one"""
    is_added: bool = False
    """whether the student is outside the roster"""


def assign_students(people: Iterable[Person], roster: Roster, options: Options) -> tuple[list[Assigned], list[Outcome]]:
    """Return who is which student, and an outcome for each person who is none; no student is given twice."""
    found: list[Assigned] = []
    outcomes: list[Outcome] = []
    for person in dict.fromkeys(people):
        for result in _assign(person, roster, options):
            if isinstance(result, Outcome):
                outcomes.append(result)
            elif not is_safe_id(result.student):
                outcomes.append(Outcome(Refusal.UNUSABLE_ID, person.label, (result.student,)))
            else:
                found.append(result)
    return _resolve(found, outcomes), outcomes


def check_table(options: Options, roster: Roster) -> None:
    """Raise CourseError if the table of keys gives a student who is not in the roster."""
    listed = {student for students in options.keys.values() for student in students}
    if roster.exists and not options.accept_unknown and (unknown := sorted(listed - roster.ids)):
        raise CourseError(f"--keys: {unknown[0]!r} is not in the roster; correct it, or add --accept-unknown")


def _assign(person: Person, roster: Roster, options: Options) -> Iterator[Assigned | Outcome]:
    if students := options.find_students(person):
        yield from (
            Assigned(person, student, Strength.TABLE, is_added=roster.exists and student not in roster.names)
            for student in students
        )
    elif person.anonymous:
        yield _add(person, roster) if options.accept_unknown else Outcome(Refusal.ANONYMOUS, person.key)
    elif match := roster.find(person):
        students = tuple(sorted(match.students))
        if len(students) > 1:
            yield Outcome(Refusal.SEVERAL_STUDENTS, person.label, students)
        else:
            yield Assigned(person, students[0], match.strength, match.other_number)
    elif roster.exists and not options.accept_unknown:
        nearest = roster.find_nearest(person)
        yield Outcome(Refusal.UNKNOWN_PERSON, person.label, (nearest,), detail=roster.names[nearest])
    else:
        yield _add(person, roster)


def _add(person: Person, roster: Roster) -> Assigned | Outcome:
    """Give the person an id of their own, which must not be one of the roster."""
    student = invent_id(person)
    if student.casefold() in roster.by_folded_id:
        return Outcome(Refusal.ID_TAKEN, person.label, (student,))
    return Assigned(person, student, Strength.NAME, is_added=roster.exists)


def _resolve(found: list[Assigned], outcomes: list[Outcome]) -> list[Assigned]:
    """Leave one person for each student: the one who matches best. If several match equally, none of them."""
    by_student: dict[str, list[Assigned]] = defaultdict(list)
    for assigned in found:
        by_student[assigned.student.casefold()].append(assigned)
    kept = []
    for rivals in by_student.values():
        best = max(assigned.strength for assigned in rivals)
        chosen = [assigned for assigned in rivals if assigned.strength is best]
        student = chosen[0].student
        if len(chosen) == 1:
            kept += chosen
        elif len({assigned.student for assigned in chosen}) > 1:
            outcomes.append(Outcome(Refusal.SAME_BUT_CASE, student, _labels(chosen)))
        else:
            outcomes.append(Outcome(Refusal.SEVERAL_PEOPLE, student, _labels(chosen)))
        outcomes += [
            Outcome(Refusal.BETTER_MATCH, assigned.person.label, (assigned.student, *_labels(chosen)))
            for assigned in rivals
            if assigned.strength is not best
        ]
    return sorted(kept, key=lambda assigned: assigned.student)


def _labels(several: Iterable[Assigned]) -> tuple[str, ...]:
    return tuple(sorted(assigned.person.label for assigned in several))


def describe_match(assigned: Assigned, roster: Roster) -> Iterator[Outcome]:
    """What the instructor should know of how a student was found."""
    person, student = assigned.person, assigned.student
    if assigned.is_added:
        yield Outcome(Note.ADDED, student, (person.label,))
    elif assigned.strength is Strength.TABLE or person.student:
        return
    elif assigned.other_number:
        yield Outcome(ToDo.NUMBER_DIFFERS, student, (person.label, assigned.other_number))
    elif person.number and assigned.strength is not Strength.IDENTITY and roster.by_number:
        yield Outcome(Note.MATCHED_BY_NAME, student, (person.label,))
    elif not roster.names_agree(student, person):
        yield Outcome(Note.OTHER_NAME, student, (person.name,), detail=roster.names.get(student, ""))
    if "_" in person.name:
        yield Outcome(Note.UNDERSCORES, student, (person.label,))
