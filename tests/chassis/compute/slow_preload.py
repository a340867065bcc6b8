"""A preload that takes its time."""

import time
import wave  # noqa: F401  the module that jobs look for

time.sleep(2.0)
