"""`fissile train` as a user runs it."""

import gzip
import json
from pathlib import Path

import pytest

import fissile
from fissile.cli import main
from reference.texts import library_text

TEXT = library_text(4000)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT)
    return path


def test_train_writes_a_tokenizer_and_a_report(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tokenizer.json"
    arguments = ["train", str(corpus), "--vocab-size", "280", "--pattern", "gpt2", "--special-token", "<|end|>"]
    assert main([*arguments, "--held-out", str(corpus), "-o", str(out)]) == 0
    tokenizer = fissile.Tokenizer.from_file(out)
    assert tokenizer.merges == fissile.train([corpus], 280, "gpt2", special_tokens=["<|end|>"]).merges
    assert tokenizer.special_tokens == {"<|end|>": 0}
    captured = capsys.readouterr()
    assert "280 ids" in captured.out
    assert "held-out text" in captured.out
    assert captured.err == ""


def test_train_writes_ranks(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.tiktoken"
    assert main(["train", str(corpus), "--vocab-size", "270", "-o", str(out)]) == 0
    assert fissile.Tokenizer.from_tiktoken(out, pattern="gpt4").n_vocab == 270


def test_train_goes_on_and_makes_superwords(corpus: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    common = ["train", str(corpus), "--pattern", "gpt2"]
    assert main([*common, "--vocab-size", "275", "-o", str(first)]) == 0
    options = ["--superword-at", "275", "--superword-unit", "document", "--continue-from", str(first)]
    assert main([*common, "--vocab-size", "280", *options, "-o", str(second)]) == 0
    merges = fissile.Tokenizer.from_file(second).merges
    assert merges[:19] == fissile.Tokenizer.from_file(first).merges
    assert len(merges) == 24


def test_a_checkpoint_stays_where_saving_fails(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state, out = tmp_path / "state", tmp_path / "t.json"
    arguments = ["train", str(corpus), "--vocab-size", "300", "--checkpoint", str(state), "-o", str(out)]

    def full(self: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fissile.TrainedTokenizer, "_as_json", full)
        assert main(arguments) == 1
    assert "No space" in capsys.readouterr().err
    assert state.exists()
    assert main([*arguments, "--checkpoint-seconds", "5"]) == 0
    assert out.exists()
    assert not state.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CORPUS", "--vocab-size", "10"], "vocab_size is 10"),
        (["CORPUS", "--vocab-size", "300", "--pattern", "nonsense"], "nonsense"),
        (["no such file", "--vocab-size", "300"], "no such file"),
        (["EMPTY", "--vocab-size", "300"], "empty"),
        (["CORPUS", "--vocab-size", "300", "-o", "NOWHERE"], "no such directory"),
        (["CORPUS", "--vocab-size", "300", "-o", "DIRECTORY"], "found a directory"),
        (["CORPUS", "--vocab-size", "300", "--checkpoint", "NOWHERE"], "no such directory"),
        (
            ["CORPUS", "--vocab-size", "300", "--superword-unit", "runs"],
            "--superword-unit: of no use without --superword-at",
        ),
        (["CORPUS", "--vocab-size", "300", "--no-superword-newline-end"], "--no-superword-newline-end: of no use"),
        (["COUNTS", "--vocab-size", "300", "--superword-at", "280"], "superword_inputs"),
        (
            ["COUNTS", "OTHER", "--vocab-size", "300"],
            "other.counts: counted with pattern 'gpt2', expected 'cl100k' as in",
        ),
        (["CORPUS", "--vocab-size", "300", "--held-out", "no such text"], "no such text"),
        (["CORPUS", "--vocab-size", "300", "-o", "EXTENSION"], ".json or .tiktoken"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    corpus: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "d.json").mkdir()
    fissile.count(corpus).save(tmp_path / "some.counts")
    fissile.count(corpus, "gpt2").save(tmp_path / "other.counts")
    before = {path.name for path in tmp_path.iterdir()}
    names = {"CORPUS": corpus, "EMPTY": tmp_path / "empty", "DIRECTORY": tmp_path / "d.json"}
    names |= {"COUNTS": tmp_path / "some.counts", "OTHER": tmp_path / "other.counts"}
    names |= {"NOWHERE": tmp_path / "nowhere" / "t.json", "EXTENSION": tmp_path / "t.bin"}
    spelt = [str(names.get(argument, argument)) for argument in arguments]
    if "-o" not in spelt:
        spelt += ["-o", str(tmp_path / "t.json")]
    assert main(["train", *spelt]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert "list of str" not in err
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [["--pad-to", "x"], ["--pad-to", "1.5"], ["--pad-to", "power_of_2"], ["--pad-to", "0"], ["--weights", "a"]],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "a", "--vocab-size", "300", "-o", "b.json", *arguments])
    assert f"found {arguments[1]!r}" in capsys.readouterr().err


def test_every_option_of_train_has_its_flag(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.json"
    command = ["train", str(corpus), "--vocab-size", "320", "-o", str(out)]

    def same(flags: list[str], **options: object) -> None:
        assert main([*command, *flags]) == 0
        assert fissile.Tokenizer.from_file(out) == fissile.train([corpus], 320, **options)  # type: ignore[arg-type]

    same(["--seed-token", "def", "--matched-token", "if not"], seed_tokens=["def"], matched_tokens=["if not"])
    same(["--reserved", "3", "--pad-to", "power_of_two"], reserved=3, pad_to="power_of_two")
    same(["--alphabet", "seen", "--pad-to", "64"], alphabet="seen", pad_to=64)
    same(["--alphabet", "seen", "--limit-alphabet", "40"], alphabet="seen", limit_alphabet=40)
    same(["--max-token-length", "2", "--length-unit", "chars"], max_token_length=2, length_unit="chars")
    same(["--max-token-length", "3", "--hf-compatible"], max_token_length=3, hf_compatible=True)
    same(["--weights", "0.5"], weights=[0.5])
    superwords = ["--superword-at", "290"]
    same(superwords, superword_at=290)
    same([*superwords, "--superword-words", "any"], superword_at=290, superword_words=None)
    same([*superwords, "--superword-words", "1"], superword_at=290, superword_words=1)
    flags = ["--superword-colon", "--no-superword-newline-end"]
    same([*superwords, *flags], superword_at=290, superword_colon=True, superword_newline_end=False)
    same([*superwords, "--superword-unit", "runs"], superword_at=290, superword_unit="runs")


def test_superwords_of_counts(corpus: Path, tmp_path: Path) -> None:
    fissile.count(corpus).save(tmp_path / "a.counts")
    fissile.count(corpus, "superbpe", sequence="document").save(tmp_path / "s.counts")
    expected = fissile.train([corpus], 300, superword_at=280)
    for second in (corpus, tmp_path / "s.counts"):
        arguments = ["--vocab-size", "300", "--superword-at", "280", "--superword-inputs", str(second)]
        assert main(["train", str(tmp_path / "a.counts"), *arguments, "-o", str(tmp_path / "t.json")]) == 0
        assert fissile.Tokenizer.from_file(tmp_path / "t.json") == expected


def test_held_out_text_is_read_as_any_input(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = tmp_path / "held.jsonl.gz"
    packed.write_bytes(gzip.compress(b"".join(json.dumps({"body": part}).encode() + b"\n" for part in ("one", "two"))))
    (tmp_path / "held.txt").write_text("one\ntwo")
    said = []
    for name in ("held.jsonl.gz", "held.txt"):
        arguments = ["train", str(corpus), "--vocab-size", "280", "--field", "body", "--held-out", str(tmp_path / name)]
        assert main([*arguments, "-o", str(tmp_path / "t.json")]) == 0
        said.append([line for line in capsys.readouterr().out.splitlines() if "held-out" in line])
    assert said[0] == said[1] != []
