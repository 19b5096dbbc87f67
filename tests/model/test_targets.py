"""Targets and routes: where a URL really leads."""

import pytest

from mockserver.errors import UsageError
from mockserver.model.targets import LONGEST_URL, Route, Routes, Target
from tests.tables import each_row


@each_row(
    ("url", "target"),
    [
        ("http://localhost:3000/hooks?a=b", Target("http", "localhost", 3000, "/hooks?a=b")),
        ("https://example.com", Target("https", "example.com", 443, "/")),
        ("http://[::1]:8080/x", Target("http", "::1", 8080, "/x")),
        ("http://Bücher.example/ü b", Target("http", "xn--bcher-kva.example", 80, "/%C3%BC%20b")),
        ("http://h/a%20b#part", Target("http", "h", 80, "/a%20b")),
        ("http://my_service:80/", Target("http", "my_service", 80, "/")),
    ],
)
def test_urls_are_taken_apart(url: str, target: Target) -> None:
    """Host, port and request target are what a sender needs."""
    assert Target.parse(url) == target


def test_a_url_has_a_largest_length() -> None:
    """The message says which."""
    longest = "http://a/" + "x" * (LONGEST_URL - 9)
    assert len(Target.parse(longest).path) == LONGEST_URL - 8
    with pytest.raises(UsageError, match=f"a URL has at most {LONGEST_URL:,} characters, and this one has "):
        Target.parse(longest + "x")


def test_the_host_header_names_the_port_only_where_it_must() -> None:
    """The authority leaves out a scheme's own port and keeps the brackets of IPv6."""
    assert Target.parse("http://a:80/").authority == "a"
    assert Target.parse("https://a:80/").authority == "a:80"
    assert Target.parse("http://[::1]:81/").authority == "[::1]:81"
    assert Target.parse("https://a/b?c").url == "https://a/b?c"


@each_row(
    "url",
    [
        "",
        "localhost:3000",
        "ftp://a/",
        "http://",
        "http://a:0/",
        "http://a:70000/",
        "http://u:p@a/",
        "http://a b/",
        "http://[::1/",
        "http://-a/",
        "//a/",
        "http://" + "é" * 80,
    ],
)
def test_what_cannot_be_delivered_to(url: str) -> None:
    """Each is refused with a sentence, never with an exception of the URL parser."""
    with pytest.raises(UsageError):
        Target.parse(url)


def test_the_longest_route_wins() -> None:
    """A base URL leads to another; path and query are kept, and look-alikes are not taken in."""
    routes = Routes(
        [
            Route("https://your-app.com", "http://127.0.0.1:5000"),
            Route("https://your-app.com/admin/", "http://127.0.0.1:6000/x/"),
        ]
    )
    assert routes.resolve("https://your-app.com/hooks?a=1").url == "http://127.0.0.1:5000/hooks?a=1"
    assert routes.resolve("https://your-app.com").url == "http://127.0.0.1:5000/"
    assert routes.resolve("https://your-app.com?q").url == "http://127.0.0.1:5000/?q"
    assert routes.resolve("https://your-app.com/admin/hooks").url == "http://127.0.0.1:6000/x/hooks"
    assert routes.resolve("https://your-app.com.evil.example/").url == "https://your-app.com.evil.example/"
    routes.clear()
    with pytest.raises(UsageError, match=r"no route leads from https://your-app\.com any more"):
        routes.resolve("https://your-app.com/")
    assert routes.resolve("https://another.example/").url == "https://another.example/"


@pytest.mark.parametrize("route", [Route("your-app.com", "http://a"), Route("https://a", "nowhere")])
def test_both_ends_of_a_route_are_urls(route: Route) -> None:
    """A route to or from what is no URL is refused at once."""
    with pytest.raises(UsageError):
        Routes([route])
