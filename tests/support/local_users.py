"""Unix users of a test's own: a mount namespace with its own /etc/passwd and /etc/group, homes in the test's folder. Needs root."""
import os
import shutil

FIRST_UID = 61001


def available():
    return os.geteuid() == 0 and shutil.which("unshare") is not None


class LocalUsers:
    def __init__(self, folder, *names):
        self.folder, self.uids = folder, {}
        os.chmod(folder, 0o755)
        with open("/etc/passwd") as own_passwd, open("/etc/group") as own_group:
            passwd, group = own_passwd.read(), own_group.read()
        for i, name in enumerate(names):
            uid, home = FIRST_UID + i, self.home(name)
            self.uids[name] = uid
            passwd += f"{name}:x:{uid}:{uid}:{name}:{home}:/bin/sh\n"
            group += f"{name}:x:{uid}:\n"
            os.makedirs(home)
            os.chown(home, uid, uid)
            os.chmod(home, 0o700)
        for kind, text in (("passwd", passwd), ("group", group)):
            with open(os.path.join(folder, kind), "w") as out:
                out.write(text)
            os.chmod(os.path.join(folder, kind), 0o644)
        self.spool = os.path.join(folder, "spool")
        os.mkdir(self.spool)
        os.chown(self.spool, 0, 8)     # root:mail, as Debian's /var/mail
        os.chmod(self.spool, 0o2775)

    def home(self, name):
        return os.path.join(self.folder, "home-" + name)

    def write(self, name, path, text, mode=0o600):
        """A file of the user's in the user's home folder."""
        path = os.path.join(self.home(name), path)
        with open(path, "w") as out:
            out.write(text)
        os.chown(path, self.uids[name], self.uids[name])
        os.chmod(path, mode)
        return path

    @property
    def prefix(self):
        """What starts a program among these users."""
        return ["unshare", "-m", "sh", "-c",
                'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"', self.folder]
