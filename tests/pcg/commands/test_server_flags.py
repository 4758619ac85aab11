"""The flags that lead to a running server: the same for every verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcg.cli import main
from pcg.commands.shared import Remote, UserError, address


def test_where_a_server_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCG_TOKEN", "from-the-environment")
    token = tmp_path / "token"
    token.write_text("from-the-file\n")
    assert address(None) is None
    found = address(Remote("example"))
    assert (str(found), found.token) == ("example:7767", "from-the-environment")
    assert address(Remote("example", token_file=token)).token == "from-the-file"


@pytest.mark.parametrize(
    ("remote", "message"),
    [
        (Remote("a:99999"), "--server: 'a:99999': '99999' is no port"),
        (Remote("a", tls_ca=Path("ca.pem")), "--server: .*ca.pem.* is for tls://HOST:PORT"),
        (Remote("a", token_file=Path("no/such")), "--token-file: .*no/such"),
        (Remote(token_file=Path("token")), "--token-file says how .* add --server"),
        (Remote(tls_ca=Path("ca.pem")), "--tls-ca says how .* add --server"),
    ],
)
def test_what_leads_to_no_server(remote: Remote, message: str) -> None:
    with pytest.raises(UserError, match=message):
        address(remote)


@pytest.mark.parametrize("verb", ["demo", "call", "terrain", "level", "solve", "verify", "character", "monster"])
def test_every_verb_that_takes_a_server_takes_all_that_leads_there(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert not caught.value.code
    shown = capsys.readouterr().out
    assert all(flag in shown for flag in ("--server", "--token-file", "--tls-ca"))
