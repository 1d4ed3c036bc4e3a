"""`python -m cambium VERB`: looks after a host where only Python is installed; exit codes as of `cambium`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Callable, Sequence

from cambium import convert
from cambium.admin import Admin, Report
from cambium.status import CambiumError, Code
from cambium.version import __version__

DONE, FAILED, BAD_INPUT, NOT_THERE = range(4)


def exit_code_of(code: Code) -> int:
    """What a shell is told: it failed or was refused, the input is at fault, or nobody answers."""
    if code in (Code.unavailable, Code.timeout):
        return NOT_THERE
    if code in (Code.bad_argument, Code.bad_data, Code.not_found):
        return BAD_INPUT
    return DONE if code is Code.ok else FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except CambiumError as error:
        print(f"cambium {options.verb}: {error}", file=sys.stderr)
        return exit_code_of(error.code)
    except KeyboardInterrupt:
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cambium", description="Look after a Cambium host.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_admin(verbs, "status", "Show trunk and robots of a running host.", lambda a, o: a.status(), robot=False)
    swap = _add_admin(verbs, "swap", "Swap embodiment, head or weights of a robot while it moves.", _swap)
    _add_parts(swap)
    _add_trial(swap)
    reload = _add_admin(verbs, "reload", "Read a robot's libraries and bundle again, and swap to them.", _reload)
    _add_trial(reload)
    _add_admin(verbs, "rollback", "Go back to the generation before the last swap.", lambda a, o: a.rollback(o.robot))
    _add_parts(_add_admin(verbs, "add", "Add a robot to a running host.", _add))
    _add_admin(verbs, "remove", "Remove a robot from a running host.", lambda a, o: a.remove(o.robot))
    convert.add_arguments(verbs.add_parser("convert", help=convert.SUMMARY, description=convert.SUMMARY))
    return parser


def _add_admin(
    verbs: Any, name: str, summary: str, ask: Callable[[Admin, argparse.Namespace], Report], robot: bool = True
) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=summary)
    verb.add_argument("--endpoint", default="", help="admin endpoint of the host; else the one of this user")
    verb.add_argument("--key", default="", help="own secret key for a tcp endpoint")
    verb.add_argument("--host-key", default="", help="public key of the host")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    if robot:
        verb.add_argument("robot", help="name of the robot")

    def run(options: argparse.Namespace) -> int:
        report = ask(Admin(options.endpoint, key_file=options.key, host_key_file=options.host_key), options)
        if options.json:
            print(json.dumps(report))
        elif name == "status":
            _print_status(report)
        else:
            print(report.text)
        return DONE

    verb.set_defaults(run=run)
    return verb


def _add_parts(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--plugin", help="library with embodiment, stems and head")
    verb.add_argument("--embodiment", default="", help="embodiment of a plugin that has several")
    verb.add_argument("--stem-plugin", help="library to take the stems from instead")
    verb.add_argument("--head-plugin", help="library to take the head from instead")
    verb.add_argument("--head", default="", help="head to use instead of the one that the bundle names")
    verb.add_argument("--bundle", help="what was learned for the embodiment")


def _add_trial(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--shadow", type=int, help="[ticks] run beside the old generation first; 0: do not")
    verb.add_argument("--shadow-bound", type=float, help="largest difference, as a fraction of each limit")
    verb.add_argument("--probation", type=int, help="[ticks] a fault brings the old one back; 0: do not")
    verb.add_argument("--fresh", action="store_true", help="let the trunk forget the robot")
    verb.add_argument("--dry-run", action="store_true", help="do everything but move the robot")
    verb.add_argument("--no-wait", action="store_true", help="be refused while another swap is under way")


def _parts(options: argparse.Namespace) -> dict[str, Any]:
    names = ("plugin", "embodiment", "stem_plugin", "head_plugin", "head", "bundle")
    return {name: getattr(options, name) for name in names}


def _trial(options: argparse.Namespace) -> dict[str, Any]:
    names = ("shadow", "shadow_bound", "probation", "fresh", "dry_run")
    return {**{name: getattr(options, name) for name in names}, "wait": not options.no_wait}


def _swap(admin: Admin, options: argparse.Namespace) -> Report:
    return admin.swap(options.robot, **_parts(options), **_trial(options))


def _reload(admin: Admin, options: argparse.Namespace) -> Report:
    return admin.reload(options.robot, **_trial(options))


def _add(admin: Admin, options: argparse.Namespace) -> Report:
    if options.plugin is None:
        raise CambiumError(Code.bad_argument, "--plugin is required")
    return admin.add(options.robot, **_parts(options))


def _print_status(status: Report) -> None:
    trunk = status.get("trunk", {})
    if trunk.get("alive"):
        what = f"{trunk.get('architecture')} on {trunk.get('backend')}, {trunk.get('served')} requests served"
        print(f"trunk {trunk.get('id', '')[:16]}  {what}")
    else:
        print(f"trunk not there, expected {status.get('trunk_id', '')[:16]} at {trunk.get('endpoint', '')}")
    print(f"{'robot':<12} {'embodiment':<12} {'dof':>3} {'gen':>4} {'drive':<12} {'ticks':>9} {'missed':>7}")
    for robot in status.get("robots", []):
        drive = robot.get("drive", "") if robot.get("controller") else "-"
        print(
            f"{robot.get('name', ''):<12} {robot.get('embodiment', ''):<12} {robot.get('dof', 0):>3} "
            f"{robot.get('generation', 0):>4} {drive:<12} {robot.get('ticks', 0):>9} {robot.get('missed', 0):>7}"
        )


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code)
