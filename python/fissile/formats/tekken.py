"""tekken.json, the format of Mistral's models since Tekken: ranks of tokens behind a block of special tokens.

Read as mistral-common 1.13 reads it (mistral_common/tokens/tokenizers/tekken.py), which encodes with tiktoken: the id of a token
is its rank and the number of special tokens, of whose places those that the file does not name are <SPECIAL_n>.
"""

from __future__ import annotations

import base64
import binascii
import json

from fissile.errors import TokenizerFileError
from fissile.formats.json_reader import Json, Reader
from fissile.formats.spec import TokenizerSpec
from fissile.formats.tiktoken import from_ranks

__all__ = ["from_json"]

# Of files of version 7 and before, which name none.
_SPECIAL_TOKENS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
    "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip
_LAST_WITHOUT_NAMES = 7


def from_json(data: bytes, source: str) -> TokenizerSpec:
    """A tekken.json as a tokenizer; TokenizerFileError names the place of what cannot be used."""
    reader = Reader(source)
    try:
        root = json.loads(data)
    except RecursionError:
        raise TokenizerFileError(f"{source}: nodes are nested too deeply for a tokenizer") from None
    except ValueError as error:
        raise TokenizerFileError(f"{source}: is not JSON: {error}") from None
    config = reader.get(root, "config", "", dict)
    pattern = reader.get(config, "pattern", "config", str)
    n_special = reader.get(config, "default_num_special_tokens", "config", int)
    n_ids = reader.get(config, "default_vocab_size", "config", int)
    vocab = reader.get(root, "vocab", "", list)
    names = _special_tokens(reader, root, config)
    if not len(names) <= n_special <= n_ids:
        reader.fail(
            "config.default_num_special_tokens",
            f"expected from the {len(names)} special tokens there are to {n_ids} ids, found {n_special}",
        )
    if n_ids - n_special > len(vocab):
        reader.fail("vocab", f"expected {n_ids - n_special} tokens beside {n_special} special ones, found {len(vocab)}")
    ranks: dict[bytes, int] = {}
    for i, item in enumerate(vocab[: n_ids - n_special]):
        token = _token_bytes(reader, item, i)
        if ranks.setdefault(token, i + n_special) != i + n_special:
            reader.fail(f"vocab[{i}]", f"the token {token!r} is there already, at {ranks[token] - n_special}")
    specials = {name: i for i, name in enumerate(names)}
    specials |= {f"<SPECIAL_{i}>": i for i in range(len(names), n_special)}
    try:
        return from_ranks(ranks, pattern, specials, source)
    except ValueError as error:
        reader.fail("config.pattern", str(error))


def _special_tokens(reader: Reader, root: Json, config: Json) -> list[str]:
    """Names of the first special tokens, by id."""
    items = reader.get(root, "special_tokens", "", (list, type(None)), None)
    if items is None:
        version = reader.get(config, "version", "config", str, "v3")
        number = version.partition("m")[0].removeprefix("v")
        if not number.isdigit() or int(number) > _LAST_WITHOUT_NAMES:
            reader.fail("special_tokens", f"is missing, which only versions up to {_LAST_WITHOUT_NAMES} may leave out")
        return list(_SPECIAL_TOKENS)
    names: list[str] = []
    for i, item in enumerate(items):
        where = f"special_tokens[{i}]"
        if not isinstance(item, dict):
            reader.fail(where, f"expected an object, found {type(item).__name__}")
        name, rank = reader.get(item, "token_str", where, str), reader.get(item, "rank", where, int)
        if rank != i:
            reader.fail(f"{where}.rank", f"expected {i}, found {rank}")
        if not name or name in names:
            reader.fail(f"{where}.token_str", f"{name!r} is {'there already' if name else 'empty'}")
        names.append(name)
    return names


def _token_bytes(reader: Reader, item: Json, i: int) -> bytes:
    where = f"vocab[{i}]"
    if not isinstance(item, dict):
        reader.fail(where, f"expected an object, found {type(item).__name__}")
    if reader.get(item, "rank", where, int) != i:
        reader.fail(f"{where}.rank", f"expected {i}, found {item['rank']}")
    text = reader.get(item, "token_bytes", where, str)
    try:
        token = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        reader.fail(f"{where}.token_bytes", f"is not base64: {error}")
    if not token:
        reader.fail(f"{where}.token_bytes", "is empty")
    return token
