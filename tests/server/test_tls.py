"""The vendor API over https, with a certificate made on the fly."""

import json
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mockserver import MockServer
from mockserver.errors import StartError, UsageError

BODY = {"url": "https://your-app.com/hooks", "events": ["run.failed"], "secret": "whsec_x"}
HEADERS = {"Authorization": "Bearer key", "Content-Type": "application/json"}


@pytest.fixture
def mock() -> Iterator[MockServer]:
    with MockServer(tls=True) as server:
        yield server


@pytest.mark.parametrize(
    ("listening", "called"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("::1", "[::1]"), ("127.0.0.2", "127.0.0.2")],
)
def test_a_client_registers_over_https(listening: str, called: str) -> None:
    """The CA file is all that it needs; the certificate is good for the usual names, and for what is listened on."""
    with MockServer(tls=True, host=listening) as mock:
        scheme, _, rest = mock.url.partition("://")
        url = f"{scheme}://{called}:{rest.rpartition(':')[2]}/v1/webhooks"
        trusting = ssl.create_default_context(cafile=mock.ca_file)
        assert httpx.post(url, json=BODY, headers=HEADERS, verify=trusting).status_code == 201
        assert (scheme, mock.webhooks[0].url) == ("https", BODY["url"])


@pytest.mark.full
def test_curl_trusts_the_ca_file(mock: MockServer) -> None:
    """For tests in other languages; the control API is there as well."""
    curl = shutil.which("curl")
    assert curl, "curl must be installed for this test"
    command = [curl, "--silent", "--show-error", "--fail", "--cacert", mock.ca_file, f"{mock.url}/_mock/health"]
    done = subprocess.run(command, capture_output=True, timeout=300, check=True)
    assert json.loads(done.stdout)


def test_who_does_not_trust_it_is_refused(mock: MockServer) -> None:
    """No authority that the system knows has issued its certificate."""
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{mock.url}/v1/webhooks")


def test_the_file_is_removed_when_the_mock_stops(mock: MockServer) -> None:
    """Nothing is left in the folder of temporary files."""
    path = Path(mock.ca_file)
    assert path.read_text().startswith("-----BEGIN CERTIFICATE")
    mock.stop()
    assert not path.exists()


def test_the_file_is_removed_when_the_mock_cannot_start(
    mock: MockServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A port in use is an error that leaves nothing behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = MockServer(tls=True, port=int(mock.url.rpartition(":")[2]))
    with pytest.raises(StartError, match="in use"):
        other.start()
    assert not list(tmp_path.iterdir())


def test_without_tls_there_is_no_file() -> None:
    """The error says how to get one."""
    with MockServer() as mock, pytest.raises(UsageError, match=r"MockServer\(tls=True\)"):
        _ = mock.ca_file


def test_without_trustme_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named, as one would type it."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(UsageError, match=r"pip install 'playgent-mockserver\[tls\]'"):
        MockServer(tls=True).start()
