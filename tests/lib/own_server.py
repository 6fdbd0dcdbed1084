"""What the databases of tests have in common: a folder and a user of their own, for neither runs as root."""
import os
import pwd
import shutil

import pytest


def become_user(name, program, folder):
    """What comes before command lines of this user, whom its packages made; the folder becomes the user's."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        pytest.skip(f"{program} does not run as root, and there is no user {name}")
    shutil.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def handed_over(paths, folder):
    """Copies of files that the folder's user may read, and nobody else."""
    made = []
    for path in paths:
        made.append(shutil.copy(path, folder))
        os.chmod(made[-1], 0o600)
        shutil.chown(made[-1], folder.owner(), folder.group())
    return made
