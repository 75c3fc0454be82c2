"""The singular and the plural of English nouns, from which the names of a new service are derived."""

import re

_ALIKE = frozenset({"chassis", "equipment", "information", "means", "news", "series", "sheep", "species"})
"""Nouns whose plural is the same."""
_SINGULARS = frozenset({"alias", "atlas", "bias", "canvas", "chaos", "gas", "lens", "yes"})
"""Nouns that only look like plurals."""
_PLURAL = re.compile(r"(?=.*[aeiouy0-9]).*([^aeious]|[a-z][aeo]|[a-z]i(?=es)e)s")
"""Not the endings of status, class and analysis, and not abbreviations such as dns."""
_ENDINGS = (
    (r"([^aeiou])ies$", r"\1y"),
    (r"(ss|sh|x|zz|[tnr]ch|[^aeo]us|ias)es$", r"\1"),
    (r"s$", ""),
)


def plural(name: str) -> str:
    """Returns the plural of a name in snake case, of which the last word counts: gift_cards for gift_card."""
    if _last(name) in _ALIKE or is_plural(name):
        return name
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    if re.search(r"sis$", name):  # analysis, basis
        return f"{name[:-2]}es"
    return f"{name}es" if re.search(r"(s|x|z|ch|sh)$", name) else f"{name}s"


def singular(name: str) -> str:
    """Returns the singular of a name in snake case: gift_card for gift_cards."""
    if not is_plural(name):
        return name
    ending, replacement = next(pair for pair in _ENDINGS if re.search(pair[0], name))
    return re.sub(ending, replacement, name)


def is_plural(name: str) -> bool:
    """Returns whether a name is a plural by its ending."""
    last = _last(name)
    return last not in _ALIKE | _SINGULARS and _PLURAL.fullmatch(last) is not None


def _last(name: str) -> str:
    return name.rpartition("_")[2]
