"""How busy the machine is on which a long proof measures."""

import os


def busy() -> float:
    """Return how many times as long things take because others use the cores, too: 1 on a machine that is ours."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
