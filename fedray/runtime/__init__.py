"""Ray: sessions, the coordinator, hosts, jobs, checkpoints. The only package that imports ray.

Ray reads its switches when it is imported, so they are set here, before any module of this package does so. What the
user has set is left alone.
"""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# hosts are many small processes by design; this warning would come with every larger fleet
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "worker processes have been started")
