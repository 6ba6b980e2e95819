"""Entry of the zygote: `python -I -S __main__.py CONTROL_FD MODULES LAYERS_LEFT_OUT SITE_DIR...`.

It is run by path, without `site`, so that no `.pth` file or editable install puts the course on `sys.path`. Of the
engine it can reach `wire` and `worker` only, and nothing of it once both are imported.
"""

import gc
import importlib.util
import os
import sys
from pathlib import Path


def main() -> None:
    gc.disable()  # until everything is imported: collecting would find nothing and take a tenth of the time
    control_fd, modules, left_out, *site_dirs = sys.argv[1:]
    sys.path.extend(site_dirs)
    sys.argv = ["submission"]
    engine = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_loader("autograde", loader=None, is_package=True)
    assert spec is not None
    package = importlib.util.module_from_spec(spec)
    package.__path__ = [str(engine)]
    sys.modules["autograde"] = package
    sys.path.remove(str(Path(__file__).parent)) if str(Path(__file__).parent) in sys.path else None

    from autograde.worker import zygote

    package.__path__ = []
    sys.modules["autograde.worker"].__path__ = []
    zygote.serve(int(control_fd), modules.split(","), left_out.split(","))
    os._exit(0)  # nothing to save, and IPython's exit handlers expect a working folder that still exists


main()
