"""The wire: OpenAI's chat completions as far as a captioning model understands them, and errors in their shape.

What the adapter does not know is refused by name: a field that is dropped in silence makes captions that are not what
their record says. Fields that cannot change the answer (user, metadata, ...) are taken and ignored.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MOST_PROMPT_CHARACTERS = 8192

T = TypeVar("T")


class ApiError(Exception):
    """An answer that is an error. The message goes to the client as it is."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.headers = status, message, param, code, headers

    def body(self) -> dict[str, Any]:
        kinds = {401: "authentication_error", 429: "rate_limit_error"}
        kind = kinds.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True)
class Decoding:
    """How to make the text. Equal decodings may share a batch. The defaults are InstructBLIP's documented ones."""

    max_tokens: int = 256  # new tokens at most
    min_tokens: int = 0  # new tokens before the end is allowed
    num_beams: int = 5
    repetition_penalty: float = 1.5
    length_penalty: float = 1.0
    temperature: float = 0.0  # 0: no sampling
    top_p: float = 1.0  # 1: off
    top_k: int = 0  # 0: off
    min_p: float = 0.0  # 0: off
    seed: int | None = None


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class _ImageURL(_Strict):
    url: str
    detail: Literal["auto", "low", "high"] | None = None  # the model has one size


class _ImagePart(_Strict):
    type: Literal["image_url"]
    image_url: _ImageURL


class _TextPart(_Strict):
    type: Literal["text"]
    text: str


class _Message(_Strict):
    role: Literal["user"]  # the model knows no roles: a system message would be dropped
    content: list[Annotated[_ImagePart | _TextPart, Field(discriminator="type")]]


_Off = Annotated[float, Field(ge=0, le=0)] | None


class ChatRequest(_Strict):
    """The body of a request. Bounds keep the arithmetic finite; null is the same as absent."""

    model: str
    messages: Annotated[list[_Message], Field(min_length=1, max_length=1)]

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    num_beams: Annotated[int, Field(ge=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.1, le=10)] | None = None
    length_penalty: Annotated[float, Field(ge=-10, le=10)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    min_p: Annotated[float, Field(ge=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    n: Annotated[int, Field(ge=1, le=1)] | None = None
    stream: Literal[False] | None = None
    logprobs: Literal[False] | None = None
    frequency_penalty: _Off = None
    presence_penalty: _Off = None

    user: Any = None
    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None

    def decoding(self) -> Decoding:
        """The decoding asked for, with what has no effect put to its default, so that equals compare equal."""
        given = {n for n in (self.max_tokens, self.max_completion_tokens) if n is not None}
        if len(given) > 1:
            raise ApiError(400, "max_tokens and max_completion_tokens differ: give one", param="max_tokens")
        temperature = self.temperature or 0.0
        if 0 < temperature < 0.01:
            raise ApiError(400, "temperature: 0 (no sampling), or from 0.01 to 2", param="temperature")
        sampling = temperature > 0
        beams = self.num_beams or (1 if sampling else Decoding.num_beams)
        d = Decoding(
            max_tokens=given.pop() if given else Decoding.max_tokens,
            min_tokens=self.min_tokens or 0,
            num_beams=beams,
            repetition_penalty=_or(self.repetition_penalty, Decoding.repetition_penalty),
            length_penalty=_or(self.length_penalty, Decoding.length_penalty) if beams > 1 else 1.0,
            temperature=temperature,
            top_p=_or(self.top_p, 1.0) if sampling else 1.0,
            top_k=max(0, self.top_k or 0) if sampling else 0,
            min_p=self.min_p or 0.0 if sampling else 0.0,
            seed=self.seed if sampling else None,
        )
        if d.min_tokens > d.max_tokens:
            raise ApiError(400, f"min_tokens {d.min_tokens} is more than max_tokens {d.max_tokens}", param="min_tokens")
        return d

    def question(self) -> tuple[str, bytes]:
        """The prompt and the encoded picture."""
        parts = self.messages[0].content
        texts = [p.text for p in parts if isinstance(p, _TextPart)]
        urls = [p.image_url.url for p in parts if isinstance(p, _ImagePart)]
        if len(urls) != 1:
            raise ApiError(400, f"messages: {len(urls)} pictures: exactly one image_url is needed", param="messages")
        if len(texts) != 1 or not texts[0].strip():
            raise ApiError(400, "messages: exactly one text part, with the prompt, is needed", param="messages")
        if len(texts[0]) > MOST_PROMPT_CHARACTERS:
            raise ApiError(400, f"messages: the prompt has more than {MOST_PROMPT_CHARACTERS} characters", param="messages")
        return texts[0], _picture(urls[0])


def parse(body: bytes) -> ChatRequest:
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            why = "is not known here and may change the answer: leave it out"
            raise ApiError(400, f"{name} {why}", param=name, code="unknown_parameter") from None
        if name in ("n", "stream", "logprobs", "frequency_penalty", "presence_penalty"):
            why = "has no meaning for this model but its default: leave it out"
            raise ApiError(400, f"{name} {why}", param=name, code="unsupported_value") from None
        message = f"{name}: {first['msg']}" if name else first["msg"]
        raise ApiError(400, message, param=name or None, code=first["type"]) from None


def completion(id: str, created: int, model: str, revision: str, answer: "Answer") -> dict[str, Any]:
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "system_fingerprint": revision,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer.text},
                "logprobs": None,
                "finish_reason": answer.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        },
    }


@dataclass(frozen=True, slots=True)
class Answer:
    text: str  # without the prompt
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int  # of the language model, the picture's query tokens among them
    completion_tokens: int  # the end token, where there is one, among them


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _picture(url: str) -> bytes:
    head, comma, data = url.partition(",")
    if url[:5].lower() != "data:":
        why = "messages: image_url must hold the picture as a data URL: this server fetches nothing"
        raise ApiError(400, why, param="messages", code="invalid_image_url")
    if not comma or not head.lower().startswith("data:image/") or not head.lower().endswith(";base64"):
        raise ApiError(400, "messages: the data URL is not data:image/...;base64,...", param="messages", code="invalid_image_url")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        raise ApiError(400, "messages: the data URL's base64 is broken", param="messages", code="invalid_image_url") from None
