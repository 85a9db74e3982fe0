"""Values that the chart is tried with, each at least once, and the secret beside it."""

from __future__ import annotations

from typing import Any

SETS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "fixed number": {"autoscaling": {"enabled": False}, "replicaCount": 3, "workers": 4},
    "more at most": {
        "autoscaling": {
            "minReplicas": 3,
            "maxReplicas": 40,
            "targetCPUUtilizationPercentage": 60,
            "scaleDownStabilizationSeconds": 60,
        },
        "podDisruptionBudget": {"maxUnavailable": "25%"},
        "shutdown": {"lameDuckSeconds": 10, "drainSeconds": 3600},
        "migration": {"backoffLimit": 0, "activeDeadlineSeconds": 2_000_000},
    },
    "ingress": {
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600"},
            "hosts": ["farthing.example.com", "llm.example.com"],
            "tlsSecret": "farthing-tls",
        },
        "service": {"type": "LoadBalancer", "port": 8080, "annotations": {"example.com/internal": "true"}},
    },
    "own names": {
        "nameOverride": "gateway",
        "fullnameOverride": "llm-gateway",
        "existingSecret": "llm-secrets",
        "imagePullSecrets": [{"name": "registry"}],
        "image": {"repository": "registry.example/farthing", "tag": "0.1.0", "pullPolicy": "Always"},
        "serviceAccount": {"name": "llm", "annotations": {"example.com/role": "llm"}},
    },
    "settings": {
        "image": {"repository": "farthing", "digest": f"sha256:{'0' * 64}"},
        "env": {
            "FARTHING_CACHE__TTL_S": 3_000_000,
            "FARTHING_CACHE__ENABLED": True,
            "HTTPS_PROXY": "http://proxy:3128",
        },
        "config": "[learning]\nretrain_every_hours = 0\n",
        "journal": {"existingClaim": "journals"},
    },
    "placed": {
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
        "journal": {"sizeLimit": "512Mi"},
        "podAnnotations": {"example.com/scrape": "true"},
        "podLabels": {"team": "platform"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "llm", "effect": "NoSchedule"}],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "farthing"}},
                        },
                    }
                ]
            }
        },
    },
    "bare": {
        "autoscaling": {"enabled": False},
        "migration": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
        "resources": None,
    },
}
SECRET = {
    "DATABASE_URL": "postgresql://farthing:secret@postgres/farthing",
    "FARTHING_MASTER_KEY": "0123456789abcdef-master",
    "REDIS_URL": "redis://redis:6379/0",
    "OPENAI_API_KEY": "sk-of-nobody",
}
"""What docs/deploy.md puts into the secret."""
