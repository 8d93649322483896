"""`foliohub run`: the embedded hub with its HTTP gateway, until it is stopped; `--sample-day` shows it at work."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated

import msgspec
import structlog
import typer

from config.settings import Configuration
from console.command.failing import Exit
from console.command.options import Config, Store, configured
from console.command.sample_run import SampleDay
from console.logs import configure
from engine.role import Role
from schemas.errors import HubError

TICK_S = 0.5


class Profile(StrEnum):
    """How many processes a hub is."""

    EMBEDDED = "embedded"
    DISTRIBUTED = "distributed"


class Said(StrEnum):
    """What `--role` may say."""

    GATEWAY = Role.GATEWAY
    WORKER = Role.WORKER
    EFFECTS = Role.EFFECTS
    SCHEDULER = Role.SCHEDULER
    ALL = "all"


def run(
    role: Annotated[
        list[Said] | None,
        typer.Option("--role", help="What this process of several does; say it again for more. None: all."),
    ] = None,
    profile: Annotated[
        Profile, typer.Option("--profile", help="embedded: one process, one file. distributed: one of several, on PostgreSQL.")
    ] = Profile.EMBEDDED,
    sample_day: Annotated[
        bool, typer.Option("--sample-day", help="Play a campsite's day into it, with the Ogone simulator beside it.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Where the gateway listens; else [http] host.")] = "",
    port: Annotated[int, typer.Option("--port", min=-1, max=65535, help="0 takes a free one; else [http] port.")] = -1,
    store: Store = None,
    config: Config = None,
    log: Annotated[str, typer.Option("--log", envvar="FOLIOHUB_LOG", help="debug, info, warning or error.")] = "",
) -> None:
    """Serve until SIGTERM or SIGINT. Exit 0 when stopped, 2 for a bad configuration, 3 when another hub has the store or the port is
    taken, 4 when it cannot go on (start it again)."""
    stop = threading.Event()
    told: list[str] = []

    def asked(number: int, _frame: object) -> None:
        told.append(signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    configure(logging.getLevelNamesMapping().get((log or ("error" if sample_day else "info")).upper(), logging.INFO))
    configuration = _configuration(configured(config), store)
    if role and profile is Profile.EMBEDDED:
        raise HubError(
            "roles are for several processes: say --profile distributed as well", code="not_shared", field="role", value=role[0]
        )
    everything = not role or Said.ALL in role
    roles = frozenset(Role if everything else map(Role, role or ())) if profile is Profile.DISTRIBUTED else None
    sample = SampleDay(configuration) if sample_day else None
    with ExitStack() as stack:
        failed = _serve(
            stack, sample.configuration if sample else configuration, host, None if port < 0 else port, sample, stop, roles
        )
    if told:
        structlog.get_logger(__name__).info("stopped", by=told[0])
    if failed:
        print("foliohub: the hub cannot go on; the log says why. Start it again.", file=sys.stderr)
        raise typer.Exit(Exit.FAILED)


def _serve(
    stack: ExitStack,
    configuration: Configuration,
    host: str,
    port: int | None,
    sample: SampleDay | None,
    stop: threading.Event,
    roles: frozenset[Role] | None,
) -> bool:
    """True when it ended by itself. Whatever was opened is closed by `stack`, last first."""
    # these are slow to import, and every other command does without them
    from console.gateway.server import Gateway
    from engine import memory
    from engine.connectors import connectors_of
    from engine.hub import Hub
    from engine.post import post_of
    from engine.serving import STOP_S, Serving
    from engine.tracing import tracer_of

    tracer = tracer_of(configuration, roles or Role)
    if tracer is not None:
        stack.callback(tracer.close)

    if roles is None:
        hub = Hub(
            configuration, configuration.hub.store, connectors_of(configuration), chunk=configuration.hub.chunk, tracer=tracer,
            post=post_of(configuration),
        )  # fmt: skip
        stack.callback(hub.close)
        serving = Serving(hub)
    else:
        from engine.roles import Member

        member = Member(configuration, roles, tracer=tracer)
        stack.callback(member.close)
        hub, serving = member.hub, Serving(member.hub, member=member)
    gateway = Gateway(hub, serving, host=host or None, port=port)

    def end() -> None:
        """All in one time: what is at providers is waited for while the gateway answers its last requests."""
        until = time.monotonic() + STOP_S
        serving.finish()
        gateway.stop()
        serving.stop(max(0.2, until - time.monotonic()))

    stack.callback(end)
    serving.start()
    gateway.start()
    memory.settle()
    if sample is not None:
        sample.start(stack, hub, gateway.address, stop)
    print(f"Foliohub listens at {gateway.address}; its store is {hub.database.name}. Ctrl-C stops it.", flush=True)
    while not stop.wait(TICK_S) and not serving.ended.is_set():
        pass
    return serving.failed.is_set()


def _configuration(configuration: Configuration, store: str | None) -> Configuration:
    if store is None:
        return configuration
    return msgspec.structs.replace(configuration, hub=msgspec.structs.replace(configuration.hub, store=store))
