"""What has been delivered: FOLDER/DOMAIN/USER/Maildir. Postfix hands each copy to a shell of a few lines, since virtual(8) takes
no pattern for "anybody"."""
import glob
import os
import pwd

# Anybody has a mailbox in a server's domains, except unknown@.
MAP = "if !/^unknown@/\n/^.+@[^@]+$/ there\nendif\n"
DELIVER = """#!/bin/sh
# deliver FOLDER DOMAIN USER <message
case "$2/$3" in */*/*|.*|*/.*) exit 67 ;; esac   # EX_NOUSER
umask 022
mail="$1/$2/$3/Maildir"
mkdir -p "$mail/new" "$mail/tmp" || exit 75
name=$(date +%s.%N).$$
cat >"$mail/tmp/$name" && mv "$mail/tmp/$name" "$mail/new/$name" || exit 75
"""


def settings(folder, domains):
    """main.cf of a Postfix that delivers mail for these domains into `folder`."""
    nobody = pwd.getpwnam("nobody")
    os.makedirs(folder, exist_ok=True)
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    with open(folder.rstrip("/") + ".regexp", "w") as out:
        out.write(MAP)
    with open(folder.rstrip("/") + ".sh", "w") as out:
        out.write(DELIVER)
    return {"virtual_mailbox_domains": ", ".join(domains), "virtual_mailbox_maps": f"regexp:{folder.rstrip('/')}.regexp",
            "virtual_transport": "maildir", "maildir_destination_recipient_limit": "1"}


def service(folder):
    """The line of master.cf that goes with it."""
    return ("maildir unix - n n - 5 pipe flags=DROhu user=nobody argv=/bin/sh "
            f"{folder.rstrip('/')}.sh {folder} ${{domain}} ${{mailbox}}")


def read(folder, address):
    user, _, domain = address.lower().rpartition("@")
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(os.path.join(folder, domain, user)), "Maildir", "new", "*"))):
        with open(path, "rb") as mail:
            found.append(mail.read())
    return found
