"""A tokenizer while training makes it: tokens by id, and merges in order."""

from __future__ import annotations

from typing import Any

from fissile._core import Vocabulary
from fissile.formats.spec import FLAG_SPECIAL, AddedToken, TokenizerSpec
from fissile.formats.tiktoken import encoder_options
from fissile.formats.tokenizer_json_trees import bpe_tree, rest_of
from fissile.numpy_later import np, npt
from fissile.pipeline.byte_alphabet import byte_alphabet
from fissile.tokenizer import Tokenizer

__all__ = ["ALPHABET", "Draft", "check_continues"]

_CHARS = byte_alphabet()
_BYTES = {char: byte for byte, char in enumerate(_CHARS)}
_TO_CHARS = dict(enumerate(_CHARS))
# Ties are decided by ids, so the alphabet has the order in which `tokenizers` sorts it: by its characters.
ALPHABET = sorted(range(256), key=lambda byte: _CHARS[byte])
NO_TOKEN = 0xFFFFFFFF
_MERGE_BYTES = 12


def check_continues(tokenizer: Tokenizer) -> None:
    """ValueError for a tokenizer that training cannot go on from because of what it does with text."""
    spec = tokenizer._spec
    if spec.pattern in ("metaspace", "of the file"):
        raise ValueError(
            f"{tokenizer!r} splits text as its file says; training goes on from byte-level tokenizers that have a "
            "pattern only, built in or given as an expression"
        )
    if changing := [
        name for name in ("nfc", "normalize", "prefix_space") if spec.encoder.get(name, False) not in (False, "never")
    ]:
        raise ValueError(
            f"{tokenizer!r} changes text before it splits it ({changing[0]}), and training counts texts as "
            "they are: go on from one without, on text that was so changed"
        )


class Draft:
    """Tokens and merges.

    Attributes:
        tokens: bytes of each id; b"" for an id that merging never makes.
        packed: the merges, as the bytes of their array.
        added: special and matched tokens.
    """

    def __init__(
        self, tokens: list[bytes], packed: bytes | npt.NDArray[np.uint32] = b"", added: list[AddedToken] | None = None
    ) -> None:
        self.tokens = tokens
        self.packed = bytes(packed)
        self.added = [] if added is None else added

    @property
    def merges(self) -> npt.NDArray[np.uint32]:
        """(m, 3) uint32, not to be written to: left, right, what they make."""
        return np.frombuffer(self.packed, np.uint32).reshape(-1, 3)

    @property
    def n_merges(self) -> int:
        """How many there are."""
        return len(self.packed) // _MERGE_BYTES

    @staticmethod
    def new(special: list[str], matched: list[str], n_reserved: int, alphabet: list[int]) -> Draft:
        """No merges yet. Ids: special tokens, matched tokens, reserved ids, then the bytes of the alphabet."""
        draft = Draft([])
        draft.add_texts(special, FLAG_SPECIAL)
        draft.add_texts(matched, 0)
        draft.tokens += [b""] * n_reserved
        # A special token that is spelt as a byte of the alphabet is that byte's token, as in `tokenizers`.
        draft.tokens += [bytes([byte]) for byte in alphabet if bytes([byte]) not in draft.tokens]
        return draft

    def add_texts(self, texts: list[str], flags: int) -> None:
        """Special or matched tokens, at the next ids; ValueError for one that is there already."""
        known = {token.content for token in self.added}
        for text in texts:
            if not text or text in known:
                raise ValueError(f"special token {text!r} is {'given twice' if text else 'empty'}")
            known.add(text)
            self.added.append(AddedToken(text, len(self.tokens), flags))
            spelt = all(char in _BYTES for char in text)
            self.tokens.append(bytes(_BYTES[char] for char in text) if spelt else b"")

    @staticmethod
    def of(tokenizer: Tokenizer, n_merges: int | None = None) -> Draft:
        """The tokens of a tokenizer of bytes with its first merges.

        Args:
            tokenizer: byte-level; ValueError for others.
            n_merges: None: all, and every id stays what it is. Else the ids close up over those that are left out.
        """
        check_continues(tokenizer)
        vocabulary = tokenizer._vocabulary
        added = {token.id: token for token in tokenizer._spec.added_tokens}
        tokens = [vocabulary.token_bytes(id) if vocabulary.has_token(id) else b"" for id in range(vocabulary.n_vocab)]
        merges = vocabulary.merges()
        for id in added:
            text = added[id].content
            spelt = all(char in _BYTES for char in text)
            tokens[id] = bytes(_BYTES[char] for char in text) if spelt else b""
        if n_merges is None:
            return Draft(tokens, merges, list(added.values()))
        if n_merges > len(merges):
            raise ValueError(f"{tokenizer!r} has {len(merges)} merges, fewer than {n_merges}")
        kept = merges[:n_merges]
        made = set(merges[:, 2].tolist()) - set(kept[:, 2].tolist())
        inert = set(vocabulary.unreachable().tolist())
        ids = [id for id in range(len(tokens)) if id not in made and id not in inert and (tokens[id] or id in added)]
        new_ids = np.full(len(tokens), NO_TOKEN, np.uint32)
        new_ids[ids] = np.arange(len(ids), dtype=np.uint32)
        moved = [added[id]._replace(id=place) for place, id in enumerate(ids) if id in added]
        return Draft([tokens[id] for id in ids], new_ids[kept], moved)

    def extend(self, packed: bytes, made: list[bytes] | None = None) -> None:
        """Adds merges, whose new tokens have the next ids; `made` are these, if they are known."""
        if made is not None:
            self.tokens += made
        else:
            numbers = memoryview(packed).cast("I")
            for left, right, id in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
                if id == len(self.tokens):
                    self.tokens.append(self.tokens[left] + self.tokens[right])
        self.packed += packed

    def take_back(self, n_merges: int) -> None:
        """Takes the last merges back, and the tokens that extend gave them."""
        kept = self.merges[: self.n_merges - n_merges]
        made = set(self.merges[len(kept) :, 2].tolist()) - set(kept[:, 2].tolist())
        while self.tokens and len(self.tokens) - 1 in made:
            self.tokens.pop()
        self.packed = kept.tobytes()

    def parts(self, places: list[int]) -> list[tuple[bytes, bytes]]:
        """What the merges at these places join."""
        numbers = memoryview(self.packed).cast("I")
        return [(self.tokens[numbers[3 * place]], self.tokens[numbers[3 * place + 1]]) for place in places]

    def without(self, merges: list[int]) -> Draft:
        """The draft without the merges at these places and the tokens they make; ids close up."""
        gone = set(self.merges[merges, 2].tolist())
        ids = [id for id in range(len(self.tokens)) if id not in gone]
        new_ids = np.full(len(self.tokens), NO_TOKEN, np.uint32)
        new_ids[ids] = np.arange(len(ids), dtype=np.uint32)
        added = [token._replace(id=int(new_ids[token.id])) for token in self.added]
        return Draft([self.tokens[id] for id in ids], new_ids[np.delete(self.merges, merges, axis=0)], added)

    @property
    def byte_ids(self) -> list[int]:
        """The token of each byte."""
        ids = [NO_TOKEN] * 256
        for id, token in enumerate(self.tokens):
            if len(token) == 1:
                ids[token[0]] = id
        return ids

    def replays(self) -> bool:
        """Whether encoding with the merges is the same as applying one after another to the whole corpus.

        It is where no pair is listed twice and no token is made again after a merge that has it as a part.
        """
        pairs = self.merges[:, 0].astype(np.uint64) << np.uint64(32) | self.merges[:, 1]
        if len(np.unique(pairs)) != len(pairs):
            return False
        last_made = np.full(len(self.tokens), -1, np.int64)
        last_made[self.merges[:, 2]] = np.arange(len(self.merges))
        at = np.arange(len(self.merges))
        return bool((last_made[self.merges[:, 0]] < at).all() and (last_made[self.merges[:, 1]] < at).all())

    def _named(self) -> list[bytes]:
        """The tokens, where ids that are inert have a name that no token has."""
        names = list(self.tokens)
        if all(names):
            return names
        added = {token.id: token.content.encode() for token in self.added}
        inert = [id for id, token in enumerate(names) if not token and id not in added]
        known = {*names, *added.values()} if inert else set()
        for id in inert:
            names[id] = b"<|reserved_%d|>" % id
            while names[id] in known:
                names[id] = b"<%b>" % names[id]
        return names

    def _tree(self, pattern: str, names: list[bytes]) -> dict[str, Any]:
        """The tokenizer.json."""
        strings = [token.decode("latin-1").translate(_TO_CHARS) for token in names]
        for token in self.added:
            strings[token.id] = token.content
        numbers = memoryview(self.packed).cast("I")
        left, right = ([strings[id] for id in numbers[side::3]] for side in (0, 1))
        vocab = dict(zip(strings, range(len(strings)), strict=True))
        return bpe_tree(vocab, list(zip(left, right, strict=True)), pattern, self.added, ignore_merges=False)

    def vocabulary(self) -> Vocabulary:
        """The model, for encoding."""
        return self._vocabulary(self._named())

    def spec(self, pattern: str) -> TokenizerSpec:
        """The finished tokenizer."""
        names = self._named()
        done = Draft(list(self.tokens), self.packed, list(self.added))
        return TokenizerSpec(
            kind="tokenizers",
            source="trained",
            vocabulary=self._vocabulary(names),
            pattern=pattern,
            encoder=encoder_options(pattern) | {"template_before": [], "template_after": []},
            added_tokens=sorted(self.added, key=lambda token: token.id),
            payload=lambda: done._tree(pattern, names),  # a third of a second for 128,000 tokens, if it is asked for
            rest=rest_of(bpe_tree({}, [], pattern, done.added, ignore_merges=False)),
        )

    def _vocabulary(self, names: list[bytes]) -> Vocabulary:
        return Vocabulary.from_tokens(
            names,
            self.packed,
            [(token.content, token.id, bool(token.flags & FLAG_SPECIAL)) for token in self.added],
            source="training",
        )
