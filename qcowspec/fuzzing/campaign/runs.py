"""Runs a campaign: draws mutants, runs readers on them in parallel, keeps the findings.

In: a stock, an oracle, targets. Out: a folder with the findings, and the state from which the
campaign can be resumed. Refuses: a folder that holds another campaign, with `Unfit`.

Mutants are drawn and judged in one thread, in order; each reader has a thread, a scratch folder
and, if it is a program, processes of its own.
"""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any

from qcowspec.fuzzing.campaign import findings
from qcowspec.fuzzing.campaign.findings import Finding, Key
from qcowspec.fuzzing.campaign.minimise import minimised
from qcowspec.fuzzing.campaign.oracle import Expected, Oracle
from qcowspec.fuzzing.campaign.outcomes import Outcome, Replies
from qcowspec.fuzzing.campaign.stock import Sample, Stock
from qcowspec.fuzzing.campaign.targets import FORMAT, Target
from qcowspec.fuzzing.drafts import Change
from qcowspec.fuzzing.places import Unfit
from qcowspec.transfer.files import write_bytes

STATE = "state.json"
SCHEMA = "qcowspec.campaign/2"
AHEAD = 4
"""Mutants drawn ahead, for each reader."""

SKIPPED = "skipped"
"""Counted with the answers: a mutant that the reader was not run on."""

DRAWS = 100
"""Mutants that are drawn for one that is not skipped, at most."""

SAVED = 500
"""Mutants after which the state is saved again."""


@dataclass(frozen=True)
class Plan:
    """The settings of a campaign.

    Attributes:
        target: The reader, as the user names it.
        profile: The profile that it is judged by.
        reads: Whether the guest's bytes are compared.
        count: Mutants in all.
        random_seed: The seed of the random numbers.
        jobs: Readers that run at the same time.
        folder: Where findings and state are kept.
        words: The options of `qcowspec fuzz` that name the reader, and how it is judged.
        skip: Shell patterns of rules and of seeds; others are drawn instead of their mutants.
    """

    target: str
    profile: str
    reads: bool
    count: int
    random_seed: int
    jobs: int
    folder: Path
    words: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()


@dataclass
class Progress:
    """The results of a campaign so far.

    Attributes:
        done: Mutants that were run.
        broken: How often each rule was broken.
        answers: How often each answer was given.
        findings: The findings, by their keys.
        tried: How often each rule was broken or aimed at; some do not count for the profile.
        replies: What the reader replied, while that is one thing.
    """

    done: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    findings: dict[Key, Finding] = field(default_factory=dict)
    tried: Counter[str] = field(default_factory=Counter)
    replies: Replies = field(default_factory=Replies)


@dataclass(frozen=True, slots=True)
class _Run:
    """A mutant, and what the reader did with it, with the finding that it is the first to show.

    `expected` and `outcome` are None if it was skipped.
    """

    number: int
    sample: Sample
    expected: Expected | None
    outcome: Outcome | None = None
    found: Finding | None = None


class Campaign:
    """A campaign, new or resumed; `progress` has its results so far."""

    def __init__(
        self,
        plan: Plan,
        stock: Stock,
        oracle: Oracle,
        targets: list[Target],
        scratch: Path,
    ) -> None:
        """Start or resume a campaign.

        Args:
            plan: Its settings.
            stock: Makes the mutants.
            oracle: Knows the right answers.
            targets: The reader, once for each job.
            scratch: A folder for the images.

        Raises:
            Unfit: The folder holds another campaign.
        """
        self._plan, self._stock, self._oracle = plan, stock, oracle
        self._readers: SimpleQueue[tuple[int, Target]] = SimpleQueue()
        for reader in enumerate(targets):
            self._readers.put(reader)
        self._scratch = scratch
        self.progress = self._resumed()

    def run(self) -> Iterator[Progress]:
        """Run it to its end; yields after each mutant, and saves the state when it is closed."""
        progress, plan = self.progress, self._plan
        plan.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(plan.jobs) as pool:
            waiting: set[Future[_Run]] = set()
            drawn = progress.done
            try:
                while drawn < plan.count or waiting:
                    while drawn < plan.count and len(waiting) < plan.jobs * AHEAD:
                        waiting.add(pool.submit(self._one, *self._draw(drawn)))
                        drawn += 1
                    ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in ready:
                        self._note(future.result())
                        if progress.done % SAVED == 0:
                            self._save()
                        yield progress
            finally:
                for future in waiting:
                    future.cancel()
                self._save()

    def _draw(self, number: int) -> tuple[int, Sample, Expected | None]:
        """A mutant, and the right answer; None if only mutants that are skipped were drawn."""
        random = Random(f"{self._plan.random_seed}/{number}")  # noqa: S311 - not for secrets
        progress = self.progress
        for _ in range(DRAWS):
            sample = self._stock.draw(random, progress.tried)
            expected = None
            if not self._skips(sample.seed, sample.aim):
                expected = self._oracle.expect(sample.data, self._given_format(sample.seed))
            rule = None if expected is None else expected.rule
            progress.tried.update({each for each in (sample.aim, rule) if each})
            if expected is not None and not self._skips(rule):
                progress.broken.update([rule] if rule else [])
                return number, sample, expected
        return number, sample, None

    def _skips(self, *names: str | None) -> bool:
        """Whether a mutant is skipped: by the rule that it breaks or aims at, or by its seed."""
        known = [name for name in names if name is not None]
        return any(fnmatchcase(name, each) for name in known for each in self._plan.skip)

    def _one(self, number: int, sample: Sample, expected: Expected | None) -> _Run:
        """Run a reader on a mutant; if it is the first that shows a finding, minimise that."""
        if expected is None:
            return _Run(number, sample, None)
        reader, target = self._readers.get()
        image = self._scratch / f"{reader}{self._suffix(sample)}"
        try:
            outcome = self._outcome(target, image, sample)
            key = findings.key_of(expected, outcome, sample.seed)
            found = None
            if key is not None and key not in self.progress.findings:
                found = self._small(key, number, sample, target, image, outcome)
        finally:
            image.unlink(missing_ok=True)
            self._readers.put((reader, target))
        return _Run(number, sample, expected, outcome, found)

    def _small(
        self,
        key: Key,
        number: int,
        sample: Sample,
        target: Target,
        image: Path,
        outcome: Outcome,
    ) -> Finding:
        """Minimise a finding."""

        def shows(changes: Sequence[Change]) -> bool:
            data = self._stock.remade(sample.seed, changes)
            expected = self._oracle.expect(data, self._given_format(sample.seed))
            outcome = self._outcome(target, image, replace(sample, data=data))
            return findings.key_of(expected, outcome, sample.seed) == key

        trials = 24 if key.kind == "hang" else 200
        changes = minimised(sample.changes, shows, trials)
        return Finding(key, findings.cause_of(key, outcome), sample.seed, changes, number)

    def _note(self, run: _Run) -> None:
        """Record the outcome of a mutant."""
        progress = self.progress
        progress.done += 1
        if run.expected is None or run.outcome is None:
            progress.answers[SKIPPED] += 1
            return
        progress.answers[run.outcome.answer] += 1
        progress.replies.add(run.outcome)
        key = findings.key_of(run.expected, run.outcome, run.sample.seed)
        if key is None:
            return
        if key in progress.findings:
            progress.findings[key].count += 1
        elif run.found is not None:
            progress.findings[key] = run.found
            self._store(run.found, self._suffix(run.sample))

    def _store(self, found: Finding, suffix: str) -> None:
        data = self._stock.remade(found.seed, found.changes)
        name = f"image{suffix}"
        spec = findings.spec_of(found.seed, found.changes, own=self._stock.is_own(found.seed))
        findings.store(found, self._plan.folder, data, suffix, spec, self._again(name))

    def _again(self, image: str) -> list[str]:
        """The commands that show a finding again, from any folder.

        The reader is run in the folder where the campaign was started, as it was then.
        """
        plan = self._plan
        path = f'"$folder"/{image}'
        return [
            'folder=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit',
            f"cd -- {shlex.quote(os.getcwd())} || exit",
            f'qcowspec build "$folder"/spec.yaml -o {path}',
            f"qcowspec fuzz {shlex.join(plan.words)} --again {path}",
        ]

    def _outcome(self, target: Target, image: Path, sample: Sample) -> Outcome:
        image.write_bytes(sample.data)
        return target.run(image, self._format(sample.seed))

    def _format(self, seed: str) -> str:
        return "qcow" if self._stock.seeds[seed].version == 1 else "qcow2"

    def _given_format(self, seed: str) -> str | None:
        """The format that the reader is given; None if it probes, and the oracle too."""
        return self._format(seed) if FORMAT in self._plan.target else None

    def _suffix(self, sample: Sample) -> str:
        return "." + self._format(sample.seed)

    # --- state ------------------------------------------------------------------------------------

    def _resumed(self) -> Progress:
        """The saved state of the campaign in the folder, if there is one."""
        path = self._plan.folder / STATE
        if not path.exists():
            return Progress()
        state = json.loads(path.read_text(encoding="utf-8"))
        if state.get("schema") != SCHEMA or state["plan"] != self._identity():
            raise Unfit(f"{path} is another campaign's; choose another folder")
        progress = Progress(state["done"], Counter(state["broken"]), Counter(state["answers"]))
        progress.tried.update(state["tried"])
        progress.replies = Replies(state.get("replies", {}))
        for row in state["findings"]:
            key = Key(row["kind"], row["rule"], row["signature"])
            found = Finding(key, row["cause"], row["seed"], (), row["mutant"], row["count"])
            found.folder = row["folder"]
            progress.findings[key] = found
        return progress

    def _identity(self) -> dict[str, Any]:
        """What has to be equal for a campaign to be resumed."""
        plan = self._plan
        return {
            "target": plan.target,
            "profile": plan.profile,
            "reads": plan.reads,
            "seed": plan.random_seed,
            "seeds": sorted(self._stock.seeds),
            **({"skip": list(plan.skip)} if plan.skip else {}),
        }

    def _save(self) -> None:
        """Write the state, atomically."""
        progress, path = self.progress, self._plan.folder / STATE
        rows = [
            found.as_json() | {"folder": found.folder, "changes": len(found.changes)}
            for found in progress.findings.values()
        ]
        state = {
            "schema": SCHEMA,
            "plan": self._identity(),
            "done": progress.done,
            "broken": dict(progress.broken),
            "tried": dict(progress.tried),
            "answers": dict(progress.answers),
            "replies": progress.replies.shown,
            "findings": rows,
        }
        write_bytes(str(path), (json.dumps(state, indent=1) + "\n").encode())
