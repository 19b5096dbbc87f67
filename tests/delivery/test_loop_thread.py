"""The thread that a mock's event loop has to itself, and processes in which it cannot have one."""

import multiprocessing
import subprocess
import sys

import pytest

from mockserver import MockServer, UsageError
from tests.receiving import SECRET


def _use(mock, answers):
    try:
        mock.send("run.failed")
    except UsageError as error:
        answers.put(str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # that a fork loses threads is what is tested
def test_a_mock_in_a_forked_process_says_that_it_is_one():
    """Its thread is not there: nothing would ever be answered."""
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    with MockServer() as mock:
        mock.register("http://127.0.0.1:9/", ["run.failed"], SECRET)
        child = context.Process(target=_use, args=(mock, answers))
        child.start()
        assert "fork" in answers.get(timeout=20)
        child.join()


@pytest.mark.full
def test_patched_threads_are_refused_with_the_reason():
    """Gevent's threads share one real thread, which the event loop would block for ever."""
    code = "from gevent import monkey; monkey.patch_all()\nfrom mockserver import MockServer\nMockServer().start()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "UsageError: gevent has replaced the threads of this process" in done.stderr
