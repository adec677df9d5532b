"""Random histories of a project: specs are edited, deploys are killed and meet faults and each
other, schedules start runs; what has to hold is looked at after each request.

`MLC_DEPLOY_HISTORIES=500` plays that many on each kind of server.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from cluster.deployed import KINDS, Algorithm, Kill, Killed, World, run, world
from msgspec.structs import replace

HISTORIES = int(os.environ.get("MLC_DEPLOY_HISTORIES", "8"))
NAMES = ("fit", "other", "long_name_of_it")
# The last ones come often, so that a deploy meets their moments.
CRONS = ("0 2 * * *", "30 4 * * 1", "*/5 * * * *", "7,38 * * * *", "* * * * *")
# How a command ends by a signal.
ENDS = {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}
# Those after which a command can go on, or be run again.
FAULTS = ("drop", "lose", "500", "502", "503", "429", "409", "truncated", "cut", "unknown-field")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_history(tmp_path: Path, contracts: None, kill: Kill, kind: str, seed: int) -> None:  # noqa: ARG001
    # Engines tell seconds: in every other history all of a deploy comes within one.
    kill.clock.step = (0.3, 0.005)[seed % 2]
    with world(tmp_path, kind, kill.clock) as there:
        there.add_foreign()
        play(there, random.Random(f"{kind} {seed}"), kill, seed)


def play(there: World, draw: random.Random, kill: Kill, seed: int) -> None:
    algorithms = {"fit": replace(Algorithm(), schedules=(("nightly", CRONS[0], 5, True),))}
    there.write(algorithms)
    for number in range(draw.randint(3, 6)):
        before = there.want(there.algorithms)
        algorithms = edited(algorithms, draw)
        there.write(algorithms)
        # What the last deploy wanted may be there still, what this one wants may not be yet.
        there.invariants.wanted = before & there.want(algorithms)
        there.invariants.once &= there.invariants.wanted
        if draw.random() < 0.4:
            there.server.faults.at_random(seed * 100 + number, 0.15, FAULTS)
        for _ in range(draw.randint(0, 2)):
            trouble(there, draw, kill)
            kill.clock.sleep(draw.uniform(0, 900))
        if draw.random() < 0.5:
            there.trigger_all()
        there.server.faults.clear()
        prune = ("--prune",) if draw.random() < 0.5 else ()
        if prune or not orphaned(there):
            there.deploy(*prune)
        else:
            code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
            assert code == 0, printed
        kill.clock.sleep(draw.uniform(0, 1800))
        if draw.random() < 0.5:
            there.finish_all()
    there.finish_all()
    there.deploy("--prune")
    code, printed = there.mlc("plan", "--detailed-exitcode")
    assert code == 0, printed


def orphaned(there: World) -> bool:
    return bool({name for name, _ in there.owners.enabled()} - there.algorithms.keys())


def edited(algorithms: dict[str, Algorithm], draw: random.Random) -> dict[str, Algorithm]:
    found = dict(algorithms)
    for _ in range(draw.randint(1, 3)):
        name = draw.choice(NAMES)
        one = found.get(name)
        match draw.randrange(6):
            case 0 if len(found) > 1:
                found.pop(name, None)
            case 1:
                found[name] = replace(one or Algorithm(), epochs=draw.randint(1, 5))
            case 2:
                found[name] = replace(one or Algorithm(), image=f"example/ia:{draw.randint(1, 3)}")
            case 3:
                image = "example/ia:${{ git.short_commit }}"
                found[name] = replace(one or Algorithm(), image=image)
            case _:
                schedules = tuple(
                    (schedule, draw.choice(CRONS), draw.randint(1, 3), draw.random() < 0.8)
                    for schedule in ("nightly", "weekly")
                    if draw.random() < 0.7
                )
                found[name] = replace(one or Algorithm(), schedules=schedules)
    return found


def trouble(there: World, draw: random.Random, kill: Kill) -> None:
    """A deploy that is killed, one that meets faults, or two at once."""
    match draw.randrange(3):
        case 0:
            kill.set(draw.randint(0, 40), draw.choice(("before", "after")))
            with contextlib.suppress(Killed):
                there.mlc("deploy", "--yes", "--allow-dirty")
            kill.set(None)
        case 1:
            # It ends well or says why not; that it does no harm is watched.
            code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
            assert code in (0, 3), printed
        case _:
            at_once(there, 2)
    there.left_alone()


def at_once(there: World, many: int) -> None:
    there.invariants.writers = many
    with contextlib.chdir(there.checkout.folder):
        words = ("deploy", "--yes", "--allow-dirty", "-q")
        threads = [threading.Thread(target=run, args=(words,)) for _ in range(many)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    there.invariants.writers = 1


def test_each_moment_starts_one_run(tmp_path: Path, contracts: None, kill: Kill) -> None:  # noqa: ARG001
    """Versions and crons move at any time, and the controller is late as it is: no moment of a
    schedule is left out, and none comes twice."""
    draw = random.Random(7)
    with world(tmp_path, "kfp", kill.clock) as there:
        account = there.invariants.account
        assert account is not None
        kill.clock.step = 0.7
        for number in range(12):
            schedules = (
                ("often", "* * * * *", 1, True),
                ("nightly", draw.choice(("*/5 * * * *", "7,38 * * * *")), number, True),
            )
            there.write({"fit": Algorithm(epochs=number, schedules=schedules)})
            there.deploy()
            kill.clock.sleep(draw.uniform(0, 600))
        kill.clock.sleep(60)
        account.check()
        assert len(account.started) > 60 and not account.excuses


# Only KFP keeps versions beside each other, of which engines tell seconds.
@pytest.mark.parametrize(("kind", "step"), [*((kind, 0.3) for kind in KINDS), ("kfp", 0.0)])
def test_killed_at_each_request(
    tmp_path: Path,
    contracts: None,  # noqa: ARG001
    kill: Kill,
    kind: str,
    step: float,
) -> None:
    """Of the same change, at the first request, the second, and so on to the last."""
    kill.clock.step = step
    with world(tmp_path, kind, kill.clock) as there:
        there.add_foreign()
        there.write({"fit": Algorithm()})
        there.deploy()
        for number in range(200):
            there.trigger_all()
            there.write({"fit": replace(Algorithm(), epochs=100 + number)})
            there.expect()
            kill.set(number, "after")
            try:
                there.mlc("deploy", "--yes", "--allow-dirty", "-q")
            except Killed:
                kill.set(None)
                there.deploy()
            else:
                kill.set(None)
                break
            there.finish_all()
        else:
            raise AssertionError("it never came to an end")
        there.invariants.settled()


@pytest.mark.parametrize("kind", KINDS)
def test_sigkill(tmp_path: Path, contracts: None, kill: Kill, kind: str) -> None:  # noqa: ARG001
    """Real processes, killed after some requests of theirs that write."""
    one = far_off()
    with world(tmp_path, kind) as there:
        there.add_foreign()
        there.write({"fit": one, "other": one})
        there.deploy()
        for number in range(4):
            there.write(
                {"fit": replace(one, epochs=10 + number), "other": replace(one, epochs=number)}
            )
            there.trigger_all()
            there.expect()
            process = there.start("deploy", "--yes", "--allow-dirty")
            left = [number + 1]

            def watch(_: object, request: object, __: object, left: list[int] = left) -> None:
                left[0] -= getattr(request, "method", "GET") != "GET"
                if left[0] == 0:
                    os.kill(process.pid, signal.SIGKILL)  # noqa: B023

            there.server.watch(watch)
            assert process.wait(timeout=60) in (-signal.SIGKILL, 0)
            there.server.watchers.remove(watch)
            there.deploy()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_one_is_interrupted_between_the_two_requests(
    tmp_path: Path,
    contracts: None,  # noqa: ARG001
    number: int,
) -> None:
    one = far_off()
    with world(tmp_path, "kfp") as there:
        for epochs in (3, 4):
            there.write({"fit": replace(one, epochs=epochs)})
            there.expect()
            process = there.start("deploy", "--yes", "--allow-dirty")

            def watch(
                _: object, request: object, __: object, pid: int = process.pid, last: int = epochs
            ) -> None:
                call = f"{getattr(request, 'method', '')} {getattr(request, 'path', '')}"
                if call.startswith("POST") and call.endswith("/recurringruns") and last == 4:
                    os.kill(pid, number)

            there.server.watch(watch)
            printed, _ = process.communicate(timeout=60)
            there.server.watchers.remove(watch)
            assert process.returncode == (0 if epochs == 3 else ENDS[number]), printed
            there.invariants.settled()


@pytest.mark.parametrize("on", ["GET .*/recurringruns$", "POST .*:disable$"])
def test_no_answer_ends_it_between_the_two_requests(
    tmp_path: Path,
    contracts: None,  # noqa: ARG001
    kill: Kill,  # noqa: ARG001
    on: str,
) -> None:
    """Who made the new schedule asks again until the old one is disabled, whatever the answer."""
    one = far_off()
    with world(tmp_path, "kfp") as there:
        there.write({"fit": one})
        there.deploy()
        there.write({"fit": replace(one, epochs=4)})
        there.expect()
        faults = there.server.faults

        def watch(_: object, request: object, __: object) -> None:
            call = f"{getattr(request, 'method', '')} {getattr(request, 'path', '')}"
            if call.startswith("POST") and call.endswith("/recurringruns"):
                faults.add("409", on, times=2)

        there.server.watch(watch)
        code, printed = there.mlc("deploy", "--yes", "--allow-dirty")
        assert code == 0, printed
        assert len(faults.happened) == 2
        there.invariants.settled()


@pytest.mark.parametrize("kind", KINDS)
def test_processes_at_once(tmp_path: Path, contracts: None, kill: Kill, kind: str) -> None:  # noqa: ARG001
    one = far_off()
    with world(tmp_path, kind) as there:
        there.write({"fit": one, "other": one})
        there.deploy()
        for number in range(2):
            there.write(
                {"fit": replace(one, epochs=10 + number), "other": replace(one, epochs=number)}
            )
            there.expect()
            there.invariants.writers = 2
            processes = [there.start("deploy", "--yes", "--allow-dirty") for _ in range(2)]
            for process in processes:
                printed, _ = process.communicate(timeout=60)
                assert process.returncode in (0, 3), printed
                assert "Traceback" not in printed, printed
            there.invariants.writers = 1
            there.deploy()


@pytest.mark.parametrize("kind", KINDS)
def test_two_commits_at_once(tmp_path: Path, contracts: None, kill: Kill, kind: str) -> None:  # noqa: ARG001
    """Jobs of two commits, each with a clone of its own: one of them is there in the end, whole,
    and the deploy of the later one always gets through."""
    one = far_off()
    with world(tmp_path, kind) as there:
        there.write({"fit": one, "other": one})
        there.deploy()
        for number in range(2):
            clones = []
            for epochs in (10 + 2 * number, 11 + 2 * number):
                there.write({"fit": replace(one, epochs=epochs), "other": one})
                clone = tmp_path / f"clone-{epochs}"
                there.checkout.git("clone", "--quiet", str(there.checkout.folder), str(clone))
                clones.append(clone)
            there.expect()
            there.invariants.writers = 2
            command = ("deploy", "--yes", "--allow-dirty")
            processes = [there.start(*command, cwd=clone) for clone in clones]
            for process in processes:
                printed, _ = process.communicate(timeout=60)
                assert process.returncode in (0, 3), printed
                assert "Traceback" not in printed, printed
            there.invariants.writers = 1
            there.deploy()
            assert there.mlc("plan", "--detailed-exitcode")[0] == 0


def far_off() -> Algorithm:
    """Its schedule comes some minutes from now in any time zone, so that no one waits for it."""
    minute = (int(time.time()) // 60 + 7) % 60
    return replace(Algorithm(), schedules=(("nightly", f"{minute} 2 * * *", 5, True),))
