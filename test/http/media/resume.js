// An upload by tus-js-client that is cut in the middle: resume.js BASE TOKEN BYTES CUT_AT. The client talks to a proxy
// that drops the connection after so many bytes, once. Prints what the client asked for, and in the end the upload's address.
import { createHash } from 'node:crypto';
import net from 'node:net';
import * as tus from 'tus-js-client';

const [base, token, bytes, cutAt] = process.argv.slice(2);
const target = new URL(base);
let left = Number(cutAt);
const proxy = net.createServer((client) => {
  const server = net.connect(Number(target.port), target.hostname);
  client.on('data', (data) => {
    if (left > 0) {
      left -= data.length;
      if (left <= 0) {
        server.destroy();
        client.destroy();
        return;
      }
    }
    if (!server.write(data)) client.pause();
  });
  server.on('drain', () => client.resume());
  server.on('data', (data) => client.write(data));
  for (const [one, other] of [[client, server], [server, client]]) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
  }
});
await new Promise((done) => proxy.listen(0, '127.0.0.1', done));

const file = Buffer.alloc(Number(bytes));
for (let i = 0; i < file.length; i += 4) file.writeUInt32LE((i * 2654435761) % 4294967296, i);
const upload = new tus.Upload(file, {
  endpoint: `http://127.0.0.1:${proxy.address().port}${target.pathname}`,
  retryDelays: [0, 200, 500, 1000, 2000, 4000],
  uploadSize: file.length,
  metadata: { filename: 'resumed.bin', filetype: 'video/mp4' },
  headers: { Authorization: `Bearer ${token}` },
  onAfterResponse(request, response) {
    console.log(request.getMethod(), response.getStatus(), request.getHeader('Upload-Offset') ?? '-', response.getHeader('Upload-Offset') ?? '-');
  },
  onError(error) {
    console.log('error', String(error));
    process.exit(1);
  },
  onSuccess() {
    console.log('done', upload.url.replace(/^.*\//, ''), createHash('sha256').update(file).digest('hex'));
    process.exit(0);
  },
});
upload.start();
