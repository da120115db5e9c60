"""How fast images on a server become raw files, beside qemu-img with its curl driver.

    python tools/bench/remote.py [--mib N] [--runs N] [--only NAME] [--delay MILLISECONDS]

One nginx on loopback serves both, one after the other; whole processes, from start to exit. Needs
nginx, and Debian's qemu-block-extra. The disk is that of convert.py. With --delay each request
takes so much longer, as over a distance; loopback has none. The least of several runs counts, each
program's together: the first after another program's takes up to half as long again. Requests and
bytes are nginx's own count.

Ours is held against the better of `qemu-img convert` and `qemu-img convert -m 1`. With its usual
eight coroutines, qemu-img 7.2 with Debian 12's libcurl often hangs on HTTP; a run that takes ten
times as long as that with one, and half a minute, is ended, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.remote.servers import nginx
from tools.bench.contents import files
from tools.bench.pairs import run

FLAVOURS = {
    "plain": ([], 0.6),
    "zlib": (["-c"], 0.45),
    "zstd": (["-c", "-o", "compression_type=zstd"], 0.7),
}
"""Name: what makes it, and the ratio that is aimed at."""


@contextlib.contextmanager
def far(url: str, delay: float) -> Iterator[str]:
    """The server behind a line on which every burst arrives late."""
    import socket

    if not delay:
        yield url
        return
    there = ("127.0.0.1", int(url.rpartition(":")[2]))
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, target: socket.socket, pause: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                time.sleep(pause if len(data) < 4096 else 0)  # a request, not a body
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                server = socket.create_connection(there)
                for words in ((client, server, delay), (server, client, 0.0)):
                    threading.Thread(target=carry, args=words, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def bounded(command: list[str], seconds: float) -> float | None:
    """Seconds of one run; None where it takes longer than it may."""
    start = time.perf_counter()
    try:
        subprocess.run(command, check=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print a line a flavour."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append")
    parser.add_argument("--delay", type=float, default=0.0)
    options = parser.parse_args()
    ours = str(Path(sys.executable).with_name("qcowspec"))
    print(f"{options.mib} MiB, load {os.getloadavg()[0]:.1f}; seconds, and ours over qemu-img's")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw, out, root = folder / "disk.raw", folder / "out.raw", folder / "root"
        root.mkdir()
        files(raw, options.mib << 20)
        for flavour, (extra, _) in FLAVOURS.items():
            if options.only and flavour not in options.only:
                continue
            image = root / f"{flavour}.qcow2"
            make = ["qemu-img", "convert", "-O", "qcow2", *extra, str(raw), str(image)]
            subprocess.run(make, check=True)
            image.read_bytes()
        with nginx(root, folder / "nginx") as server, far(server.url, options.delay / 1000) as url:
            for image in sorted(root.iterdir()):
                aim = FLAVOURS[image.stem][1]
                target = f"{url}/{image.name}"
                theirs = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", target, str(out)]
                counts = []
                times = []
                for command in (
                    [*theirs[:2], "-m", "1", *theirs[2:]],
                    [ours, "convert", "-q", target, str(out)],
                ):
                    before = len(server.asked())
                    clean = partial(out.unlink, missing_ok=True)
                    runs = [run(command, clean) for _ in range(options.runs)]
                    times.append(min(each.seconds for each in runs))
                    asked = server.asked()[before:]
                    counts.append((len(asked), sum(each.sent for each in asked)))
                equal = subprocess.run(["cmp", "-s", str(raw), str(out)], check=False).returncode
                wide = bounded(theirs, 10 * times[0] + 30)
                times[0] = min(times[0], wide or times[0])
                shown = "  ".join(
                    f"{who} {taken:6.2f} s {requests / options.runs:6.0f} requests"
                    f" {sent / options.runs / (1 << 20):5.0f} MiB"
                    for who, taken, (requests, sent) in zip(
                        ("qemu-img", "ours"), times, counts, strict=True
                    )
                )
                print(
                    f"{image.stem:6} {shown}  {times[1] / times[0]:5.2f} (aim {aim:.2f})"
                    f"{'  DIFFERENT BYTES' if equal else ''}"
                    f"{'' if wide else '  (qemu-img -m 8 hangs)'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
