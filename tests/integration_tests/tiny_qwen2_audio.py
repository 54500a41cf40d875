"""A Qwen2-Audio of random weights, small enough to be made in a second, in llama.cpp's format.

It takes audio (its answers change with the sound) and understands nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Weights = npt.NDArray[np.float32]

NAME = "tiny-qwen2-audio"
CONTEXT = 2048

_WIDTH, _HIDDEN, _LAYERS, _HEADS = 128, 256, 2, 4  # of the language model
_EAR_WIDTH, _EAR_HIDDEN, _EAR_LAYERS, _EAR_HEADS, _MELS = 64, 128, 2, 2, 128

# One token a byte, as GPT-2 writes bytes: printable ones as themselves, the others after 255.
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
_BYTES = [chr(byte if byte in _PRINTABLE else 256 + byte) for byte in range(256)]
_SPECIAL = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"),
]
_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' + (message.content or '') + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""

_random = np.random.default_rng(0)


def make(folder: Path) -> tuple[Path, Path]:
    """Write the language model and the audio encoder, and return their paths."""
    model, ear = folder / "model.gguf", folder / "ear.gguf"
    _write_model(gguf.GGUFWriter(model, "qwen2"))
    _write_ear(gguf.GGUFWriter(ear, "clip"))
    return model, ear


def _some(*shape: int, scale: float = 0.3) -> Weights:
    return (_random.standard_normal(shape) * scale).astype(np.float32)


def _ones(size: int) -> Weights:
    return np.ones(size, np.float32)


def _write_model(writer: gguf.GGUFWriter) -> None:
    tokens = [*_BYTES, "ab", *_SPECIAL]
    tokens += [f"<|pad{number}|>" for number in range(-len(tokens) % 32)]
    plain = len(_BYTES) + 1
    types = [gguf.TokenType.NORMAL] * plain + [gguf.TokenType.CONTROL] * (len(tokens) - plain)
    end = tokens.index("<|im_end|>")
    writer.add_name(NAME)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_HIDDEN)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["a b"])  # the format requires one
    writer.add_eos_token_id(end)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(value=False)
    writer.add_chat_template(_TEMPLATE)
    output = _some(len(tokens), _WIDTH)
    output[[not ("!" <= token <= "~") for token in tokens]] = 0  # it says what can be printed,
    output[end] = _some(_WIDTH)  # and comes to an end
    writer.add_tensor("token_embd.weight", _some(len(tokens), _WIDTH))
    writer.add_tensor("output_norm.weight", _ones(_WIDTH))
    writer.add_tensor("output.weight", output)
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}{name}.weight", _ones(_WIDTH))
        for name in ("attn_q", "attn_k", "attn_v"):
            writer.add_tensor(f"{block}{name}.bias", _some(_WIDTH))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}{name}.weight", _some(_WIDTH, _WIDTH))
        for name in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"{block}{name}.weight", _some(_HIDDEN, _WIDTH))
        writer.add_tensor(f"{block}ffn_down.weight", _some(_WIDTH, _HIDDEN))
    _close(writer)


def _write_ear(writer: gguf.GGUFWriter) -> None:
    writer.add_name(NAME)
    writer.add_type("mmproj")
    writer.add_file_type(0)
    writer.add_bool("clip.has_audio_encoder", val=True)
    writer.add_string("clip.projector_type", "qwen2a")
    for name, value in {
        "embedding_length": _EAR_WIDTH,
        "feed_forward_length": _EAR_HIDDEN,
        "block_count": _EAR_LAYERS,
        "projection_dim": _WIDTH,
        "attention.head_count": _EAR_HEADS,
        "num_mel_bins": _MELS,
    }.items():
        writer.add_uint32(f"clip.audio.{name}", value)
    writer.add_float32("clip.audio.attention.layer_norm_epsilon", 1e-5)
    for number, channels in ((1, _MELS), (2, _EAR_WIDTH)):
        kernel = _some(_EAR_WIDTH, channels, 3, scale=0.1).astype(np.float16)
        writer.add_tensor(f"a.conv1d.{number}.weight", kernel)
        writer.add_tensor(f"a.conv1d.{number}.bias", _some(_EAR_WIDTH, 1, scale=0.1))
    writer.add_tensor("a.position_embd.weight", _some(1500, _EAR_WIDTH, scale=0.1))
    for layer in range(_EAR_LAYERS):
        block = f"a.blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            writer.add_tensor(f"{block}{name}.weight", _some(_EAR_WIDTH, _EAR_WIDTH))
        for name in ("attn_q", "attn_v", "attn_out", "ffn_down"):
            writer.add_tensor(f"{block}{name}.bias", _some(_EAR_WIDTH))
        writer.add_tensor(f"{block}ffn_up.weight", _some(_EAR_HIDDEN, _EAR_WIDTH))
        writer.add_tensor(f"{block}ffn_up.bias", _some(_EAR_HIDDEN))
        writer.add_tensor(f"{block}ffn_down.weight", _some(_EAR_WIDTH, _EAR_HIDDEN))
        _add_norm(writer, f"{block}ln1")
        _add_norm(writer, f"{block}ln2")
    _add_norm(writer, "a.post_ln")
    writer.add_tensor("mm.a.fc.weight", _some(_WIDTH, _EAR_WIDTH))
    writer.add_tensor("mm.a.fc.bias", _some(_WIDTH))
    _close(writer)


def _add_norm(writer: gguf.GGUFWriter, name: str) -> None:
    writer.add_tensor(f"{name}.weight", _ones(_EAR_WIDTH))
    writer.add_tensor(f"{name}.bias", np.zeros(_EAR_WIDTH, np.float32))


def _close(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
