"""Makes the generated documents: `python -m alert_service.docs`, at the root of the repository.

With `--check` nothing is written; it fails when a document is not what the code says.
"""

import sys
from pathlib import Path

from alert_service.docs import DOCUMENTS
from common.docs.make import FOLDER, make


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    return make(DOCUMENTS, arguments, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
