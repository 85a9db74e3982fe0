"""What every upstream dialect must be able to say, and what every vendor's recorded answer says."""

from farthing.domain.chat import (
    ChatRequest,
    Choice,
    Completion,
    Image,
    Message,
    Reasoning,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
)

MODELS = {"openai": "gpt-5.5", "anthropic": "claude-opus-4-7", "gemini": "gemini-3.8-flash"}
"""A model of each vendor's; a new dialect need not have one here."""

CAPITAL = Message("user", (Text("What is the capital of France?"),))
WEATHER = Tool(
    "get_weather",
    "Weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

CONVERSATIONS = {
    "plain": ChatRequest(model="auto", messages=(CAPITAL,), max_tokens=64),
    "stream": ChatRequest(model="auto", messages=(CAPITAL,), max_tokens=64, stream=True, include_usage=True),
    "system": ChatRequest(
        model="auto", messages=(Message("system", (Text("Be brief."),)), CAPITAL), stop=("END",), max_tokens=64
    ),
    "turns": ChatRequest(
        model="auto",
        messages=(CAPITAL, Message("assistant", (Text("Paris."),)), Message("user", (Text("And of “Größe”?\n"),))),
        max_tokens=64,
    ),
    "tools": ChatRequest(
        model="auto",
        messages=(
            Message("user", (Text("Weather in Paris?"),)),
            Message("assistant", (Text("Let me look."), ToolCall("call_1", "get_weather", '{"city":"Paris"}'))),
            Message("tool", (ToolResult("call_1", "Sunny"),)),
            Message("user", (Text("And in Rome?"),)),
        ),
        tools=(WEATHER,),
        tool_choice=ToolChoice("named", "get_weather"),
        max_tokens=64,
    ),
    "image": ChatRequest(
        model="auto",
        messages=(Message("user", (Text("What is this?"), Image("image/png", "iVBORw0KGgo="))),),
        max_tokens=64,
    ),
    "structured": ChatRequest(
        model="auto",
        messages=(CAPITAL,),
        response_format=ResponseFormat("json_schema", "answer", PLACE),
        max_tokens=64,
    ),
    "reasoning": ChatRequest(
        model="auto",
        messages=(
            CAPITAL,
            Message("assistant", (Reasoning("Hm.", "c2ln"), Text("Paris."))),
            Message("assistant", (Reasoning("Hm.", "gemini:c2ln"), ToolCall("call_1", "get_weather", "{}"))),
            Message("tool", (ToolResult("call_1", '{"sky":"blue"}'),)),
        ),
        reasoning_effort="high",
        max_tokens=64,
    ),
}


def answer(*parts: Text | ToolCall | Reasoning, finish: str = "stop", usage: Usage) -> Completion:
    """A completion without what differs between vendors."""
    return Completion(id="", model="", choices=(Choice(parts, finish),), usage=usage)  # type: ignore[arg-type]


ANSWERS = {
    "text": answer(Text("Paris is the capital of France."), usage=Usage(prompt=14, completion=8)),
    "unicode": answer(Text('Größe: 你好 👋\n"quoted" \\ é'), usage=Usage(prompt=6, completion=11)),
    "tools": answer(
        Text("Let me look."),
        ToolCall("call_1", "get_weather", '{"city":"Paris"}'),
        ToolCall("call_2", "get_time", '{"zone":"CET"}'),
        finish="tool_calls",
        usage=Usage(prompt=50, completion=30),
    ),
    "reasoning": answer(Reasoning("One plus one."), Text("Two."), usage=Usage(prompt=9, completion=2, reasoning=40)),
    "cached": answer(Text("Yes."), usage=Usage(prompt=21, cached=2_000, completion=3)),
    "truncated": answer(Text("Once upon a"), finish="length", usage=Usage(prompt=5, completion=4)),
}
"""What the recorded answer of this name says, whichever vendor gave it, as a body and as a stream."""
