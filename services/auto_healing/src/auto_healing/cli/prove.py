"""`auto-healing prove FILE ...`: proves exported or archived entries of the ledger, without the service's database."""

import argparse
import gzip
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from common.cli.failure import NOT_GOOD, OK, CommandFailed
from common.cli.program import Commands

_HASH_LETTERS = 64


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "prove",
        help="prove that an export of the ledger was not edited; exit code 1 when it was",
        description="Prove that an export of the ledger (GET /api/v1/audit/export, without filters), or the files of "
        "its archive, are as they were written. A head that was noted elsewhere, such as in the service's log, tells "
        "whether they are the service's own.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="NDJSON, also .gz, in the entries' order")
    parser.add_argument("--after", type=int, metavar="SEQ", help="they begin after this entry, whose --hash was noted")
    parser.add_argument("--hash", type=_hash, metavar="HASH", help="the hash of that entry")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from auto_healing.storage.chain import START
    from auto_healing.storage.export import from_ndjson, prove_lines
    from auto_healing.storage.proof import Head

    if (args.after is None) != (args.hash is None):
        raise CommandFailed("give both --after and --hash, or neither")
    lines = _lines(args.files)
    try:
        first = next(lines, None)
        if first is None:
            raise CommandFailed("there are no entries")
        seq = from_ndjson(first).seq
        if args.after is None and seq > 1:
            raise CommandFailed(f"it begins with entry {seq}: give --after {seq - 1} and the --hash that it has")
        start = Head(0, START) if args.after is None else Head(args.after, args.hash)
        end, broken = prove_lines(itertools.chain([first], lines), start)
    except ValueError as error:
        raise CommandFailed(f"that is no export of the ledger as NDJSON: {error}") from None
    if broken is not None:
        print(f"broken at entry {broken.seq}: {broken.reason}", file=sys.stderr)
        return NOT_GOOD
    print(f"intact: entries {start.seq + 1} to {end.seq}; the hash of the last is {end.hash.hex()}")
    return OK


def _lines(files: list[Path]) -> Iterator[bytes]:
    for file in files:
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
                yield from (line for line in lines if line.strip())
        except OSError as error:
            raise CommandFailed(f"cannot read {file}: {error.strerror or error}") from None


def _hash(text: str) -> bytes:
    if len(text) != _HASH_LETTERS:
        raise argparse.ArgumentTypeError(f"a hash has {_HASH_LETTERS} hexadecimal digits")
    return bytes.fromhex(text)
