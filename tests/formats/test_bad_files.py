"""Broken and foreign files: one TokenizerFileError that says where, never a crash, never a wrong tokenizer."""

import base64
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

import fissile
from fissile.errors import TokenizerFileError
from fissile.formats.tiktoken import ENCODINGS
from reference.pretokenize import PATTERNS
from reference.texts import WORLD, shared, small_ranks

RANKS = fissile.Tokenizer.from_ranks(
    {bytes([b]): b for b in range(256)} | {b"ab": 256, b"abc": 257}, "llama3", {"<s>": 258}
)


def rank_file(lines: list[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"


GOOD_LINES = [base64.b64encode(bytes([b])) + b" %d" % b for b in range(256)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines[:5], b"!!!! 5", *lines[6:]], "line 6: expected a token in base64, found '!!!!'"),
        (lambda lines: [*lines, b"YWI"], "line 257: expected a token in base64, a space and a rank, found 'YWI'"),
        (lambda lines: [*lines, b"YWI= x"], "line 257: expected a rank from 0 to 268435455, found 'x'"),
        (lambda lines: [*lines, b"YWI= 99999999999999999999"], "expected a rank from 0 to 268435455"),
        (lambda lines: [*lines, b"YWI= 4294967296"], "expected a rank from 0 to 268435455"),
        (lambda lines: [*lines, b"YWI= -1"], "expected a rank from 0 to 268435455"),
        (lambda lines: [*lines, b"YWI= 7"], "id 7 is given twice"),
        (lambda lines: [*lines, b"QQ== 256"], r"token b'A' is given twice, with ids 65 and 256"),
        (lambda lines: [*lines, b"YWI= 260"], "no token has id 256; ids must have no holes"),
        (lambda lines: [], "no lines"),
    ],
)
def test_rank_files(change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_bytes(rank_file(change(GOOD_LINES)))
    with pytest.raises(TokenizerFileError, match=message) as caught:
        fissile.Tokenizer.from_tiktoken(path, "gpt2")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("n_between", [0, 1, 40, 200])
@pytest.mark.parametrize("token", [b"A", b"ab", b"abc", b"xyz", b"abc" * 7, b"xy" * 40])
def test_a_token_given_twice_is_refused(token: bytes, n_between: int, tmp_path: Path) -> None:
    """Whether loading finds a merge that makes it (of "abc", and of its repeats) or none (of "xyz"), near by and far."""
    ranks = [b"ab", b"abc", b"abcabc", b"abcabcabc"]
    others = [b"\xff" + bytes([i]) for i in range(n_between)]
    tokens = [*ranks, *([] if token in ranks or len(token) == 1 else [token]), *others, token]
    lines = GOOD_LINES + [base64.b64encode(t) + b" %d" % (256 + i) for i, t in enumerate(tokens)]
    path = tmp_path / "x.tiktoken"
    path.write_bytes(rank_file(lines))
    first = tokens.index(token) + 256 if len(token) > 1 else token[0]
    with pytest.raises(TokenizerFileError, match=rf"is given twice, with ids {first} and {255 + len(tokens)}"):
        fissile.Tokenizer.from_tiktoken(path, "gpt2", {})
    # And read without its last line, it knows each by its bytes.
    path.write_bytes(rank_file(lines[:-1]))
    vocabulary = fissile.Tokenizer.from_tiktoken(path, "gpt2", {})._vocabulary
    assert [vocabulary.token_id(t) for t in tokens[:-1]] == list(range(256, 255 + len(tokens)))


def test_rank_files_of_every_form_of_line(tmp_path: Path) -> None:
    # Lines as published files have them are read in a quicker way than others and those near the end.
    letters = random.Random(7)
    tokens = [bytes([b]) for b in range(256)]
    tokens += [bytes(letters.choices(b"abcdefgh", k=n)) for n in range(8, 200) for _ in range(3)]
    ranks = {token: rank for rank, token in enumerate(dict.fromkeys(tokens))}
    lines = [base64.b64encode(token) + b" %d" % rank for token, rank in ranks.items()]
    mixed = [letters.choice([b"%s\n", b"%s\r\n", b"%s\n\n"]) % line for line in lines]
    zeros = [b"%s 0000000000%s\n" % tuple(line.split()) for line in lines]
    path = tmp_path / "x.tiktoken"
    for file in (rank_file(lines), rank_file(lines)[:-1], b"\r\n".join(lines), b"".join(mixed), b"".join(zeros)):
        path.write_bytes(file)
        tokenizer = fissile.Tokenizer.from_tiktoken(path, "gpt2")
        assert {tokenizer.token_bytes(rank): rank for rank in range(tokenizer.n_vocab)} == ranks


@pytest.mark.parametrize("bad", [b"YW=I 3", b"YW=== 3", b"Y=== 3", b"YWI=YWI= 3", b"=", b" 3", b"YWI= 3 ", b"YWI=\t3"])
def test_a_bad_line_is_named_wherever_it_stands(bad: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    for at in (0, 100, 255):
        path.write_bytes(rank_file([*GOOD_LINES[:at], bad, *GOOD_LINES[at:]]))
        with pytest.raises(TokenizerFileError, match=rf"line {at + 1}: expected"):
            fissile.Tokenizer.from_tiktoken(path, "gpt2")


def test_a_special_token_may_fill_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_bytes(rank_file([*GOOD_LINES, b"YWI= 257"]))
    tokenizer = fissile.Tokenizer.from_tiktoken(path, "gpt2", {"<s>": 256})
    assert tokenizer.encode("ab").tolist() == [257]


@pytest.mark.parametrize("n", [1, 30])
def test_a_special_token_may_have_the_id_of_another(n: int, tmp_path: Path) -> None:
    """As in tiktoken: its text becomes the id, which decodes to the token of the ranks."""
    path = tmp_path / "x.tiktoken"
    path.write_bytes(rank_file([*GOOD_LINES, b"YWI= 256"]))
    specials = {"<s>": 65} | {f"<{i}>": 300 + i for i in range(n - 1)}
    tokenizer = fissile.Tokenizer.from_tiktoken(path, "gpt2", specials)
    assert tokenizer == fissile.Tokenizer.from_ranks(tokenizer._ranks() | {b"A": 65}, "gpt2", specials)
    ids = tokenizer.encode("A<s>ab", allowed_special="all").tolist()
    assert ids == [65, 65, 256]
    assert tokenizer.decode(ids) == "AAab"
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256}
    theirs = tiktoken.Encoding("x", pat_str=r"\w+|\W+", mergeable_ranks=ranks, special_tokens=specials)
    assert theirs.decode(theirs.encode("A<s>ab", allowed_special="all")) == "AAab"


def test_a_rank_file_needs_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_bytes(rank_file(GOOD_LINES))
    with pytest.raises(TokenizerFileError, match="pass pattern="):
        fissile.Tokenizer.from_file(path)
    with pytest.raises(ValueError, match="pattern 'nope' is not built in"):
        fissile.Tokenizer.from_tiktoken(path, "nope")


def tree() -> dict[str, Any]:
    return json.loads(RANKS._as_json())


def set_at(path: str, value: object) -> Any:
    def change(root: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        node: Any = root
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node[key]
        if isinstance(node, list):
            node[int(last)] = value
        elif value is ...:
            del node[last]
        else:
            node[last] = value

    return change


def affixed(**changes: Any) -> Any:
    """A model with a prefix of later symbols."""
    tokens = ["#", "a", "###", "##a", "##", "<0x00>"]
    model = {
        "type": "BPE",
        "continuing_subword_prefix": "##",
        "vocab": {t: i for i, t in enumerate(tokens)},
        "merges": [],
    }
    return set_at("model", model | changes)


def pre_tokenized(node: dict[str, Any]) -> Any:
    """Characters for bytes, and no look at whole pieces, which that would go ill with."""

    def change(root: dict[str, Any]) -> None:
        root["pre_tokenizer"] = node
        root["model"]["ignore_merges"] = False

    return change


def replace_node(pattern: dict[str, str]) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": ""}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("model", ...), "model: is missing"),
        (set_at("model", 5), "model: expected dict, found int"),
        (set_at("model/type", "Unigram"), "model.type: expected BPE, found 'Unigram'"),
        (set_at("model/type", "WordPiece"), "model.type: expected BPE, found 'WordPiece'"),
        (set_at("model/vocab", []), "model.vocab: expected dict, found list"),
        (set_at("model/vocab/ab", "x"), "id of token 'ab' must be an integer, found str"),
        (set_at("model/vocab/ab", True), "id of token 'ab' must be an integer, found bool"),
        (set_at("model/vocab/ab", 2**32), "id of token 'ab' is 4294967296, outside 0 to"),
        (set_at("model/vocab/ab", -1), "id of token 'ab' is -1, outside"),
        (set_at("model/vocab/ab", 7), "id 7 is given twice"),
        (set_at("model/vocab/ab", 300), "no token has id 256"),
        (set_at("model/vocab/ab", 100_000_000), "largest id is 100000000, but there are only"),
        (set_at("model/merges/0", ["a", "q"]), r"merges\[0\] .* needs the token 'aq'"),
        (set_at("model/merges/0", "a"), r"merges\[0\] is 'a', expected two tokens"),
        (set_at("model/merges/0", 5), r"merges\[0\] must be a string or a pair of strings, found int"),
        (set_at("model/merges/0", ["a", 5]), "must be a string, found int"),
        (set_at("model/dropout", 0.1), "model.dropout: gives random ids; .* split=BPEDropout"),
        (set_at("model/end_of_word_suffix", "</w>"), "model.ignore_merges: is not supported with continuing_subword"),
        (set_at("model/end_of_word_suffix", 5), "model.end_of_word_suffix: expected str or null, found int"),
        (affixed(merges=[["a", "b", "c"]]), r"merges\[0\]: expected two tokens, found \['a', 'b', 'c'\]"),
        (affixed(merges=["a q"]), r"merges\[0\] \('a', 'q'\) needs the token 'q'"),
        (affixed(merges=["# ###", "## ##a"]), r"merges\[1\] makes '##a' of other characters"),
        (affixed(byte_fallback=True), "model.byte_fallback: is not supported with continuing_subword_prefix"),
        (affixed(unk_token="<nope>"), "model.unk_token: '<nope>' is not in model.vocab"),
        (set_at("model/unk_token", "<nope>"), "'<nope>' is not in model.vocab"),
        (
            set_at("normalizer", {"type": "Sequence", "normalizers": [{"type": "ByteLevel"}, {"type": "NFC"}]}),
            r"normalizer.normalizers\[0\]: ByteLevel in front of other normalizers is not supported",
        ),
        (
            set_at("normalizer", {"type": "BertNormalizer", "lowercase": 1}),
            "normalizer.lowercase: expected bool, found int",
        ),
        (
            set_at("normalizer", {"type": "Precompiled", "precompiled_charsmap": "!"}),
            "precompiled_charsmap: is not base64",
        ),
        (set_at("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAA="}), "precompiled_charsmap"),
        (set_at("normalizer", {"type": "Other"}), "normalizer: Other is not supported"),
        (set_at("normalizer", {"type": "Strip", "strip_left": True}), "normalizer.strip_right: is missing"),
        (set_at("normalizer", {"type": "Prepend", "prepend": "\ud800"}), "normalizer.prepend: holds a lone surrogate"),
        (set_at("normalizer", replace_node({"Regex": "a("})), "normalizer.pattern.Regex: .* a group without an end"),
        (set_at("normalizer", replace_node({"Regex": r"\X"})), r"normalizer.pattern.Regex: .* has \\X"),
        (set_at("normalizer", replace_node({"Regex": "(" * 5000})), "nested too deeply"),
        (set_at("normalizer", replace_node({})), "normalizer.pattern: expected one of Regex and String"),
        (set_at("normalizer", 5), "normalizer: expected an object or null, found int"),
        (pre_tokenized({"type": "UnicodeScripts"}), "pre_tokenizer: UnicodeScripts is not supported"),
        (set_at("pre_tokenizer/pretokenizers/0/pattern", {"Regex": "[z-a]"}), "whose ends are in the wrong order"),
        (set_at("pre_tokenizer/pretokenizers/0/pattern", {"Regex": r"\p{Nope}"}), "is no regular expression"),
        (set_at("pre_tokenizer/pretokenizers/0/behavior", "removed"), "expected one of Isolated, Removed"),
        (pre_tokenized({"type": "Metaspace", "replacement": "ab"}), "expected one character, found 'ab'"),
        (pre_tokenized({"type": "FixedLength", "length": 0}), "length: expected at least 1, found 0"),
        (set_at("post_processor", {"type": "BertProcessing"}), "post_processor.cls: is missing"),
        (set_at("post_processor", {"type": "BertProcessing", "cls": ["a", -1], "sep": ["b", 1]}), "cls: expected ids"),
        (set_at("post_processor", {"type": "Other"}), "post_processor: Other is not supported"),
        (set_at("decoder", {"type": "CTC"}), "decoder: CTC is not supported"),
        (
            set_at("decoder", {"type": "Strip", "content": " ", "start": -1, "stop": 0}),
            "decoder: Strip of a negative number",
        ),
        (set_at("added_tokens/0/id", "x"), r"added_tokens\[0\].id: expected int, found str"),
        (set_at("added_tokens/0/content", ""), r"added_tokens\[0\].content: is empty"),
        (set_at("added_tokens", {}), "added_tokens: expected list, found dict"),
    ],
)
def test_trees(change: Any, message: str, tmp_path: Path) -> None:
    root = tree()
    change(root)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(root))
    with pytest.raises(TokenizerFileError, match=message) as caught:
        fissile.Tokenizer.from_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"model": ', "line 1, column 11: Expecting value"),
        (b"{" + b'"a":{' * 100_000, "nested too deeply|Expecting"),
        (b'{"model": "\xff"}', "byte 11: not UTF-8"),
        (b'{"version": ' + b"9" * 5000 + b"}", "model: is missing|digits"),
        (b"", "expected a tokenizer.json"),
        (b"\x89PNG\r\n", "expected a tokenizer.json"),
    ],
)
def test_what_is_no_json(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)
    with pytest.raises(TokenizerFileError, match=message):
        fissile.Tokenizer.from_file(path)


def test_nodes_nested_too_deeply() -> None:
    from fissile.formats.tokenizer_json import from_json

    deep = '{"type":"Sequence","normalizers":[' * 400 + "]}" * 400
    with pytest.raises(TokenizerFileError):
        from_json(
            json.dumps(tree() | {"normalizer": None})
            .replace('"normalizer": null', f'"normalizer": {deep[:-1]}')
            .encode(),
            "deep",
        )


CUT = [*GOOD_LINES, *(base64.b64encode(b"%03d" % i) + b" %d" % (256 + i) for i in range(744))]


@pytest.mark.parametrize("name", sorted(set(ENCODINGS) - {"gpt2"}))
def test_an_encoding_has_all_its_ranks(name: str, tmp_path: Path) -> None:
    """A file that was cut at the end of a line is none of the encoding, nor are ranks of one's own."""
    path = tmp_path / "x.tiktoken"
    path.write_bytes(rank_file(CUT))
    expected = ENCODINGS[name].n_ranks
    for specials in (None, {"<s>": 200_000}):
        with pytest.raises(
            TokenizerFileError, match=f"1000 ranks, expected the {expected} of {name}; pattern="
        ) as caught:
            fissile.Tokenizer.from_tiktoken(path, name, specials)
        assert str(path) in str(caught.value)
    path.write_bytes(rank_file([*CUT[:500], CUT[500][:3]]))
    with pytest.raises(TokenizerFileError, match="line 501: expected a token in base64"):
        fissile.Tokenizer.from_tiktoken(path, name)


def test_gpt2_is_a_pattern_and_an_encoding(tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_bytes(rank_file(CUT))
    assert fissile.Tokenizer.from_tiktoken(path, "gpt2").special_tokens == {}
    path.write_bytes(
        rank_file([*GOOD_LINES, *(base64.b64encode(b"%05d" % i) + b" %d" % (256 + i) for i in range(50_000))])
    )
    whole = fissile.Tokenizer.from_tiktoken(path, "gpt2")
    assert whole.special_tokens == {"<|endoftext|>": 50256}
    assert whole == fissile.Tokenizer.from_tiktoken(path, "r50k_base")
    assert fissile.Tokenizer.from_tiktoken(path, "gpt2", {}).special_tokens == {}


def test_the_ranks_of_published_encodings() -> None:
    tiktoken = pytest.importorskip("tiktoken_ext.openai_public")
    assert ENCODINGS.keys() <= tiktoken.ENCODING_CONSTRUCTORS.keys()
    for name in ("gpt2", "cl100k_base", "o200k_base"):
        data = shared("vocab", f"{name}.tiktoken")
        if data is not None:
            assert data.count(b"\n") == ENCODINGS[name].n_ranks


def test_missing_files_and_directories(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fissile.Tokenizer.from_file(tmp_path / "missing")
    with pytest.raises(TokenizerFileError, match="found none"):
        fissile.Tokenizer.from_pretrained(tmp_path)
    for name in (tmp_path / "missing", "missing.json", "org/missing.tiktoken", "./missing", "a/b/c"):
        with pytest.raises(FileNotFoundError, match=str(name)):  # at once: the hub is not asked
            fissile.Tokenizer.from_pretrained(name)


@pytest.mark.parametrize("seed", range(40))
def test_changed_bytes_give_an_error_or_a_tokenizer(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    for name, original in (("a.tiktoken", rank_file(GOOD_LINES)), ("a.json", json.dumps(tree()).encode())):
        for _ in range(20):
            data = bytearray(original)
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(data))
                data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            path = tmp_path / name
            path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
            try:
                tokenizer = (
                    fissile.Tokenizer.from_tiktoken(path, "gpt2")
                    if name == "a.tiktoken"
                    else fissile.Tokenizer.from_file(path)
                )
                tokenizer.decode(tokenizer.encode(WORLD, disallowed_special=()))
            except TokenizerFileError as error:
                assert str(path) in str(error)
            except ValueError as error:
                # A rank file may lose a byte; text that needs it then has no encoding.
                assert "is no token of the vocabulary" in str(error)


def test_writing_and_reading_gives_an_equal_tokenizer(tmp_path: Path) -> None:
    for pattern in PATTERNS:
        tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), pattern, {"<|endoftext|>": 3000})
        tokenizer.save(tmp_path / "t.json")
        again = fissile.Tokenizer.from_file(tmp_path / "t.json")
        assert again.encode(WORLD).tolist() == tokenizer.encode(WORLD).tolist()
        tokenizer.save(tmp_path / "t.tiktoken")
        assert fissile.Tokenizer.from_tiktoken(tmp_path / "t.tiktoken", pattern, {"<|endoftext|>": 3000}) == tokenizer
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(ValueError, match="expected an extension or a format"):
        tokenizer.save(tmp_path / "t.bin")
    with pytest.raises(ValueError, match="only a tokenizer made from ranks"):
        again.save(tmp_path / "u.tiktoken")


def test_trees_are_not_changed_by_reading() -> None:
    from fissile.formats.json_reader import Reader
    from fissile.formats.tokenizer_json import _read

    root = tree()
    before = copy.deepcopy(root)
    _read(Reader("x"), root)
    assert root == before
