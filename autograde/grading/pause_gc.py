"""Pauses garbage collection while the server that graders are forked from imports its modules, this one first.

Imported modules are never garbage, and collecting would take a tenth of the import time. Processes that are forked from
the server call `gc.freeze` and `gc.enable`.
"""

import gc

from autograde import startup  # noqa: F401  # first

gc.disable()
