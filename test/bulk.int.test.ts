import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseExposition } from './helpers/exposition.ts';
import { inParallel, startService } from './helpers/service.ts';

const PROGRAM = fileURLToPath(new URL('../src/main.js', import.meta.url));
const JOBS = 20_000;

type Ended = { code: number; stdout: string; stderr: string };

function dalga(args: readonly string[], url: string): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH ?? '', DALGA_URL: url };
    const options = { env, maxBuffer: 100_000_000 };
    execFile(process.execPath, [PROGRAM, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const sorted = (text: string) => text.split('\n').filter(Boolean).sort();

t.test('import and export copy a system', { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const first = await startService(t);
  const second = await startService(t);
  const file = join(folder, 'jobs.ndjson');
  const lines = Array.from({ length: JOBS }, (_, job) =>
    JSON.stringify({
      routing_key: 'nobody',
      job: `https://example.com/${job}`,
      interval: 86_400 + (job % 7),
    }),
  );
  lines.splice(5000, 0, '{"routing_key":"nobody","job":"x","interval":0}');
  writeFileSync(file, `${lines.join('\n')}\n`);

  // Single requests meanwhile: they go before the load's batches.
  const singles = Array.from({ length: 50 }, (_, job) => `single-${job}`);
  const [imported] = await Promise.all([
    dalga(['import', file], first.url),
    inParallel(singles, 2, async (job) => {
      const answer = await fetch(`${first.url}/jobs/nobody/${job}?interval=86400`, { method: 'PUT' });
      if (answer.status !== 201) t.fail(`${answer.status} ${await answer.text()}`);
    }),
  ]);
  t.equal(imported.code, 1, 'one line was refused');
  t.match(imported.stderr, /^dalga: line 5001: interval must be /);
  t.match(
    imported.stderr,
    new RegExp(`${JOBS} of ${JOBS + 1} jobs are stored, ${JOBS} of them new; 1 were refused`),
  );

  const again = await dalga(['import', file], first.url);
  t.match(
    again.stderr,
    new RegExp(`${JOBS} of ${JOBS + 1} jobs are stored, 0 of them new`),
    'as a repeated PUT',
  );

  const exported = await dalga(['export'], first.url);
  t.equal(exported.code, 0, exported.stderr);
  t.equal(sorted(exported.stdout).length, JOBS + singles.length);
  writeFileSync(file, exported.stdout);
  const copied = await dalga(['import', file], second.url);
  t.equal(copied.code, 0, copied.stderr);
  const copy = join(folder, 'copy.ndjson');
  t.equal((await dalga(['export', copy], second.url)).code, 0);
  t.same(sorted(readFileSync(copy, 'utf8')), sorted(exported.stdout), 'the same jobs, with their phases');

  const { samples } = parseExposition(await (await fetch(`${second.url}/metrics`)).text());
  t.equal(samples.get('dalga_jobs'), JOBS + singles.length, 'the scheduler has them all');
});

t.test('a load that a stop ends is told what is stored', async (t) => {
  const service = await startService(t);
  const { process } = service.instance;
  const request = httpRequest(`${service.url}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  // The body has no end: the answer has one all the same.
  let job = 0;
  const lines = function* () {
    for (;;) {
      const line = () => `{"routing_key":"nobody","job":"${job++}","interval":86400}\n`;
      yield Array.from({ length: 100 }, line).join('');
    }
  };
  const body = Readable.from(lines());
  body.pipe(request);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  // Progress is told: it is in the middle.
  const exited = process.stop();
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  body.destroy();
  request.on('error', () => {}).destroy();
  t.equal(await exited, 0, process.tail());
  const last = JSON.parse(text.trim().split('\n').at(-1)!);
  t.match(last, { complete: false, code: 'stopping', detail: 'this instance is stopping' });
  t.ok(last.created > 0);
  await service.start();
  t.match(await (await fetch(`${service.url}/jobs?limit=1`)).json(), { total: last.created });
});

t.test('the commands say what is wrong', async (t) => {
  const service = await startService(t);
  t.match(await dalga(['import'], service.url), { code: 2, stderr: /^dalga: FILE is missing/ });
  t.match(await dalga(['import', '/nothing'], service.url), {
    code: 2,
    stderr: /\/nothing cannot be read \(ENOENT\)/,
  });
  const unwritable = await dalga(['export', '/nothing/x'], service.url);
  t.match(unwritable, { code: 2, stderr: /\/nothing\/x cannot be written \(ENOENT/ });
  t.match(await dalga(['export'], 'http://127.0.0.1:1'), { code: 3, stderr: /cannot be reached.*DALGA_URL/ });
  t.match(await dalga(['export'], 'ftp://x'), { code: 2, stderr: /DALGA_URL must be a URL/ });
});
