"""A throw-away CA and certificates made with openssl, for tests."""
import os
import subprocess


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.ca = os.path.join(folder, "ca.pem")
        self.ca_key = os.path.join(folder, "ca.key")
        run("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "30",
            "-subj", "/CN=Throw-away test CA", "-keyout", self.ca_key, "-out", self.ca)

    def issue(self, name, names=("localhost",), addresses=("127.0.0.1",), days=30):
        """(certificate, key) for these names; days < 0 makes it expired."""
        cert, key, request, extensions = (os.path.join(self.folder, name + end) for end in (".pem", ".key", ".csr", ".ext"))
        entries = [f"DNS:{n}" for n in names] + [f"IP:{a}" for a in addresses]
        with open(extensions, "w") as out:
            out.write("subjectAltName=" + ",".join(entries) + "\nbasicConstraints=CA:FALSE\n")
        run("openssl", "req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={(names or addresses)[0]}",
            "-keyout", key, "-out", request)
        if days > 0:
            run("openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", str(days),
                "-extfile", extensions, "-out", cert)
        else:
            self._issue_expired(request, extensions, cert)
        os.chmod(key, 0o644)
        return cert, key

    def _issue_expired(self, request, extensions, cert):
        """openssl ca takes both dates; x509 -req does not on OpenSSL 3.0."""
        base = os.path.join(self.folder, "expired-ca")
        os.makedirs(base, exist_ok=True)
        open(os.path.join(base, "index.txt"), "w").close()
        with open(os.path.join(base, "serial"), "w") as out:
            out.write("1000\n")
        config = os.path.join(base, "ca.cnf")
        with open(config, "w") as out:
            out.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={base}/index.txt\nserial={base}/serial\nnew_certs_dir={base}\n"
                      f"certificate={self.ca}\nprivate_key={self.ca_key}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        run("openssl", "ca", "-batch", "-config", config, "-in", request, "-out", cert, "-startdate", "20200101000000Z",
            "-enddate", "20200201000000Z", "-extfile", extensions, "-notext")
