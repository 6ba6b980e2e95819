"""Importing this keeps the collector away while the modules after it are imported: they are no garbage.

Looking for some would take a tenth of the time. Whoever is forked afterwards calls `gc.freeze` and `gc.enable`.
"""

import gc

gc.disable()
