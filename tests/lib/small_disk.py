"""Small file systems to fill: a tmpfs, or an ext4 without a journal in a file. Mounting needs root."""
import contextlib
import os
import subprocess

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts small file systems: needs root")
KINDS = ("tmpfs", "ext4")


def mount(kind, folder, size_mib):
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", folder], check=True)
        return
    image = folder.parent / f"{folder.name}.ext4"
    image.write_bytes(b"")
    os.truncate(image, size_mib * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", image], check=True)
    done = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no loop mounts here: {done.stderr.strip()}")


@contextlib.contextmanager
def small_disk(kind, folder, size_mib, is_there=False):
    """`folder` is made, unless it is there, and becomes a file system of that size."""
    folder.mkdir(exist_ok=is_there)
    mount(kind, folder, size_mib)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


class Ballast:
    """A file that takes what is left of a disk."""

    def __init__(self, folder):
        self.path = folder / "ballast"

    def fill(self):
        with open(self.path, "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 16, 1 << 12):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass
            with contextlib.suppress(OSError):
                os.fsync(file.fileno())

    def drop(self):
        self.path.unlink()
