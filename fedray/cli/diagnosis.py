"""The command that looks at this machine: doctor."""

from dataclasses import asdict

import typer

from fedray.cli.console import AsJson, print_json, say


def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has of what fedray needs: packages, Ray, resources, tools.

    Exits with 1 if the default scenario could not run here.
    """
    from fedray.doctor import examine

    checks = examine()
    sound = all(check.level != "fail" for check in checks)
    if as_json:
        print_json({"ok": sound, "checks": [asdict(check) for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            advice = f"; {check.advice}" if check.advice and check.level != "ok" else ""
            say(f"{check.level:4}  {check.name:{width}}  {check.found}{advice}")
    raise typer.Exit(0 if sound else 1)
