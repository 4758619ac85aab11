"""Unix sockets, WebSocket, TLS and tokens: the same messages on every transport; no service without a token."""

from __future__ import annotations

import asyncio
import ssl
import stat
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.client import AsyncClient, Client, NoRuntime
from runtime.errors import Code, RpcError
from runtime.serving.access import Authentication, Tokens, read_tokens
from runtime.serving.connection.peer import HELLO_BYTES
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire.protocol import Connection, Framing, Notification, Response

TOKEN = "0123456789abcdef"


class WebSocketPeer:
    """A WebSocket connection that sends any frames, and reads events."""

    def __init__(self, connection) -> None:
        self.connection = connection
        self.wire = Connection(Framing.FRAMES)

    async def send(self, frame: bytes | str) -> None:
        await self.connection.send(frame)

    async def receive(self):
        """The next event; None when the server has closed."""
        try:
            [event] = self.wire.receive_data(await self.connection.recv())
        except ConnectionClosed:
            return None
        return event

    async def call(self, msgid: int, method: str, params: list):
        await self.send(self.wire.send_request(msgid, method, params))
        return await self.receive()


@asynccontextmanager
async def websocket(server: Server, **options):
    scheme = "wss" if "ssl" in options else "ws"
    address = f"{scheme}://127.0.0.1:{server.websocket_port}"
    async with websocket_connect(address, max_size=None, compression=None, **options) as connection:
        yield WebSocketPeer(connection)


@pytest.fixture
async def web(service):
    async with Server(service, port=0, websocket_port=0) as server:
        yield server
        await server.close(grace_s=0)


# WebSocket


async def test_calls_and_arrays_over_websocket(web):
    async with websocket(web) as peer:
        assert await peer.call(1, "echo", [{"text": "hé"}]) == Response(1, None, {"text": "hé"})
        assert (await peer.call(2, "array", [{"count": 3}])).result["height"]["shape"] == [3]
        assert (await peer.call(3, "ehco", [])).error[0] == Code.METHOD_NOT_FOUND


async def test_every_response_is_one_frame(web):
    async with websocket(web) as peer:
        for i in range(300):
            await peer.send(peer.wire.send_request(i, "echo", [{"i": i}]))
        got = [await peer.receive() for _ in range(300)]
        assert sorted(response.msgid for response in got) == list(range(300))


async def test_large_responses_and_notifications_over_websocket(web):
    async with websocket(web) as peer:
        for i in range(20):
            await peer.send(peer.wire.send_request(i, "array", [{"count": 1 << 18}]))
        assert sorted([(await peer.receive()).msgid for _ in range(20)]) == list(range(20))
        await peer.send(peer.wire.send_request(6, "notify", [{"msgid": 6}]))
        assert isinstance(await peer.receive(), Notification)
        assert await peer.receive() == Response(6, None, None)


async def test_a_slow_reader_over_websocket_holds_up_only_itself(service):
    async with (
        Server(service, port=0, websocket_port=0, limits=Limits(max_in_flight=4)) as server,
        websocket(server, max_queue=1) as slow,
        websocket(server) as other,
    ):
        sending = asyncio.gather(
            *(slow.send(slow.wire.send_request(i, "array", [{"count": 1 << 20}])) for i in range(16))
        )
        for i in range(30):
            assert await other.call(i, "echo", []) == Response(i, None, {})
        assert sorted([(await slow.receive()).msgid for _ in range(16)]) == list(range(16))
        await sending


async def test_a_closed_websocket_cancels_its_calls(web, service):
    async with websocket(web) as peer:
        await peer.send(peer.wire.send_request(1, "wait", [{"name": 1}]))
        await service.until(service.started, 1)
    await service.until(service.cancelled, 1)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("text", "a text frame"),
        (b"", "a frame of 0 bytes"),
        (b"\x94\x00\x01\xa1a", "goes on"),
        (b"\x94\x00\x01\xa1a\x90\xc0", "ends after 6"),
        (b"\xc1", "0xc1"),
    ],
)
async def test_a_frame_that_is_no_message_ends_the_connection_with_a_reason(web, frame, words):
    async with websocket(web) as bad, websocket(web) as good:
        await bad.send(frame)
        notice = await bad.receive()
        assert notice.params[0]["code"] == Code.PARSE_ERROR
        assert words in notice.params[0]["message"]
        assert await bad.receive() is None
        assert await good.call(1, "echo", []) == Response(1, None, {})


async def test_a_frame_over_the_limit(service):
    limits = Limits(max_message_bytes=1000)
    async with Server(service, port=0, websocket_port=0, limits=limits) as server, websocket(server) as peer:
        assert await peer.call(1, "echo", [{"x": bytes(900)}])
        await peer.send(peer.wire.send_request(2, "echo", [{"x": bytes(1000)}]))
        assert await peer.receive() is None


async def test_pages_of_foreign_sites_are_refused(service):
    origins = ["https://game.example"]
    async with Server(service, port=0, websocket_port=0, origins=origins) as server:
        async with websocket(server, origin="https://game.example") as peer:
            assert await peer.call(1, "echo", [])
        async with websocket(server) as peer:  # no browser
            assert await peer.call(1, "echo", [])
        with pytest.raises(InvalidStatus):
            async with websocket(server, origin="https://evil.example"):
                pass
    async with (
        Server(service, port=0, websocket_port=0, origins=["*"]) as server,
        websocket(server, origin="https://any.example") as peer,
    ):
        assert await peer.call(1, "echo", [])


async def test_connections_of_all_kinds_count_together(service, connect):
    async with Server(service, port=0, websocket_port=0, limits=Limits(max_connections=1)) as server:
        first = await connect(server)
        assert await first.call(1, "echo", [])
        async with websocket(server) as second:
            assert (await second.receive()).params[0]["code"] == Code.OVERLOADED
            assert await second.receive() is None


async def test_close_waits_for_what_runs_over_websocket(web, service):
    async with websocket(web) as peer:
        await peer.send(peer.wire.send_request(1, "wait", [{"name": 1}]))
        await service.until(service.started, 1)
        closing = asyncio.create_task(web.close(grace_s=60))
        await asyncio.sleep(0.05)
        assert (await peer.call(2, "echo", [])).error[0] == Code.SHUTTING_DOWN
        service.gate.set()
        assert await peer.receive() == Response(1, None, {"name": 1})
        await closing
        assert (await peer.receive()).params[0]["code"] == Code.SHUTTING_DOWN
        assert await peer.receive() is None


async def test_http_spoken_to_the_websocket_port(web):
    reader, writer = await asyncio.open_connection("127.0.0.1", web.websocket_port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"426" in await reader.readline()
    writer.close()


# Unix sockets


async def test_both_clients_over_a_unix_socket(service, tmp_path):
    path = tmp_path / "pcg.sock"
    async with Server(service, port=0, unix=path) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with await AsyncClient.connect(unix=path) as client:
            assert await client.call("echo", x=1) == {"x": 1}

        def blocking() -> dict:
            with Client(unix=path) as client:
                return client.call("echo", x=2)

        assert await asyncio.to_thread(blocking) == {"x": 2}
        async with await AsyncClient.connect(port=server.port) as client:
            assert await client.call("echo", x=3) == {"x": 3}
    assert not path.exists()
    with pytest.raises(NoRuntime, match=r"pcg\.sock"):
        await AsyncClient.connect(unix=path)


async def test_a_socket_left_behind_is_replaced_and_a_live_one_is_not(service, tmp_path):
    path = tmp_path / "pcg.sock"
    async with Server(service, port=0, unix=path):
        second = Server(service, port=0, unix=path)
        with pytest.raises(OSError, match="another server listens"):
            await second.start()
        async with await AsyncClient.connect(unix=path) as client:
            assert await client.call("echo") == {}
    left = await asyncio.start_unix_server(lambda *_: None, path)
    left.close()
    assert path.exists()
    async with Server(service, port=0, unix=path), await AsyncClient.connect(unix=path) as client:
        assert await client.call("echo") == {}


async def test_a_file_that_is_no_socket_is_left_alone(service, tmp_path):
    path = tmp_path / "precious"
    path.write_text("x")
    with pytest.raises(OSError, match="precious"):
        await Server(service, port=0, unix=path).start()
    assert path.read_text() == "x"


# TLS


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and one of a client that trusts it."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def test_both_clients_and_websocket_over_tls(service, tls):
    async with Server(service, port=0, websocket_port=0, tls=tls[0]) as server:
        async with await AsyncClient.connect(port=server.port, tls=tls[1]) as client:
            assert (await client.call("array", count=1 << 20))["height"].shape == (1 << 20,)

        def blocking() -> dict:
            with Client(port=server.port, tls=tls[1]) as client:
                return client.call("echo", x=2)

        assert await asyncio.to_thread(blocking) == {"x": 2}
        async with websocket(server, ssl=tls[1]) as peer:
            assert await peer.call(1, "echo", []) == Response(1, None, {})


async def test_a_certificate_that_is_not_trusted(service, tls):
    async with Server(service, port=0, tls=tls[0]) as server:
        with pytest.raises(NoRuntime, match="certificate"):
            await AsyncClient.connect(port=server.port, tls=ssl.create_default_context())


async def test_a_protocol_error_over_tls_gets_an_error_notification_too(service, tls):
    async with Server(service, port=0, tls=tls[0]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls[1])
        writer.write(b"\xc1")
        [notice] = Connection(Framing.STREAM).receive_data(await reader.read(1000))
        assert notice.params[0]["code"] == Code.PARSE_ERROR
        assert await reader.read() == b""
        writer.close()


async def test_plain_messages_to_a_tls_port_and_tls_to_a_plain_one(service, connect, server, tls):
    async with Server(service, port=0, tls=tls[0], limits=Limits(handshake_timeout_s=0.2)) as closed:
        plain = await connect(closed)
        with suppress(ConnectionError):
            await plain.send(plain.wire.send_request(1, "echo", []))
            assert await plain.reader.read(100) in (b"", b"\x15\x03\x01\x00\x02\x02F", b"\x15\x03\x03\x00\x02\x02F")
        silent = await connect(closed)
        assert await silent.reader.read(100) == b""
        async with await AsyncClient.connect(port=closed.port, tls=tls[1]) as client:
            assert await client.call("echo") == {}
    with pytest.raises(NoRuntime):
        await AsyncClient.connect(port=server.port, tls=tls[1])


# Tokens


@pytest.fixture
async def locked(service):
    limits = Limits(handshake_timeout_s=60)
    async with Server(service, port=0, websocket_port=0, tokens=Tokens([TOKEN, "f" * 32]), limits=limits) as server:
        yield server
        await server.close(grace_s=0)


async def test_clients_with_a_token_are_let_in(locked):
    async with await AsyncClient.connect(port=locked.port, token=TOKEN) as client:
        assert await client.call("echo", x=bytes(10_000)) == {"x": bytes(10_000)}

    def blocking() -> dict:
        with Client(port=locked.port, token="f" * 32) as client:
            return client.call("echo", x=2)

    assert await asyncio.to_thread(blocking) == {"x": 2}
    async with websocket(locked) as peer:
        assert (await peer.call(1, "echo", [])).error[0] == Code.UNAUTHORIZED
        assert (await peer.call(2, "server.hello", [{"token": TOKEN}])).error is None
        assert await peer.call(3, "echo", [{"x": bytes(10_000)}]) == Response(3, None, {"x": bytes(10_000)})


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "0", 7, None, b"0123456789abcdef"])
async def test_others_are_not(locked, service, connect, token):
    peer = await connect(locked)
    for method in ("echo", "wait", "no such method"):
        response = await peer.call(2, method, [{"name": 1}])
        assert response.error[0] == Code.UNAUTHORIZED
    response = await peer.call(1, "server.hello", [{"token": token}])
    assert response.error[:2] == [Code.UNAUTHORIZED, "the token is missing or wrong"]
    assert await peer.receive() is None
    assert service.started == []


async def test_clients_with_a_wrong_token_or_none(locked):
    with pytest.raises(RpcError, match="token"):
        await AsyncClient.connect(port=locked.port, token="wrong")
    with pytest.raises(RpcError, match="token"):
        await asyncio.to_thread(Client, port=locked.port, token="wrong")
    async with await AsyncClient.connect(port=locked.port) as client:
        with pytest.raises(RpcError, match=r"server\.hello with token") as caught:
            await client.call("echo")
        assert caught.value.code is Code.UNAUTHORIZED


async def test_before_the_token_only_small_messages_are_taken(locked, connect):
    peer = await connect(locked)
    await peer.send(peer.wire.send_request(1, "echo", [{"x": bytes(HELLO_BYTES)}]))
    assert (await peer.receive()).params[0]["code"] == Code.PARSE_ERROR
    async with websocket(locked) as peer:
        await peer.send(peer.wire.send_request(1, "echo", [{"x": bytes(HELLO_BYTES)}]))
        assert await peer.receive() is None


async def test_the_token_and_a_large_request_in_one_packet(locked, connect):
    peer = await connect(locked)
    hello = peer.wire.send_request(1, "server.hello", [{"token": TOKEN}])
    await peer.send(hello + peer.wire.send_request(2, "array", [{"count": 3, "x": bytes(HELLO_BYTES * 3)}]))
    assert (await peer.receive()).error is None
    assert (await peer.receive()).error is None


async def test_a_client_without_a_token_is_disconnected_in_time(service, connect):
    limits = Limits(handshake_timeout_s=0.1)
    async with Server(service, port=0, tokens=Tokens([TOKEN]), limits=limits) as server:
        silent, known = await connect(server), await connect(server)
        assert (await known.call(1, "server.hello", [{"token": TOKEN}])).error is None
        notice = await silent.receive()
        assert notice.params[0]["code"] == Code.UNAUTHORIZED
        await asyncio.sleep(0.15)
        assert await known.call(2, "echo", []) == Response(2, None, {})


async def test_a_unix_socket_needs_no_token(service, tmp_path):
    server = Server(service, port=0, unix=tmp_path / "s", tokens=Tokens([TOKEN]))
    async with server, await AsyncClient.connect(unix=tmp_path / "s") as client:
        assert await client.call("echo") == {}


def test_authentication_stays_complete_but_a_wrong_token_is_still_an_error():
    authentication = Authentication(Tokens([TOKEN]))
    authentication.check("server.hello", {"token": TOKEN})
    with pytest.raises(RpcError, match="wrong"):
        authentication.check("server.hello", {"token": "other"})
    authentication.check("echo", {})


def test_token_files(tmp_path, caplog):
    path = tmp_path / "tokens"
    path.write_text(f"# for the build machine\n{TOKEN}\n\n  {'f' * 20}  \n")
    path.chmod(0o600)
    tokens = read_tokens(path)
    assert tokens.allow(TOKEN)
    assert tokens.allow("f" * 20)
    assert not tokens.allow("# for the build machine")
    assert not tokens.allow("")
    assert not caplog.records
    path.chmod(0o644)
    read_tokens(path)
    assert "chmod 600" in caplog.text
    path.write_text("# none\n")
    with pytest.raises(ValueError, match="holds no token"):
        read_tokens(path)
    path.write_text(f"{TOKEN}\nsecret\n")
    with pytest.raises(ValueError, match="line 2: a token of 6 characters; it needs 16"):
        read_tokens(path)
    with pytest.raises(FileNotFoundError):
        read_tokens(Path(tmp_path / "none"))
