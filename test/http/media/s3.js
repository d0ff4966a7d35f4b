// An S3 server for the tests: s3.js PORT FOLDER. Signatures are checked; the bucket is called media.
import S3rver from 's3rver';

const [port, directory] = process.argv.slice(2);
await new S3rver({ port: Number(port), address: '127.0.0.1', directory, silent: true, resetOnClose: false,
  configureBuckets: [{ name: 'media', configs: [] }] }).run();
console.log('listening');
