"""The tables, as the newest migration leaves them. Only the store knows them.

Money is in nano-dollars, durations in microseconds, moments as `Moment`. What matters to DDL alone stands in the
migrations (partitions by month, conditions of indices): `postgresql_…` keywords would load that dialect each time.
"""

from __future__ import annotations

import sqlalchemy as sa

from farthing.store.columns import Identifier, Json, Moment

metadata = sa.MetaData()

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("request_id", Identifier, primary_key=True),
    # A partitioned table of PostgreSQL can only be unique within its partition's key.
    sa.Column("created_at", Moment, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("dialect", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text),
    sa.Column("team", sa.Text),
    # `user` is a keyword of SQL that would silently read as the database's own user.
    sa.Column("user_id", sa.Text),
    sa.Column("session", sa.Text),
    sa.Column("app", sa.Text),
    sa.Column("requested_model", sa.Text, nullable=False),
    sa.Column("stream", sa.Boolean, nullable=False),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("upstream_id", sa.Text),
    sa.Column("strategy", sa.Text),
    sa.Column("tier", sa.Text),
    sa.Column("score", sa.Double),
    sa.Column("confidence", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("experiment_id", sa.Text),
    sa.Column("arm", sa.Text),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_tokens", sa.BigInteger, nullable=False),
    # Older code does not know it, and counts such tokens among the cached ones.
    sa.Column("cached_audio_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cache_write_5m_tokens", sa.BigInteger, nullable=False),
    sa.Column("cache_write_1h_tokens", sa.BigInteger, nullable=False),
    sa.Column("audio_in_tokens", sa.BigInteger, nullable=False),
    sa.Column("image_in_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
    sa.Column("audio_out_tokens", sa.BigInteger, nullable=False),
    sa.Column("image_out_tokens", sa.BigInteger, nullable=False),
    sa.Column("estimated", sa.Boolean, nullable=False),
    # NULL is unpriced: unknown, never zero.
    sa.Column("cost", sa.BigInteger),
    sa.Column("baseline_cost", sa.BigInteger),
    sa.Column("price_version", sa.Text),
    sa.Column("cache", sa.Text, nullable=False),
    sa.Column("cache_level", sa.Text),
    sa.Column("cache_key", sa.Text),
    sa.Column("http_status", sa.BigInteger, nullable=False),
    sa.Column("error_code", sa.Text),
    sa.Column("finish", sa.Text),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("first_token_us", sa.BigInteger),
    sa.Column("upstream_us", sa.BigInteger, nullable=False),
    sa.Column("savings", sa.BigInteger, nullable=False),
    sa.Column("tags", Json),
    sa.Column("decision", Json),
    sa.Column("attempts", Json),
    sa.Index("ix_requests_created", "created_at", "request_id"),
    sa.Index("ix_requests_tenant_created", "tenant", "created_at", "request_id"),
    # Holds rows with a session only. The sums do not tell sessions apart: there are too many.
    sa.Index("ix_requests_session", "session", "created_at", "request_id"),
    # Holds estimates only, which are few; the sums do not tell them apart.
    sa.Index("ix_requests_estimated", "created_at", "tenant", "cost"),
)

value_metrics = sa.Table(
    "value_metrics",
    metadata,
    # What `value` is one of: `model`, `team`, … or `total`, whose only value is empty.
    sa.Column("dimension", sa.Text, primary_key=True),
    # Minutes in a bucket: 1, 60 or 1440.
    sa.Column("grain", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("bucket", Moment, primary_key=True, autoincrement=False),
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("errors", sa.BigInteger, nullable=False),
    sa.Column("cache_hits", sa.BigInteger, nullable=False),
    sa.Column("tokens_in", sa.BigInteger, nullable=False),
    sa.Column("tokens_out", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    # Requests whose cost is unknown.
    sa.Column("unpriced", sa.BigInteger, nullable=False),
    sa.Column("baseline_cost", sa.BigInteger, nullable=False),
    sa.Column("savings", sa.BigInteger, nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

COUNTERS = tuple(column.name for column in value_metrics.columns if not column.primary_key)
"""The columns of `value_metrics` that add up."""

response_cache = sa.Table(
    "response_cache",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text),
    sa.Column("tier", sa.Text),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("hits", sa.BigInteger, nullable=False),
    # Nano-dollars its hits did not cost.
    sa.Column("saved", sa.BigInteger, nullable=False),
    # Mean vote, from 0 to 1; NULL without votes.
    sa.Column("score", sa.Double),
    sa.Column("votes", sa.BigInteger, nullable=False),
    # Voted down: kept for ever as a tombstone without its answer.
    sa.Column("invalidated", sa.Boolean, nullable=False),
    # The whole `CacheEntry` as msgpack; last, so that a scan of the columns above does not read it.
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sa.Index("ix_response_cache_expires", "expires_at"),
    sa.Index("ix_response_cache_created", "created_at"),
    # Holds tombstones only, which are few and asked for twice a second.
    sa.Index("ix_response_cache_invalidated", "key"),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    # What `farthing.domain.secrets.digest` makes of the secret; the secret itself is nowhere.
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("team", sa.Text),
    sa.Column("user_id", sa.Text),
    # A list of names; NULL allows every model.
    sa.Column("allowed_models", Json),
    sa.Column("is_admin", sa.Boolean, nullable=False),
    sa.Column("cache", sa.Boolean),
    sa.Column("is_blocked", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    # NULL in rows of older code: `admin` or `member`, as `is_admin` says.
    sa.Column("role", sa.Text),
    # The key or person that made it; NULL for the command line.
    sa.Column("created_by", sa.Text),
    # When it was blocked for good.
    sa.Column("revoked_at", Moment),
    # What `counters` said under `tenancy` when the row last changed; NULL in rows of older code.
    sa.Column("changed", sa.BigInteger),
    sa.Column("requests_per_minute", sa.BigInteger),
    sa.Column("tokens_per_minute", sa.BigInteger),
    sa.Column("concurrent_requests", sa.BigInteger),
    # Nano-dollars that one request may cost; NULL is without such a bound.
    sa.Column("max_cost", sa.BigInteger),
    sa.UniqueConstraint("digest", name="uq_keys_digest"),
    sa.Index("ix_keys_changed", "changed"),
)

counters = sa.Table(
    "counters",
    metadata,
    # `tenancy`, `experiments`, `learning` count changes of theirs; `experiment:ID:…` tells until when (µs since 1970)
    # somebody looks at one, and how much was seen, `learning:turn` until when somebody trains.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    # The name of a plan in the settings; NULL has neither limits nor a markup.
    sa.Column("plan", sa.Text),
    sa.Column("is_blocked", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)

plan_terms = sa.Table(
    "plan_terms",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    # 1970 for what held before anything was put on record.
    sa.Column("since", Moment, primary_key=True, autoincrement=False),
    # NULL is on no plan.
    sa.Column("plan", sa.Text),
    # Nano-dollars a month; NULL, as the markup in basis points, where nobody knew.
    sa.Column("price", sa.BigInteger),
    sa.Column("markup", sa.BigInteger),
)

teams = sa.Table(
    "teams",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("requests_per_minute", sa.BigInteger),
    sa.Column("tokens_per_minute", sa.BigInteger),
    sa.Column("concurrent_requests", sa.BigInteger),
    sa.Column("created_at", Moment, nullable=False),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    # Who vouches for the person, and the person's name there.
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("team", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("is_blocked", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("issuer", "subject", name="uq_people_subject"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    # Of the cookie's secret, which is nowhere.
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("person_id", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Index("ix_sessions_person", "person_id"),
)

provider_credentials = sa.Table(
    "provider_credentials",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("credential_id", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    # Scheme, host and port that the secret may be sent to.
    sa.Column("origin", sa.Text, nullable=False),
    # Nonce and ciphertext, bound to tenant, id and origin.
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("tenant", "provider", name="uq_provider_credentials_provider"),
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("budget_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("limit_nano", sa.BigInteger, nullable=False),
    sa.Column("is_hard", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("name", sa.Text),
    # Steps before the refusal, as a list of {at_percent, action}; NULL has none.
    sa.Column("degrade", Json),
)

budget_leases = sa.Table(
    "budget_leases",
    metadata,
    sa.Column("budget_id", sa.Text, primary_key=True),
    # The beginning of the window.
    sa.Column("starts_at", Moment, primary_key=True, autoincrement=False),
    # The name of the worker's journal.
    sa.Column("worker", sa.Text, primary_key=True),
    # Nano-dollars the worker may still bring into the ledger.
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("renewed_at", Moment, nullable=False),
)


def _outbox(name: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        # The same on whichever worker noticed: what happened is told once.
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("payload", Json, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        # When to try next; whoever delivers moves it on before trying.
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", Moment),
        # Why the last try failed, in words; NULL before there was one.
        sa.Column("failure", sa.Text),
        sa.Index(f"ix_{name}_due", "due_at"),
    )


alerts = _outbox("alerts")
report_deliveries = _outbox("report_deliveries")

rates = sa.Table(
    "rates",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    # The theoretical arrival time of GCRA in µs since 1970 UTC, on the database's clock.
    sa.Column("arrival_us", sa.BigInteger, nullable=False),
)

slots = sa.Table(
    "slots",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, primary_key=True),
    # Requests under way.
    sa.Column("taken", sa.BigInteger, nullable=False),
    sa.Column("renewed_at", Moment, nullable=False),
)

idempotent_answers = sa.Table(
    "idempotent_answers",
    metadata,
    # Of tenant, key and the caller's idempotency key.
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    # Of route and body.
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    # The worker that asks; its request is under way while there is no answer.
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("answer", sa.LargeBinary),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Index("ix_idempotent_answers_expires", "expires_at"),
)

experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("experiment_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("completed_at", Moment),
    # Arms, scope, margins and all else that was fixed at its creation.
    sa.Column("definition", Json, nullable=False),
    # The number of its last result, whatever became of it.
    sa.Column("n", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("duplicates", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("invalid", sa.BigInteger, nullable=False, server_default="0"),
    # How often a result that is analysed was rated.
    sa.Column("ratings", sa.BigInteger, nullable=False, server_default="0"),
    # Requests without a result: by arm those that were `dropped`, and the `hits` of the cache.
    sa.Column("lost", Json),
    # The last result that is analysed; NULL while it runs.
    sa.Column("decided_n", sa.BigInteger),
    # While it runs what speaks against it, and how many results that rests on.
    sa.Column("verdict", Json),
    # By arm, sums over groups of users since the winner was promoted; NULL where none was.
    sa.Column("aftermath", Json),
    sa.Column("rolled_back_at", Moment),
    sa.Column("rolled_back_for", sa.Text),
    # What `counters` said under `experiments` when anything but its results last changed.
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Index("ix_experiments_changed", "changed"),
    sa.Index("ix_experiments_status", "status"),
    sa.Index("ix_experiments_tenant_created", "tenant", "created_at", "experiment_id"),
)

experiment_results = sa.Table(
    "experiment_results",
    metadata,
    sa.Column("experiment_id", sa.Text, primary_key=True),
    # Of the ledger, or whatever whoever reports from outside calls it.
    sa.Column("request_id", sa.Text, primary_key=True),
    # From 1, in the order of arrival; from -1 down what the cache answered, which is no result.
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("phase", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("latency_us", sa.BigInteger, nullable=False),
    # In millionths, whose sums are the same in any order.
    sa.Column("quality", sa.BigInteger),
    sa.Column("is_error", sa.Boolean, nullable=False),
    sa.Column("covariate", sa.BigInteger),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("experiment_id", "seq", name="uq_experiment_results_seq"),
)
