"""Many mutants, for hours if need be: `make fuzz N=100000`, or for one of them

    python tests/fuzz/campaign.py --only NUMBER

Processes share the numbers and report to the first; one that hangs for good is ended and started
behind the mutant that it hangs on. Each mutant that breaks a rule lands in a folder of its own
below `build/fuzz/`: the files as they were, and why. Every 50th is gone through under two hash
seeds, by processes of their own.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [
    str(ROOT),
    *(str(HERE.parent / part) for part in ("fuzz", "conformance", "targets", ".")),
]

import rules  # noqa: E402 - the paths are set here
from mutants import mutant  # noqa: E402
from seeds import Seed, lay  # noqa: E402

# This part of all mutants is of the spec itself, not of what it uses.
OF_ENTRIES = 0.75
EVERY_THOROUGH = 4
EVERY_DIGEST = 50
# Of the clock: a process that says nothing for so long is ended.
SILENCE = 60
MEMORY = 4 << 30


class Bench:
    """The seeds laid out, and one of their files changed at a time."""

    def __init__(self, below: Path) -> None:
        self.below = below
        self.seeds = lay(below)
        os.chdir(below / self.seeds[0].folder)
        rules.warm_up(self.seeds[0].entry)

    def make(self, number: int) -> tuple[Seed, bytes]:
        """A mutant's seed, and its file as it is changed."""
        choose = Random(number)
        entries = choose.random() < OF_ENTRIES
        seed = choose.choice([one for one in self.seeds if one.is_entry is entries])
        return seed, self.changed(seed, choose)

    def changed(self, seed: Seed, choose: Random) -> bytes:
        """The file of a seed, changed at random."""
        suffix = Path(seed.file).suffix
        alike = [one for one in self.seeds if one.file.endswith(suffix)]
        return mutant(self.read(seed), suffix, lambda: self.read(choose.choice(alike)), choose)

    def read(self, seed: Seed) -> bytes:
        return (self.below / seed.folder / seed.file).read_bytes()

    def try_out(self, number: int, *, only_digest: bool = False) -> list[str]:
        """The rules that a mutant breaks, or one text that says all that comes of it."""
        seed, after = self.make(number)
        with self.laid(seed, after):
            if only_digest:
                return [rules.digest(seed.entry)]
            return rules.broken_rules(seed.entry, thorough=number % EVERY_THOROUGH == 0)

    @contextmanager
    def laid(self, seed: Seed, after: bytes) -> Iterator[None]:
        """Stand in the folder of a seed, with its file changed."""
        before = self.read(seed)
        os.chdir(self.below / seed.folder)
        Path(seed.file).write_bytes(after)
        try:
            yield
        finally:
            Path(seed.file).write_bytes(before)

    def keep(self, number: int, broken: list[str], corpus: Path) -> None:
        """The folder of a mutant as it was, to look at."""
        seed, after = self.make(number)
        folder = corpus / f"{number}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.below / seed.folder, folder)
        (folder / seed.file).write_bytes(after)
        (folder / "why.txt").write_text(
            f"{seed.entry}, changed: {seed.file}\n" + "\n".join(broken), errors="backslashreplace"
        )


def work(first: int, last: int, step: int, corpus: Path) -> None:
    """One process: try mutants, say on stdout how each went."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory(dir=_memory()) as below:
        bench = Bench(Path(below))
        say("ready")
        for number in range(first, last, step):
            faulthandler.dump_traceback_later(SILENCE - 10)
            broken = attempt(bench, number)
            if broken:
                bench.keep(number, broken, corpus)
            say(f"{number} {len(broken)}")
        os.chdir("/")


def attempt(bench: Bench, number: int) -> list[str]:
    """The rules that a mutant breaks; an exception is one of them."""
    try:
        return bench.try_out(number)
    except (Exception, rules.TooSlowError):
        return [traceback.format_exc()]


def digests(first: int, last: int, step: int) -> None:
    with tempfile.TemporaryDirectory(dir=_memory()) as below:
        bench = Bench(Path(below))
        for number in range(first, last, step):
            # What breaks a rule has been told already.
            with suppress(Exception):
                say(f"{number} {bench.try_out(number, only_digest=True)[0]}")
        os.chdir("/")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _memory() -> str | None:
    """Where files cost no disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Worker:
    """A process and how far it has come."""

    def __init__(self, first: int, last: int, step: int, corpus: Path) -> None:
        self.next, self.last, self.step, self.corpus = first, last, step, corpus
        self.start()

    def start(self) -> None:
        numbers = [str(n) for n in (self.next, self.last, self.step)]
        command = [sys.executable, str(HERE / "campaign.py"), "--work", *numbers]
        self.process = subprocess.Popen(
            [*command, "--corpus", str(self.corpus)], stdout=subprocess.PIPE, bufsize=0
        )
        assert self.process.stdout is not None
        self.stream = self.process.stdout
        os.set_blocking(self.stream.fileno(), False)
        self.rest, self.heard, self.ready = b"", time.monotonic(), False

    def listen(self) -> tuple[int, int]:
        """How many mutants it has been through since, and how many of them broke a rule."""
        data = self.stream.read() or b""
        *lines, self.rest = (self.rest + data).split(b"\n")
        done = failed = 0
        for line in lines:
            self.heard = time.monotonic()
            self.ready = True
            if line != b"ready":
                number, broken = map(int, line.split())
                self.next = number + self.step
                done, failed = done + 1, failed + (broken > 0)
        return done, failed

    def is_stuck(self) -> bool:
        return time.monotonic() - self.heard > SILENCE

    def give_up(self, why: str) -> None:
        """Go on behind the mutant that it is at."""
        self.process.kill()
        self.process.wait()
        if not self.ready:
            sys.exit(f"no mutant can be tried: {why}")
        folder = self.corpus / str(self.next)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "why.txt").write_text(why + "\n")
        self.next += self.step
        self.start()


def campaign(count: int, first: int, jobs: int, corpus: Path) -> int:
    corpus.mkdir(parents=True, exist_ok=True)
    workers = [Worker(first + n, first + count, jobs, corpus) for n in range(jobs)]
    done = failed = 0
    began = shown = time.monotonic()
    while any(worker.next < worker.last for worker in workers):
        with selectors.DefaultSelector() as selector:
            for worker in workers:
                if worker.next < worker.last:
                    selector.register(worker.stream, selectors.EVENT_READ)
            selector.select(timeout=1)
        for worker in workers:
            ended = worker.process.poll() is not None
            more, bad = worker.listen()
            done, failed = done + more, failed + bad
            if worker.next < worker.last and (ended or worker.is_stuck()):
                done, failed = done + 1, failed + 1
                code = worker.process.returncode
                why = f"the process ended by itself: {code}" if ended else f"silent for {SILENCE} s"
                worker.give_up(why)
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            rate = done / (shown - began)
            say(f"{done} of {count} mutants, {failed} broke a rule; {rate:.0f} a second")
    for worker in workers:
        worker.process.wait()
    differing = compare(first, first + count, corpus)
    compared = len(range(first, first + count, EVERY_DIGEST))
    say(
        f"{count} mutants from number {first}: {failed} broke a rule; of {compared} under two hash"
        f" seeds {differing} came out differently"
    )
    if failed + differing:
        say(f"see {corpus}")
    return 1 if failed + differing else 0


def compare(first: int, last: int, corpus: Path) -> int:
    """Go through some under two hash seeds; how many come out differently."""
    numbers = [str(n) for n in (first, last, EVERY_DIGEST)]
    command = [sys.executable, str(HERE / "campaign.py"), "--digests", *numbers]
    both = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    ]
    one, other = (process.communicate()[0].splitlines() for process in both)
    differing = [a for a, b in zip(one, other, strict=True) if a != b]
    (corpus / "hash_seeds.txt").write_text("\n".join(differing) + "\n")
    return len(differing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first mutant")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--corpus", type=Path, default=ROOT / "build/fuzz")
    parser.add_argument("--only", type=int, help="try one mutant, and keep it")
    parser.add_argument("--work", nargs=3, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--digests", nargs=3, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.corpus = given.corpus.resolve()
    if given.work:
        work(*given.work, given.corpus)
    elif given.digests:
        digests(*given.digests)
    elif given.only is not None:
        with tempfile.TemporaryDirectory() as below:
            bench = Bench(Path(below))
            broken = attempt(bench, given.only)
            bench.keep(given.only, broken, given.corpus)
            os.chdir("/")
        say("\n".join(broken) or "no rule is broken")
        say(f"see {given.corpus / str(given.only)}")
    else:
        return campaign(given.count, given.first, given.jobs, given.corpus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
