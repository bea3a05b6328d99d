"""Write every dashboard as JSON beside this file, or say which are stale.

python -m dashboards.generate
python -m dashboards.generate --check
"""

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.convergence import convergence
from dashboards.fleet import fleet
from dashboards.groups import groups
from dashboards.health import health
from dashboards.network import network

FOLDER = Path(__file__).parent
DASHBOARDS = {
    "convergence.json": convergence,
    "fleet.json": fleet,
    "groups.json": groups,
    "health.json": health,
    "network.json": network,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not what it would be")
    words = parser.parse_args()
    texts = {FOLDER / name: rendered(build()) for name, build in DASHBOARDS.items()}
    if words.check:
        stale = [path for path, text in texts.items() if not path.is_file() or path.read_text() != text]
        stale += sorted(set(FOLDER.glob("*.json")) - set(texts))
        sys.exit("\n".join(f"dashboards/{path.name} is stale: make dashboards" for path in stale) or 0)
    for path, text in texts.items():
        path.write_text(text)


def rendered(dashboard: model.Dashboard) -> str:
    """The JSON that Grafana provisions; the same bytes every time."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    main()
