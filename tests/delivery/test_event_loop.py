"""The thread that a mock's event loop has to itself, and processes in which it cannot have one."""

import asyncio
import concurrent.futures
import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockserver import MockServer, UsageError
from mockserver.delivery.event_loop import LoopThread
from tests.receiving import SECRET


def _use(mock: Any, answers: Any) -> None:
    try:
        mock.send("run.failed")
    except UsageError as error:
        answers.put(str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # that a fork loses threads is what is tested
def test_a_mock_in_a_forked_process_says_that_it_is_one() -> None:
    """Its thread is not there: nothing would ever be answered."""
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    with MockServer() as mock:
        mock.register("http://127.0.0.1:9/", ["run.failed"], SECRET)
        child = context.Process(target=_use, args=(mock, answers))
        child.start()
        assert "fork" in answers.get(timeout=60)
        child.join()


PATCH = "from gevent import monkey; monkey.patch_all("
REFUSED = "UsageError: gevent has replaced the threads of this process"


def _python(*arguments: Any, cwd: Any = None) -> Any:
    command = [sys.executable, "-W", "ignore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=180)


@pytest.mark.full
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(
            f"{PATCH})\nfrom mockserver import MockServer\nMockServer().start()", REFUSED, id="before the start"
        ),
        pytest.param(
            f"from mockserver import MockServer\nwith MockServer() as mock:\n {PATCH})\n mock.send('run.failed')",
            REFUSED,
            id="after the start",
        ),
        pytest.param(
            f"{PATCH}thread=False)\nimport sys; sys.modules['uvloop'] = None\n"
            "from mockserver import MockServer\nMockServer().start()",
            "UsageError: gevent has replaced `select`",
            id="all but threads",
        ),
        pytest.param(
            f"{PATCH})\nfrom mockserver.cli import main\nmain(['replay', 'refund_flow'])",
            "mockserver: gevent has replaced the threads",
            id="the command line",
        ),
    ],
)
def test_what_gevent_has_patched_is_refused_with_the_reason(code: str, reason: str) -> None:
    """Its threads share one real thread, which an event loop would block for ever."""
    assert reason in _python("-c", code).stderr


@pytest.mark.full
def test_the_fixture_refuses_patched_threads_with_the_reason(tmp_path: Path) -> None:
    """The test ends at once, and does not hang."""
    tmp_path.joinpath("test_patched.py").write_text(f"{PATCH})\ndef test(mockserver):\n    pass\n")
    done = _python("-m", "pytest", "-p", "no:cacheprovider", cwd=tmp_path)
    assert REFUSED.removeprefix("UsageError: ") in done.stdout
    assert "1 error" in done.stdout


@pytest.mark.full
def test_a_mock_works_where_gevent_has_left_threads_alone() -> None:
    """Sockets and the rest may be patched: uvloop needs none of it."""
    code = (
        f"{PATCH}thread=False)\nfrom mockserver import MockServer\nwith MockServer() as mock:\n"
        " mock.register('http://127.0.0.1:9/')\n print(mock.send('run.failed'))"
    )
    assert "nothing listens" in _python("-c", code).stdout


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """A loop on a thread of its own."""
    thread = LoopThread("tested")
    yield thread
    thread.close()


def test_what_a_coroutine_returns_or_raises_comes_back(thread: LoopThread) -> None:
    """Its result, or its very error."""

    async def answer(error: Exception | None) -> int:
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return 42

    assert thread.wait(answer(None)) == 42
    with pytest.raises(KeyError, match="missing"):
        thread.wait(answer(KeyError("missing")))


@pytest.mark.parametrize("how", ["its future", "all", "just submitted"])
def test_what_is_cancelled_ends(thread: LoopThread, how: str) -> None:
    """By its future, or with everything else, even what the loop has not yet seen; what waits for it notices."""
    held, begun, ended = threading.Event(), threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    if how == "just submitted":
        thread.loop.call_soon_threadsafe(held.wait, 60)
    future = thread.submit(work())
    assert how == "just submitted" or begun.wait(60)
    if how == "its future":
        future.cancel()
    else:
        thread.cancel_all()
    held.set()
    assert ended.wait(60)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(60)


def test_a_coroutine_that_cancels_itself_is_cancelled(thread: LoopThread) -> None:
    """What waits for it does not wait forever."""

    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(concurrent.futures.CancelledError):
        thread.submit(work()).result(60)


def test_what_cannot_begin_says_so(thread: LoopThread) -> None:
    """No caller waits for ever where no task can be made."""

    def factory(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no more tasks")

    async def work() -> None:
        """Never begun."""

    coroutine = work()
    complaints: list[Any] = []
    thread.loop.set_exception_handler(lambda _, context: complaints.append(context["exception"]))
    thread.loop.set_task_factory(factory)
    future = thread.submit(coroutine)
    with pytest.raises(RuntimeError, match="no more tasks"):
        future.result(timeout=60)
    assert [str(each) for each in complaints] == ["no more tasks"]
    thread.loop.set_task_factory(None)
    coroutine.close()
