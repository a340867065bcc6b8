"""A preload that keeps a folder for as long as its process lives."""

import os
import tempfile

FOLDER = tempfile.TemporaryDirectory(prefix="kept-", dir=os.environ["CONTRACT_KEPT_IN"])
