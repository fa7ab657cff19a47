"""The worker does not outlive whoever started it."""

import os
import signal
import threading
import time

__all__ = ["end_with"]

CHECK_S = 1.0


def end_with(starter: int | None) -> None:
    """End this process when its parent or the process of id `starter` is gone; on Windows it just finishes.

    The two differ where a launcher stands between them. The id is given, not asked for: a parent that ended while
    this process imported its libraries has already been replaced by another.
    """
    if os.name == "nt":
        # There os.kill would end the process asked about.
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and (starter is None or _exists(starter)):
            time.sleep(CHECK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="starter watch").start()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
