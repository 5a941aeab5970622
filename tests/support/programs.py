"""`sendmail` of this build as programs call it, and users to call it as: a mount namespace with users of its own."""
import os
import shutil
import subprocess
import sys
import tempfile

from .server import BINARY, BUILD

SENDMAIL = os.path.join(BUILD, "src", "submit", "sidegate-sendmail")
DROP = os.path.join(BUILD, "src", "drop", "sidegate-drop")
GROUP, SERVER, ALICE, BOB = 64320, 64330, 64331, 64332   # of the namespace


def own_users():
    """Runs this test again in a mount namespace whose users and groups are its own; ends it where that cannot be."""
    if os.environ.get("SIDEGATE_TEST_NAMESPACE"):
        return
    if os.geteuid() != 0 or not shutil.which("unshare"):
        print("skipped: needs root and unshare")
        sys.exit(0)
    environment = dict(os.environ, SIDEGATE_TEST_NAMESPACE="1")
    done = subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv], env=environment)
    sys.exit(done.returncode)


def bind(source, target):
    subprocess.run(["mount", "--bind", source, target], check=True)


def make_users():
    """Inside own_users(): the server's user, the drop group, sg-alice and sg-bob."""
    folder = tempfile.mkdtemp(prefix="sidegate-users-")
    os.chmod(folder, 0o755)
    lines = {
        "passwd": [f"sg-server:x:{SERVER}:{SERVER}::/:/bin/false", f"sg-alice:x:{ALICE}:{ALICE}:Alice Ä. Test,,,:/:/bin/sh",
                   f"sg-bob:x:{BOB}:{BOB}::/:/bin/sh"],
        "group": [f"sg-server:x:{SERVER}:", f"sidegate-drop:x:{GROUP}:", f"sg-alice:x:{ALICE}:", f"sg-bob:x:{BOB}:"],
    }
    for name, more in lines.items():
        with open(f"/etc/{name}") as old, open(f"{folder}/{name}", "w") as new:
            new.write("".join(line for line in old if not line.startswith(("sg-", "sidegate-drop:"))) + "\n".join(more) + "\n")
        os.chmod(f"{folder}/{name}", 0o644)
        bind(f"{folder}/{name}", f"/etc/{name}")
    return folder


class Installed:
    """The programs in a folder as the packaging installs them: sidegate-drop set-gid. Not on a file system without set-gid."""

    def __init__(self, set_gid=True):
        base = "/var/tmp" if os.statvfs("/tmp").f_flag & os.ST_NOSUID else "/tmp"
        self.root = tempfile.mkdtemp(prefix="sidegate-installed-", dir=base)
        os.chmod(self.root, 0o755)
        os.makedirs(f"{self.root}/lib/sidegate")
        os.makedirs(f"{self.root}/sbin")
        self.sendmail = f"{self.root}/lib/sidegate/sidegate-sendmail"
        self.drop = f"{self.root}/lib/sidegate/sidegate-drop"
        shutil.copy(SENDMAIL, self.sendmail)
        shutil.copy(DROP, self.drop)
        shutil.copy(BINARY, f"{self.root}/sbin/sidegate")
        if set_gid:
            os.chown(self.drop, 0, GROUP)
            os.chmod(self.drop, 0o2755)

    def discard(self):
        shutil.rmtree(self.root, ignore_errors=True)


def as_user(uid, *command, no_new_privs=False):
    """The command line that runs `command` as this user, without other groups."""
    if uid == 0:
        return list(command)
    prefix = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return [*prefix, *(["--no-new-privs"] if no_new_privs else []), *command]


def environment_for(server, **more):
    """How a program finds this server: a user may not read its configuration."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}
    return dict(clean, LC_ALL="C", SIDEGATE_CONFIG=server.config_path, SIDEGATE_SUBMIT_SOCKET=f"{server.folder}/submit",
                SIDEGATE_DROP_DIRECTORY=f"{server.folder}/drop", **more)
