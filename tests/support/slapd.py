"""A directory server (OpenLDAP's slapd) on loopback, with one person in it."""
import os
import subprocess
import unittest

from support.server import free_port

SLAPD = "/usr/sbin/slapd"
SUFFIX = "dc=example,dc=org"
needs_slapd = unittest.skipUnless(os.path.exists(SLAPD), "needs slapd")


class Slapd:
    """Answers at `port`; with tls = (certificate, key, CA) at `secure_port` too, and then takes no password in the clear."""

    def __init__(self, test, folder, user, password, tls=None):
        self.port, self.secure_port = free_port(), free_port()
        os.makedirs(os.path.join(folder, "db"))
        config, data = os.path.join(folder, "slapd.conf"), os.path.join(folder, "data.ldif")
        secure = "TLSCertificateFile {}\nTLSCertificateKeyFile {}\nTLSCACertificateFile {}\nsecurity simple_bind=128\n".format(*tls) if tls else ""
        with open(config, "w") as out:
            out.write(f"""include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
{secure}database mdb
suffix "{SUFFIX}"
rootdn "cn=admin,{SUFFIX}"
rootpw admin
directory {folder}/db
access to attrs=userPassword by anonymous auth
access to * by * read
""")
        with open(data, "w") as out:
            out.write(f"dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\ndn: uid={user},{SUFFIX}\nobjectClass: inetOrgPerson\n"
                      f"uid: {user}\ncn: me\nsn: me\nuserPassword: {password}\n")
        subprocess.run(["/usr/sbin/slapadd", "-f", config, "-l", data], check=True, capture_output=True, timeout=60)
        urls = f"ldap://127.0.0.1:{self.port}" + (f" ldaps://127.0.0.1:{self.secure_port}" if tls else "")
        process = subprocess.Popen([SLAPD, "-f", config, "-h", urls, "-d", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        test.addCleanup(process.wait)
        test.addCleanup(process.terminate)
