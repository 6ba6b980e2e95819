"""The first import of the server that graders are forked from: garbage collection is paused while it imports the rest.

Modules are no garbage, and looking for some would take a tenth of the time. A process that is forked from it calls
`gc.freeze` and `gc.enable`.
"""

import gc

from autograde import startup  # noqa: F401  # first

gc.disable()
