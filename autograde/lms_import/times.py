"""Converts the times of learning platforms to the format of nbgrader's timestamp.txt, which is UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?(?:[.,]\d+)? ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?", re.IGNORECASE
)


def format_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def parse_time(text: str, timezone: str = "UTC") -> str:
    """Convert `2027-02-14 23:31:00.5 +01:00` or ISO 8601 to UTC; empty if it is no time.

    A time without a zone is local time in `timezone`; if the clocks go back and it occurs twice, the earlier one.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        return ""
    date, clock, seconds, zone = found.groups()
    if zone and zone.upper() in ("Z", "UTC", "GMT"):
        zone = "+00:00"
    elif zone and len(zone) == 3:
        zone += ":00"
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{seconds or ':00'}{zone or ''}")
        return format_utc(moment if zone else moment.replace(tzinfo=ZoneInfo(timezone)))
    except (ValueError, OverflowError):
        return ""


def parse_local(text: str, pattern: str, timezone: str) -> str:
    """Convert local time in the format `pattern` to UTC; empty if it is no such time."""
    try:
        return format_utc(datetime.strptime(text, pattern).replace(tzinfo=ZoneInfo(timezone)))
    except (ValueError, OverflowError):
        return ""
