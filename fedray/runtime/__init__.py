"""Ray: sessions, the coordinator, execution on hosts, jobs, checkpoints, sweeps. The only package that imports ray.

Ray reads its switches when it is imported, so they are set here, before any module of this package does so. What the
user has set is left alone.
"""

import os
from pathlib import Path


def _has_token() -> bool:
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").is_file()


os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# hosts are many small processes by design, and a run says itself that one died and what comes of it
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "worker processes have been started|A worker died or was killed")
if _has_token():  # Ray ignores a token when it joins a cluster, unless told to use it
    os.environ.setdefault("RAY_AUTH_MODE", "token")
