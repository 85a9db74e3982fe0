"""Mistakes in the configuration are told so that they can be mended."""

import pytest

from farthing.settings import SettingsError
from tests.unit.settings.conftest import Load

LOCAL = '[providers.local]\ndialect = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
MODEL = f'{LOCAL}[[models]]\nname = "a"\nprovider = "local"\n'


def mistakes(settings_of: Load, text: str | None = None, **environ: str) -> list[str]:
    """What is said about this configuration."""
    with pytest.raises(SettingsError) as caught:
        settings_of(text, **environ)
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[server]\nport = "80"', '2: server.port: expected a whole number, got "80"'),
        ("[server]\nport = 70000", "2: server.port: expected at most 65535, got 70000"),
        ("[server]\nport = 80.5", "2: server.port: expected a whole number, got 80.5"),
        ("[server]\nport = true", "2: server.port: expected a whole number, got true"),
        ("[server]\nworkers = 0", "2: server.workers: expected at least 1, got 0"),
        ("[server]\nhost = 1", "2: server.host: expected text in quotes, got 1"),
        (
            '[server]\nhost = "http://x"',
            '2: server.host: expected an address or a host name such as "127.0.0.1", got "http://x"',
        ),
        ("[server]\nprot = 1", '2: server.prot: unknown key (did you mean "port"?)'),
        (
            "[cache]\nzebra = 1",
            "2: cache.zebra: unknown key, expected one of enabled, semantic, ttl_s",
        ),
        ("[serve]\nport = 1", '1: serve: unknown key (did you mean "server"?)'),
        (
            "master_key = 'x'",
            (
                "1: master_key: unknown key, expected one of alerts, cache, database, learning, log, models, oidc, "
                "plans, prices, providers, redis, reports, routes, routing, server"
            ),
        ),
        ("server = 1", "1: server: expected a table, got 1"),
        ("models = 1", "1: models: expected an array of tables, got 1"),
        (
            '[database]\nurl = "mysql://root:secret@db/x"',
            "2: database.url: expected sqlite:///path or postgresql://user@host:port/name",
        ),
        (
            '[database]\nurl = "sqlite://"',
            "2: database.url: expected sqlite:///path or postgresql://user@host:port/name",
        ),
        (
            "[database]\npool_min = 11",
            "1: database: expected pool_min (11) not to exceed pool_max (10)",
        ),
        (
            '[redis]\nurl = "http://x"',
            "2: redis.url: expected redis://host:port/number, rediss://… or unix:///path",
        ),
        (
            '[routing]\nstrategy = "fast"',
            "2: routing.strategy: expected 'complexity', 'learning' or 'hybrid', got \"fast\"",
        ),
        ("[routing]\nquality_floor = nan", "2: routing.quality_floor: expected a finite number, got NaN"),
        ("[routing]\nquality_floor = 2", "2: routing.quality_floor: expected at most 1, got 2"),
        ('[cache]\nenabled = "yes"', '2: cache.enabled: expected true or false, got "yes"'),
        ("[cache]\nsemantic = true", "2: cache.semantic: expected false: this version has no semantic cache, got true"),
        (
            '[providers.a]\napi_key = "sk-secret"',
            '2: providers.a.api_key: unknown key (did you mean "api_key_env"?)',
        ),
        (
            f'{LOCAL}api_key_env = "sk-secret"',
            (
                '4: providers.local.api_key_env: expected the name of an environment variable such as "LOCAL_KEY", '
                "never the key itself"
            ),
        ),
        (
            f'{LOCAL}headers = {{ "x y" = "secret" }}',
            "4: providers.local.headers.x y: expected the name of an HTTP header",
        ),
        (
            f'{LOCAL}headers = {{ "Host" = "secret" }}',
            (
                "4: providers.local.headers.Host: expected a header that does not frame the message: "
                "this one is set by the gateway"
            ),
        ),
        (
            f'{LOCAL}headers = {{ "x-team" = "secret\\r\\nx: y" }}',
            "4: providers.local.headers.x-team: expected printable ASCII",
        ),
        (
            f"{LOCAL}timeouts.idle_s = 0",
            "4: providers.local.timeouts.idle_s: expected more than 0, got 0",
        ),
        (
            f"{LOCAL}timeouts.idle = 9",
            '4: providers.local.timeouts.idle: unknown key (did you mean "idle_s"?)',
        ),
        (
            '[providers."a b"]',
            ('1: providers.a b: expected a name of up to 64 letters, digits, dots, dashes or underscores, got "a b"'),
        ),
        (
            f"{MODEL}colour = 1",
            (
                "7: models[0].colour: unknown key, expected one of cached_usd_per_mtok, capabilities, context_tokens, "
                "file_searches_usd_per_1k, input_usd_per_mtok, max_output_tokens, name, output_usd_per_mtok, provider, "
                "tier, upstream, web_searches_usd_per_1k"
            ),
        ),
        (
            f'{MODEL}upstream = "a b"',
            ('7: models[0].upstream: expected up to 256 printable ASCII characters without spaces, got "a b"'),
        ),
        (
            "[providers.demo]",
            '1: providers.demo: expected another name: this one is the gateway\'s own, got "demo"',
        ),
        (
            f'{MODEL}tier = "medium"',
            "7: models[0].tier: expected 'simple', 'moderate' or 'complex', got \"medium\"",
        ),
        (
            f"{MODEL}input_usd_per_mtok = -1\noutput_usd_per_mtok = 1",
            "7: models[0].input_usd_per_mtok: expected at least 0, got -1",
        ),
        (
            f"{MODEL}input_usd_per_mtok = 0.1234567891\noutput_usd_per_mtok = 1",
            "7: models[0].input_usd_per_mtok: expected no more than 9 decimal places, got 0.1234567891",
        ),
        (
            f"{MODEL}input_usd_per_mtok = 1",
            "4: models[0]: expected both input_usd_per_mtok and output_usd_per_mtok, or neither",
        ),
        (
            f"{MODEL}cached_usd_per_mtok = 1",
            "4: models[0]: expected input_usd_per_mtok beside cached_usd_per_mtok",
        ),
        (
            f'{MODEL}capabilities = ["fly"]',
            "7: models[0].capabilities[0]: expected 'tools', 'images', 'json' or 'reasoning', got \"fly\"",
        ),
        (f'{LOCAL}[[models]]\nprovider = "local"', "4: models[0].name: expected a value: the key is missing"),
        (
            f'{LOCAL}[[models]]\nname = "auto"\nprovider = "local"',
            '5: models[0].name: expected another name: this one asks for routing, got "auto"',
        ),
        (
            f'{MODEL}[[models]]\nname = "a"\nprovider = "local"',
            '8: models[1].name: expected every name once: "a" stands above already',
        ),
        (
            "[learning]\nshadow_share = 0.1",
            "1: learning: expected judge beside shadow_share: without one, nothing is learned from second answers",
        ),
        *[
            (f'[[routes]]\nname = "a"\n{wrong}', f"1: routes[0]: expected {said}")
            for wrong, said in (
                (
                    'where = "route"\nvalue = "v1"',
                    'the path of a route in value, such as "/v1/chat/completions"',
                ),
                ('where = "tag"\nvalue = "=x"', 'a tag as name=value in value, such as "team=support"'),
                ('where = "key"\nvalue = "k"\ncascade_streams = true', "cascade = true beside cascade_streams"),
                (
                    'where = "key"\nvalue = "k"\ncascade = true\npromise_points = 0.02',
                    "either cascade or promise_points: what is promised is tested on single answers",
                ),
            )
        ],
        *[
            (
                f'[learning]\n{learning}\n[[routes]]\nname = "a"\nwhere = "key"\nvalue = "k"\npromise_points = 0.1',
                (
                    f"{8 if 'judge' in learning else 7}: routes[0].promise_points: expected learning.shadow_share, "
                    "learning.judge and learning.keep_prompts beside it: without answers to compare the baseline would "
                    "answer for ever"
                ),
            )
            for learning in ("keep_prompts = true", 'judge = "m"\nshadow_share = 0.0')
        ],
        (
            '[[routes]]\nname = "a"\nwhere = "key"\nvalue = "k"\n' * 2,
            '6: routes[1].name: expected every name once: "a" stands above already',
        ),
        (
            '[[models]]\nname = "a"\nprovider = "opnai"',
            (
                '3: models[0].provider: expected a configured provider or a known vendor, got "opnai" '
                '(did you mean "openai"?)'
            ),
        ),
        (
            '[providers.gorq]\ndialect = "openai"',
            '1: providers.gorq.base_url: expected a value: "gorq" is no known vendor (did you mean "groq"?)',
        ),
        (
            '[alerts]\nwebhook_url = "https://hooks.example.com"',
            (
                "2: alerts.webhook_url: FARTHING_WEBHOOK_SECRET holds the secret that signs: "
                "expected at least 16 bytes, or nobody can trust what it signs"
            ),
        ),
        ('[alerts]\nemail_to = ["a@b.example"]', "2: alerts.email_to: expected alerts.smtp.host beside it"),
        (
            '[[reports]]\nname = "finance"\nformats = ["csv"]\nemail_to = ["a@b.example"]',
            "4: reports[0].email_to: expected alerts.smtp.host, the server that takes the mail",
        ),
        (
            '[[reports]]\nname = "finance"\nformats = ["csv"]\nwebhook = true',
            "4: reports[0].webhook: expected alerts.webhook_url, where it is posted",
        ),
        (
            '[[reports]]\nname = "finance"\nformats = ["csv"]',
            "1: reports[0]: expected email_to or webhook = true: nobody would get it",
        ),
        (
            '[[reports]]\nname = "finance"\nwebhook = true\nformats = ["csv", "xls"]',
            '4: reports[0].formats: expected formats among csv, json, summary, focus, pdf, got "xls"',
        ),
        (
            '[alerts.smtp]\nhost = "mail.example"\n' + 2 * '[[reports]]\nname = "f"\nemail_to = ["a@b.example"]\n',
            '7: reports[1].name: expected every name once: "f" stands above already',
        ),
        (
            '[oidc]\nissuer = "https://x"\nclient_id = "f"\npublic_url = "https://y"\ndefault_role = "member"',
            "2: oidc.issuer: expected FARTHING_OIDC_CLIENT_SECRET or FARTHING_MASTER_KEY to be set",
        ),
        *(
            (
                f'[oidc.places]\nops = "{place}"',
                (
                    "2: oidc.places.ops: expected a tenant, or a tenant and its team such as "
                    f'"acme/support", got "{place}"'
                ),
            )
            for place in ("acme/", "/support", "acme/support/ada", "a b", "")
        ),
        (
            '[alerts]\nemail_to = ["a@b.example\\r\\nBcc: c@d.example"]',
            (
                '2: alerts.email_to[0]: expected a mail address such as "finops@example.com", '
                'got "a@b.example\\r\\nBcc: c@d.example"'
            ),
        ),
        (
            '[plans."a b"]',
            '1: plans.a b: expected a name of up to 64 letters, digits, dots, dashes or underscores, got "a b"',
        ),
    ],
)
def test_a_mistake_in_the_file_names_line_key_and_expectation(settings_of: Load, text: str, said: str) -> None:
    """Each mistake is one line, and none repeats what might be a secret."""
    assert mistakes(settings_of, text) == [f"farthing.toml:{said}"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('default_role = "member"', "expected oidc.public_url beside it"),
        (
            'public_url = "https://y"',
            "expected oidc.admins, oidc.roles or oidc.default_role, or nobody may come in",
        ),
    ],
)
def test_half_a_sign_on_is_none(settings_of: Load, more: str, said: str) -> None:
    """It would look switched on."""
    text = f'[oidc]\nissuer = "https://x"\nclient_id = "f"\n{more}'
    found = mistakes(settings_of, text, FARTHING_MASTER_KEY="sk-master")
    assert found == [f"farthing.toml:2: oidc.issuer: {said}"]


@pytest.mark.parametrize("url", ["ftp://x/v1", "http://", "http://u:p@x", "http://x/v1?key=s", "http://x:99999", "x"])
def test_a_base_url_is_an_address_and_nothing_else(settings_of: Load, url: str) -> None:
    """User names, keys and queries do not belong into an address."""
    text = f'[providers.local]\ndialect = "openai"\nbase_url = "{url}"'
    [said] = mistakes(settings_of, text)
    assert said == (
        "farthing.toml:3: providers.local.base_url: expected http:// or https:// with host and path only, "
        'such as "http://127.0.0.1:11434/v1"'
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"PORT": "80x"}, 'PORT: server.port: expected a whole number, got "80x"'),
        (
            {"PORT": "1", "FARTHING_SERVER__PORT": "70000"},
            'FARTHING_SERVER__PORT: server.port: expected at most 65535, got "70000"',
        ),
        ({"FARTHING_SERVER__PROT": "1"}, 'FARTHING_SERVER__PROT: server.prot: unknown key (did you mean "port"?)'),
        ({"FARTHING_SERVER__PORT__X": "1"}, "FARTHING_SERVER__PORT__X: server.port: expected a whole number"),
        (
            {"DATABASE_URL": "mysql://root:secret@db/x"},
            "DATABASE_URL: database.url: expected sqlite:///path or postgresql://user@host:port/name",
        ),
        (
            {"FARTHING_PROVIDERS__X__BASE_URL": "http://x"},
            'FARTHING_PROVIDERS__X__BASE_URL: providers.x.dialect: expected a value: "x" is no known vendor',
        ),
        (
            {"FARTHING_MODELS": '[{"name": "a", "provider": "x"}]'},
            'FARTHING_MODELS: models[0].provider: expected a configured provider or a known vendor, got "x"',
        ),
        (
            {"FARTHING_MODELS": "[{]"},
            (
                "FARTHING_MODELS: expected JSON: "
                "Expecting property name enclosed in double quotes: line 1 column 3 (char 2)"
            ),
        ),
        (
            {"FARTHING_MASTER_KEY": "two words"},
            "FARTHING_MASTER_KEY: expected printable ASCII without spaces, as it must fit into an HTTP header",
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(settings_of: Load, environ: dict[str, str], said: str) -> None:
    """The variable is named in place of a line."""
    assert mistakes(settings_of, None, **environ) == [said]


def test_a_mistake_names_where_the_setting_came_from(settings_of: Load) -> None:
    """With a file and an environment, each mistake leads to the one that made it."""
    text = "[providers.x]\n[server]\nport = 80\n"
    assert mistakes(settings_of, text, FARTHING_CACHE__TTL_S="0") == [
        'FARTHING_CACHE__TTL_S: cache.ttl_s: expected at least 1, got "0"'
    ]
    assert [said.split(": expected")[0] for said in mistakes(settings_of, text, FARTHING_CACHE__TTL_S="1")] == [
        "farthing.toml:1: providers.x.dialect",
        "farthing.toml:1: providers.x.base_url",
    ]


def test_the_error_itself_is_one_line(settings_of: Load) -> None:
    """Of several mistakes the first is told, with the number of the others."""
    with pytest.raises(SettingsError) as caught:
        settings_of('[server]\nport = "x"\nworkers = 0\ncolour = 1')
    assert str(caught.value) == (
        'farthing.toml:2: server.port: expected a whole number, got "x" (and 2 more: farthing doctor lists them)'
    )
