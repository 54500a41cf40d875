"""`run-task` → what the task is told, or the error of one. Pure.

https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-client-events
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from langchain_qwen_audio.local._live.events import Event
from langchain_qwen_audio.local._models.tasks import TASK_MODELS, TaskModel
from langchain_qwen_audio.local._protocols.checks import check_model_name
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter

PLAYED_RATES: Final = (8000, 16_000)
_FIXED = {"task_group": "audio", "task": "asr", "function": "recognition"}
_FORMATS = frozenset({"pcm", "wav", "mp3", "opus", "speex", "aac", "amr"})
_SILENCE_MS = (200, 6000)
_DEFAULT_SILENCE_MS = 1300


@dataclass(frozen=True)
class TaskRequest:
    """What a task is told.

    Attributes:
        task_id: The client's id of it.
        model: The facts of its model.
        parameters: The parameters, as they came.
    """

    task_id: str
    model: TaskModel
    parameters: Mapping[str, Any]

    @property
    def sample_rate(self) -> int:
        """Samples per second that the client sends."""
        return int(self.parameters["sample_rate"])

    @property
    def silence_ms(self) -> int:
        """How long a pause ends a sentence."""
        return int(self.parameters.get("max_sentence_silence", _DEFAULT_SILENCE_MS))

    @property
    def sends_partials(self) -> bool:
        """Whether sentences are sent while they grow."""
        wanted = self.parameters.get("intermediate_result_enabled")
        return self.model.sends_partials or wanted is True


def read_header(message: object) -> tuple[str, str]:
    """Return the action of a message, and the id of its task.

    Raises:
        Refusal: It has none.
    """
    match message:
        case {
            "header": {"action": str(action), "task_id": str(task_id), "streaming": "duplex"},
            "payload": {"input": dict()},
        } if task_id:
            return action, task_id
    raise Refusal(400, "CLIENT_ERROR", "Invalid payload data")


def read_run_task(message: Event) -> TaskRequest:
    """Read what a task is told.

    Raises:
        Refusal: The service would not take it.
    """
    payload = message["payload"]
    if wrong := [name for name, value in _FIXED.items() if payload.get(name) != value]:
        raise invalid_parameter(f"payload.{wrong[0]} must be {_FIXED[wrong[0]]!r}.")
    name = check_model_name(payload.get("model"), TASK_MODELS, TASK_MODELS)
    parameters = payload.get("parameters")
    if not isinstance(parameters, dict):
        raise invalid_parameter("payload.parameters is missing.")
    _check_parameters(parameters, TASK_MODELS[name])
    return TaskRequest(message["header"]["task_id"], TASK_MODELS[name], parameters)


def _check_parameters(parameters: Mapping[str, Any], model: TaskModel) -> None:
    if unknown := sorted(parameters.keys() - model.parameters - {"format", "sample_rate"}):
        raise invalid_parameter(f"Unknown parameter: {unknown[0]!r}.")
    kind, rate = parameters.get("format"), parameters.get("sample_rate")
    if kind not in _FORMATS:
        raise Refusal(400, "UNSUPPORTED_FORMAT", f"format must not be {kind!r}.")
    if kind != "pcm":
        raise invalid_parameter(f"The local test server takes the format pcm, not {kind}.")
    if model.sample_rate not in (None, rate):
        raise invalid_parameter(f"sample_rate must be {model.sample_rate}, not {rate!r}.")
    if rate not in PLAYED_RATES:
        raise invalid_parameter(f"The local test server takes {PLAYED_RATES} Hz, not {rate!r}.")
    silence = parameters.get("max_sentence_silence", _DEFAULT_SILENCE_MS)
    least, most = _SILENCE_MS
    if not isinstance(silence, int) or not least <= silence <= most:
        raise invalid_parameter(f"max_sentence_silence must be from {least} to {most}.")
