"""Takes the pictures of the panel that README and the Extensions Index show: `make screenshots`."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN = HERE.parent / "application" / "run.py"
PICTURES = HERE.parents[1] / "Resources" / "Screenshots"
WIDTH = 560

if __name__ == "__main__":
    environment = {
        **os.environ,
        "PYTHONIOENCODING": "utf-8",
        "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen"),
    }
    for scene in sorted((HERE / "scenes").glob("*.py")):
        picture = PICTURES / f"{scene.stem}.png"
        command = [sys.executable, RUN, "--script", scene, "--screenshot", picture, "--width", str(WIDTH)]
        done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise SystemExit(f"{scene} failed:\n{done.stdout}{done.stderr}")
        print(picture)
