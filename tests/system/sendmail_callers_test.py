"""The real programs of Debian that send mail, with our sendmail in /usr/sbin (of a mount namespace)."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import programs   # noqa: E402
from support.programs import ALICE, as_user, environment_for   # noqa: E402
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink   # noqa: E402


def needs(*names):
    missing = [name for name in names if not shutil.which(name)]
    return unittest.skipIf(missing, f"not installed: {missing}")


class CallersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sink = Sink().start()
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n', user="sg-server").start()
        os.chmod(cls.server.folder, 0o755)
        cls.programs = programs.Installed()
        for path in ("/usr/sbin/sendmail", "/usr/lib/sendmail"):
            if not os.path.exists(path):
                raise unittest.SkipTest(f"no {path} to put ours over")
            programs.bind(cls.programs.sendmail, os.path.realpath(path))
        cls.home = tempfile.mkdtemp(prefix="sidegate-home-")
        os.chmod(cls.home, 0o777)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.discard()
        cls.programs.discard()
        cls.sink.stop()

    def setUp(self):
        del self.sink.messages[:]

    def run_as(self, uid, *command, text="", **more):
        done = subprocess.run(as_user(uid, *command), input=text, capture_output=True, text=True, timeout=60, cwd=self.home,
                              env=environment_for(self.server, HOME=self.home, USER="sg-alice", LOGNAME="sg-alice",
                                                  GIT_COMMITTER_NAME="Me", GIT_COMMITTER_EMAIL="me@x.example",
                                                  GIT_AUTHOR_NAME="Me", GIT_AUTHOR_EMAIL="me@x.example"), **more)
        self.assertEqual(done.returncode, 0, (command, done.stdout, done.stderr))
        return done

    def arrived(self, to, count=1):
        def found():
            mine = [m for m in list(self.sink.messages) if any(f"<{to}>" in one for one in m[2])]
            return mine if len(mine) >= count else None
        return wait_for(found, 30, what=f"mail to {to}")[0]

    @needs("bsd-mailx")
    def test_bsd_mailx(self):
        self.run_as(ALICE, "bsd-mailx", "-s", "subject", "-b", "hid@x.example", "-r", "me@x.example", "you@x.example", text="line\n.\nnot me\n")
        message = self.arrived("you@x.example")
        self.assertTrue(message[1].startswith("<me@x.example>"))
        self.assertNotIn(b"hid@x.example", message[3])
        self.arrived("hid@x.example")

    @needs("s-nail")
    def test_s_nail(self):
        self.run_as(ALICE, "s-nail", "-n", "-S", "mta=/usr/sbin/sendmail", "-S", "sendwait", "-s", "subj", "-r", "me@x.example", "you@x.example", text="hello\n")
        self.assertIn(b"hello", self.arrived("you@x.example")[3])

    @needs("mutt")
    def test_mutt(self):
        self.run_as(ALICE, "mutt", "-n", "-F", "/dev/null", "-s", "subj", "-e", "set copy=no", "--", "you@x.example", text="hello\n")
        self.assertIn(b"Subject: subj", self.arrived("you@x.example")[3])

    @needs("git")
    def test_git_send_email(self):
        if not glob.glob("/usr/lib/git-core/git-send-email"):
            self.skipTest("git-email is not installed")
        patch = os.path.join(self.home, "0001.patch")
        with open(patch, "w") as out:
            out.write("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Me <me@x.example>\nDate: Sat, 21 Nov 2026 00:00:00 +0000\n"
                      "Subject: [PATCH] x\n\nwords\n---\n a | 1 +\n")
        self.run_as(0, "git", "send-email", "--confirm=never", "--from=me@x.example", "--to=you@x.example", "--cc=list@x.example",
                    "--envelope-sender=env@x.example", patch)
        message = self.arrived("you@x.example")
        self.assertTrue(message[1].startswith("<env@x.example>"))
        self.arrived("list@x.example")

    @needs("php")
    def test_php_mail(self):
        code = ('exit(mail("you@x.example", "subj", "line\\r\\n.\\r\\nend", "From: web@x.example\\r\\nBcc: hid@x.example", "-fbounce@x.example") ? 0 : 1);')
        self.run_as(ALICE, "php", "-d", "sendmail_path=/usr/sbin/sendmail -t -i -f admin@x.example", "-r", code)
        message = self.arrived("you@x.example")
        self.assertTrue(message[1].startswith("<bounce@x.example>"), message[1])
        self.assertNotIn(b"hid@x.example", message[3])
        self.assertIn(b"\r\n.\r\nend", message[3])
        self.arrived("hid@x.example")

    @needs("php")
    def test_php_mail_is_told(self):
        done = subprocess.run(as_user(ALICE, "php", "-d", "sendmail_path=/usr/sbin/sendmail -t -i -oep", "-r", 'exit(mail("bad@@x", "s", "b") ? 0 : 7);'),
                              capture_output=True, env=environment_for(self.server), cwd=self.home)
        self.assertEqual(done.returncode, 7)

    @needs("logwatch")
    def test_logwatch(self):
        self.run_as(0, "logwatch", "--output", "mail", "--mailto", "you@x.example", "--service", "zz-sys", "--range", "today", "--detail", "low")
        self.assertIn(b"Logwatch", self.arrived("you@x.example")[3])

    @needs("cron")
    def test_cron(self):
        folder = tempfile.mkdtemp(prefix="sidegate-cron-")
        os.makedirs(f"{folder}/crontabs")
        os.makedirs(f"{folder}/etc")
        with open(f"{folder}/crontab", "w") as out:
            out.write("MAILTO=you@x.example\n" + f"SIDEGATE_SUBMIT_SOCKET={self.server.folder}/submit\n" + "@reboot root printf 'from cron\\n.\\nend\\n'\n")
        os.chmod(f"{folder}/crontab", 0o644)
        programs.bind(f"{folder}/crontab", "/etc/crontab")
        programs.bind(f"{folder}/crontabs", "/var/spool/cron/crontabs")
        programs.bind(f"{folder}/etc", "/etc/cron.d")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)   # its pid file, and the mark of @reboot
        cron = subprocess.Popen(["cron", "-f"], env=environment_for(self.server), stdin=subprocess.DEVNULL)
        try:
            message = self.arrived("you@x.example")
        finally:
            cron.kill()
            cron.wait()
            subprocess.run(["umount", "/run"], check=True)
        self.assertIn(b"from cron\r\n.\r\nend", message[3])
        self.assertIn(b"(Cron Daemon)", message[3])

    @needs("nodejs")
    def test_nodemailers_command(self):
        code = ('const s=require("child_process").spawn("/usr/sbin/sendmail",["-i","-f","me@x.example","you@x.example"]);'
                's.on("exit",c=>process.exit(c)); s.stdin.end("Subject: node\\n\\nx\\n");')
        self.run_as(ALICE, "nodejs", "-e", code)
        self.arrived("you@x.example")

    def test_mdadm_and_smartd(self):
        # mdadm's popen, and smartd's mail program with its back end
        self.run_as(0, "sh", "-c", "printf 'From: mdadm monitoring <root>\\nTo: you@x.example\\nSubject: Fail event on /dev/md0\\n\\nx\\n' | /usr/sbin/sendmail -t")
        self.assertIn(b"mdadm monitoring <root@gate.test>", self.arrived("you@x.example")[3])

    def test_names_of_usr_lib(self):
        self.run_as(ALICE, "/usr/lib/sendmail", "-odi", "you@x.example", text="Subject: arpwatch\n\nx\n")
        self.arrived("you@x.example")


if __name__ == "__main__":
    programs.own_users()
    programs.make_users()
    unittest.main()
