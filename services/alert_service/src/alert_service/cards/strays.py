"""Blocks that a template writes and nothing shows, because what it extends has no block of that name: mistyped ones."""

from collections.abc import Sequence

from jinja2 import BaseLoader, Environment, nodes


def strays(environment: Environment, name: str) -> Sequence[str]:
    """In their order. Only for a template that renders: what it extends is there, and does not go round in circles."""
    tree = _tree(environment, name)
    above = _above(tree)
    if above is None:
        return ()
    known = _blocks(environment, above)
    return [each.name for each in tree.body if isinstance(each, nodes.Block) and each.name not in known]


def _blocks(environment: Environment, name: str | None) -> set[str]:
    """Of a template and of all that it extends."""
    names = set[str]()
    while name is not None:
        tree = _tree(environment, name)
        names |= {each.name for each in tree.find_all(nodes.Block)}
        name = _above(tree)
    return names


def _above(tree: nodes.Template) -> str | None:
    """The template that it extends, if it names one."""
    found = tree.find(nodes.Extends)
    if found is None or not isinstance(found.template, nodes.Const):
        return None
    return str(found.template.value)


def _tree(environment: Environment, name: str) -> nodes.Template:
    loader = environment.loader or BaseLoader()
    return environment.parse(loader.get_source(environment, name)[0], name)
