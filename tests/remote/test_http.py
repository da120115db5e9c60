"""What is particular to HTTP: who is asked, who is trusted, where a redirect may lead."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest

import qcowspec
from qcowspec.errors import Refused, Unreadable
from qcowspec.sources import open_source
from qcowspec.sources.locations import located
from qcowspec.sources.remote import open_http
from tests.remote import servers
from tests.remote.faults import proxy
from tests.remote.servers import PASSWORD, USER, Nginx
from tools.make_test_data import DATA

NAME = "v3-zlib.qcow2"


def refusal(url: str) -> str:
    with pytest.raises(Unreadable) as caught:
        open_source(url)
    return str(caught.value).partition(": ")[2]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/none", "is not there: the server answers 404 Not Found"),
        ("/locked/x", "cannot be read: the server wants credentials (401 Unauthorized)"),
        ("/forbidden/", "cannot be read: the server wants credentials (403 Forbidden)"),
        ("/round/", "cannot be read: more than 5 redirects in a row"),
        ("/file/", "cannot be read: the server redirects to no http or https URL"),
        ("/nowhere/", "cannot be read: the server redirects to no http or https URL"),
    ],
)
def test_what_the_server_refuses_is_said(nginx: Nginx, path: str, says: str) -> None:
    assert refusal(nginx.url + path) == says


def test_credentials_are_sent_and_wrong_ones_are_said(nginx: Nginx) -> None:
    right = nginx.url.replace("://", f"://{USER}:{PASSWORD.replace('@', '%40')}@")
    source = open_source(f"{right}/locked/{NAME}")

    assert source.name == f"{nginx.url}/locked/{NAME}"
    assert source.length == (DATA / NAME).stat().st_size
    wrong = nginx.url.replace("://", f"://{USER}:no@")
    assert "refuses these credentials (401" in refusal(f"{wrong}/locked/{NAME}")


def test_a_redirect_is_followed_once_and_then_gone_to_directly(nginx: Nginx) -> None:
    before = len(nginx.asked())
    source = open_http(f"{nginx.url}/moved/v2-2m.qcow2")
    assert source.read_at(0, source.length) == (DATA / "v2-2m.qcow2").read_bytes()

    asked = nginx.asked()[before:]
    assert [each.path for each in asked].count("/moved/v2-2m.qcow2") == 1


def test_credentials_stay_with_their_host(nginx: Nginx) -> None:
    with proxy(nginx.url) as other:  # nginx redirects to itself, which is another place
        place = other.url.replace("://", f"://{USER}:{PASSWORD.replace('@', '%40')}@")

        assert open_source(f"{place}/locked/{NAME}").length > 0
        assert "(401 Unauthorized)" in refusal(f"{place}/moved/locked/{NAME}")


def test_the_environments_proxy_is_used(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(nginx.url) as between:
        monkeypatch.setenv("http_proxy", between.url)
        source = open_source(f"http://images.invalid/{NAME}")

        assert source.read_at(0, source.length) == (DATA / NAME).read_bytes()
        assert len(between.asked) == 2


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://[::1]:8080/a b?x#y", "http://[::1]:8080/a%20b"),
        ("https://u:p@HOST:443/%41", "https://host/%41"),
        ("http://münchen.example/ä", "http://xn--mnchen-3ya.example/%C3%A4"),
    ],
)
def test_a_url_is_named_without_its_secrets(url: str, name: str) -> None:
    assert located(url).name == name


def test_an_empty_file_is_empty(nginx: Nginx, served: Path) -> None:
    (served / "empty").write_bytes(b"")

    assert open_source(f"{nginx.url}/empty").length == 0


def certificate(folder: Path) -> Path:
    """Key and certificate for localhost, signed by nobody else."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "both.pem"
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.usefixtures("nginx")
def test_certificates_are_checked(
    tmp_path: Path, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = certificate(tmp_path)
    with servers.nginx(served, tmp_path / "nginx", both) as secure:
        assert "the server cannot be trusted: its certificate" in refusal(f"{secure.url}/{NAME}")

        monkeypatch.setenv("SSL_CERT_FILE", str(both))
        assert ssl.get_default_verify_paths().cafile == str(both)
        source = open_source(f"{secure.url}/{NAME}")
        assert source.read_at(0, source.length) == (DATA / NAME).read_bytes()
        elsewhere = secure.url.replace("localhost", "127.0.0.1")
        assert "the server cannot be trusted" in refusal(f"{elsewhere}/{NAME}")


# --- Second files ---------------------------------------------------------------------------------


def test_a_backing_file_on_the_server_is_asked_for_by_permission_only(nginx: Nginx) -> None:
    url = f"{nginx.url}/v3-backing.qcow2"
    with qcowspec.open(url) as image, pytest.raises(Refused, match="--allow same-dir"):
        image.pread(0, image.size)
    with qcowspec.open(DATA / "v3-backing.qcow2", allow="same-dir") as image:
        expected = image.pread(0, image.size)
    for allow in ("same-dir", "any", f"{nginx.url}/"):
        with qcowspec.open(url, allow=allow) as image:
            assert image.pread(0, image.size) == expected
    with qcowspec.open(url, allow=str(DATA)) as image, pytest.raises(Refused):
        image.pread(0, image.size)


def test_a_backing_file_is_asked_for_with_the_images_credentials(nginx: Nginx) -> None:
    place = nginx.url.replace("://", f"://{USER}:{PASSWORD.replace('@', '%40')}@")
    with qcowspec.open(f"{place}/locked/v3-backing.qcow2", allow="same-dir") as image:
        assert len(image.pread(0, image.size)) == image.size
