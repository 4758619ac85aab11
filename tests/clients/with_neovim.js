// neovim, Neovim's client for Node.js, as the npm registry has it.
const net = require('net');
const { attach } = require('neovim');

const socket = net.connect(Number(process.argv[2]), '127.0.0.1');
const client = attach({ reader: socket, writer: socket });

async function main() {
  const { ready } = await client.request('server.health');
  // What `request` throws has only the error's text; the error itself is had one layer below.
  const code = await new Promise((resolve) => {
    client.transport.request('terrain.chunk', [{ seed: 7, size: 5000 }], ([code], nothing) => resolve(code));
  });
  const { height } = await client.request('terrain.chunk', [{ seed: 7, x: -40, size: 16 }]);
  const data = Buffer.from(height.data).toString('hex');
  await client.close();
  process.stdout.write(JSON.stringify({ ready, code, shape: height.shape, data }) + '\n');
}

main();
