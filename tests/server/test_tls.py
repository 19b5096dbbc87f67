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

import aiohttp
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


def test_urllib_registers_over_https(mock: MockServer) -> None:
    """The address says https, and the CA file is all that a client needs."""
    assert mock.url.startswith("https://127.0.0.1:")
    request = urllib.request.Request(f"{mock.url}/v1/webhooks", json.dumps(BODY).encode(), HEADERS)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=mock.ca_file)) as answer:
        assert answer.status == 201
    assert mock.webhooks[0].url == BODY["url"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_httpx_registers_by_any_name_of_this_machine(mock: MockServer, host: str) -> None:
    """The certificate is good for the name and the address."""
    url = mock.url.replace("127.0.0.1", host)
    answer = httpx.post(
        f"{url}/v1/webhooks", json=BODY, headers=HEADERS, verify=ssl.create_default_context(cafile=mock.ca_file)
    )
    assert answer.status_code == 201


async def test_aiohttp_registers_over_https() -> None:
    """The same from async code."""
    async with MockServer(tls=True) as mock, aiohttp.ClientSession() as session:
        trusting = ssl.create_default_context(cafile=mock.ca_file)
        async with session.post(f"{mock.url}/v1/webhooks", json=BODY, headers=HEADERS, ssl=trusting) as answer:
            assert answer.status == 201
        assert (await mock.await_for_registration()).url == BODY["url"]


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


def test_ipv6_has_a_certificate_too() -> None:
    """The address in brackets is one of the names."""
    with MockServer(tls=True, host="::1") as mock:
        answer = httpx.get(f"{mock.url}/_mock/health", verify=ssl.create_default_context(cafile=mock.ca_file))
        assert answer.status_code == 200


def test_another_address_of_this_machine_is_named() -> None:
    """What is listened on is in the certificate, beside the usual names."""
    with MockServer(tls=True, host="127.0.0.2") as mock:
        url = f"{mock.url}/v1/webhooks"
        answer = httpx.post(url, json=BODY, headers=HEADERS, verify=ssl.create_default_context(cafile=mock.ca_file))
        assert answer.status_code == 201


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
