"""Another distribution, mockserver-client, brings a package of the name ``mockserver`` too: one line says so."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mockserver
import playgent_mockserver

TEST = "def test_it(mockserver): mockserver.register('http://127.0.0.1:9/')\ndef test_other(): pass\n"
BOTH = ("mockserver-client", "playgent-mockserver", "pip install --force-reinstall")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages, as pip makes it, in which ours came last; and a way to run Python with it."""
    for package in (mockserver, playgent_mockserver):
        home = Path(str(package.__file__)).parent
        shutil.copytree(home, tmp_path / "site-packages" / home.name)
    (tmp_path / "site-packages" / "mockserver_client-5.15.0.dist-info").mkdir()
    (tmp_path / "test_it.py").write_text(TEST)
    return tmp_path / "site-packages"


def run(site: Path, *args: str) -> tuple[int, str]:
    """Run Python; exit code and output."""
    command = [sys.executable, *args]
    environment = {"PYTHONPATH": str(site), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=site.parent, env=environment, timeout=300
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


PYTEST = ("-m", "pytest", "-p", "playgent_mockserver.pytest_plugin", "-p", "no:cacheprovider", "-q", "test_it.py")


def test_installed_before_ours(site: Path) -> None:
    """Ours works, and names the other, whose users it leaves without theirs."""
    code, output = run(site, "-m", "mockserver", "--version")
    assert code == 0
    warning, version = sorted(output.splitlines(), key=lambda line: line.startswith("mockserver "))
    assert warning.startswith("playgent-mockserver: mockserver-client is installed as well, and does not work ")
    assert all(name in warning for name in BOTH)
    assert version.startswith("mockserver ")
    code, output = run(site, *PYTEST)
    assert code == 0
    assert all(name in output for name in BOTH)


def test_installed_after_ours(site: Path) -> None:
    """Its files have replaced ours: command and fixture say so, and tests without the fixture run."""
    (site / "mockserver" / "__init__.py").write_text("class MockServerClient: ...\n")
    code, output = run(site, "-c", "import playgent_mockserver as p; exit(p.main(['events']))")
    assert code == 2
    assert all(name in output for name in BOTH)
    assert output.count("\n") == 1
    code, output = run(site, *PYTEST)
    assert "1 passed, 1 error" in output
    assert all(name in output for name in BOTH)
