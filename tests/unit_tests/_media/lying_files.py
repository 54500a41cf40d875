"""Small files, in every container that is read, that make FFmpeg take much memory or time.

None of them is looked for by the package: it bounds what decoding takes, whatever a file says.
"""

from __future__ import annotations

import base64
import functools
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING

from tests.unit_tests._media.file_builders import (
    box,
    fmt,
    id3,
    mp4,
    packed_frame,
    packed_zeros,
    patched,
    table,
)
from tests.unit_tests.made_files import ogg_checksum
from tests.unit_tests.recordings import read

if TYPE_CHECKING:
    from collections.abc import Callable

HUGE = 2**31 - 2**12
UNPACKED = 512 << 20


def chunk(name: bytes, body: bytes, size: int | None = None, order: str = "<") -> bytes:
    """Make a chunk of RIFF (`<`) or IFF (`>`), which may say that it is larger than it is."""
    return name + struct.pack(f"{order}I", len(body) if size is None else size) + body


def riff(kind: bytes, *chunks: bytes) -> bytes:
    return chunk(b"RIFF", kind + b"".join(chunks))


@functools.cache
def bomb() -> bytes:
    """Make an ID3 tag whose frames unpack to much more."""
    frame = packed_frame(b"TIT2", 200 << 20)
    return id3(frame * 4)


# --- WAV, AIFF and their kind ---

WAV_FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16))
AIFF_COMM = chunk(
    b"COMM", struct.pack(">HIH", 1, 1_600, 16) + bytes.fromhex("400cfa00000000000000"), order=">"
)
AIFF_SSND = chunk(b"SSND", bytes(3_208), order=">")


def wav_info(size: int = HUGE) -> bytes:
    info = b"INFO" + chunk(b"INAM", b"", size - 64)
    return b"RIFF\x40\0\0\0WAVE" + WAV_FMT + chunk(b"LIST", info, size)


def wav_with(*chunks: bytes) -> bytes:
    return riff(b"WAVE", WAV_FMT, *chunks, chunk(b"data", bytes(3_200)))


def aiff_with(*chunks: bytes, kind: bytes = b"AIFF") -> bytes:
    body = kind + b"".join(chunks) + AIFF_COMM + AIFF_SSND
    return chunk(b"FORM", body, order=">")


def w64(guid: bytes, size: int) -> bytes:
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    head = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + struct.pack("<Q", 2**40)
    head += b"wave" + tail
    return (
        head
        + (b"fmt " + tail + struct.pack("<Q", 40) + WAV_FMT[8:])
        + (guid + struct.pack("<Q", size) + bytes(64))
    )


def caf_with(kind: bytes, size: int, body: bytes) -> bytes:
    head = struct.pack(">d4sIIIII", 16_000.0, b"lpcm", 0, 2, 1, 1, 16)
    chunks = b"desc" + struct.pack(">Q", 32) + head + kind + struct.pack(">Q", size) + body
    return b"caff\0\1\0\0" + chunks


# --- the MP4 family ---


def moved_table(outer: bytes, first: bytes = b"") -> bytes:
    """Hide an absurd table of samples in a box, in a file that begins with another one."""
    film = mp4(samples=(1, 60_000_000))
    start = int.from_bytes(film[:4], "big")
    at = film.index(b"stbl") - 4
    size = int.from_bytes(film[at : at + 4], "big")
    moved = box(outer, film[at : at + size])
    changed = bytearray(film[:at] + moved + film[at + size :])
    for name in (b"moov", b"trak", b"mdia", b"minf"):
        place = changed.index(name) - 4
        grown = int.from_bytes(changed[place : place + 4], "big") + 8
        changed[place : place + 4] = grown.to_bytes(4, "big")
    return (box(first, bytes(8)) if first else bytes(changed[:start])) + bytes(changed[start:])


def packed_index() -> bytes:
    film = mp4(samples=(1, 60_000_000))
    start, end = film.index(b"moov") - 4, film.index(b"mdat") - 4
    moov = film[start:end]
    packed = box(b"cmvd", struct.pack(">I", len(moov)), zlib.compress(moov))
    cmov = box(b"cmov", box(b"dcom", b"zlib"), packed)
    return film[:start] + box(b"moov", cmov) + film[end:]


def mp4_with(kind: bytes, *numbers: int, size: int | None = None, body: bytes = b"") -> bytes:
    """Put a table before the ones of a track, which may say that it is larger than it is."""
    film = mp4()
    added = bytearray(table(kind, *numbers, body=body))
    if size is not None:
        added[:4] = size.to_bytes(4, "big")
    at = film.index(b"stts") - 4
    changed = bytearray(film[:at] + added + film[at:])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = changed.index(name) - 4
        grown = int.from_bytes(changed[place : place + 4], "big") + len(added)
        changed[place : place + 4] = grown.to_bytes(4, "big")
    return bytes(changed)


def mp4_of_64_bits(kind: bytes, size: int) -> bytes:
    """Give a box a size of 64 bits; a box of its own, before all, if there is none of the kind."""
    film = mp4()
    if kind not in film:
        film = box(kind, bytes(8)) + film
    at = film.index(kind) - 4
    return film[:at] + struct.pack(">I4sQ", 1, kind, size) + film[at + 8 :]


def many_tracks(count: int) -> bytes:
    film = mp4()
    at = film.index(b"trak") - 4
    track = film[at : at + int.from_bytes(film[at : at + 4], "big")]
    moov = film.index(b"moov") - 4
    head = film[moov + 8 : at]
    return film[:moov] + box(b"moov", head, track * count) + box(b"mdat", bytes(64))


# --- Matroska ---


def ebml(name: int, body: bytes, size: int | None = None) -> bytes:
    """Make an element, which may say that it is larger than it is."""
    length = len(body) if size is None else size
    head = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return head + (1 << 56 | length).to_bytes(8, "big") + body


def matroska(*elements: bytes, track: bytes = b"") -> bytes:
    audio = ebml(0xE1, ebml(0xB5, struct.pack(">f", 16_000)) + ebml(0x9F, b"\1"))
    entry = ebml(0xD7, b"\1") + ebml(0x73C5, b"\1") + ebml(0x83, b"\2")
    entry += ebml(0x86, b"A_PCM/INT/LIT") + audio + track
    tracks = ebml(0x1654AE6B, ebml(0xAE, entry))
    head = ebml(0x1A45DFA3, ebml(0x4282, b"matroska"))
    return head + ebml(0x18538067, tracks + b"".join(elements), 2**40)


def packed_blocks() -> bytes:
    """Make packets that unpack to a thousand times as much."""
    coding = ebml(0x5034, ebml(0x4254, b"\0"))
    encodings = ebml(0x6D80, ebml(0x6240, coding))
    block = ebml(0xA3, b"\x81\0\0\x80" + packed_zeros(UNPACKED))
    return matroska(ebml(0x1F43B675, ebml(0xE7, b"\0") + block * 2), track=encodings)


def deep_tags(depth: int) -> bytes:
    text = ebml(0x45A3, b"A") + ebml(0x4487, b"B")
    tags, size = [b""], 0
    for _ in range(depth):
        tags.append(ebml(0x67C8, text, len(text) + size))
        size += len(tags[-1])
    return matroska(ebml(0x1254C367, ebml(0x7373, b"".join(reversed(tags)))))


def matroska_tracks(count: int) -> bytes:
    entry = ebml(0xD7, b"\1") + ebml(0x83, b"\2") + ebml(0x86, b"A_AAC")
    return matroska(ebml(0x1654AE6B, ebml(0xAE, entry) * count))


# --- Ogg and FLAC ---


def page(body: bytes, serial: int = 1, number: int = 0, flags: int = 2) -> bytes:
    """Make an Ogg page of one packet, or of a part of one."""
    lacing = bytes([255] * (len(body) // 255)) + bytes([len(body) % 255])
    lacing = lacing[:255]
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, 0, serial, number, 0)
    data = bytearray(head + bytes([len(lacing)]) + lacing + body)
    data[22:26] = ogg_checksum(bytes(data)).to_bytes(4, "little")
    return bytes(data)


OPUS_HEAD = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48_000, 0, 0)


def ogg_streams(count: int) -> bytes:
    return b"".join(page(OPUS_HEAD, serial=number) for number in range(1, count))


def ogg_comments(count: int) -> bytes:
    """Make comments that go on over many pages: one with a picture, and many small ones."""
    comments = b"".join(struct.pack("<I", 3) + b"A=B" for _ in range(count))
    picture = struct.pack(">II", 3, HUGE) + bytes(24)
    text = b"METADATA_BLOCK_PICTURE=" + base64.b64encode(picture)
    body = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", count + 1)
    body += struct.pack("<I", len(text)) + text + comments
    step = 255 * 255
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    pages = (page(it, 1, n + 1, 0 if n == 0 else 1) for n, it in enumerate(pieces))
    return page(OPUS_HEAD) + b"".join(pages)


def flac_with(kind: int, body: bytes, size: int | None = None) -> bytes:
    flac = read("speech.flac")
    length = len(body) if size is None else size
    added = bytes([kind]) + length.to_bytes(3, "big") + body
    return flac[:4] + bytes([flac[4] & 0x7F]) + flac[5:42] + added + flac[42:]


def flac_pictures(count: int) -> bytes:
    picture = struct.pack(">II", 3, 9) + b"image/png" + bytes(20) + struct.pack(">I", 2**24 - 64)
    return (
        read("speech.flac")[:42].replace(b"fLaC\x80", b"fLaC\0")
        + (b"\6\xff\xff\xff" + picture) * count
    )


# --- others ---

ASF_GUID = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


def asf(guid: str, body: bytes, size: int) -> bytes:
    inner = bytes.fromhex(guid) + struct.pack("<Q", size) + body
    return ASF_GUID + struct.pack("<QIBB", 30 + len(inner), 1, 1, 2) + inner


def asf_names(count: int) -> bytes:
    entry = struct.pack("<H", 2) + b"a\0" + struct.pack("<HI", 0, HUGE)
    body = struct.pack("<H", 65_535) + entry * count
    return asf("40a4d0d207e3d21197f000a0c95ea850", body, len(body) + 24)


def avi(*extra: bytes, streams: int = 1) -> bytes:
    strh = chunk(b"strh", b"auds" + bytes(16) + struct.pack("<7I", 1, 16_000, 0, 1600, 0, 0, 2))
    strf = chunk(b"strf", WAV_FMT[8:])
    stream = chunk(b"LIST", b"strl" + strh + strf + b"".join(extra))
    main = chunk(b"avih", struct.pack("<14I", 0, 0, 0, 16, 0, 0, streams, *[0] * 7))
    head = chunk(b"LIST", b"hdrl" + main + stream * streams)
    return riff(b"AVI ", head, chunk(b"LIST", b"movi" + chunk(b"00wb", bytes(3_200))))


def avi_index(count: int) -> bytes:
    entry = struct.pack("<4sIII", b"00wb", 16, 4, 1)
    return avi() + chunk(b"idx1", entry * count, HUGE)


def flv(body: bytes) -> bytes:
    tag = b"\x12" + len(body).to_bytes(3, "big") + bytes(7) + body
    return b"FLV\1\4\0\0\0\x09\0\0\0\0" + tag + struct.pack(">I", len(tag))


def flv_keyframes(count: int) -> bytes:
    values = struct.pack(">I", count) + (b"\0" + struct.pack(">d", 1e9)) * 10
    frames = b"\3\0\5times\x0a" + values + b"\0\x0dfilepositions\x0a" + values
    return flv(b"\2\0\x0aonMetaData\x08\0\0\0\1\0\x09keyframes" + frames)


def flv_nested(depth: int) -> bytes:
    return flv(b"\2\0\x0aonMetaData" + b"\x08\0\0\0\1\0\1a" * depth)


def ape(frames: int, seek_bytes: int) -> bytes:
    head = struct.pack("<HHIIIIII", 3990, 0, 52, 24, seek_bytes, 0, 0, 0)
    body = struct.pack("<HHIIIHHI", 2000, 0, 73_728, 73_728, frames, 16, 1, 16_000)
    return b"MAC " + head + bytes(16) + body + bytes(4_000)


def tta(samples: int) -> bytes:
    head = b"TTA1" + struct.pack("<HHHII", 1, 1, 16, 1_000, samples)
    return head + zlib.crc32(head).to_bytes(4, "little") + bytes(4_000)


def wavpack(samples: int) -> bytes:
    block = struct.pack("<4sIHBBIIIII", b"wvpk", 1_024, 0x410, 0, 0, samples, 0, samples, 0x1821, 0)
    return (block + b"\x8d\xff\xff\xff" + bytes(996)) * 4


def real(size: int) -> bytes:
    head = b".RMF" + struct.pack(">IHII", 18, 0, 0, 4)
    prop = b"PROP" + struct.pack(">IH", 50, 0) + bytes(40)
    stream = struct.pack(">HIIIIIII", 0, 1, 1, 1, 1, 0, 0, 1_000) + b"\1a\1b"
    media = b"MDPR" + struct.pack(">IH", HUGE, 0) + stream + struct.pack(">I", size)
    return head + prop + media + b".ra\xfd" + struct.pack(">H", 4) + bytes(400)


def real_index(count: int) -> bytes:
    head = b".RMF" + struct.pack(">IHII", 18, 0, 0, 4)
    stream = struct.pack(">HIIIIIII", 0, 1, 1, 1, 1, 0, 0, 1_000) + b"\1a\1b\0\0\0\0"
    media = b"MDPR" + struct.pack(">IH", 10 + len(stream), 0) + stream
    return head + media * count


def transport_stream(programs: int) -> bytes:
    """Make MPEG-TS whose every program has a table of its own, which never ends."""
    packets = []
    for pid in range(programs):
        head = struct.pack(">BHB", 0x47, 0x4000 | pid % 8_191, 0x10)
        section = b"\0\x02\xbf\xff" + struct.pack(">H", pid & 0xFFFF) + b"\xc1\0\0\xe1\0\xf0\0"
        entry = b"\x0f" + struct.pack(">H", 0xE000 | pid % 8_191) + b"\xf0\0"
        packets.append((head + section + entry * 34).ljust(188, b"\xff")[:188])
    return b"".join(packets)


def program_stream(streams: int) -> bytes:
    pack = b"\0\0\1\xba\x44\0\4\0\4\1\0\0\3\xf8"
    pes = b"".join(
        b"\0\0\1" + bytes([0xC0 + number % 32]) + b"\xff\xff\x80\0\0" + bytes(64)
        for number in range(streams)
    )
    return pack + pes


def dsf() -> bytes:
    tag = bomb()
    head = b"DSD " + struct.pack("<QQQ", 28, 92 + 4_096 + len(tag), 92 + 4_096)
    form = struct.pack("<QIIIIIIQII", 52, 1, 0, 2, 1, 2_822_400, 1, 32_768, 4_096, 0)
    return head + b"fmt " + form + b"data" + struct.pack("<Q", 4_108) + bytes(4_096) + tag


def nist(size: int) -> bytes:
    head = f"NIST_1A\n{size:>7}\nsample_rate -i 16000\nchannel_count -i 1\n".encode()
    return head + b"a -s" + b"9" * 8 + b" " + b"x" * 500_000


def iff(kind: bytes, size: int) -> bytes:
    vhdr = chunk(b"VHDR", struct.pack(">IIIHBBI", 1_600, 0, 0, 16_000, 1, 0, 1 << 16), order=">")
    body = b"8SVX" + vhdr + chunk(kind, bytes(64), size, ">")
    return chunk(b"FORM", body, 2**31, ">")


def adts(tag: bytes) -> bytes:
    sound = read("speech.aac")
    return sound + tag + sound


def aac_tags(count: int) -> bytes:
    sound = read("speech.aac")
    return sound[:64] + id3(b"") * count + sound


LYING: dict[str, Callable[[], bytes]] = {
    "WAV, 2 GB of INFO": wav_info,
    "WAV, ID3 in a chunk": lambda: wav_with(chunk(b"id3 ", bomb())),
    "WAV, bext of 2 GB": lambda: wav_with(chunk(b"bext", bytes(602), HUGE)),
    "WAV, fmt of 2 GB": lambda: riff(b"WAVE", chunk(b"fmt ", WAV_FMT[8:], HUGE)),
    "WAV, XMA with packets of 2 GB": lambda: fmt(1, 16_000, tag=0x0166, bits=0xFFFF),
    "AIFF, ID3 in a chunk": lambda: aiff_with(chunk(b"ID3 ", bomb(), order=">")),
    "AIFF, 2 GB of NAME": lambda: aiff_with(chunk(b"NAME", b"", HUGE, ">")),
    "AIFC, 2 GB of wave": lambda: aiff_with(chunk(b"wave", bytes(16), HUGE, ">"), kind=b"AIFC"),
    "W64, 2 GB of summary": lambda: w64(
        bytes.fromhex("bc945f925a52d2118669") + bytes(6), 2**31 - 64
    ),
    "W64, fmt of 2 GB": lambda: patched(w64(b"data" + bytes(12), 64), 56, struct.pack("<Q", HUGE)),
    "CAF, 2^32 texts": lambda: caf_with(b"info", HUGE, b"\xff" * 4 + b"a\0b\0" * 100_000),
    "CAF, 2 GB of cookie": lambda: caf_with(b"kuki", HUGE, bytes(64)),
    "CAF, 2^31 packets": lambda: caf_with(
        b"pakt", HUGE, struct.pack(">qqII", 2**31, 2**40, 0, 0) + b"\1" * 500_000
    ),
    **{
        f"MP4, {name}": partial(moved_table, *places)
        for name, places in {
            "begins with junk": (b"stbl", b"junk"),
            "begins with uuid": (b"stbl", b"uuid"),
            "begins with udta": (b"stbl", b"udta"),
            "index in edts": (b"edts", b""),
            "index in sinf": (b"sinf", b""),
        }.items()
    },
    "MP4, packed index": packed_index,
    **{
        f"MP4, a {kind.decode()} of {size} bytes": partial(mp4_of_64_bits, kind, size)
        for kind in (b"moov", b"stsz", b"mdat", b"free")
        for size in (0, 15, 2**31, 2**63 - 1, 2**64 - 1)
    },
    **{
        f"MP4, {kind.decode()} without end": partial(mp4_with, kind, *numbers, size=2**31)
        for kind, numbers in {
            b"stsz": (0, 500_000_000),
            b"stz2": (4, 500_000_000),
            b"ctts": (250_000_000,),
            b"stss": (500_000_000,),
            b"stsc": (150_000_000,),
            b"stco": (500_000_000,),
            b"co64": (250_000_000,),
            b"sbgp": (0x726F6C6C, 250_000_000),
            b"elst": (100_000_000,),
            b"keys": (100_000_000,),
            b"glbl": (1,),
            b"esds": (0x03808080,),
            b"saiz": (0x63656E63, 0, 500_000_000),
        }.items()
    },
    "MP4, 2,000 tracks": lambda: many_tracks(2_000),
    "Matroska, packed packets": packed_blocks,
    "Matroska, tags in tags": lambda: deep_tags(20_000),
    "Matroska, 15,000 tracks": lambda: matroska_tracks(15_000),
    "Matroska, a name of 2 GB": lambda: matroska(track=ebml(0x536E, b"a", HUGE)),
    "Matroska, a codec header of 256 MB": lambda: matroska(track=ebml(0x63A2, b"a", 2**28 - 2**12)),
    "Matroska, a file of 1 GB": lambda: matroska(
        ebml(0x1941A469, ebml(0x61A7, ebml(0x466E, b"a") + ebml(0x465C, b"a", 2**30)), 2**31)
    ),
    "Matroska, 60,000 cues": lambda: matroska(
        ebml(0x1C53BB6B, ebml(0xBB, ebml(0xB3, b"\1") + ebml(0xB7, ebml(0xF7, b"\1"))) * 60_000)
    ),
    "Matroska, 40,000 chapters": lambda: matroska(
        ebml(0x1043A770, ebml(0x45B9, ebml(0xB6, ebml(0x73C4, b"\1") + ebml(0x91, b"\1")) * 40_000))
    ),
    "Matroska, a block with lacing": lambda: matroska(
        ebml(0x1F43B675, ebml(0xE7, b"\0") + ebml(0xA3, b"\x81\0\0\x86\xff" + bytes(400)) * 2_000)
    ),
    "Ogg, 6,000 streams": lambda: ogg_streams(6_000),
    "Ogg, 30,000 comments": lambda: ogg_comments(30_000),
    "FLAC, 2^32 comments": lambda: flac_with(4, struct.pack("<II", 0, 2**32 - 1) + bytes(4_000)),
    "FLAC, a picture of 16 MB": lambda: flac_with(6, bytes(64), 2**24 - 1),
    "FLAC, pictures in pictures": lambda: flac_pictures(20_000),
    "FLAC, a cue sheet": lambda: flac_with(5, bytes(395) + b"\xff" + bytes(36) * 255, 2**24 - 1),
    "FLAC, 900,000 seek points": lambda: flac_with(3, b"\1" * 18 * 50_000),
    "ASF, names of 2 GB": lambda: asf_names(30_000),
    "ASF, a header of 2^60 bytes": lambda: asf(
        "9107dcb7b7a9cf118ee600c00c205365", bytes(54), 2**60
    ),
    "ASF, 2^32 markers": lambda: asf(
        "01cd87f451a9cf118ee600c00c205365", bytes(16) + b"\xff" * 4 + bytes(200_000), HUGE
    ),
    "AVI, an index of 2^27 entries": lambda: avi_index(60_000),
    "AVI, a super index": lambda: avi(
        chunk(b"indx", struct.pack("<HBBI4s", 4, 0, 0, 2**27, b"00wb") + bytes(64), HUGE)
    ),
    "AVI, a codec header of 2 GB": lambda: avi(chunk(b"strf", WAV_FMT[8:], HUGE)),
    "AVI, 8,000 streams": lambda: avi(streams=8_000),
    "FLV, 2^28 keyframes": lambda: flv_keyframes(2**28),
    "FLV, objects in objects": lambda: flv_nested(100_000),
    "APE, 2^29 frames": lambda: ape(2**26, 2**28),
    "TTA, 2^31 samples": lambda: tta(2**31),
    "WavPack, 2^31 samples": lambda: wavpack(2**31),
    "RealMedia, a codec header of 2 GB": lambda: real(HUGE),
    "RealMedia, 15,000 streams": lambda: real_index(15_000),
    "MPEG-TS, 8,000 programs": lambda: transport_stream(8_000),
    "MPEG, 10,000 packets": lambda: program_stream(10_000),
    "DSF, ID3": dsf,
    "NIST, a header that says 10 MB": lambda: nist(9_999_999),
    "8SVX, an annotation of 2 GB": lambda: iff(b"ANNO", HUGE),
    "8SVX, channels of 2 GB": lambda: iff(b"CHAN", HUGE),
    "AU, an annotation of 2 GB": lambda: patched(read("speech.au"), 4, (HUGE).to_bytes(4, "big")),
    "VOC, a block of 16 MB": lambda: (
        b"Creative Voice File\x1a\x1a\0\x0a\1\x29\x11\5\xff\xff\xff" + bytes(4_000)
    ),
    "AAC, ID3 in the middle": lambda: adts(bomb()),
    "AAC, 15,000 tags": lambda: aac_tags(15_000),
    "WAV, 20,000 beginnings in each other": lambda: wav_with() + b"RIFF\4\0\0\0WAVE" * 20_000,
    "WAV, 20,000 beginnings in chunks": lambda: (
        wav_with() + b"abcd\x0c\0\0\0RIFF\4\0\0\0WAVE" * 20_000
    ),
    "WAV, 100,000 beginnings": lambda: wav_with() + b"RIFF\xff\xff\xff\x7fWAVE" * 100_000,
    "MP3, ones between": lambda: read("speech.mp3") + b"\xff" * (3 << 20) + read("speech.mp3"),
    "MP3, 300,000 headers of no frames": lambda: (
        read("speech.mp3") + b"\0" + b"\xff\xfb\x90\x64\0" * 300_000
    ),
    "AAC, 1,000,000 syncwords": lambda: read("speech.aac") + b"\xff\xf1" * 1_000_000,
    "MP3, ID3 in the middle": lambda: read("speech.mp3") + bomb() + read("speech.mp3"),
}
