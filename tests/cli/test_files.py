"""Files that commands write: whole or not there, also where nothing can take the place of another."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mockserver.cli.exit_codes import UnwritableError
from mockserver.cli.files import remove_old, write_file
from mockserver.errors import UsageError

OLD, NEW = b"of an earlier run", b"of this run"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_bytes(OLD)
    return path


def refuse(monkeypatch: pytest.MonkeyPatch, path: Path, number: int) -> None:
    """Let the system neither replace nor remove a file, as it does with one that is mounted into a container."""
    replace, unlink = Path.replace, Path.unlink

    def no_replace(self: Path, target: Path) -> Path:
        if target == path:
            raise OSError(number, os.strerror(number))
        return replace(self, target)

    def no_unlink(self: Path, missing_ok: bool = False) -> None:
        if self == path:
            raise OSError(number, os.strerror(number))
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "replace", no_replace)
    monkeypatch.setattr(Path, "unlink", no_unlink)


def test_a_file_keeps_its_permissions(report: Path) -> None:
    """Those who could read it still can."""
    report.chmod(0o640)
    write_file(str(report), NEW)
    assert (report.read_bytes(), stat.S_IMODE(report.stat().st_mode)) == (NEW, 0o640)


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES, errno.EROFS])
def test_a_file_that_cannot_be_replaced_is_written_in_its_place(
    report: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before is emptied first, and nothing is left beside it."""
    refuse(monkeypatch, report, number)
    remove_old(str(report))
    assert report.read_bytes() == b""
    write_file(str(report), NEW)
    assert report.read_bytes() == NEW
    assert list(report.parent.iterdir()) == [report]


def test_half_of_a_file_is_worse_than_nothing(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle of a file that cannot be replaced."""
    refuse(monkeypatch, report, errno.EBUSY)
    write_bytes = Path.write_bytes

    def write_half(self: Path, content: bytes) -> int:
        if self == report:
            write_bytes(self, content[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(self, content)

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(UnwritableError, match=r"report\.json.*No space left"):
        write_file(str(report), NEW)
    assert report.read_bytes() == b""


def test_another_error_leaves_everything_as_it_was(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported before anything is sent, and again afterwards."""
    refuse(monkeypatch, report, errno.EIO)
    with pytest.raises(UsageError, match=r"report\.json"):
        remove_old(str(report))
    with pytest.raises(UnwritableError, match=r"report\.json"):
        write_file(str(report), NEW)
    assert report.read_bytes() == OLD
    assert list(report.parent.iterdir()) == [report]
