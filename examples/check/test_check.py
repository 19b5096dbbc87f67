"""Which of the known mistakes does the handler make? A check makes all the deliveries that it takes to find out."""

from app import SECRET, app, finished_runs

from mockserver import MockServer


def test_the_handler_makes_no_known_mistake(mockserver: MockServer) -> None:
    """One line: if anything is wrong, it fails with a table of what it is, and how to fix it."""
    mockserver.check(app, SECRET)


def test_every_event_is_handled_once(mockserver: MockServer) -> None:
    """With a look at what the handler does, its effects are checked too, and not only its answers."""
    report = mockserver.check(app, SECRET, probe=lambda: len(finished_runs))
    assert report.ok
    assert report.finding("duplicate_effect").verdict == "pass"
