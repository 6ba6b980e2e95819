"""Imported first by the processes that the engine starts, for its effect: what they import next loads sooner.

jsonschema, which nbformat imports, builds a parser of internationalised addresses if it finds `rfc3987_syntax`. That
takes a second, for a format that no notebook's schema uses. None makes Python say that the module is not there.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
