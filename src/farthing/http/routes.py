"""The whole API on one screen: every route, who may use it, and what answers."""

from __future__ import annotations

from farthing.http import description, feedback, health, live, models, page, recommendation, reports
from farthing.http.desk import HOT
from farthing.http.policy import Policy, Route
from farthing.http.probes import PROBES

KEY, PUBLIC, ADMIN = Policy.KEY, Policy.PUBLIC, Policy.ADMIN


ROUTES = (
    *(Route("POST", path, KEY, None) for path in HOT),
    Route("GET", "/v1/models", KEY, models.list_models),
    Route("GET", "/v1/models/{model_id:path}", KEY, models.one_model),
    Route("GET", "/providers", KEY, models.providers),
    Route("GET", "/v1/providers", KEY, models.providers),
    Route("GET", "/recommendation", KEY, recommendation.recommendation),
    Route("GET", "/routing/decision", KEY, recommendation.decision),
    Route("GET", "/routing/metrics", KEY, reports.routing_metrics),
    Route("WS", "/metrics/live", KEY, live.live_metrics),
    Route("GET", "/stats", KEY, reports.stats),
    Route("GET", "/v1/usage", KEY, reports.usage),
    Route("GET", "/v1/savings", KEY, reports.savings),
    Route("GET", "/v1/requests", KEY, reports.requests),
    Route("GET", "/v1/requests/{request_id}", KEY, reports.one_request),
    Route("GET", "/cache/stats", KEY, reports.cache_stats),
    Route("POST", "/feedback", KEY, feedback.give_feedback),
    Route("GET", "/quality/stats", KEY, reports.quality_stats),
    Route("GET", "/metrics", ADMIN, health.metrics),
    Route("GET", "/health", KEY, health.health),
    Route("GET", "/api/openapi.json", KEY, description.description),
    *(Route("GET", path, PUBLIC, None) for path in PROBES),
    Route("GET HEAD", "/", PUBLIC, page.page),
    Route("GET", "/assets/{name}", PUBLIC, page.asset),
)
