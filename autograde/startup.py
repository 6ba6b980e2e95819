"""Imported first by the processes that the engine starts, because it speeds up their later imports.

jsonschema, which nbformat imports, builds a parser of internationalised addresses if it finds `rfc3987_syntax`. That
takes a second, for a format that no notebook's schema uses. None makes the import fail as if it were not installed.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
