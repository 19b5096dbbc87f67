"""Markdown: a table of steps, what was not met, what was sent and what came back."""

from mockserver.model.messages import Exchange, ExchangeError
from mockserver.model.records import Attempt, Delivery, Event
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report
from mockserver.reports.markdown import markdown, shortened_markdown
from tests.receiving import SECRET, statuses
from tests.reports.replayed import always, replayed, script

REDACTOR = Redactor([SECRET])


async def test_a_section_for_each_script() -> None:
    """Its heading says whether it passed; the table has the counts of each step."""
    passed = await replayed("- event: run.failed\n- pause: 1h\n", name="Well")
    failed = await replayed(
        "- event: run.failed\n- event: run.completed\n  repeat: 2\n- event: run.failed\n  fault: lost\n",
        await statuses(500),
        name="Not so well",
    )
    text = markdown([passed.clean(REDACTOR), failed.clean(REDACTOR)])
    assert "## Well: passed\n\n`flows/night.yaml`: 1 planned = 1 delivered + 0 failed + 0 not sent; " in text
    assert "## Not so well: failed" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[2:4] == ["| 1 | 4 | run.failed | 1 | 1 | 0 | 0 | ok |", "| 2 | 5 | pause | 0 | 0 | 0 | 0 | ok |"]
    assert rows[6:] == [
        "| 1 | 4 | run.failed | 1 | 0 | 1 | 0 | **not met** |",
        "| 2 | 5 | run.completed | 2 | 2 | 0 | 0 | ok |",
        "| 3 | 7 | run.failed \\[lost\\] | 1 | 0 | 0 | 1 | not sent |",
    ]
    assert "flows/night.yaml:4: step 1 (run.failed): expected status 2xx, got 500 (dlv_000001" in text
    assert "<summary>flows/night.yaml:4: run.failed: what was sent, and what came back</summary>" in text
    assert "500 Internal Server Error" in text


async def test_nothing_in_it_is_markup_of_others() -> None:
    """Names end no cell, and answers close no fence, whatever is in them; secrets are hidden first."""
    answer = always(status=500, text=f"````\n</details>\r\n{SECRET}")
    name = f'"a | b <img src=x> [c](d) `e` {SECRET}"'
    report = await replayed("- event: run.failed\n", answer, name=name)
    text = markdown([report.clean(REDACTOR)])
    assert SECRET not in text.replace("\\", "")
    assert "## a \\| b \\<img src=x\\> \\[c\\](d) \\`e\\` \\*\\*\\*: failed" in text
    fence = "`" * 5
    assert f"\n{fence}text\n" in text
    assert f"````\n</details>\\r\n***\n{fence}\n" in text


def test_a_script_whose_path_has_a_backtick() -> None:
    """The path is text then, not code."""
    assert "\\`a\\`.yaml: 1 planned" in markdown([Report(script("- event: run.failed\n", "`a`.yaml"))])


def test_a_long_script_is_cut() -> None:
    """Steps with problems are shown before the others; the rest is counted."""
    report = Report(script("".join(f"- {{event: run.failed, data: {{n: {n}}}}}\n" for n in range(600))))
    report.explain("600", "expected something else")
    text = markdown([report.clean(REDACTOR)])
    assert "| 600 | 603 | run.failed | 1 | 0 | 0 | 0 | **not met** |" in text
    assert "\n100 more steps are not shown.\n" in text
    report.close("the replay was stopped")
    assert "... and 501 more" in markdown([report.clean(REDACTOR)])


def test_a_delivery_without_a_request() -> None:
    """A URL that no one can connect to, and a delivery that was never attempted, are reported."""
    report = Report(script("- event: run.failed\n- event: run.failed\n"))
    exchange = Exchange(error=ExchangeError("address", "nowhere"))
    event = Event("run.failed", "", b"{}")
    attempts = (Attempt(1, 0, None, exchange),)
    report.count("1", [Delivery(1, event, "w", "u", "s:1", attempts, unmet=("expected an answer",))])
    report.count("2", [Delivery(2, event, "w", "u", "s:2", (), unmet=("expected an answer",))])
    text = markdown([report.clean(REDACTOR)])
    assert "dlv_000001, attempt 1: sent\nno request could be made\ndlv_000001, attempt 1: came back\nnowhere" in text
    assert "dlv_000002 was never attempted" in text


async def test_a_long_body_and_an_answer_that_broke_off_or_never_came() -> None:
    """Of a body the beginning is shown; an error follows what came; nothing is "nothing"."""
    report = await replayed("- event: run.failed\n  data: {x: '{{ \"y\" * 3000 }}'}\n", await statuses(500))
    assert "... (1" in markdown([report.clean(REDACTOR)])
    (delivery,) = report.deliveries
    attempt = delivery.attempts[0]
    error = ExchangeError("closed", "the connection ended")
    delivery.attempts = (Attempt(1, 0, attempt.request, Exchange(attempt.response, error)),)
    assert "the connection ended" in markdown([report.clean(REDACTOR)])
    delivery.attempts = (Attempt(1, 0, attempt.request, Exchange()),)
    assert "came back\nnothing" in markdown([report.clean(REDACTOR)])


def test_what_does_not_fit_is_left_out() -> None:
    """A text is cut at the end of a line, never beyond the limit, and says that it was."""
    text = "first\nsecond é\nthird\n" * 10
    assert shortened_markdown(text, 1000) == text
    cut = shortened_markdown(text, 52)
    assert cut == "first\nsecond é\n\nThe rest does not fit in here.\n"
    assert len(cut.encode()) <= 52
