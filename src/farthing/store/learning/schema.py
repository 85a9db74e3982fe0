"""The tables of what is learned from, and of what was learned."""

from __future__ import annotations

import sqlalchemy as sa

from farthing.store.columns import Identifier, Json, Moment
from farthing.store.schema import metadata

response_feedback = sa.Table(
    "response_feedback",
    metadata,
    sa.Column("feedback_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    # Who judged; NULL where callers cannot be told apart, each of whose votes counts.
    sa.Column("principal", sa.Text),
    # `farthing.ports.Source`; older code knows people's opinions only, and names none.
    sa.Column("source", sa.Text, nullable=False, server_default="explicit"),
    sa.Column("cache_key", sa.Text),
    sa.Column("request_id", Identifier),
    # From 0 to 1.
    sa.Column("quality", sa.Double, nullable=False),
    sa.Column("is_correct", sa.Boolean),
    sa.Column("is_helpful", sa.Boolean),
    sa.Column("comment", sa.Text),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("strategy", sa.Text),
    sa.Column("tier", sa.Text),
    # `farthing.domain.routing.patterns.Pattern` of the question; NULL where it was not kept.
    sa.Column("pattern", sa.Text),
    # Under which the answer is kept that was judged; NULL where it was bought for the request that is rated.
    sa.Column("answer_key", sa.Text),
    # NULLs are distinct: nameless votes never collide.
    sa.UniqueConstraint("cache_key", "principal", name="uq_response_feedback_vote"),
    sa.UniqueConstraint("request_id", "principal", name="uq_response_feedback_rating"),
    sa.Index("ix_response_feedback_created", "created_at"),
    sa.Index("ix_response_feedback_answer", "answer_key"),
)

lessons = sa.Table(
    "lessons",
    metadata,
    sa.Column("request_id", Identifier, primary_key=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    # NULL is unpriced.
    sa.Column("cost", sa.BigInteger),
    # Under which the answer was kept, and may be voted on.
    sa.Column("cache_key", sa.Text),
    # What was asked last, of a long text both ends.
    sa.Column("prompt", sa.Text, nullable=False),
    # Whose next question may tell that the answer was no good: key, and session or user; NULL where that cannot be
    # told.
    sa.Column("asker", sa.Text),
    # Digest of all that was said before the question.
    sa.Column("context", sa.Text),
    # When the answer was there in full.
    sa.Column("answered_at", Moment),
    # `farthing.ports.learning.Finding`; NULL where no first answer was checked.
    sa.Column("checked", Json),
    sa.Index("ix_lessons_created", "created_at"),
    sa.Index("ix_lessons_cache_key", "cache_key"),
    sa.Index("ix_lessons_asker", "asker", "answered_at"),
    # Holds rows with something in `checked` only.
    sa.Index("ix_lessons_checked", "created_at"),
)

learning_snapshots = sa.Table(
    "learning_snapshots",
    metadata,
    sa.Column("snapshot_id", sa.Text, primary_key=True),
    sa.Column("created_at", Moment, nullable=False),
    # `running` until the training ends.
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("summary", Json, nullable=False),
    # The predictor, signed and compressed; NULL where the training left none that is kept.
    sa.Column("payload", sa.LargeBinary),
    sa.Index("ix_learning_snapshots_created", "created_at"),
)

comparisons = sa.Table(
    "comparisons",
    metadata,
    # Of the answer that was served.
    sa.Column("request_id", Identifier, primary_key=True),
    sa.Column("other_request_id", Identifier, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    # The route rule that covered the request, empty where none did.
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("pattern", sa.Text, nullable=False),
    sa.Column("served_model", sa.Text, nullable=False),
    sa.Column("other_model", sa.Text, nullable=False),
    sa.Column("baseline_model", sa.Text, nullable=False),
    # 0..1.
    sa.Column("served_quality", sa.Double, nullable=False),
    sa.Column("other_quality", sa.Double, nullable=False),
    # By how much the cheaper answer was expected to be worse, NULL where no promise asked for it.
    sa.Column("short", sa.Double),
    sa.Column("source", sa.Text, nullable=False),
    # Of the other answer and the judge, NULL where any of it is unpriced.
    sa.Column("cost", sa.BigInteger),
    sa.Index("ix_comparisons_created", "created_at"),
    sa.Index("ix_comparisons_rule", "rule", "created_at"),
)

promises = sa.Table(
    "promises",
    metadata,
    # The name of the route rule.
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("tested_at", Moment, nullable=False),
    # Since when the baseline answers, or does not answer everything.
    sa.Column("since", Moment, nullable=False),
    # What is promised, against which model.
    sa.Column("points", sa.Double, nullable=False),
    sa.Column("confidence", sa.Double, nullable=False),
    sa.Column("baseline", sa.Text, nullable=False),
    # What was found, in how many pairs.
    sa.Column("pairs", sa.BigInteger, nullable=False),
    sa.Column("margin", sa.Double),
    # A list of models.
    sa.Column("challengers", Json, nullable=False),
    sa.Column("share", sa.Double, nullable=False),
    sa.Column("loss", sa.Double),
    sa.Column("most", sa.Double),
)
