"""Chat completion requests of callers, read into the domain's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from msgspec.structs import replace

from farthing.dialects import pictures, schemas, strict
from farthing.dialects.openai import wire
from farthing.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from farthing.domain.errors import InvalidRequest

_CODES: Final = {"messages": "invalid_messages"}
EFFORTS: Final[Mapping[str, Effort]] = {effort: effort for effort in get_args(Effort)}
"""The efforts by their names in this dialect."""
_FORMAT: Final = "response_format"
_UNSEEN: Final = ("modalities", "web_search_options")
_PLAIN: Final = frozenset(
    {"max_tokens", "messages", "model", "stream", "stream_options", "temperature", "top_p", "user"}
)


def read_request(tree: Any) -> ChatRequest:
    """The request in a decoded body. Raises `InvalidRequest` with the path of the offending field."""
    model = strict.model_name(tree)
    try:
        wired = strict.read_as(tree, wire.WiredRequest, _CODES)
    except InvalidRequest as error:
        if error.param is not None and error.param.startswith(_FORMAT):
            error.param = _FORMAT
        raise
    is_plain = _PLAIN.issuperset(tree)
    if not is_plain or wired.stream_options is not None:
        _check_combinations(wired)
    reader = _Reader()
    messages = reader.messages(wired.messages)
    if is_plain:
        return _plain(model, messages, wired, reader)
    tools, tool_choice, stop = reader.tools(wired), reader.choice(wired), wired.stop
    reader.look_beyond(wired)
    return replace(
        _plain(model, messages, wired, reader),
        max_tokens=wired.max_tokens if wired.max_completion_tokens is None else wired.max_completion_tokens,
        top_k=wired.top_k,
        stop=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        seed=wired.seed,
        n=wired.n or 1,
        logprobs=wired.logprobs is True,
        frequency_penalty=wired.frequency_penalty,
        presence_penalty=wired.presence_penalty,
        tools=tools,
        tool_choice=tool_choice,
        parallel_tool_calls=wired.parallel_tool_calls,
        response_format=_response_format(wired.response_format),
        reasoning_effort=EFFORTS.get(wired.reasoning_effort or ""),
    )


def _plain(model: str, messages: tuple[Message, ...], wired: wire.WiredRequest, reader: _Reader) -> ChatRequest:
    """Most requests say no more than this, and naming twenty fields takes longer than reading these."""
    return ChatRequest(
        model=model,
        messages=messages,
        stream=wired.stream is True,
        include_usage=wired.stream_options is not None and wired.stream_options.include_usage is True,
        max_tokens=wired.max_tokens,
        temperature=wired.temperature,
        top_p=wired.top_p,
        user=wired.user,
        untranslatable=reader.untranslatable,
        has_unseen=reader.has_unseen,
    )


def _check_combinations(wired: wire.WiredRequest) -> None:
    """Refuses fields that contradict one another."""
    if wired.stream_options is not None and wired.stream is not True:
        raise strict.invalid("stream", "`stream_options` needs `stream` to be true: set it, or leave the options out")
    if wired.max_tokens is not None and wired.max_completion_tokens is not None:
        raise strict.invalid("max_completion_tokens", "Send either this or `max_tokens`, not both")
    if wired.top_logprobs is not None and wired.logprobs is not True:
        raise strict.invalid("top_logprobs", "This needs `logprobs` to be true")


def _beyond_text(wired: wire.WiredRequest) -> str | None:
    """The first field that changes the answer in a way which only this dialect knows."""
    if wired.modalities is not None and wired.modalities != ["text"]:
        return "modalities"
    if wired.web_search_options is not None:
        return "web_search_options"
    return "logit_bias" if wired.logit_bias else None


def _response_format(wired: wire.WiredFormat | None) -> ResponseFormat | None:
    if wired is None or wired.type == "text":
        return None
    if wired.type == "json_object":
        return ResponseFormat("json_object")
    shape = wired.json_schema
    if shape is None:
        raise strict.invalid(_FORMAT, "The type json_schema needs `json_schema`", code="missing_required_parameter")
    if shape.schema is not None:
        schemas.check_bounds([(_FORMAT, shape.schema)])
        schemas.check_shape(_FORMAT, shape.schema)
    return ResponseFormat("json_schema", shape.name, shape.schema, shape.strict)


class _Reader:
    """Reads a conversation in its order, and remembers the first thing that only this dialect can say."""

    untranslatable: str | None = None
    has_unseen = False
    _called: set[str] | None = None
    """Ids of the tool calls so far."""

    def messages(self, wired: Sequence[wire.AnyMessage]) -> tuple[Message, ...]:
        """The conversation."""
        read: list[Message] = []
        for message in wired:
            read.append(self._message(message, len(read)))
        return tuple(read)

    def _message(self, message: wire.AnyMessage, position: int) -> Message:
        if isinstance(message, wire.UserMessage):
            content = message.content
            return Message("user", (Text(content),) if isinstance(content, str) else self._parts(content, position))
        if isinstance(message, wire.AssistantMessage):
            return Message("assistant", self._assistant(message, position))
        if isinstance(message, wire.ToolMessage):
            return Message("tool", (self._result(message, position),))
        if isinstance(message, wire.FunctionMessage):
            return Message("tool", (ToolResult(message.name, message.content or ""),))
        return Message("system", _texts(message.content))

    def tools(self, wired: wire.WiredRequest) -> tuple[Tool, ...]:
        """The functions among the tools, within bounds."""
        if not wired.tools and not wired.functions:
            return ()
        functions: list[tuple[str, wire.WiredFunction]] = []
        for position, tool in enumerate(wired.tools or ()):
            path = f"tools[{position}]"
            if tool.type != "function":
                self._note(path)
            elif tool.function is None:
                raise _missing(f"{path}.function")
            else:
                functions.append((f"{path}.function", tool.function))
        functions += [(f"functions[{position}]", function) for position, function in enumerate(wired.functions or ())]
        schemas.check_bounds([(f"{path}.parameters", function.parameters) for path, function in functions])
        return tuple(Tool(f.name, f.description, f.parameters, f.strict) for _, f in functions)

    def choice(self, wired: wire.WiredRequest) -> ToolChoice | None:
        """How free the model is to call a tool, in the newer or the older form."""
        choice = wired.function_call if wired.tool_choice is None else wired.tool_choice
        if choice is None:
            return None
        if isinstance(choice, wire.ChosenName):
            return ToolChoice("named", choice.name)
        if isinstance(choice, str):
            return ToolChoice("required" if choice == "any" else choice)
        if choice.type != "function":
            self.untranslatable = self.untranslatable or "tool_choice"
            return None
        if choice.function is None:
            raise _missing("tool_choice.function")
        return ToolChoice("named", choice.function.name)

    def look_beyond(self, wired: wire.WiredRequest) -> None:
        """Notes fields that change the answer in a way which only this dialect knows."""
        beyond = _beyond_text(wired)
        self.untranslatable = self.untranslatable or beyond
        self.has_unseen = self.has_unseen or beyond in _UNSEEN

    def _parts(self, wired: Sequence[wire.UserPart], message: int) -> tuple[Part, ...]:
        parts: list[Part] = []
        for position, part in enumerate(wired):
            if isinstance(part, wire.TextPart):
                parts.append(Text(part.text))
            elif isinstance(part, wire.ImagePart):
                parts.append(image(part.image_url, f"messages[{message}].content[{position}].image_url"))
            else:
                self._note(f"messages[{message}].content[{position}]")
        return tuple(parts)

    def _assistant(self, message: wire.AssistantMessage, position: int) -> tuple[Part, ...]:
        parts = tuple(_said(message))
        if message.tool_calls or message.function_call is not None:
            parts += tuple(self._calls(message, f"messages[{position}]"))
        if message.audio is not None:
            self._note(f"messages[{position}].audio")
        elif not parts and not message.tool_calls:
            raise strict.invalid(f"messages[{position}].content", "Only a message with `tool_calls` can go without it")
        return parts

    def _calls(self, message: wire.AssistantMessage, path: str) -> Iterator[Part]:
        if message.function_call is not None:
            yield ToolCall(message.function_call.name, message.function_call.name, message.function_call.arguments)
        if self._called is None:
            self._called = set()
        for position, call in enumerate(message.tool_calls or ()):
            self._called.add(call.id)
            if call.type != "function":
                self._note(f"{path}.tool_calls[{position}]")
            elif call.function is None:
                raise _missing(f"{path}.tool_calls[{position}].function")
            else:
                yield ToolCall(call.id, call.function.name, call.function.arguments)

    def _result(self, message: wire.ToolMessage, position: int) -> ToolResult:
        if self._called is None or message.tool_call_id not in self._called:
            raise strict.invalid(
                f"messages[{position}].tool_call_id",
                f"No earlier message calls {strict.shown(message.tool_call_id)}: send the message that does, too",
            )
        return ToolResult(message.tool_call_id, "".join(text.text for text in _texts(message.content)))

    def _note(self, path: str) -> None:
        self.untranslatable = self.untranslatable or path
        self.has_unseen = True


def _said(message: wire.AssistantMessage) -> Sequence[Part]:
    parts: list[Part] = []
    if message.reasoning_content:
        parts.append(Reasoning(message.reasoning_content))
    if isinstance(message.content, str):
        parts.append(Text(message.content))
    elif message.content:
        parts += [Text(part.text if isinstance(part, wire.TextPart) else part.refusal) for part in message.content]
    if message.refusal:
        parts.append(Text(message.refusal))
    return parts


def _texts(content: wire.Texts) -> tuple[Text, ...]:
    return (Text(content),) if isinstance(content, str) else tuple(Text(part.text) for part in content)


def image(wired: wire.ImageUrl | str, path: str) -> Image:
    """The picture at an address or in a data URL. Raises `InvalidRequest` for one that no vendor may be sent."""
    url, detail, path = (wired, None, path) if isinstance(wired, str) else (wired.url, wired.detail, f"{path}.url")
    scheme, _, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme in {"http", "https"}:
        pictures.check_address(url, path)
        return Image(url=url, detail=detail)
    kind, _, data = rest.partition(",")
    media_type, _, encoding = kind.partition(";")
    if scheme != "data":
        raise strict.invalid(path, "Send an https address or a data URL", code="url_not_allowed")
    if encoding.rpartition(";")[2] != "base64" or not media_type.startswith("image/") or not data:
        raise strict.invalid(path, "Write a data URL as data:image/…;base64,…", code="invalid_image")
    pictures.check_data(media_type, data, path)
    return Image(media_type, data, detail=detail)


def _missing(path: str) -> InvalidRequest:
    return strict.invalid(path, "This field is required", code="missing_required_parameter")
