"""What importing the package costs."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

from farthing.domain import stats


def test_no_module_loads_numpy_or_scipy_when_imported() -> None:
    """A process that never analyses an experiment never has them."""
    names = [f"{stats.__name__}.{module.name}" for module in pkgutil.iter_modules(stats.__path__)]
    code = f"import sys, {', '.join(names)}; print(*{{'numpy', 'scipy'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert len(names) >= 16
