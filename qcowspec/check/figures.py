"""What a check counts, under qemu-img's names, and its exit status.

In: numbers. Out: what qemu-img prints and returns. Refuses: nothing.

Source: qemu-img.c: collect_image_check, img_check.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

OK, FAILED, CORRUPT, LEAKED = 0, 1, 2, 3
"""Exit statuses of ``qemu-img check``."""


@dataclass(slots=True)
class Figures:
    """The counts of one check, in the order in which qemu-img prints them.

    Attributes:
        check_errors: Places that could not be checked.
        corruptions: Errors that may cost data.
        leaks: Clusters that nothing references and a refcount keeps.
        image_end_offset: End of the last cluster in use, by refcount or by reference, in bytes.
        total_clusters: Clusters of the virtual disk.
        allocated_clusters: Those that have a place of their own; each reference counts.
        fragmented_clusters: Those of them that do not follow their predecessor, and all compressed.
        compressed_clusters: The compressed ones.
        completed: Whether the check came to its end; if not, only the exit status means anything.
    """

    check_errors: int = 0
    corruptions: int = 0
    leaks: int = 0
    image_end_offset: int = 0
    total_clusters: int = 0
    allocated_clusters: int = 0
    fragmented_clusters: int = 0
    compressed_clusters: int = 0
    completed: bool = True

    @property
    def status(self) -> int:
        """The exit status that qemu-img has for them."""
        if not self.completed or self.check_errors:
            return FAILED
        if self.corruptions:
            return CORRUPT
        return LEAKED if self.leaks else OK

    def as_json(self) -> dict[str, int]:
        """The keys that qemu-img prints: all that are not zero, and ``check-errors``."""
        counts = {name.replace("_", "-"): n for name, n in asdict(self).items()}
        del counts["completed"]
        return {key: n for key, n in counts.items() if n or key == "check-errors"}
