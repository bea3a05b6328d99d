#!/usr/bin/env python3
"""A Ray cluster on one machine whose nodes sit behind shaped links: one network namespace per link class. Needs root.

    testbed.py run --link slow=5/5 --link lte=20/8 -- COMMAND...   build, run the command beside Ray's head, tear down
    testbed.py up --link slow=5/5                                  build, say how to use it, tear down on Ctrl-C
    testbed.py down                                                remove what a killed testbed.py has left behind

A link is NAME=DOWN/UP in Mb/s as the node sees it, or NAME=DOWN/UP/MS with a delay where the kernel has netem. The head
has a namespace too, so nothing is added to the machine's own network, and ending every process in the namespaces and
deleting them removes all there ever was. Each class's node offers the resource `link_NAME`; the head has no CPUs, so
that work crosses the links.
"""

import argparse
import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PREFIX = "fedray-"  # of every namespace of ours, and of the folder Ray works in
HEAD = f"{PREFIX}head"
HEAD_ADDRESS = "10.77.0.1"
PORT = 6379
BURST = "32kb"  # what may pass at once: small against a transfer, large enough for a timer tick at 100 Mb/s
QUEUE_MS = 400  # longest that a packet waits before it is dropped
START_SECONDS = 60
NODE_MEMORY = 200 * 2**20  # object store of each node


class TestbedError(Exception):
    """What cannot be built here, in words for the user."""


@dataclass(frozen=True)
class Link:
    """A link class: Mb/s towards the node and from it, and the delay each way."""

    name: str
    down_mbps: float
    up_mbps: float
    delay_ms: float = 0.0

    @property
    def namespace(self) -> str:
        return PREFIX + self.name

    @property
    def device(self) -> str:
        """The head's end of it."""
        return f"to-{self.name}"


def parse_link(text: str) -> Link:
    """NAME=DOWN/UP or NAME=DOWN/UP/MS."""
    found = re.fullmatch(r"([a-z][a-z0-9]{0,9})=([\d.]+)/([\d.]+)(?:/([\d.]+))?", text)
    if not found or found[1] == "head":
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DOWN/UP or NAME=DOWN/UP/MS, such as slow=5/5")
    try:
        link = Link(found[1], float(found[2]), float(found[3]), float(found[4] or 0))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: not a number of Mb/s") from None
    if not all(0.01 <= rate <= 10_000 for rate in (link.down_mbps, link.up_mbps)):
        raise argparse.ArgumentTypeError(f"{text!r}: a link carries between 0.01 and 10,000 Mb/s")
    return link


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "up", "down"])
    parser.add_argument("--link", type=parse_link, action="append", default=[], metavar="NAME=DOWN/UP[/MS]")
    before, after = split_at_dashes(sys.argv[1:])
    words = parser.parse_args(before)
    try:
        require_root()
        if words.what == "down":
            print(f"removed {tear_down()} namespaces")
            return
        if not words.link:
            raise TestbedError("give at least one --link NAME=DOWN/UP")
        if len({link.name for link in words.link}) < len(words.link):
            raise TestbedError("every --link needs a name of its own")
        if (words.what == "run") != bool(after):
            raise TestbedError("run needs a COMMAND after --, up has none")
        for end in (signal.SIGTERM, signal.SIGHUP):  # so that it is torn down, too
            signal.signal(end, signal.default_int_handler)
        with testbed(words.link) as environment:
            if words.what == "up":
                print(
                    f"up; beside the head: sudo ip netns exec {HEAD} sh -c '. {environment.file}; COMMAND'", flush=True
                )
                signal.pause()
            sys.exit(subprocess.run(inside(HEAD, after), env=os.environ | environment.words).returncode)
    except TestbedError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def split_at_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    """Ours, and the command after `--`."""
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


@dataclass(frozen=True)
class Environment:
    """What a process needs to join: Ray's address and token, as words and as a file that only root can read."""

    words: dict[str, str]
    file: Path


@contextlib.contextmanager
def testbed(links: Sequence[Link]) -> Iterator[Environment]:
    """Namespaces, links and a Ray node in each; all gone afterwards."""
    if namespaces():
        raise TestbedError("there is a testbed already, or a killed one has left its own: testbed.py down removes it")
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}testbed-", dir="/tmp"))  # short, for Ray's sockets; 0700
    words = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ADDRESS": f"{HEAD_ADDRESS}:{PORT}",
    }
    environment = Environment(words, folder / "environment")
    environment.file.touch(0o600)
    environment.file.write_text("".join(f"export {name}={value}\n" for name, value in words.items()))
    try:
        build(links)
        start_ray(links, folder, environment)
        yield environment
    finally:
        tear_down()


def build(links: Sequence[Link]) -> None:
    """Namespaces and shaped links; a class's node reaches the head, and through it the others."""
    ip("netns", "add", HEAD)
    ip("-n", HEAD, "link", "set", "lo", "up")
    ip("-n", HEAD, "address", "add", f"{HEAD_ADDRESS}/32", "dev", "lo")
    ip("netns", "exec", HEAD, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    for number, link in enumerate(links, 1):
        near, far = f"10.77.{number}.1", node_address(number)
        ip("netns", "add", link.namespace)
        ip("-n", link.namespace, "link", "set", "lo", "up")
        ip(
            "-n",
            HEAD,
            "link",
            "add",
            "name",
            link.device,
            "type",
            "veth",
            "peer",
            "name",
            "uplink",
            "netns",
            link.namespace,
        )
        for namespace, device, address in ((HEAD, link.device, near), (link.namespace, "uplink", far)):
            ip("-n", namespace, "address", "add", f"{address}/30", "dev", device)
            ip("-n", namespace, "link", "set", device, "up")
        ip("-n", link.namespace, "route", "add", "default", "via", near)
        shape(HEAD, link.device, link.down_mbps, link.delay_ms)
        shape(link.namespace, "uplink", link.up_mbps, link.delay_ms)


def node_address(number: int) -> str:
    return f"10.77.{number}.2"


def shape(namespace: str, device: str, mbps: float, delay_ms: float) -> None:
    """What leaves a device is limited, and delayed if asked for."""
    bucket = ["tbf", "rate", f"{mbps}mbit", "burst", BURST, "latency", f"{QUEUE_MS}ms"]
    command("tc", "-n", namespace, "qdisc", "add", "dev", device, "root", "handle", "1:", *bucket)
    if delay_ms:
        delay = ["netem", "delay", f"{delay_ms}ms"]
        try:
            command("tc", "-n", namespace, "qdisc", "add", "dev", device, "parent", "1:1", "handle", "10:", *delay)
        except TestbedError:
            raise TestbedError("this kernel has no netem: leave the delay away (NAME=DOWN/UP)") from None


def start_ray(links: Sequence[Link], folder: Path, environment: Environment) -> None:
    """A head without CPUs, a node per class; waits until all are alive."""
    ray = shutil.which("ray", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if ray is None:
        raise TestbedError("no `ray` beside this Python: use that of fedray's environment")
    common = ["--block", "--disable-usage-stats", f"--object-store-memory={NODE_MEMORY}"]
    head = ["--head", f"--port={PORT}", f"--node-ip-address={HEAD_ADDRESS}", "--num-cpus=0", f"--temp-dir={folder}"]
    nodes = {HEAD: [*head, "--include-dashboard=false"]}
    for number, link in enumerate(links, 1):
        offered = f'{{"link_{link.name}": 1000}}'
        there = [f"--address={HEAD_ADDRESS}:{PORT}", f"--node-ip-address={node_address(number)}"]
        nodes[link.namespace] = [*there, "--num-cpus=1", f"--resources={offered}"]
    for count, (namespace, words) in enumerate(nodes.items(), 1):
        log = folder / f"{namespace}.log"
        with log.open("w") as output:
            node = subprocess.Popen(
                inside(namespace, [ray, "start", *common, *words]),
                env=os.environ | {name: environment.words[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")},
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C is for us; we end them
            )
        await_nodes(count, node, log, environment)


def await_nodes(count: int, last: subprocess.Popen[bytes], log: Path, environment: Environment) -> None:
    """Wait until Ray knows `count` living nodes; TestbedError with the log's last lines if the last died or is late."""
    deadline = time.monotonic() + START_SECONDS
    asking = inside(HEAD, [sys.executable, "-c", COUNT_NODES])
    while time.monotonic() < deadline and last.poll() is None:
        answer = subprocess.run(asking, env=os.environ | environment.words, capture_output=True, text=True)
        if answer.stdout.strip() == str(count):
            return
        time.sleep(0.5)
    raise TestbedError(f"Ray did not come up; {log.name} ends:\n" + "".join(log.read_text().splitlines(True)[-8:]))


COUNT_NODES = """
import ray
ray.init(log_to_driver=False, logging_level="error")
print(sum(node["Alive"] for node in ray.nodes()))
"""


def tear_down() -> int:
    """End every process in our namespaces, delete them and Ray's folders; how many namespaces there were."""
    ours = namespaces()
    for namespace in ours:
        while members := command("ip", "netns", "pids", namespace).split():
            for member in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(member), signal.SIGKILL)
            time.sleep(0.1)
    for namespace in ours:
        ip("netns", "delete", namespace)
    for folder in Path("/tmp").glob(f"{PREFIX}testbed-*"):
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == 0:
            shutil.rmtree(folder)
    return len(ours)


def namespaces() -> list[str]:
    """Ours that exist."""
    return [line.split()[0] for line in command("ip", "netns", "list").splitlines() if line.startswith(PREFIX)]


def inside(namespace: str, words: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", namespace, *words]


def ip(*words: str) -> None:
    command("ip", *words)


def command(*words: str) -> str:
    """What a command prints; TestbedError in its own words if it fails."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise TestbedError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def require_root() -> None:
    if os.geteuid() != 0:
        raise TestbedError("network namespaces need root: run it with sudo")
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            raise TestbedError(f"no `{tool}`: install iproute2")


if __name__ == "__main__":
    main()
