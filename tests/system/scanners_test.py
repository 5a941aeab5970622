"""What those who look for weak mail servers find: nmap's SMTP scripts and testssl.sh."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.mail_server import MailServer          # noqa: E402

LONG = os.environ.get("SIDEGATE_LONG") == "1"


def needs(*programs):
    return unittest.skipUnless(all(shutil.which(p) for p in programs), f"needs {', '.join(programs)}")


def run(*command, timeout=120):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)


class Scanners(unittest.TestCase):
    @needs("nmap")
    def test_nmaps_scripts(self):
        mail = MailServer(self).start()
        names = [name for name in ("smtp-commands", "smtp-open-relay", "smtp-enum-users", "smtp-ntlm-info", "smtp-strangeport", "smtp-vuln-cve2010-4344",
                                   "smtp-vuln-cve2011-1720", "smtp-vuln-cve2011-1764") if os.path.exists(f"/usr/share/nmap/scripts/{name}.nse")]
        # At a port that begins with TLS nmap first waits for a greeting, a quarter of a minute.
        ports = ",".join(str(mail.ports[name]) for name in (mail.ports if LONG else ("smtp", "submission")))
        done = run("nmap", "-Pn", "-n", "-p", ports, "--script", ",".join("+" + name for name in names), "--script-args",
                   "smtp-open-relay.domain=gate.test,smtp.domain=gate.test,smtp-enum-users.methods={VRFY,EXPN}", "-oX", "-", "127.0.0.1", timeout=300)
        found = {}
        for port, block in re.findall(r'<port protocol="tcp" portid="(\d+)">(.*?)</port>', done.stdout, re.S):
            found[int(port)] = dict(re.findall(r'<script id="([^"]+)" output="([^"]*)"', block))
        smtp, submission = found[mail.ports["smtp"]], found[mail.ports["submission"]]
        self.assertIn("gate.test", smtp["smtp-commands"])
        for seen in (smtp, submission):
            self.assertRegex(seen["smtp-open-relay"], "seem to be an open relay, all tests failed|an open relay, authentication needed")
            self.assertNotRegex(seen.get("smtp-enum-users", ""), r"\b(root|admin|postmaster)\b")
            for name, output in seen.items():
                self.assertNotIn("VULNERABLE", output.replace("NOT VULNERABLE", ""), name)
        self.assertNotIn("smtp-ntlm-info", submission)
        self.assertFalse(mail.server.events("accepted"))

    @needs("testssl")
    def test_testssl(self):
        mail = MailServer(self).start()
        # All sections take minutes: the quick ones here, all of them on request.
        for name, more, sections in (("submissions", [], ["--protocols", "--heartbleed", "--renegotiation"]),
                                     ("submission", ["--starttls", "smtp"], ["--protocols", "--ccs-injection"])):
            out = os.path.join(mail.folder, f"{name}.json")
            command = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", mail.ca, "--jsonfile", out]
            run(*command, *more, *([] if LONG else sections), f"gate.test:{mail.ports[name]}", timeout=1500 if LONG else 300)
            with open(out) as text:
                findings = json.load(text)
            by_id = {finding["id"]: finding for finding in findings}
            self.assertIn("TLS1_3", by_id, by_id.keys())
            for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
                self.assertIn("not offered", by_id[old]["finding"], old)
            for new in ("TLS1_2", "TLS1_3"):
                self.assertIn("offered", by_id[new]["finding"], new)
            # What a throw-away certificate cannot have: revocation, transparency, CAA, a life that is neither short nor long.
            excused = ("cert_", "OCSP", "DNS_CAArecord", "certificate_transparency", "engine_problem", "scanProblem", "scanTime", "id")
            bad = [(f["id"], f["severity"], f["finding"]) for f in findings
                   if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL") and not f["id"].startswith(excused)]
            self.assertEqual(bad, [], name)


if __name__ == "__main__":
    unittest.main()
