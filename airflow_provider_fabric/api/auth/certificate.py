"""From a certificate field to what msal wants: an RSA key, its certificate, and that certificate's thumbprint.

The thumbprint is the one that Entra's portal shows for an uploaded certificate: SHA-1 over its DER form
(https://learn.microsoft.com/entra/identity-platform/certificate-credentials, header ``x5t``).
"""

from __future__ import annotations

import re
import time
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


class CertificateError(ValueError):
    """What is wrong with a certificate, as the end of a sentence that begins with the field's name."""


def load_certificate(certificate: str, password: str | None, now: float | None = None) -> dict[str, str]:
    """Return msal's ``client_credential`` for a certificate.

    :param certificate: PEM text of a certificate and its private key, or the path of a file with them. Line breaks
        that a form or an environment variable turned into spaces, or into backslash and n, are restored.
    :param password: of the private key; blank for none.
    :param now: epoch seconds.
    :raises CertificateError: it cannot be used; the text names no part of the key.
    """
    from cryptography.hazmat.primitives import hashes, serialization

    blocks = _blocks(certificate)
    key = _key(blocks, password)
    own = _own_certificate(blocks, key)
    expiry = own.not_valid_after_utc
    if expiry.timestamp() < (time.time() if now is None else now):
        raise CertificateError(f"expired on {expiry.astimezone(timezone.utc):%Y-%m-%d}; upload a new one to Entra")
    return {
        "private_key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "public_certificate": own.public_bytes(serialization.Encoding.PEM).decode(),
        "thumbprint": own.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - an identifier that Entra asks for
    }


def _blocks(certificate: str) -> list[tuple[str, bytes]]:
    text = certificate
    if "-----BEGIN" not in certificate:
        try:
            text = Path(certificate).expanduser().read_text(encoding="ascii")
        except UnicodeDecodeError:
            raise CertificateError("is not a PEM file; convert it: openssl pkcs12 -in it.pfx -out it.pem") from None
        except OSError as error:
            raise CertificateError(f"names a file that cannot be read ({error.strerror})") from None
    blocks = [(label, _pem(label, body)) for label, body in _BLOCK.findall(text.replace("\\n", "\n"))]
    if not blocks:
        raise CertificateError("holds no complete PEM block (-----BEGIN … -----END …)")
    return blocks


def _pem(label: str, body: str) -> bytes:
    headers = re.findall(r"^\s*([A-Za-z-]+: .*?)\s*$", body, re.MULTILINE)
    for header in headers:
        body = body.replace(header, "")
    data = "".join(body.split())
    lines = [data[i : i + 64] for i in range(0, len(data), 64)]
    top = [*headers, ""] if headers else []
    return "\n".join([f"-----BEGIN {label}-----", *top, *lines, f"-----END {label}-----", ""]).encode()


def _key(blocks: list[tuple[str, bytes]], password: str | None) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    keys = [pem for label, pem in blocks if label.endswith("PRIVATE KEY")]
    if not keys:
        raise CertificateError("holds a certificate without its private key; append the key's PEM block")
    encrypted = b"ENCRYPTED" in keys[0]
    if encrypted and not password:
        raise CertificateError("has an encrypted private key: fill the extra field 'certificate_password'")
    try:
        key = load_pem_private_key(keys[0], password.encode() if encrypted and password else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        reason = "the extra field 'certificate_password' is wrong, or it is damaged" if encrypted else "it is damaged"
        raise CertificateError(f"has a private key that cannot be read: {reason}") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificateError("has a private key that is not RSA; Entra takes RSA keys only")
    return key


def _own_certificate(blocks: list[tuple[str, bytes]], key: RSAPrivateKey) -> Certificate:
    from cryptography.x509 import load_pem_x509_certificate

    try:
        chain = [load_pem_x509_certificate(pem) for label, pem in blocks if label == "CERTIFICATE"]
    except ValueError:
        raise CertificateError("has a certificate that cannot be read: it is damaged") from None
    if not chain:
        raise CertificateError("holds a private key without its certificate; append the certificate's PEM block")
    for candidate in chain:
        if candidate.public_key() == key.public_key():
            return candidate
    raise CertificateError("holds a certificate and a private key that do not belong together")
