"""Makes the generated documents: `python -m health_monitor.docs`, at the root of the repository.

With `--check` nothing is written; it fails when a document is not what the code says.
"""

import sys
from pathlib import Path

from health_monitor.docs import DOCUMENTS


def main(arguments: list[str], folder: Path = Path("docs")) -> int:
    if not folder.is_dir():
        print(f"docs: there is no folder {folder.absolute()}; run this at the root of the repository", file=sys.stderr)
        return 2
    outdated = []
    for name, make in DOCUMENTS.items():
        path, content = folder / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            outdated.append(str(path))
            if "--check" not in arguments:
                path.write_text(content, encoding="utf-8")
    if "--check" in arguments and outdated:
        print(f"docs: not up to date: {', '.join(outdated)}; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
