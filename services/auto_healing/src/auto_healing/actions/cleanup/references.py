"""Who uses what: whether an object can be proven unused. Pure.

Two kinds of proof count against deleting. A reference in a place that is known, such as a volume of a pod, says that an
object is used. Its bare name anywhere in a place that is not known, such as a custom resource or an argument of a
program, says that it cannot be proven unused. So does every kind that could name it and may not be read.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from common.contracts import ObjectKey

CONFIG_MAP, SECRET, CLAIM, SERVICE = "ConfigMap", "Secret", "PersistentVolumeClaim", "Service"
JUDGED = frozenset({CONFIG_MAP, SECRET, CLAIM, SERVICE})

# Made by Kubernetes and meshes in every namespace.
_EVERYWHERE = re.compile(r"kube-root-ca\.crt|openshift-service-ca\.crt|istio-ca-root-cert|linkerd-.*|cluster-info")
_WORD = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
# The key of a label that could not be a name.
_KEY = re.compile(r"[A-Za-z0-9][-A-Za-z0-9.]*[_/](?:[-A-Za-z0-9_./]*[A-Za-z0-9])")
# Also two characters of text that mean one: what follows them would otherwise seem to begin with the second.
_ESCAPED = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)")


class Use(StrEnum):
    """What can be said of an object."""

    USED = "used"
    UNPROVEN = "unproven"  # nobody is known to use it, and it cannot be excluded
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is the end of a sentence about the object, for people."""

    use: Use
    reason: str


class References:
    """All references that were found, to be asked about objects of the given names.

    Names alone decide about mentions: who mentions an object of another namespace is believed to mean it. `labels` are
    keys of labels of the objects, whose mentions are kept as well.
    """

    def __init__(self, names: Collection[str], labels: Collection[str] = ()) -> None:
        self._names = frozenset(names)
        self._words = self._names.union(labels)
        self._users: dict[ObjectKey, str] = {}
        self._mentions: dict[tuple[str, str], str] = {}
        self._blind: dict[str, list[str]] = {kind: [] for kind in JUDGED}

    def use(self, by: ObjectKey, used: Iterable[ObjectKey]) -> None:
        """`by` refers to them."""
        for key in used:
            if key.name in self._names and key not in self._users:
                self._users[key] = str(by)

    def mention(
        self, where: str, words: Iterable[str], kinds: Collection[str] = JUDGED, *, by: ObjectKey | None = None
    ) -> None:
        """The words stand somewhere in `where`, which may mean objects of these kinds. Nobody means himself."""
        for word in words:
            if word in self._words:
                for kind in kinds:
                    if by is None or (by.kind, by.name) != (kind, word):
                        self._mentions.setdefault((kind, word), where)

    def mentioned(self, kind: str, word: str) -> str:
        """Where the word stands, which may mean an object of the kind; empty when it stands nowhere."""
        return self._mentions.get((kind, word), "")

    def blind(self, reason: str, kinds: Collection[str] = JUDGED) -> None:
        """Something that could refer to objects of these kinds cannot be read."""
        for kind in kinds:
            self._blind[kind].append(reason)

    def words_in(self, text: str) -> frozenset[str]:
        """Those of the names that stand in a text, such as a page of JSON."""
        return self._names.intersection(names_in(text))

    def verdict(self, key: ObjectKey) -> Verdict:
        """Raises KeyError for an object that references were not looked for."""
        if key.kind not in JUDGED or key.name not in self._names:
            raise KeyError(key)
        if user := self._users.get(key):
            return Verdict(Use.USED, f"is used by {user}")
        if where := self._mentions.get((key.kind, key.name)):
            return Verdict(Use.UNPROVEN, f"may be meant by its name in {where}")
        if blind := self._blind[key.kind]:
            more = f" and {len(blind) - 1} more" if len(blind) > 1 else ""
            return Verdict(Use.UNPROVEN, f"may be used by what cannot be read: {blind[0]}{more}")
        return Verdict(Use.UNUSED, "is used by nothing that could use it")


def names_in(text: str) -> Iterator[str]:
    """All that can be the name of an object, also as the beginning of a host's name: of "db.shop.svc" also "db".

    And all that can be the key of a label.
    """
    text = _ESCAPED.sub(" ", text)
    yield from _KEY.findall(text)
    for found in _WORD.finditer(text):
        word = found[0]
        yield word
        end = word.find(".")
        while end > 0:
            yield word[:end]
            end = word.find(".", end + 1)


def is_everywhere(name: str) -> bool:
    """Whether something of the name is made in every namespace, by whoever uses it."""
    return _EVERYWHERE.fullmatch(name) is not None
