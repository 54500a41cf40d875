"""A transcription job with no scripted reply → what Whisper makes of its recording."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from langchain_qwen_audio.local._audio_input import read_channels
from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._protocols.jobs import channels_of
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import JobFailure, Reply

if TYPE_CHECKING:
    from langchain_qwen_audio.local._answers.transcription import WhisperTranscriber
    from langchain_qwen_audio.local._audio_input import Channels


def answer_job(
    request: ModelRequest,
    files: Mapping[str, bytes],
    transcriber: "WhisperTranscriber",
    scripted: Reply | None,
) -> "tuple[Reply, Channels] | JobFailure":
    """Work at a job. Blocks.

    Args:
        request: The job.
        files: The temporary files that it names, by their URLs.
        transcriber: What transcribes the channels.
        scripted: A reply that takes the place of a transcript.

    Raises:
        Refusal: The recording cannot be read.
    """
    recording = read_channels(request.audios[0], request.model, files)
    if scripted is not None:
        return scripted, recording
    sentences = []
    for number in channels_of(request):
        if number not in range(len(recording.samples)):
            raise Refusal(400, "InvalidParameter", f"The recording has no channel {number}.")
        found = transcriber.transcribe(recording.samples[number], times=True)
        language = {"language": found.language} if request.model.job_input == "file_url" else {}
        about = {"channel_id": number, **language}
        sentences += [{**about, **sentence} for sentence in found.write_sentences()]
    if not sentences:
        return JobFailure("SUCCESS_WITH_NO_VALID_FRAGMENT", "No speech was found.", in_subtask=True)
    reply = Reply(sentences=sentences, model=transcriber.label)
    return reply, recording
