"""The whole API on one screen: every route, who may use it, and what answers."""

from __future__ import annotations

from farthing.http import (
    description,
    experiments,
    feedback,
    health,
    live,
    models,
    page,
    recommendation,
    replay,
    reports,
    signon,
)
from farthing.http.admin import budgets, credentials, keys, learning, money, people, tenants
from farthing.http.desk import HOT
from farthing.http.policy import Policy, Route
from farthing.http.probes import PROBES

PUBLIC, KEY, ASK, AUDIT = Policy.PUBLIC, Policy.KEY, Policy.ASK, Policy.AUDIT
TEAM_ADMIN, ORG_ADMIN, ADMIN = Policy.TEAM_ADMIN, Policy.ORG_ADMIN, Policy.ADMIN
CREATED = 201


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
    Route("GET", "/v1/replay", AUDIT, replay.replay),
    Route("GET", "/v1/requests", KEY, reports.requests),
    Route("GET", "/v1/requests/{request_id}", KEY, reports.one_request),
    Route("GET", "/cache/stats", KEY, reports.cache_stats),
    Route("POST", "/feedback", KEY, feedback.give_feedback),
    Route("GET", "/quality/stats", KEY, reports.quality_stats),
    Route("POST", "/experiments", ASK, experiments.create_experiment, CREATED),
    Route("POST", "/experiments/start", ASK, experiments.create_experiment, CREATED),
    Route("GET", "/experiments", KEY, experiments.list_experiments),
    Route("GET", "/experiments/plan", KEY, experiments.plan),
    Route("GET", "/experiments/{experiment_id}", KEY, experiments.one_experiment),
    Route("PATCH", "/experiments/{experiment_id}", ASK, experiments.change_experiment),
    Route("POST", "/experiments/{experiment_id}/stop", ASK, experiments.stop_experiment),
    Route("GET", "/experiments/{experiment_id}/results", KEY, experiments.results),
    Route("POST", "/experiments/{experiment_id}/results", ASK, experiments.record_result, CREATED),
    Route("GET", "/admin/tenants", AUDIT, tenants.list_tenants),
    Route("POST", "/admin/tenants", ADMIN, tenants.create_tenant, CREATED),
    Route("PATCH", "/admin/tenants/{tenant}", ADMIN, tenants.change_tenant),
    Route("GET", "/admin/teams", AUDIT, tenants.list_teams),
    Route("POST", "/admin/teams", ORG_ADMIN, tenants.create_team, CREATED),
    Route("PATCH", "/admin/teams/{tenant}/{team}", ORG_ADMIN, tenants.change_team),
    Route("GET", "/admin/people", AUDIT, people.list_people),
    Route("GET", "/admin/people/{person_id}", AUDIT, people.one_person),
    Route("PATCH", "/admin/people/{person_id}", TEAM_ADMIN, people.change_person),
    Route("GET", "/admin/keys", AUDIT, keys.list_keys),
    Route("POST", "/admin/keys", TEAM_ADMIN, keys.create_key, CREATED),
    Route("GET", "/admin/keys/{key_id}", AUDIT, keys.one_key),
    Route("PATCH", "/admin/keys/{key_id}", TEAM_ADMIN, keys.change_key),
    Route("DELETE", "/admin/keys/{key_id}", TEAM_ADMIN, keys.revoke_key),
    Route("GET", "/admin/budgets", AUDIT, budgets.list_budgets),
    Route("POST", "/admin/budgets", TEAM_ADMIN, budgets.create_budget, CREATED),
    Route("GET", "/admin/budgets/{budget_id}", AUDIT, budgets.one_budget),
    Route("PATCH", "/admin/budgets/{budget_id}", TEAM_ADMIN, budgets.change_budget),
    Route("DELETE", "/admin/budgets/{budget_id}", TEAM_ADMIN, budgets.delete_budget),
    Route("GET", "/admin/credentials", AUDIT, credentials.list_credentials),
    Route("PUT", "/admin/credentials", ORG_ADMIN, credentials.put_credential),
    Route("DELETE", "/admin/credentials/{tenant}/{provider}", ORG_ADMIN, credentials.delete_credential),
    Route("GET", "/admin/invoices/{tenant}/{month}", AUDIT, money.invoice),
    Route("POST", "/admin/reprice", ADMIN, money.reprice),
    Route("GET", "/admin/learning/status", ADMIN, learning.status),
    Route("POST", "/admin/learning/retrain", ADMIN, learning.retrain),
    Route("POST", "/admin/learning/rollback", ADMIN, learning.rollback),
    Route("GET", "/metrics", ADMIN, health.metrics),
    Route("GET", "/health", KEY, health.health),
    Route("GET", "/api/openapi.json", KEY, description.description),
    Route("GET", "/session", KEY, signon.session),
    Route("GET", "/login", PUBLIC, signon.login),
    Route("GET", "/login/callback", PUBLIC, signon.callback),
    Route("POST", "/logout", PUBLIC, signon.logout, 204),
    *(Route("GET", path, PUBLIC, None) for path in PROBES),
    Route("GET HEAD", "/", PUBLIC, page.page),
    Route("GET", "/assets/{name}", PUBLIC, page.asset),
)
