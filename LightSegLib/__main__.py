"""`python -m LightSegLib` is the command `lightseg`."""

import sys

from LightSegLib.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
