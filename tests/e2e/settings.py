"""Where the programs under test are, and how often the repeated tests repeat. Set by the environment, which run.py fills in."""

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TELEGRAF_VERSION = "1.39.3"
# Every process that a test has started: run.py ends them should it be ended itself.
STARTED = []
FULL = os.environ.get("LIMPET_E2E_FULL") == "1"


def repeats(full, brief):
    """How many runs a repeated test makes: `full` under --full, else `brief`."""
    return full if FULL else brief


def limpet():
    """The executable under test; run.py has checked that it is there."""
    return os.environ["LIMPET"]


@lru_cache(None)
def telegraf():
    """(path, None) of a Telegraf of the right version, or (None, why not)."""
    named = os.environ.get("TELEGRAF")
    candidates = [named] if named else [shutil.which("telegraf"), str(ROOT / "build/tools/telegraf")]
    found = []
    for path in filter(None, candidates):
        if not os.access(path, os.X_OK):
            continue
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.split()
        if version[:2] == ["Telegraf", TELEGRAF_VERSION]:
            return path, None
        found.append(f"{path} is {' '.join(version[:2])}")
    why = "; ".join(found) or "not in TELEGRAF, on the PATH or in build/tools"
    return None, f"no Telegraf {TELEGRAF_VERSION}: {why} (scripts/get-telegraf installs it)"
