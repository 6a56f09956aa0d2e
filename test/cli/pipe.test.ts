import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { json, stubServer } from '../client/stub-server.ts';

const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));

const job = { job: 'x'.repeat(1000), routing_key: 'k', interval: 60, next_run: null };
const page = { jobs: Array.from({ length: 3000 }, () => job), next: null, total: null };

function dalga(url: string, ...args: string[]) {
  return spawn(process.execPath, [PROGRAM, ...args], {
    env: { DALGA_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

t.test('all of a long answer goes through a pipe', async (t) => {
  const { url } = await stubServer(t, json(200, page));
  for (const args of [['list', '--json'], ['list']]) {
    const { stdout, exitCode } = await taken(dalga(url, ...args));
    t.equal(exitCode, 0);
    if (args.includes('--json')) t.same(JSON.parse(stdout), page);
    else t.equal(stdout.split('\n').length, page.jobs.length + 1);
  }
});

async function taken(child: ReturnType<typeof dalga>) {
  const [stdout, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { stdout, exitCode };
}

t.test('whoever reads may stop', async (t) => {
  const { url } = await stubServer(t, json(200, page));
  const child = dalga(url, 'list');
  const errors = text(child.stderr);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
  t.equal(await errors, '');
});

t.test('the exit code, and what it says, of a command that is refused', async (t) => {
  const child = dalga('http://127.0.0.1:1', 'lst');
  const errors = text(child.stderr);
  t.match(await taken(child), { exitCode: 2, stdout: '' });
  t.match(await errors, /^dalga: there is no command lst/);
});
