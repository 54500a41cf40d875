"""The parts of a message's content, typed. A new kind of part is one more class here.

Each `match` over parts ends with `assert_never`, so that mypy names every place which must know a
new kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio.audio import Audio


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text. It is sent as it is, and never taken for the name of a file."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image at a URL: http(s), data, or, in a user's message only, file."""

    url: str


@dataclass(frozen=True, slots=True)
class VideoPart:
    """A video file at a URL: http(s), data, or, in a user's message only, file.

    Attributes:
        url: Where it is.
        sampling: How the service takes frames from it: `fps`, `max_pixels`, ….
    """

    url: str
    sampling: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FramesPart:
    """A video as its frames: images, in order.

    Attributes:
        urls: As of images.
        sampling: How they were taken from the video, and how large they may be.
    """

    urls: tuple[str, ...]
    sampling: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AudioPart:
    """A clip whose bytes, or whose file, are here.

    Attributes:
        audio: The clip.
        made_for: What the model takes that it was made for, which needs no other form of it.
    """

    audio: Audio
    made_for: Profile | None = None


@dataclass(frozen=True, slots=True)
class AudioUrlPart:
    """A clip at a URL: http(s), oss, or, in a user's message only, file."""

    url: str


@dataclass(frozen=True, slots=True)
class InlineAudioPart:
    """A clip that travels within the request, as base64."""

    mime_type: str
    base64: str


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A clip that is uploaded before the request, and travels as the URL of the upload."""

    audio: Audio


VisualPart: TypeAlias = ImagePart | VideoPart | FramesPart
"""What is seen."""

Part: TypeAlias = TextPart | VisualPart | AudioPart | AudioUrlPart
"""What a message holds."""

PreparedPart: TypeAlias = TextPart | VisualPart | InlineAudioPart | AudioUrlPart | UploadPart
"""What a message holds when its clips are converted."""

SentPart: TypeAlias = TextPart | VisualPart | InlineAudioPart | AudioUrlPart
"""What a protocol writes: clips are inline, or at a URL that the service fetches."""

P = TypeVar("P", Part, PreparedPart, SentPart)
Q = TypeVar("Q", Part, PreparedPart, SentPart)


@dataclass(frozen=True, slots=True)
class RequestMessage(Generic[P]):
    """One message of a request.

    Attributes:
        role: "system", "user", "assistant", "tool", or what a `ChatMessage` says.
        content: Its parts, in order.
        name: Who wrote it, if the user says.
        tool_call_id: Of a tool's message: the call that it answers.
        tool_calls: Of an answer: its calls, in OpenAI's form.
        reasoning: Of an answer: what the model thought before.
    """

    role: str
    content: list[P]
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    reasoning: str = ""

    def with_content(self, content: list[Q]) -> RequestMessage[Q]:
        """Make the same message with other content, also of other kinds of parts."""
        return RequestMessage(
            self.role, content, self.name, self.tool_call_id, self.tool_calls, self.reasoning
        )


def text_of(content: list[Any]) -> str | None:
    """Join the texts of content that holds nothing else; None if it holds something else."""
    if all(isinstance(part, TextPart) for part in content):
        return "".join(part.text for part in content)
    return None
