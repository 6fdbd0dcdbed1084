"""Keys of a test: made by `till keygen`, put into directories as an admin does it."""
import os
import re
import shutil

from harness import till


class Keys:
    """A folder of pairs, NAME.key and NAME.pub, and directories of those who are let in."""

    def __init__(self, folder):
        self.folder = folder / "keys"
        self.folder.mkdir(mode=0o755)

    def make(self, name, *rights):
        """`rights` as keygen's flags: "--edges", "store-1"."""
        done = till("keygen", name, "--dir", self.folder, *rights)
        assert done.returncode == 0, done.stderr
        assert self.secret_text(name) not in done.stdout + done.stderr
        return name

    def secret(self, name):
        return self.folder / f"{name}.key"

    def public(self, name):
        return self.folder / f"{name}.pub"

    def secret_text(self, name):
        return re.search(r"^secret = (\S+)$", self.secret(name).read_text(), re.M)[1]

    def public_text(self, name):
        return re.search(r"^public = (\S+)$", self.public(name).read_text(), re.M)[1]

    def directory(self, of, *names):
        """What `of` lets in."""
        path = self.folder / f"{of}-authorized"
        path.mkdir(mode=0o755, exist_ok=True)
        for name in names:
            self.authorize(of, name)
        return path

    def authorize(self, of, name, rights=None):
        """Adds or replaces a key; `rights`: the lines of its section instead of those that it was made with."""
        path = self.folder / f"{of}-authorized" / f"{name}.pub"
        new = path.with_name(f".{name}.new")
        shutil.copy(self.public(name), new)
        if rights is not None:
            new.write_text(f"[key]\npublic = {self.public_text(name)}\n[rights]\n{rights}\n")
        os.chmod(new, 0o644)
        os.rename(new, path)

    def remove(self, of, name):
        (self.folder / f"{of}-authorized" / f"{name}.pub").unlink()

    def pair(self, name, server):
        """For harness.Client and Sender: (secret, public, the server's public)."""
        return self.secret_text(name), self.public_text(name), self.public_text(server)

    def flags(self, name, server):
        """For `till`."""
        return ["--key", self.secret(name), "--server-key", self.public(server)]

    def secrets(self):
        return [self.secret_text(path.stem) for path in self.folder.glob("*.key")]
