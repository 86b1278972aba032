"""Encoders and trainers by name: a package may be both, and is one peer then."""

from __future__ import annotations

from fissile.benchmark.peer import Peer
from fissile.benchmark.peers import PEERS
from fissile.benchmark.trainers import TRAINERS, Trainer

__all__ = ["PACKAGES", "PEER_NAMES", "chosen"]

_KINDS: dict[str, type[Peer] | type[Trainer]] = {**TRAINERS, **PEERS}
_ALL = [name for name in dict.fromkeys([*PEERS, *TRAINERS]) if name in PEERS or not TRAINERS[name].ours]
PEER_NAMES = list(_KINDS)
PACKAGES = list(dict.fromkeys(kind.package for kind in _KINDS.values()))


def chosen(names: str) -> list[str]:
    """Peers by names with commas between them, or all that are installed; ours is always the first.

    Raises:
        ValueError: there is no such peer, or it is not installed.
    """
    if names == "all":
        return [name for name in _ALL if _KINDS[name].installed()]
    by_any_name = {alias: name for name in _KINDS for alias in (_KINDS[name].package, _KINDS[name].module)}
    by_any_name |= {"fissile": "fissile"} | {name: name for name in _KINDS}
    found = ["fissile"]
    for word in filter(None, map(str.strip, names.split(","))):
        name = by_any_name.get(word)
        if name is None:
            raise ValueError(f"peer {word!r} is not known; expected 'all' or some of {', '.join(_KINDS)}")
        if not _KINDS[name].installed():
            raise ValueError(f"peer {word!r} is not installed: pip install {_KINDS[name].package}")
        if name not in found:
            found.append(name)
    return found
