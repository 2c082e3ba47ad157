"""Makes a service's generated documents at the root of the repository, or says which of them are old."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Documents = Mapping[str, Callable[[], str]]  # by the file's name in docs/

FOLDER = Path("docs")


def make(documents: Documents, arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """The exit code. With `--check` nothing is written; it is 1 when a document is not what the code says."""
    if not folder.is_dir():
        print(f"docs: there is no folder {folder.absolute()}; run this at the root of the repository", file=sys.stderr)
        return 2
    outdated = []
    for name, content_of in documents.items():
        path, content = folder / name, content_of()
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            outdated.append(str(path))
            if "--check" not in arguments:
                path.write_text(content, encoding="utf-8")
    if "--check" in arguments and outdated:
        print(f"docs: not up to date: {', '.join(outdated)}; run `make docs`", file=sys.stderr)
        return 1
    return 0
