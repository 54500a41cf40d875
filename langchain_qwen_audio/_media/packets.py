"""An open sound track → its frames, packet by packet, those of AMR one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._media import amr_frames
from langchain_qwen_audio._media.unreadable import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

    from langchain_qwen_audio._media.container import Sound


def decode_packets(sound: Sound) -> Iterator[av.AudioFrame]:
    """Yield the frames of a track, packet by packet; a damaged one is left out, as players do.

    Raises:
        CodecError: More than one in twenty is damaged.
    """
    from av.error import EOFError as EndOfStream
    from av.error import InvalidDataError

    context = sound.stream.codec_context
    if context.codec.canonical_name in amr_frames.CODECS:
        context.layout = "mono"  # whatever the container says
    packets = damaged = 0
    for packet, is_pause in _packets(sound):
        packets += is_pause or packet.size > 0
        try:
            yield from [_pause(context, packet)] if is_pause else context.decode(packet)
        except InvalidDataError:
            damaged += 1
        except EndOfStream:
            break
    require_undamaged(packets, damaged)


def require_undamaged(packets: int, damaged: int) -> None:
    """Require that no more packets are damaged than can be left out.

    Raises:
        CodecError: More than one in twenty is damaged.
    """
    if damaged > 1 + packets // 20:
        raise CodecError(f"{damaged} of its {packets} packets are damaged")


def _packets(sound: Sound) -> Iterator[tuple[av.Packet[Any], bool]]:
    """Yield what is to be decoded, and whether it is a pause; of AMR, frame by frame."""
    import av

    codec = sound.stream.codec_context.codec.canonical_name
    for packet in sound.container.demux(sound.stream):
        if not packet.size or codec not in amr_frames.CODECS:
            yield packet, False
            continue
        for number, data in enumerate(amr_frames.split_frames(bytes(packet), codec)):
            frame = av.Packet(data or b"")
            frame.time_base = packet.time_base
            frame.pts = packet.pts if number == 0 else None
            yield frame, data is None


def _pause(context: av.AudioCodecContext, packet: av.Packet[Any]) -> av.AudioFrame:
    """Make the silence of an AMR frame without speech."""
    import av

    samples = context.sample_rate // amr_frames.FRAMES_PER_S
    frame = av.AudioFrame(context.format.name, "mono", samples)
    frame.sample_rate = context.sample_rate
    frame.pts, frame.time_base = packet.pts, packet.time_base
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    return frame
