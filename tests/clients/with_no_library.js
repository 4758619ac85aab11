// No library: length prefixes and MessagePack as docs/protocol.md has them, in what Node.js brings.
const net = require('net');

// A byte, and a number in four.
function sized(tag, size) {
  const bytes = Buffer.of(tag, 0, 0, 0, 0);
  bytes.writeUInt32BE(size, 1);
  return bytes;
}

// Strings, integers, arrays and maps, each in its longest form.
function encode(value) {
  if (typeof value === 'string') return Buffer.concat([sized(0xdb, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([sized(0xdd, value.length), ...value.map(encode)]);
  if (typeof value === 'object') {
    const pairs = Object.entries(value);
    return Buffer.concat([sized(0xdf, pairs.length), ...pairs.flat().map(encode)]);
  }
  const bytes = Buffer.alloc(9, 0xd3);
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

const READERS = [ // of 0xca to 0xd3, and how many bytes each takes
  ['readFloatBE', 4], ['readDoubleBE', 8],
  ['readUInt8', 1], ['readUInt16BE', 2], ['readUInt32BE', 4], ['readBigUInt64BE', 8],
  ['readInt8', 1], ['readInt16BE', 2], ['readInt32BE', 4], ['readBigInt64BE', 8],
];

// The value that the bytes hold.
function decode(bytes) {
  let at = 0;
  const take = (size) => bytes.subarray(at, (at += size));
  const count = (size) => take(size).readUIntBE(0, size);
  const array = (size) => Array.from({ length: size }, value);
  const map = (size) => Object.fromEntries(Array.from({ length: size }, () => [value(), value()]));

  function value() {
    const tag = take(1)[0];
    if (tag < 0x80) return tag;
    if (tag < 0x90) return map(tag - 0x80);
    if (tag < 0xa0) return array(tag - 0x90);
    if (tag < 0xc0) return take(tag - 0xa0).toString();
    if (tag < 0xc4) return { 0xc0: null, 0xc2: false, 0xc3: true }[tag];
    if (tag < 0xc7) return take(count(1 << (tag - 0xc4)));
    if (tag >= 0xe0) return tag - 0x100;
    if (tag >= 0xde) return map(count(tag === 0xde ? 2 : 4));
    if (tag >= 0xdc) return array(count(tag === 0xdc ? 2 : 4));
    if (tag >= 0xd9) return take(count(1 << (tag - 0xd9))).toString();
    const [read, size] = READERS[tag - 0xca];
    return Number(take(size)[read]());
  }
  return value();
}

const requests = [
  ['server.health', {}],
  ['terrain.chunk', { seed: 7, size: 5000 }],
  ['terrain.chunk', { seed: 7, x: -40, size: 16 }],
];
const answers = new Map();
let arrived = Buffer.alloc(0);

const socket = net.connect(Number(process.argv[2]), '127.0.0.1', () => {
  requests.forEach(([method, params], msgid) => {
    const message = encode([0, msgid, method, [params]]);
    socket.write(Buffer.concat([sized(0, message.length).subarray(1), message]));
  });
});

socket.on('data', (bytes) => {
  arrived = Buffer.concat([arrived, bytes]);
  while (arrived.length >= 4 && arrived.length >= 4 + arrived.readUInt32BE(0)) {
    const end = 4 + arrived.readUInt32BE(0);
    const [kind, msgid, error, result] = decode(arrived.subarray(4, end));
    if (kind === 1) answers.set(msgid, error || result);
    arrived = arrived.subarray(end);
  }
  if (answers.size < requests.length) return;
  const [{ ready }, [code], { height }] = [0, 1, 2].map((msgid) => answers.get(msgid));
  console.log(JSON.stringify({ ready, code, shape: height.shape, data: height.data.toString('hex') }));
  socket.end();
});
