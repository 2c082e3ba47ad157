"""`auto-healing prove`: an auditor needs a file, and neither the service nor its database."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.healing_ledger import a_chain
from tests.support.logs import restored_logs

from auto_healing.__main__ import main
from auto_healing.storage.export import ndjson

__all__ = ["restored_logs"]

pytestmark = pytest.mark.usefixtures("restored_logs")

CHAIN = a_chain(6)
NOTED = ["--after", "2", "--hash", CHAIN[1].hash.hex()]


def a_file(folder: Path, first: int = 1, last: int = 6, edit: Callable[[bytes], bytes] = bytes) -> str:
    file = folder / f"{first}.ndjson"
    file.write_bytes(edit(ndjson(CHAIN[first - 1 : last])))
    return str(file)


def test_an_export_as_it_was_written_is_intact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", a_file(tmp_path)]) == 0
    assert capsys.readouterr().out == f"intact: entries 1 to 6; the hash of the last is {CHAIN[5].hash.hex()}\n"


def test_files_of_the_archive_are_proved_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archived = tmp_path / "ledger.ndjson.gz"
    archived.write_bytes(gzip.compress(ndjson(CHAIN[:4])))
    assert main(["prove", str(archived), a_file(tmp_path, 5)]) == 0
    assert "entries 1 to 6" in capsys.readouterr().out


def test_the_rest_is_proved_from_a_head_that_was_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", a_file(tmp_path, 3), *NOTED]) == 0
    assert "entries 3 to 6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(lambda text: text.replace(b"web-4", b"web-5"), "entry 4 does not match", id="one was changed"),
        pytest.param(
            lambda text: b"".join(text.splitlines(True)[:3] + text.splitlines(True)[4:]),
            "entry 4 is missing",
            id="one was removed",
        ),
    ],
)
def test_what_was_edited_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Callable[[bytes], bytes], said: str
) -> None:
    assert main(["prove", a_file(tmp_path, edit=edit)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "edit", "options", "said"),
    [
        pytest.param(3, bytes, [], "give --after 2 and the --hash", id="the beginning is elsewhere"),
        pytest.param(3, bytes, NOTED[:2], "give both", id="half of a head"),
        pytest.param(1, lambda _: b"", [], "there are no entries", id="an empty file"),
        pytest.param(1, lambda _: b"seq,at", [], "no export of the ledger as NDJSON", id="another format"),
    ],
)
def test_what_cannot_be_proved_is_told_in_a_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    first: int,
    edit: Callable[[bytes], bytes],
    options: list[str],
    said: str,
) -> None:
    assert main(["prove", a_file(tmp_path, first, edit=edit), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"auto-healing: cannot read {tmp_path / 'none'}: No such file or directory\n"
