"""Addresses as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.address import Address, parse, read_token


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("example:9000", Address("example", 9000)),
        (":9000", Address("127.0.0.1", 9000)),
        ("example", Address("example", 7767)),
        ("[::1]:9000", Address("::1", 9000)),
        ("[::1]", Address("::1", 7767)),
        ("tls://example", Address("example", 7767, tls=True)),
        ("tls://[::1]:9000", Address("::1", 9000, tls=True)),
        ("unix:run/pcg:1.sock", Address(unix=Path("run/pcg:1.sock"))),
    ],
)
def test_an_address_and_how_it_is_written(text: str, address: Address) -> None:
    assert parse(text) == address
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "tls://", "localhost:", "localhost:0", "localhost:65536", "a:b", "h:٣", "::1", "::1:7767", "[::1", "unix:",
     "http://example:80", "[example]x:1"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="write HOST:PORT"):
        parse(text)


def test_an_authority_is_for_tls_alone(tmp_path: Path) -> None:
    assert parse("tls://example", tls_ca=tmp_path).tls_ca == tmp_path
    for text in ("example", "unix:socket"):
        with pytest.raises(ValueError, match="is for tls://HOST:PORT"):
            parse(text, tls_ca=tmp_path)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_can_not_be_used(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=r"ca\.pem can't be used"):
        parse("tls://localhost", tls_ca=path).connect()


def test_the_first_token_counts(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("\n # one a client\n  0123456789abcdef \nfedcba9876543210\n")
    assert read_token(path) == "0123456789abcdef"
    path.write_text("# none yet\n")
    with pytest.raises(ValueError, match="tokens holds no token"):
        read_token(path)


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(parse("example", token="secret"))
