"""TLS certificates of a test's own."""
import subprocess

from harness import DEADLINE


def make_certificates(folder, names="IP:127.0.0.1"):
    """`ca.pem`, what it signed for a server of these names and for a client, `till`, and a `stranger` of his own signature; keys beside them."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, capture_output=True, check=True, timeout=DEADLINE)

    (folder / "names").write_text(f"subjectAltName={names}\n")
    for name in ("ca", "server", "till", "stranger"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        (folder / f"{name}.key").chmod(0o600)
    for name in ("ca", "stranger"):
        openssl("req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", "2", "-out", f"{name}.pem")
    for name in ("server", "till"):
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", f"{name}.pem")
    return folder
