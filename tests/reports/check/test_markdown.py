"""Markdown of checks, as a renderer of Markdown that is not ours reads it."""

import re

from markdown_it import MarkdownIt

from mockserver import CheckReport
from mockserver.checks.model import Diagnosis
from mockserver.model.redaction import Redactor
from mockserver.reports.markdown import shortened_markdown
from tests.receiving import SECRET
from tests.reports.check.checked import answered, check, check_markdown, delivery, finding, mixed, report_of, sent

REDACTOR = Redactor([SECRET])


def rendered(report: CheckReport) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(check_markdown(report, REDACTOR)))


def rows(html: str) -> list[list[str]]:
    """Return the cells of every row of every table, but for the heads."""
    found = re.findall("<tr>(.*?)</tr>", html, re.DOTALL)
    return [re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in found if "<td" in row]


async def test_what_is_not_right_comes_first() -> None:
    """Title and summary, the failures in the order of severity, then the warnings, then the rest in a fold."""
    html = rendered(await mixed())
    assert "<h2>Check of <code>http://localhost:3000/webhooks/playgent</code>: failed</h2>" in html
    assert "<p>7 checks: 1 pass, 3 fail, 1 warn, 1 inconclusive, 1 not tested; 1 fails the check; " in html
    assert "42 deliveries in 1.2 s, seed 7.</p>" in html
    fix = "verify first, and answer 401 when it does not match"
    assert rows(html) == [
        ["<strong>fail</strong>", "must", "PG012 wrong secret", "answered 200, and handled it", fix],
        ["<strong>fail</strong>", "should", "PG045 body size", "answered 413", "allow 1 MB"],
        ["<strong>fail</strong>", "note", "PG021 signature without prefix", "answered 500", fix],
        ["<strong>warn</strong>", "must", "PG010 missing signature", "answered 200 to a forgery", fix],
        ["pass", "must", "PG001 control", "answered 200"],
        ["inconclusive", "must", "PG055 burst", "the control failed"],
        ["not tested", "must", "PG071 duplicate accepted", "no probe was given"],
    ]
    assert "<summary>The other checks: 1 pass, 1 inconclusive, 1 not tested</summary>" in html
    assert html.count("<details>") == html.count("</details>") == 5


async def test_the_evidence_of_a_failure() -> None:
    """The exact request and the answer, and a command that sends it again."""
    made = await delivery()
    html = rendered(report_of(finding("fail", "answered 200", made)))
    assert "<summary>PG012 wrong secret: what was sent, and what came back</summary>" in html
    texts = re.findall('<pre><code class="language-(\\w+)">(.*?)</code></pre>', html, re.DOTALL)
    assert [language for language, _ in texts] == ["text", "sh"]
    assert "POST /hooks HTTP/1.1\nHost: 127.0.0.1:" in texts[0][1]
    assert "200 OK" in texts[0][1]
    assert texts[1][1].startswith("curl -q")


async def test_a_long_command_is_left_out() -> None:
    """The summary stays short; the JSON has it."""
    html = rendered(report_of(finding("fail", "answered 413", sent(await delivery(), b"x" * 5000))))
    assert "language-text" in html
    assert "language-sh" not in html


def test_nothing_is_wrong() -> None:
    """Then there is one table, folded."""
    html = rendered(report_of(finding("pass", "answered 401")))
    assert ": passed</h2>" in html
    assert html.count("<table>") == 1
    assert html.index("<details>") < html.index("<table>")


def test_a_consumer_that_cannot_be_reached() -> None:
    """The title and the summary say so; there is no table."""
    html = rendered(report_of(unreachable="nothing listens on 127.0.0.1:3000"))
    assert ": not reached</h2>" in html
    assert "could not be reached: nothing listens on 127.0.0.1:3000; 42 deliveries" in html
    assert "<table>" not in html


async def test_a_diagnosis() -> None:
    """It comes before the table, with the delivery that was accepted."""
    diagnosis = Diagnosis("it *strips* the prefix", "use the secret as it is", 9, (await delivery(),))
    html = rendered(report_of(finding("fail", "answered 401", of=check("PG001", "control")), diagnosis=diagnosis))
    told = "<strong>Diagnosis</strong>: why correct deliveries are refused: it *strips* the prefix; fix: use the secret"
    assert html.index(told) < html.index("The wrong delivery that it took for genuine") < html.index("<table>")
    assert "none of the 9 wrong forms" in rendered(report_of(diagnosis=Diagnosis("", "", 9)))


async def test_nothing_in_it_is_markup_of_others() -> None:
    """Summaries end no cell, answers close no fence and no fold, names open no element."""
    hostile = "a | b <img src=x>\n\n</details> [c](javascript:d) `e` **f** ~~g~~\n# h"
    made = answered(await delivery(), body=b"`````\n</details>\n<script>alert(1)</script>\r\n````", reason="<b>")
    html = rendered(
        report_of(
            finding("fail", hostile, made, of=check(name="<i>\n\n<script>"), fix=hostile),
            finding("pass", hostile),
            target=f"http://localhost:3000/`{hostile}",
            diagnosis=Diagnosis(hostile, hostile, 1, (made,)),
        )
    )
    markup = re.sub("<pre>.*?</pre>", "", html, flags=re.DOTALL)
    elements = set(re.findall(r"<(\w+)", markup))
    assert elements <= {"h2", "p", "strong", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
    assert "a | b &lt;img src=x&gt; &lt;/details&gt; [c](javascript:d) `e` **f** ~~g~~ # h" in markup
    assert html.count("<details>") == html.count("</details>") == 3
    assert "`````\n&lt;/details&gt;\n&lt;script&gt;" in html


def test_a_huge_report_is_cut() -> None:
    """It says how many findings it does not show, and fits where it must fit."""
    many = [finding("fail", "x" * 5000, of=check(f"PG{number}")) for number in range(3000)]
    rest = [finding("pass", "y", of=check(f"PG{number}")) for number in range(501)]
    text = check_markdown(report_of(*many, *rest), REDACTOR)
    assert (text.count("| **fail** |"), text.count("| pass |")) == (500, 500)
    assert "\n2500 more are not shown.\n" in text
    assert "\n1 more are not shown.\n" in text
    assert "x" * 1001 not in text
    assert len(shortened_markdown(text, 100_000).encode()) <= 100_000
