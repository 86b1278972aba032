"""What surrounds the vocabulary in the tokenizer.json of published models, from memory of the files on the hub."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """One model's file, without its vocabulary.

    Attributes:
        normalizer, pre_tokenizer, decoder: nodes of the file.
        model: options of its model.
        post_processor: its node, by the ids of added tokens.
        added_tokens: entries without ids.
        first_tokens: of the vocabulary, after the unknown one.
    """

    normalizer: Json | None = None
    pre_tokenizer: Json | None = None
    decoder: Json | None = None
    model: Json = field(default_factory=dict)
    post_processor: Callable[[dict[str, int]], Json | None] = lambda ids: None
    added_tokens: list[Json] = field(default_factory=list)
    first_tokens: list[str] = field(default_factory=list)


# --- nodes ------------------------------------------------------------------------------------------------------------


def token(content: str, special: bool = True, **flags: bool) -> Json:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": special}
    return {"content": content} | plain | flags


def tokens(*contents: str, special: bool = True, **flags: bool) -> list[Json]:
    return [token(content, special, **flags) for content in contents]


def byte_level(prefix: bool = False, use_regex: bool = True, trim: bool = True) -> Json:
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": use_regex}


def split(regex: str, behavior: str = "Isolated", invert: bool = False) -> Json:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def replace(pattern: Json, content: str) -> Json:
    return {"type": "Replace", "pattern": pattern, "content": content}


def digits(individual: bool) -> Json:
    return {"type": "Digits", "individual_digits": individual}


def normalizers(*nodes: Json) -> Json:
    return {"type": "Sequence", "normalizers": list(nodes)}


def pre_tokenizers(*nodes: Json) -> Json:
    return {"type": "Sequence", "pretokenizers": list(nodes)}


def decoders(*nodes: Json) -> Json:
    return {"type": "Sequence", "decoders": list(nodes)}


def metaspace(scheme: str, splits: bool = True) -> Json:
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": splits}


def template(before: list[str], after: list[str], *others: Json) -> Callable[[dict[str, int]], Json]:
    """TemplateProcessing, in a Sequence after others if there are some."""

    def node(ids: dict[str, int]) -> Json:
        def side(names: list[str], type_id: int) -> list[Json]:
            return [{"SpecialToken": {"id": name, "type_id": type_id}} for name in names]

        def text(name: str, type_id: int) -> list[Json]:
            return [*side(before, type_id), {"Sequence": {"id": name, "type_id": type_id}}, *side(after, type_id)]

        processing = {
            "type": "TemplateProcessing",
            "single": text("A", 0),
            "pair": [*text("A", 0), *text("B", 1)],
            "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in {*before, *after}},
        }
        return {"type": "Sequence", "processors": [*others, processing]} if others else processing

    return node


def roberta(cls: str, sep: str, trim: bool = True, prefix: bool = False) -> Callable[[dict[str, int]], Json]:
    return lambda ids: {
        "type": "RobertaProcessing",
        "sep": [sep, ids[sep]],
        "cls": [cls, ids[cls]],
        "trim_offsets": trim,
        "add_prefix_space": prefix,
    }


def spaces(first: int, last: int) -> list[Json]:
    """Runs of spaces as tokens, as GPT-NeoX and Phi have them."""
    return [token(" " * n, special=False, normalized=True) for n in range(last, first - 1, -1)]


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTION}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
HAN = r"\p{Han}"
KIMI = "|".join(
    [
        r"[\p{Han}]+",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
DEEPSEEK_LETTERS = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼ"
    "ℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
)
LLAMA_NORMALIZER = normalizers({"type": "Prepend", "prepend": "\u2581"}, replace({"String": " "}, "\u2581"))
BYTE_FALLBACK, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
SPACES_BACK = replace({"String": "\u2581"}, " ")
LLAMA_DECODER = decoders(SPACES_BACK, BYTE_FALLBACK, FUSE, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
GEMMA_DECODER = decoders(SPACES_BACK, BYTE_FALLBACK, FUSE)
LLAMA_MODEL = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
PLAIN = byte_level(use_regex=False)
GPT2_DECODER = byte_level(prefix=True)
BPE_DECODER = {"type": "BPEDecoder", "suffix": "</w>"}
CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def bert(lowercase: bool, strip_accents: bool | None, chinese: bool = True, clean: bool = True) -> Json:
    return {
        "type": "BertNormalizer",
        "clean_text": clean,
        "handle_chinese_chars": chinese,
        "strip_accents": strip_accents,
        "lowercase": lowercase,
    }


def gpt2(**changes: Any) -> Published:
    """A file like GPT-2's."""
    return Published(
        **{
            "pre_tokenizer": byte_level(),
            "decoder": GPT2_DECODER,
            "post_processor": lambda ids: byte_level(trim=False),
            "added_tokens": tokens("<|endoftext|>", normalized=True),
        }
        | changes
    )


def regex_split(regex: str, **changes: Any) -> Published:
    """A file like Llama 3's."""
    return Published(**{"pre_tokenizer": pre_tokenizers(split(regex), PLAIN), "decoder": GPT2_DECODER} | changes)


CHAT = tokens("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ROBERTA = [*tokens("<s>", "<pad>", "</s>", "<unk>", normalized=True), token("<mask>", lstrip=True)]

MODELS = {
    # --- as GPT-2 ---
    "GPT-2": gpt2(),
    "RoBERTa": gpt2(post_processor=roberta("<s>", "</s>"), added_tokens=ROBERTA),
    "LayoutLMv3": gpt2(
        pre_tokenizer=byte_level(prefix=True), post_processor=roberta("<s>", "</s>", prefix=True), added_tokens=ROBERTA
    ),
    "OPT": gpt2(
        post_processor=template(["</s>"], []), added_tokens=tokens("</s>", "<pad>", "<unk>", "<s>", normalized=True)
    ),
    "Phi": gpt2(
        post_processor=lambda ids: byte_level(),
        added_tokens=[*tokens("<|endoftext|>"), *spaces(2, 31), *(token("\t" * n, False, normalized=True) for n in (3, 2))],
    ),
    "GPT-NeoX": gpt2(
        normalizer={"type": "NFC"},
        post_processor=lambda ids: byte_level(),
        added_tokens=[*tokens("<|endoftext|>", "<|padding|>"), *spaces(2, 24)],
    ),
    "ModernBERT": gpt2(
        normalizer={"type": "NFC"},
        post_processor=template(["[CLS]"], ["[SEP]"]),
        added_tokens=[
            *tokens("<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]"),
            token("[MASK]", lstrip=True),
            *spaces(2, 24),
            *tokens("|||IP_ADDRESS|||", special=False, normalized=True),
        ],
    ),
    "Whisper": gpt2(
        post_processor=template(["<|startoftranscript|>", "<|notimestamps|>"], ["<|endoftext|>"]),
        added_tokens=[
            *tokens("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"),
            *tokens(*(f"<|{i / 50:.2f}|>" for i in range(0, 1501, 50)), special=False),
        ],
    ),
    "StarCoder": gpt2(
        pre_tokenizer=pre_tokenizers(digits(True), byte_level()),
        post_processor=lambda ids: None,
        added_tokens=tokens("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>"),
    ),
    "SmolLM": gpt2(pre_tokenizer=pre_tokenizers(digits(True), byte_level()), added_tokens=CHAT),
    "Command-R": gpt2(
        normalizer={"type": "NFC"},
        pre_tokenizer=pre_tokenizers(digits(True), byte_level()),
        post_processor=template(["<BOS_TOKEN>"], [], byte_level()),
        added_tokens=tokens("<PAD>", "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
    ),
    "Falcon": gpt2(
        pre_tokenizer=pre_tokenizers(
            {"type": "Punctuation", "behavior": "Contiguous"}, byte_level(), digits(False), split("[0-9][0-9][0-9]")
        ),
        post_processor=lambda ids: None,
        added_tokens=tokens(">>TITLE<<", ">>ABSTRACT<<", "<|endoftext|>"),
    ),
    "BLOOM": gpt2(
        pre_tokenizer=pre_tokenizers(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), PLAIN),
        post_processor=lambda ids: byte_level(),
        added_tokens=tokens("<unk>", "<s>", "</s>", "<pad>"),
    ),
    "DeBERTa": gpt2(
        post_processor=template(["[CLS]"], ["[SEP]"]),
        added_tokens=[*tokens("[CLS]", "[PAD]", "[SEP]", "[UNK]"), token("[MASK]", lstrip=True)],
    ),
    "CTRL of words": gpt2(
        pre_tokenizer=pre_tokenizers({"type": "WhitespaceSplit"}, byte_level(prefix=True, use_regex=False))
    ),
    "bytes by the normalizer": gpt2(
        normalizer=normalizers({"type": "NFC"}, {"type": "ByteLevel"}), pre_tokenizer=None, added_tokens=CHAT
    ),
    "bytes by the normalizer, split": gpt2(
        normalizer={"type": "ByteLevel"},
        pre_tokenizer=split(r"Ġ?[^ĠĊ]+"),
        added_tokens=[*CHAT, token("naïve word", False, normalized=True)],
    ),
    # --- as Llama 3 ---
    "Llama 3": regex_split(
        LLAMA3,
        model={"ignore_merges": True},
        post_processor=template(["<|begin_of_text|>"], [], byte_level()),
        added_tokens=tokens("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
    ),
    "Llama 4": regex_split(O200K, post_processor=template(["<|begin_of_text|>"], [], byte_level()), added_tokens=tokens("<|begin_of_text|>", "<|eot|>")),
    "gpt-oss": regex_split(O200K, added_tokens=tokens("<|startoftext|>", "<|endoftext|>", "<|channel|>", "<|message|>")),
    "Tekken": regex_split(TEKKEN, model={"ignore_merges": True}, post_processor=template(["<s>"], []), added_tokens=tokens("<unk>", "<s>", "</s>", "[INST]", "[/INST]")),
    "Kimi": regex_split(KIMI, added_tokens=tokens("[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>")),
    "Qwen": regex_split(
        QWEN2,
        normalizer={"type": "NFC"},
        post_processor=lambda ids: byte_level(trim=False, use_regex=False),
        added_tokens=[*CHAT, *tokens("<tool_call>", "</tool_call>", "<think>", "</think>", special=False)],
    ),
    "OLMo 2": regex_split(LLAMA3, normalizer={"type": "NFC"}, added_tokens=CHAT),
    "GLM-4": regex_split(LLAMA3, added_tokens=tokens("<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<|user|>")),
    "DeepSeek LLM": Published(
        normalizer=normalizers(),
        pre_tokenizer=pre_tokenizers(
            split(r"[\r\n]"), split(rf"\s?[{DEEPSEEK_LETTERS}]+"), split(r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"), split(r"\s+$"),
            split("[一-龥ࠀ-一가-퟿]+"), digits(True), PLAIN,
        ),
        decoder=GPT2_DECODER,
        post_processor=template(["<｜begin▁of▁sentence｜>"], []),
        added_tokens=tokens("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", normalized=True),
    ),
    "DeepSeek Coder": Published(
        normalizer=normalizers(),
        pre_tokenizer=pre_tokenizers(
            split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"), digits(True), PLAIN,
        ),
        decoder=GPT2_DECODER,
        post_processor=template(["<｜begin▁of▁sentence｜>"], []),
        added_tokens=[
            *tokens("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", normalized=True),
            *tokens("õ", "÷", "Á", "<｜fim▁hole｜>", special=False, normalized=True),
        ],
    ),
    # --- from SentencePiece ---
    "Llama 2": Published(
        LLAMA_NORMALIZER, None, LLAMA_DECODER, LLAMA_MODEL, template(["<s>"], []),
        tokens("<unk>", "<s>", "</s>"),
    ),
    "Llama 2 with normalized tokens": Published(
        LLAMA_NORMALIZER, None, LLAMA_DECODER, LLAMA_MODEL, template(["<s>"], []),
        [*tokens("<unk>", "<s>", "</s>", normalized=True), *tokens("<pad>", "[tool]", "two words", special=False, normalized=True)],
    ),
    "Mistral 3": Published(
        None, metaspace("first", False), LLAMA_DECODER, LLAMA_MODEL, template(["<s>"], []),
        tokens("<unk>", "<s>", "</s>", "[INST]", "[/INST]"),
    ),
    "Gemma": Published(
        replace({"String": " "}, "\u2581"),
        {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        GEMMA_DECODER, LLAMA_MODEL, template(["<bos>"], []),
        [*tokens("<pad>", "<eos>", "<bos>", "<unk>"), *tokens("<mask>", "\n\n", "\n\n\n", "\u2581\u2581", "\u2581\u2581\u2581", "<table>", special=False)],
    ),
    "Yi": Published(
        replace({"String": " "}, "\u2581"), None, GEMMA_DECODER, LLAMA_MODEL, lambda ids: None,
        tokens("<unk>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    ),
    "legacy Metaspace": Published(
        None, {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True},
        {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}, {"unk_token": "<unk>", "fuse_unk": True},
        template(["<s>"], ["</s>"]), tokens("<unk>", "<s>", "</s>"),
    ),
    # --- with affixes ---
    "CLIP": Published(
        normalizers({"type": "NFC"}, replace({"Regex": r"\s+"}, " "), {"type": "Lowercase"}),
        pre_tokenizers(split(CLIP_WORDS, "Removed", True), byte_level()),
        GPT2_DECODER,
        {"unk_token": "<|endoftext|>", "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": False},
        roberta("<|startoftext|>", "<|endoftext|>", trim=False),
        tokens("<|startoftext|>", "<|endoftext|>", normalized=True),
    ),
    "GPT": Published(
        bert(True, None), {"type": "BertPreTokenizer"}, BPE_DECODER,
        {"unk_token": "<unk>", "end_of_word_suffix": "</w>", "continuing_subword_prefix": ""},
        lambda ids: None, tokens("<unk>"),
    ),
    "HerBERT": Published(
        bert(False, False), {"type": "BertPreTokenizer"}, BPE_DECODER,
        {"unk_token": "<unk>", "end_of_word_suffix": "</w>", "fuse_unk": True},
        lambda ids: {"type": "BertProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]]},
        tokens("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
    ),
    "XLM": Published(
        normalizers({"type": "NFKC"}, {"type": "Lowercase"}), {"type": "WhitespaceSplit"}, BPE_DECODER,
        {"end_of_word_suffix": "</w>"}, lambda ids: None, tokens("<special0>", "<special1>"),
    ),
    "subwords with a prefix": Published(
        bert(False, True, clean=False), {"type": "Whitespace"}, {"type": "WordPiece", "prefix": "##", "cleanup": True},
        {"unk_token": "[UNK]", "continuing_subword_prefix": "##"}, lambda ids: None, tokens("[UNK]", "[CLS]"),
    ),
    "subwords with both": Published(
        bert(False, True, chinese=False), {"type": "WhitespaceSplit"}, BPE_DECODER,
        {"unk_token": "[UNK]", "continuing_subword_prefix": "@@", "end_of_word_suffix": "</w>", "fuse_unk": True},
        lambda ids: None, tokens("[UNK]", "[CLS]"),
    ),
}  # fmt: skip
