"""``python -m gradcheck``, and the script ``gradcheck``."""

import sys

from gradcheck._command.cli import main

if __name__ == "__main__":
    sys.exit(main())
