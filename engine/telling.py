"""Whether a line is written for each step of every message: settled by whoever settles how lines are written. Not set: none is, which is
what a simulation of a million messages wants."""

from __future__ import annotations

import threading
from typing import Final

EACH_STEP: Final = threading.Event()
