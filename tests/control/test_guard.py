"""Who may speak to the control plane."""

from __future__ import annotations

import pytest

from gateway.control.api.guard import check_source
from gateway.errors import Forbidden, UnsupportedBody

JSON = "application/json"
ALLOWED = ("gateway.test", "10.1.2.3")

HOSTS_OF_OURS = [
    "localhost", "localhost:8788", "LocalHost:1", "127.0.0.1", "127.0.0.1:8788", "127.255.255.254", "[::1]",
    "[::1]:8788", "gateway.test", "Gateway.TEST:8788", "10.1.2.3:80",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS_OF_OURS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_names_of_this_machine_pass(host: str, method: str) -> None:
    """Design 8: loopback names and the configured ones, with any port."""
    check_source(method, host, None, JSON, ALLOWED)


FOREIGN_HOSTS = {
    "name": "evil.example",
    "rebound name with our port": "evil.example:8788",
    "our name as prefix": "localhost.evil.example",
    "our name as suffix": "evil-localhost",
    "suffix behind a dot": "evil.localhost",
    "Worker's name": "shop.localhost:8787",
    "configured name as prefix": "gateway.test.evil.example",
    "configured name as suffix": "notgateway.test",
    "our address as prefix": "127.0.0.1.evil.example",
    "wildcard DNS": "127.0.0.1.nip.io",
    "unspecified": "0.0.0.0",
    "unspecified IPv6": "[::]",
    "private address": "192.168.1.1",
    "cloud metadata": "169.254.169.254",
    "link-local IPv6": "[fe80::1]",
    "short address": "127.1",
    "decimal address": "2130706433",
    "octal address": "0177.0.0.1",
    "hex address": "0x7f.0.0.1",
    "empty": "",
    "only a port": ":8788",
    "two ports": "localhost:80:80",
    "letters as port": "localhost:http",
    "open bracket": "[::1",
    "IPv6 without brackets": "::1",
    "user info": "localhost@evil.example",
    "list": "localhost, evil.example",
    "percent-encoded": "%6cocalhost",
    "NUL": "localhost\0.evil.example",
}


@pytest.mark.parametrize("host", FOREIGN_HOSTS.values(), ids=FOREIGN_HOSTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_other_host_is_refused_whatever_the_method(host: str, method: str) -> None:
    """Design 8, reliability.md 6: DNS rebinding; hosts compared parsed, never by prefix or suffix."""
    with pytest.raises(Forbidden) as caught:
        check_source(method, host, None, JSON, ALLOWED)

    assert (caught.value.status, bool(caught.value.remedy)) == (403, True)


NO_HOSTS = {
    "user info before ours": "evil.example@localhost",
    "path": "localhost/evil.example",
    "query": "localhost?evil.example",
    "fragment": "localhost#evil.example",
    "full-width letters": "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
    "full-width digits": "\uff11\uff12\uff17.0.0.1",
    "scope": "[::1%25lo]",
}


@pytest.mark.parametrize("host", NO_HOSTS.values(), ids=NO_HOSTS)
def test_what_is_no_host_and_port_is_refused(host: str) -> None:
    """RFC 9110 section 7.2: ``Host`` is a host and a port, nothing that only parses to one of ours."""
    with pytest.raises(Forbidden):
        check_source("GET", host, None, JSON, ALLOWED)


OUR_ORIGINS = [
    "http://localhost:8788", "http://localhost", "https://localhost:8788", "http://127.0.0.1:8788", "http://[::1]:8788",
    "http://gateway.test",
]  # fmt: skip


@pytest.mark.parametrize("origin", OUR_ORIGINS)
def test_our_own_pages_pass(origin: str) -> None:
    """Design 8: the dashboard at the control address."""
    check_source("POST", "localhost:8788", origin, JSON, ALLOWED)


FOREIGN_ORIGINS = {
    "site": "http://evil.example",
    "site with TLS": "https://evil.example",
    "null": "null",
    "NULL": "NULL",
    "empty": "",
    "look-alike": "http://localhost.evil.example",
    "look-alike suffix": "http://evil-localhost",
    "Worker's page": "http://shop.localhost:8787",
    "file": "file://",
    "file with path": "file:///home/me/page.html",
    "extension": "chrome-extension://abcdefghijklmnop",
    "WebSocket": "ws://localhost:8788",
    "other scheme": "ftp://localhost",
    "no scheme": "localhost",
    "scheme-relative": "//localhost",
    "no host": "http://",
    "user info": "http://localhost@evil.example",
    "list": "http://localhost http://evil.example",
    "script": "javascript:alert(1)",
    "open bracket": "http://[::1",
    "address elsewhere": "http://192.168.1.1",
    "unspecified": "http://0.0.0.0:8788",
}


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS.values(), ids=FOREIGN_ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_any_other_origin_is_refused_whatever_the_method(origin: str, method: str) -> None:
    """Design 8, reliability.md 6: foreign ``Origin`` is refused, and ``null`` is foreign."""
    with pytest.raises(Forbidden):
        check_source(method, "localhost:8788", origin, JSON, ALLOWED)


@pytest.mark.parametrize(
    "origin", ["http://evil.example@localhost", "http://localhost/evil", "http://localhost?evil"]
)
def test_what_no_browser_sends_as_origin_is_refused(origin: str) -> None:
    """RFC 6454 section 6.2: an origin is scheme, host and port, nothing else."""
    with pytest.raises(Forbidden):
        check_source("GET", "localhost:8788", origin, JSON, ALLOWED)


FORM_TYPES = [
    "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream",
    "text/json", "application/jsonp", "application/json-seq", "application/merge-patch+json",
]  # fmt: skip


@pytest.mark.parametrize("content_type", FORM_TYPES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
def test_a_write_must_be_declared_as_json(content_type: str, method: str) -> None:
    """Design 8: JSON bodies need their content type, which no form and no plain cross-site request can give."""
    with pytest.raises(UnsupportedBody) as caught:
        check_source(method, "localhost", None, content_type, ())

    assert caught.value.status == 415


@pytest.mark.parametrize("content_type", FORM_TYPES)
def test_reading_needs_no_content_type(content_type: str) -> None:
    """Design 8: a read has no body."""
    check_source("GET", "localhost", None, content_type, ())


def test_a_foreign_host_is_told_before_a_missing_content_type() -> None:
    """Reliability.md 6: the Host allow-list stands before all else."""
    with pytest.raises(Forbidden):
        check_source("POST", "evil.example", "http://evil.example", "text/plain", ())
