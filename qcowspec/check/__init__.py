"""Who owns each cluster of the image file, against the refcounts.

In: an image, however broken. Out: a `Report`: qemu-img's figures, and what is wrong where; or the
owner map. Refuses: an image that QEMU does not open for a check, with the error of the rule.

    with qcowspec.open("disk.qcow2") as image:
        report = check(image)
        report.figures.corruptions, report.figures.leaks
        owners(image) & Owner.DATA
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.check.figures import CORRUPT, LEAKED, OK, Figures
from qcowspec.check.findings import SHOWN, Findings, Progress, Sink, silent
from qcowspec.errors import Invalid
from qcowspec.reader.looked import truncated
from qcowspec.spec.metadata import Format
from qcowspec.spec.profiles import refused_for_check
from qcowspec.spec.rules import BY_ID
from qcowspec.spec.units import align_up

if TYPE_CHECKING:
    from qcowspec.check.losses import Looked
    from qcowspec.check.missing import Missing
    from qcowspec.check.ownership import OwnerMap
    from qcowspec.image import Image
    from qcowspec.spec.rules import Finding, Judge

__all__ = ["Figures", "Report", "check", "every", "owners", "refusal"]

LARGEST = 1 << 28
"""Clusters that an owner map has at most; larger ones are asked for piece by piece."""


@dataclass(slots=True)
class Report:
    """The outcome of a check.

    Attributes:
        figures: qemu-img's figures; for version 1, which qemu-img does not check, ours.
        findings: What is wrong, by rule.
        format: The image's format.
        why: Why the check was not completed; None if it was.
        looked: What was read to find out what leaks mean; None where there are none.
        missing: What of the disk lies past the end of its data file; None where that was not
            looked at.
        ahead: Sentences that come before all else: the file is truncated.
    """

    figures: Figures
    findings: Findings
    format: Format
    why: str | None = None
    looked: Looked | None = None
    missing: Missing | None = None
    ahead: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The exit status: qemu-img's, but for a file that was cut short where it sees nothing."""
        status = self.figures.status
        if status not in (OK, LEAKED):
            return status
        others = [group.exit for group in self.findings]
        if self.ahead and max(status, *others, OK) == OK:
            return CORRUPT  # the end of the data is missing
        return CORRUPT if CORRUPT in others else max(status, *others, OK)


def refusal(judge: Judge, profile: str = "qemu") -> Finding | None:
    """Why an image is not checked: the first broken rule for which QEMU does not open it.

    Opened for a check, an image may lack a refcount table, or break other rules that `qemu-img
    info` insists on. It may not break those that QEMU looks at where guest data can be asked for:
    `qemu-img info` opens an image whose data file has no name, `check` does not.

    Args:
        judge: What opening found.
        profile: ``qemu``, or ``qemu@7.2`` for a version of it.
    """
    return judge.first_among(refused_for_check(profile))


def refuse(image: Image, profile: str = "qemu") -> None:
    """Refuse an image for `refusal`'s reason.

    Raises:
        Malformed, Invalid, Unsupported: The rule that it breaks.
    """
    refused = refusal(image.judge, profile)
    if refused is not None:
        error = refused.error()
        error.path = image.source.name
        raise error


def check(
    image: Image,
    *,
    shown: int | None = SHOWN,
    explain: bool = False,
    deep: bool = False,
    chain: bool = False,
    profile: str = "qemu",
    progress: Progress | None = None,
) -> Report:
    """Check an image as `qemu-img check` does, and beyond.

    Args:
        image: The image, as `qcowspec.image.open` or `lay_open` gives it.
        shown: Places that are kept of each rule; None for all.
        explain: Whether the owners of the clusters at fault are named.
        deep: Whether compressed clusters are inflated.
        chain: Whether the backing chain is followed, through the image's gate.
        profile: Whose check it is: ``qemu``, or ``qemu@7.2``. It decides what is opened, and what
            counts; the findings have what it does not look at as well.
        progress: Shows how far it is; see `qcowspec.check.findings.Progress`.

    Raises:
        Malformed, Invalid, Unsupported: A rule is broken for which QEMU does not check the image.
        Refused, Unreadable: The chain is followed, and cannot be.
    """
    refuse(image, profile)
    report = _run(image, Findings(shown, profile=profile), explain, deep, chain, progress or silent)
    if sentence := truncated(image.metadata):
        report.ahead = (sentence,)
    return report


def every(
    image: Image,
    rule: str,
    sink: Sink,
    *,
    explain: bool = False,
    deep: bool = False,
    chain: bool = False,
    progress: Progress | None = None,
) -> None:
    """Go through an image once more, for all faults of one rule, however many: none is kept.

    Args:
        image: The image, which was checked before.
        rule: The rule's id.
        sink: Takes the faults, one by one; neighbours are one.
        explain: Whether the owners of the clusters at fault are named.
        deep: Whether compressed clusters are inflated, if that is what the rule is about.
        chain: See `check`.
        progress: See `check`.
    """
    named = explain and image.format is not Format.QCOW
    if named:
        from qcowspec.check.explain import Namer

        sink = namer = Namer(image, sink)
    findings = Findings(0, rule=rule, sink=sink)
    deep = deep and BY_ID[rule].judged == "data"
    _run(image, findings, explain=False, deep=deep, chain=chain, progress=progress or silent)
    findings.settle()
    if named:
        namer.settle()


def _run(
    image: Image,
    findings: Findings,
    explain: bool,
    deep: bool,
    chain: bool,
    progress: Progress,
) -> Report:
    """A check of an image that is not refused; see `check`."""
    if not chain:
        return _tables(image, findings, explain, deep, None, progress)
    from qcowspec.check.loops import chain_of, data_length, follow

    with chain_of(image) as files:
        report = _tables(image, findings, explain, deep, data_length(files), progress)
        follow(image, files, findings)
    return report


def _tables(
    image: Image,
    findings: Findings,
    explain: bool,
    deep: bool,
    data_length: int | None,
    progress: Progress,
) -> Report:
    """A check of the tables; see `check`."""
    if image.format is Format.QCOW:
        from qcowspec.check.qcow1 import Qcow1Check

        old = Qcow1Check(image.metadata, image.source, findings, progress, deep=deep)
        old.run()
        return Report(old.figures, findings, image.format)
    from qcowspec.check.layout import Layout
    from qcowspec.check.qcow2 import Qcow2Check
    from qcowspec.check.regions import Aborted

    try:
        layout = Layout(image.metadata, image.source, findings)
    except Aborted as reason:
        figures = Figures(completed=False, check_errors=1)
        return Report(figures, findings, image.format, str(reason))
    run = Qcow2Check(layout, progress, data_length=data_length)
    run.run()
    if deep:
        from qcowspec.check.deep import inflate_all

        inflate_all(layout, run.figures.compressed_clusters, progress)
    if explain:
        from qcowspec.check.explain import explain as name_owners

        name_owners(layout, progress)
    return Report(run.figures, findings, image.format, looked=run.looked, missing=run.l2.missing)


def owners(image: Image, first: int = 0, count: int | None = None) -> OwnerMap:
    """What references each cluster of the image file.

    Args:
        image: The image, of version 2 or 3.
        first: The number of the first cluster that is asked for.
        count: How many are; None for all that follow.

    Returns:
        `qcowspec.check.ownership.Owner` bits, shape (clusters,), dtype ``uint16``; 0 where nothing
        references a cluster.

    Raises:
        ValueError: The image is of version 1, which has no clusters in the file; or there are too
            many at once.
    """
    from qcowspec.check.layout import Layout
    from qcowspec.check.qcow2 import owner_map
    from qcowspec.check.regions import Aborted

    refuse(image)
    if image.format is Format.QCOW:
        raise ValueError("an image of version 1 has no clusters in the file")
    total = image.geometry.clusters(align_up(image.source.length, c.BDRV_SECTOR_SIZE))
    wanted = max(0, total - first) if count is None else min(count, max(0, total - first))
    if first < 0 or not 0 <= wanted <= LARGEST:
        raise ValueError(f"an owner map has at most {LARGEST} clusters")
    try:
        layout = Layout(image.metadata, image.source, Findings(0))
    except Aborted as reason:
        raise Invalid(f"has no owner map: {reason}", path=image.source.name) from reason
    return owner_map(layout, first, wanted)
