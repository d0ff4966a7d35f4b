// Opens the page in Chromium and prints what it says in the end: browser.js CHROMIUM ENDPOINT TOKEN SIZE. The page comes
// from a server of its own, so that every request to the bridge is one of another origin.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import puppeteer from 'puppeteer-core';

const [chromium, endpoint, token, size] = process.argv.slice(2);
const files = { '/': ['page.html', 'text/html'], '/tus.js': ['node_modules/tus-js-client/dist/tus.min.js', 'text/javascript'] };
const server = http.createServer((request, response) => {
  const found = files[new URL(request.url, 'http://x').pathname];
  if (!found) return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': found[1] }).end(readFileSync(found[0]));
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
try {
  const page = await browser.newPage();
  page.on('console', (message) => console.error(message.text()));
  const query = new URLSearchParams({ endpoint, token, size });
  await page.goto(`http://127.0.0.1:${server.address().port}/?${query}`);
  await page.waitForFunction(() => document.title === 'ended', { timeout: 60000 });
  console.log(await page.$eval('#said', (element) => element.textContent));
} finally {
  await browser.close();
  server.close();
}
