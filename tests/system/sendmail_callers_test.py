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
        cls.home = tempfile.mkdtemp(prefix="sidegate-home-")
        os.chmod(cls.home, 0o777)
        # mail for root, as cron, at and mdadm send it, leaves by the alias
        with open(f"{cls.home}/aliases", "w") as out:
            out.write("root: admin@x.example\n")
        if os.path.exists("/etc/aliases"):
            programs.bind(f"{cls.home}/aliases", "/etc/aliases")
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n', user="sg-server")
        os.chmod(cls.server.folder, 0o755)
        cls.server.start()
        cls.programs = programs.Installed()
        for path in ("/usr/sbin/sendmail", "/usr/lib/sendmail"):
            if not os.path.exists(path):
                raise unittest.SkipTest(f"no {path} to put ours over")
            programs.bind(cls.programs.sendmail, os.path.realpath(path))

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
                                                  GIT_AUTHOR_NAME="Me", NODE_PATH="/usr/share/nodejs", GIT_AUTHOR_EMAIL="me@x.example"), **more)
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
            subprocess.run(["umount", "-l", "/run"], check=True)
        self.assertIn(b"from cron\r\n.\r\nend", message[3])
        self.assertIn(b"(Cron Daemon)", message[3])

    @needs("nodejs")
    def test_nodemailer(self):
        if not os.path.exists("/usr/share/nodejs/nodemailer"):
            self.skipTest("node-nodemailer is not installed")
        for newline in ("unix", "windows"):
            code = ('require("nodemailer").createTransport({sendmail: true, newline: "' + newline + '", path: "/usr/sbin/sendmail"})'
                    '.sendMail({from: "Me <me@x.example>", to: "you@x.example", bcc: "hid@x.example", subject: "Sübject", text: "one\\n.\\ntwo"})'
                    '.then(() => process.exit(0), e => { console.error(e); process.exit(1); });')
            self.run_as(ALICE, "nodejs", "-e", code)
            message = self.arrived("you@x.example")
            self.assertTrue(message[1].startswith("<me@x.example>"), message[1])
            self.assertIn(b"one\r\n.\r\ntwo", message[3])
            self.assertNotIn(b"hid@x.example", message[3])
            self.arrived("hid@x.example")
            del self.sink.messages[:]

    @needs("php")
    def test_phpmailer(self):
        if not os.path.exists("/usr/share/php/libphp-phpmailer/autoload.php"):
            self.skipTest("libphp-phpmailer is not installed")
        code = ('require "libphp-phpmailer/autoload.php"; $m = new PHPMailer\\PHPMailer\\PHPMailer(true); $m->{$argv[1]}();'
                '$m->setFrom("me@x.example", "Me"); $m->Sender = "bounce@x.example"; $m->addAddress("you@x.example"); $m->addBCC("hid@x.example");'
                '$m->Subject = "Sübject"; $m->CharSet = "UTF-8"; $m->Body = "one\\n.\\ntwo"; exit($m->send() ? 0 : 1);')
        for how in ("isSendmail", "isMail"):
            self.run_as(ALICE, "php", "-d", "sendmail_path=/usr/sbin/sendmail -t -i", "-r", code, "--", how)
            message = self.arrived("you@x.example")
            self.assertTrue(message[1].startswith("<bounce@x.example>"), (how, message[1]))
            self.assertIn(b"one\r\n.\r\ntwo", message[3])
            self.assertNotIn(b"hid@x.example", message[3])
            self.arrived("hid@x.example")
            del self.sink.messages[:]

    @needs("php")
    def test_symfony_mailer(self):
        if not os.path.exists("/usr/share/php/Symfony/Component/Mailer/autoload.php"):
            self.skipTest("php-symfony-mailer is not installed")
        code = ('require "Symfony/Component/Mailer/autoload.php"; require "Symfony/Component/Mime/autoload.php";'
                '$t = Symfony\\Component\\Mailer\\Transport::fromDsn($argv[1]);'
                'foreach ([1, 2] as $n) { $t->send((new Symfony\\Component\\Mime\\Email())->from("me@x.example")->to("you@x.example")->bcc("hid@x.example")'
                '->subject("Sübject $n")->text("one\\n.\\ntwo")); }')
        # its default is -bs; two messages in one dialogue, or two calls
        for dsn in ("sendmail://default", "native://default", "sendmail://default?command=/usr/sbin/sendmail%20-oi%20-t",
                    "sendmail://default?command=/usr/sbin/sendmail%20-t"):
            self.run_as(ALICE, "php", "-d", "sendmail_path=/usr/sbin/sendmail -t -i", "-r", code, "--", dsn)
            message = self.arrived("you@x.example", 2)
            self.assertTrue(message[1].startswith("<me@x.example>"), (dsn, message[1]))
            # without -i Symfony doubles dots, and sendmail takes none away: as with Postfix
            self.assertIn(b"one\r\n..\r\ntwo" if dsn.endswith("%20-t") and "-oi" not in dsn else b"one\r\n.\r\ntwo", message[3], dsn)
            self.assertNotIn(b"hid@x.example", message[3])
            self.arrived("hid@x.example", 2)
            del self.sink.messages[:]

    @needs("mdadm")
    def test_mdadm(self):
        # an array that is not there: the test message is sent before it is looked at
        self.run_as(0, "mdadm", "--monitor", "--test", "--oneshot", "--mail=root", "/dev/md/sidegate-none")
        message = self.arrived("admin@x.example")
        self.assertIn(b"TestMessage event on", message[3])
        self.assertIn(b"From: mdadm monitoring <root@", message[3])

    def test_smartd(self):
        runner = "/usr/share/smartmontools/smartd-runner"
        if not os.path.exists(runner) or not os.path.exists("/usr/bin/mail"):
            self.skipTest("smartmontools or a mail program is not installed")
        # as smartd calls its -M exec script
        self.run_as(0, runner, "-s", "SMART error (FailedOpenDevice) detected on host: gate", "root", text="The following warning/error was logged\n")
        self.assertIn(b"SMART error", self.arrived("admin@x.example")[3])

    @needs("at", "atd")
    def test_at(self):
        for folder in ("/var/spool/cron/atjobs", "/var/spool/cron/atspool"):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1770", "tmpfs", folder], check=True)
            shutil.chown(folder, "daemon", "daemon")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)   # its pid file
        atd = None
        try:
            with open("/var/spool/cron/atjobs/.SEQ", "w") as out:
                out.write("0\n")
            shutil.chown("/var/spool/cron/atjobs/.SEQ", "daemon", "daemon")
            self.run_as(0, "at", "-m", "now", text="printf 'from at\\n.\\nend\\n'\n")
            atd = subprocess.Popen(["atd", "-f"], env=environment_for(self.server), stdin=subprocess.DEVNULL)
            message = self.arrived("admin@x.example")
        finally:
            if atd:
                atd.kill()
                atd.wait()
            for folder in ("/run", "/var/spool/cron/atjobs", "/var/spool/cron/atspool"):
                subprocess.run(["umount", "-l", folder], check=True)
        self.assertIn(b"from at\r\n.\r\nend", message[3])
        self.assertIn(b"Output from your job", message[3])

    def test_names_of_usr_lib(self):
        self.run_as(ALICE, "/usr/lib/sendmail", "-odi", "you@x.example", text="Subject: arpwatch\n\nx\n")
        self.arrived("you@x.example")


if __name__ == "__main__":
    programs.own_users()
    programs.make_users()
    unittest.main()
