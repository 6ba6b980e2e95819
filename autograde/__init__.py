"""The engine: releases assignments, grades untrusted submissions, writes reports."""

import sys

# jsonschema, which nbformat imports, builds a parser of internationalised addresses as soon as it finds this package:
# a second of each command's start, for a format that no notebook's schema uses. None makes Python say it is not there.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

__version__ = "0.1.0"
