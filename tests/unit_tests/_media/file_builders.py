"""Parts of files of some formats, made byte by byte, so that they can say whatever is wanted."""

from __future__ import annotations

import struct
import zlib


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def table(kind: bytes, *numbers: int, body: bytes = b"", flags: int = 0) -> bytes:
    return box(kind, struct.pack(f">I{len(numbers)}I", flags, *numbers), body)


def mp4(
    *,
    codec: bytes = b".mp3",
    dref: bytes = b"",
    samples: tuple[int, int] = (2, 100),
    step: int = 1024,
    fragment: bytes = b"",
) -> bytes:
    """Make an MP4 file with one track, whose tables say what is wanted.

    Args:
        codec: The code of its codec.
        dref: Where its sound is, if not in this file.
        samples: Bytes of each packet, and how many there are.
        step: Duration of each packet.
        fragment: What follows the tables.
    """
    size, count = samples
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    entry = box(codec, bytes(6), struct.pack(">HQHHII", 1, 0, 1, 16, 0, 16_000 << 16))
    times = (0, 0, 1000, 1000)
    head = (0x10000, 0x01000000, 0, 0)
    return (
        box(b"ftyp", b"M4A \0\0\0\0M4A mp42")
        + box(
            b"moov",
            table(b"mvhd", *times, *head, body=matrix + bytes(24) + struct.pack(">I", 2)),
            box(
                b"trak",
                table(
                    b"tkhd", 0, 0, 1, 0, 1000, 0, 0, 0, 0x01000000, body=matrix + bytes(8), flags=7
                ),
                box(
                    b"mdia",
                    table(b"mdhd", 0, 0, 16_000, 16_000, 0x55C40000),
                    table(b"hdlr", 0, body=b"soun" + bytes(12) + b"s\0"),
                    box(
                        b"minf",
                        table(b"smhd", 0),
                        box(b"dinf", table(b"dref", 1, body=dref or table(b"url ", flags=1))),
                        box(
                            b"stbl",
                            table(b"stsd", 1, body=entry),
                            table(b"stts", 1, count, step),
                            table(b"stsc", 1, 1, count, 1),
                            table(b"stsz", size, count),
                            table(b"stco", 1, 600),
                        ),
                    ),
                ),
            ),
            *([box(b"mvex", table(b"trex", 1, 1, 1024, 1, 0))] if fragment else []),
        )
        + (fragment or box(b"mdat", bytes(256)))
    )


def fmt(channels: int, rate: int, *, tag: int = 1, bits: int = 16, size: int = 3_200) -> bytes:
    """Make a WAV file whose header says what is wanted."""
    align = channels * bits // 8 & 0xFFFF
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    return (
        b"RIFF\x24\x0c\0\0WAVEfmt \x10\0\0\0"
        + head
        + b"data"
        + size.to_bytes(4, "little")
        + bytes(3_200)
    )


def caf(channels: int, rate: float) -> bytes:
    head = struct.pack(">d4sIIIII", rate, b"lpcm", 0, 2, 1, channels, 16)
    return (
        b"caff\0\1\0\0desc"
        + struct.pack(">Q", 32)
        + head
        + b"data"
        + struct.pack(">QI", 3_204, 0)
        + bytes(3_200)
    )


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def id3(frames: bytes, size: int | None = None) -> bytes:
    size = len(frames) if size is None else size
    bytes_of_size = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + bytes_of_size + frames


def packed_zeros(size: int) -> bytes:
    """Pack whole megabytes of zeros, of which one is packed and the others are its copies."""
    packer = zlib.compressobj(wbits=-15)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = size % 65_521 << 16 | 1
    return b"\x78\x9c" + megabyte * (size >> 20) + b"\3\0" + checksum.to_bytes(4, "big")


def packed_frame(kind: bytes, size: int) -> bytes:
    """Make an ID3v2.4 frame of zeros, packed."""
    packed = packed_zeros(size)
    sizes = (len(packed) + 4, size)
    coded = [bytes(n >> shift & 0x7F for shift in (21, 14, 7, 0)) for n in sizes]
    return kind + coded[0] + b"\0\x09" + coded[1] + packed


def adts_head(rate: int, size: int) -> bytes:
    """Make the header of an AAC frame, of the sample rate with this number and so many bytes."""
    return bytes([0xFF, 0xF1, 0x40 | rate << 2, 0x40 | size >> 11, size >> 3 & 0xFF, size << 5 & 0xE0 | 0x1F, 0xFC])  # fmt: skip  # noqa: E501


def nodata_amr(hours: float) -> bytes:
    """Make a recording of a telephone on which nobody speaks, a byte for each frame."""
    return b"#!AMR\n" + b"\x7c" * round(hours * 3600 * 50)


def without_length(flac: bytes) -> bytes:
    """Take the length out of the header of a FLAC file."""
    return patched(flac, 21, bytes([flac[21] & 0xF0, 0, 0, 0, 0]))
