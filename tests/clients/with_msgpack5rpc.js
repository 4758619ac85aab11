// msgpack5rpc, as the npm registry has it.
const net = require('net');
const Session = require('msgpack5rpc');

const socket = net.connect(Number(process.argv[2]), '127.0.0.1');
const session = new Session();
session.attach(socket, socket);

session.request('server.health', [], (error, { ready }) => {
  session.request('terrain.chunk', [{ seed: 7, size: 5000 }], ([code], nothing) => {
    session.request('terrain.chunk', [{ seed: 7, x: -40, size: 16 }], (error, { height }) => {
      console.log(JSON.stringify({ ready, code, shape: height.shape, data: height.data.toString('hex') }));
      socket.end();
    });
  });
});
