"""farthing.toml as data with line numbers."""

from pathlib import Path

import pytest

from farthing.settings import SettingsError
from farthing.settings.document import Place, read_toml

TEXT = '''# a comment
[server]
port = 8000
"host" = "127.0.0.1"

[providers.local.timeouts]
connect_s = 3
[providers."my.own"]
headers = { "X-Team" = "a" }

[[models]]
name = """
port = 1
"""
tier = "simple"
[[models]]
name = 'b'
[models.deep]
er = 1
[[models.list]]
x.y = 1
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file stands."""
    return tmp_path / "farthing.toml"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("server",), 2),
        (("server", "port"), 3),
        (("server", "host"), 4),
        (("server", "workers"), 2),
        (("providers",), 6),
        (("providers", "local"), 6),
        (("providers", "local", "timeouts", "connect_s"), 7),
        (("providers", "my.own"), 8),
        (("providers", "my.own", "headers", "X-Team"), 9),
        (("models", 0), 11),
        (("models", 0, "name"), 12),
        (("models", 0, "port"), 11),
        (("models", 0, "tier"), 15),
        (("models", 1, "name"), 17),
        (("models", 1, "deep", "er"), 19),
        (("models", 1, "list", 0, "x", "y"), 21),
    ],
)
def test_every_key_knows_its_line(path: Path, place: Place, line: int) -> None:
    """A place leads to the line of its key, or of the nearest table around it."""
    path.write_text(TEXT)
    assert read_toml(path).source(place) == f"{path}:{line}"


def test_a_place_that_the_file_does_not_mention_leads_to_the_file(path: Path) -> None:
    """Where no line can be named, the file is."""
    path.write_text("[server]\n")
    assert read_toml(path).source(("redis", "url")) == str(path)


def test_a_byte_order_mark_is_no_mistake(path: Path) -> None:
    """Editors that begin a file with a mark are welcome."""
    path.write_bytes(b"\xef\xbb\xbf[server]\nport = 1\n")
    assert read_toml(path).data == {"server": {"port": 1}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[server]\nport = \n", "{path}:2: port: not valid TOML: invalid value"),
        (b"[server]\n\nport 80\n", "{path}:3: not valid TOML: expected '=' after a key in a key/value pair"),
        (b"[server]\nhost = 'x", '{path}:2: host: not valid TOML: expected "\'"'),
        (b"[server]\nport = 1\nport = 2\n", "{path}:3: port: not valid TOML: cannot overwrite a value"),
        (b"[server]\nhost = '\xff'\n", "{path}:2: expected text in UTF-8"),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(path: Path, content: bytes, message: str) -> None:
    """A slip in the syntax is reported where it stands."""
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_toml(path)
    assert str(caught.value) == message.format(path=path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A wrong path is told with the system's reason."""
    with pytest.raises(SettingsError) as caught:
        read_toml(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"
