"""What each gateway is asked and configured with."""

import json
import tomllib
from pathlib import Path

import pytest

from benchmarks.gateways import litellm, ours, tensorzero
from benchmarks.gateways.contestant import Contestant
from benchmarks.gateways.litellm import KEY, configuration
from benchmarks.gateways.rows import ROWS, Call, Row
from benchmarks.native import PLACEHOLDER

URL, TLS_URL = "http://127.0.0.1:1", "https://127.0.0.1:2"


def test_prompts_differ_except_where_the_answer_is_to_be_kept() -> None:
    """The token that the load generator numbers stands in every body but that of the cached row."""
    varied = {row: PLACEHOLDER.encode() in Call(url=URL).body(kind) for row, kind in ROWS.items()}
    assert varied == {"forwarded": True, "hit": False, "streaming": True, "tls": True}
    assert {row: kind.varies for row, kind in ROWS.items()} == varied


@pytest.mark.parametrize(("row", "streams"), [("forwarded", False), ("streaming", True)])
def test_a_stream_is_asked_for_with_its_usage(row: Row, streams: bool) -> None:
    """And nothing of it is said where none is wanted."""
    body = json.loads(Call(url=URL).body(ROWS[row]))
    assert (body.get("stream"), body.get("stream_options")) == (
        (True, {"include_usage": True}) if streams else (None, None)
    )


def test_a_load_carries_the_callers_headers_and_fields() -> None:
    """At the row's pace and connections."""
    call = Call(url=URL, path="/p", model="m", headers={"a": "b"}, extra={"cache": {"use-cache": True}})
    load = call.load(ROWS["hit"], seconds=2, paced=True)
    assert (load.url, load.headers, load.rate, load.connections, load.vary) == (f"{URL}/p", {"a": "b"}, 200, 32, False)
    assert json.loads(load.body)["model"] == "m"
    assert json.loads(load.body)["cache"] == {"use-cache": True}
    assert call.load(ROWS["hit"], seconds=2).rate is None


def test_litellm_asks_the_mock_in_clear_and_behind_tls() -> None:
    """With a master key, quiet, and a cache only where answers are kept: it costs whoever does not ask for it, too."""
    written = json.loads(json.dumps(configuration(URL, TLS_URL, keeps=True)))
    bases = {model["model_name"]: model["litellm_params"]["api_base"] for model in written["model_list"]}
    assert bases == {"mock": f"{URL}/v1", "mock-tls": f"{TLS_URL}/v1"}
    assert written["general_settings"] == {"master_key": KEY}
    assert written["litellm_settings"]["cache_params"] == {"type": "local"}
    assert configuration(URL, TLS_URL, keeps=False)["litellm_settings"] == {"set_verbose": False, "json_logs": True}


class Rigged:
    """What a peer is told of the rig."""

    url, tls_url = URL, TLS_URL

    def environment(self, home: Path) -> dict[str, str]:
        """Nothing."""
        del home
        return {}


def test_litellm_keeps_answers_in_the_cached_row_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By another process: all other rows are asked of one without a cache."""
    monkeypatch.setattr(litellm, "python_environment", lambda *_: tmp_path)
    monkeypatch.setattr(litellm, "python_version", lambda *_: "1.2.3")
    peer = litellm.OnUvicorn(Rigged())  # type: ignore[arg-type]
    keeping = {row: "cache" in settings_of(peer.on(row)) for row in ROWS}
    urls = {peer.on(row).call(row).url for row in ROWS}
    peer.remove()
    assert keeping == {"forwarded": False, "hit": True, "streaming": False, "tls": False}
    assert len(urls) == 2
    assert not peer.on("hit").server.folder.exists()


def settings_of(contestant: Contestant) -> dict[str, object]:
    """LiteLLM's own settings in its file."""
    written = json.loads((contestant.server.folder / "config.yaml").read_text(encoding="utf-8"))
    found: dict[str, object] = written["litellm_settings"]
    return found


def test_tensorzero_writes_nothing_down_and_asks_the_mock() -> None:
    """Its settings are valid TOML with a model for each way to the mock."""
    written = tomllib.loads(tensorzero.SETTINGS.format(url=URL, tls_url=TLS_URL))
    assert written["gateway"] == {"observability": {"enabled": False}}
    bases = {name: model["providers"]["mock"]["api_base"] for name, model in written["models"].items()}
    assert bases == {"mock": f"{URL}/v1/", "mock-tls": f"{TLS_URL}/v1/"}


def test_farthing_has_a_price_for_each_model() -> None:
    """So that the budget holds money for every request."""
    written = tomllib.loads(ours.SETTINGS.format(url=URL, tls_url=TLS_URL))
    priced = {model["name"]: model["input_usd_per_mtok"] > 0 for model in written["models"]}
    assert priced == {"mock": True, "mock-tls": True}
    assert {name: each["base_url"] for name, each in written["providers"].items()} == {
        "mock": f"{URL}/v1",
        "mock-tls": f"{TLS_URL}/v1",
    }
