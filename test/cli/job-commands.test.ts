import { PassThrough, Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { isClientCommand, runClientCommand } from '../../src/cli/command.ts';
import { barChart, table } from '../../src/cli/render.ts';
import { freePorts } from '../../src/quickstart/free-port.ts';
import { serve } from '../main-thread/http/harness.ts';

class Screen extends Writable {
  text = '';
  isTTY = false;
  columns = 80;
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function shell(t: Test, options: { url?: string; isTTY?: boolean } = {}) {
  const { port } = await serve(t);
  return async (...args: string[]) => {
    const stdout = new Screen();
    const stderr = new Screen();
    stdout.isTTY = options.isTTY ?? false;
    const env = { DALGA_URL: options.url ?? `http://127.0.0.1:${port}` };
    const code = await runClientCommand(args, { env, stdin: new PassThrough(), stdout, stderr });
    return { code, out: stdout.text, err: stderr.text };
  };
}

t.test('schedule, get, pause, resume, cancel', async (t) => {
  const run = await shell(t);
  t.match(
    await run('schedule', 'k', 'a/b', '--interval', '60', '--tag', 'x', '--tag', 'y', '--payload', '42'),
    {
      code: 0,
      out: /^created: k a\/b, every 60 s, next run 2014-/,
    },
  );
  t.match(JSON.parse((await run('get', 'k', 'a/b', '--json')).out), {
    interval: 60,
    tags: ['x', 'y'],
    payload: '42',
  });
  t.match(await run('schedule', 'k', 'a/b', '--cron', '@daily', '--location', 'Europe/Istanbul'), {
    out: /^stored: k a\/b, @daily Europe\/Istanbul, /,
  });
  t.match(await run('get', 'k', 'a/b'), { code: 0, out: /^job {10}a\/b\nrouting_key {2}k\n/ });
  t.match(await run('pause', 'k', 'a/b', '--note', 'moving'), { code: 0, out: /\(paused\), next run none/ });
  t.match(await run('list', '--paused'), { code: 0, out: 'k\ta/b\t@daily Europe/Istanbul (paused)\t-\n' });
  t.match(await run('resume', 'k', 'a/b'), { code: 0, out: /^goes on: / });
  t.match(await run('next', 'k', 'a/b', '--count', '2'), {
    code: 0,
    out: /^2014-11-12T22:00:00Z\n2014-11-13T22:00:00Z\n$/,
  });
  t.match(await run('cancel', 'k', 'a/b'), { code: 0, out: 'deleted\n' });
  t.match(await run('cancel', 'k', 'a/b'), { code: 1, err: 'dalga: there is no such job\n' });
  t.match(await run('get', 'k', 'a/b'), { code: 1 });
  t.match(await run('next', 'k', 'a/b'), { code: 1, err: /no such job/ });
});

t.test('status, forecast, history', async (t) => {
  const run = await shell(t);
  t.match(await run('status'), { code: 0, out: /lease {4,}starting/ });
  t.match(JSON.parse((await run('status', '--json')).out), { lease: 'starting' });
  t.match(await run('forecast'), { code: 2, err: /another instance owns the table/ });
  t.match(await run('history', 'k', 'j'), { code: 2 });
});

t.test('what is wrong with a command', async (t) => {
  const run = await shell(t);
  t.match(await run('schedule', 'k'), { code: 2, err: /schedule takes ROUTING_KEY JOB/ });
  t.match(await run('schedule', 'k', 'j', '--intervall', '60'), {
    code: 2,
    err: /Unknown option '--intervall'/,
  });
  t.match(await run('schedule', 'k', 'j', '--interval', '0'), { code: 2, err: /^dalga: interval must be/ });
  t.match(await run('schedule', 'k', 'j', '--interval', '60', '--headers', '{'), {
    code: 2,
    err: /must be JSON/,
  });
  t.match(await run('status', '-h'), { code: 0, out: /^dalga status\n/ });
  const [closed] = await freePorts(1);
  const nowhere = await shell(t, { url: `http://127.0.0.1:${closed}` });
  t.match(await nowhere('status'), { code: 2, err: /cannot be reached \(ECONNREFUSED\): set DALGA_URL/ });
  const wrong = await shell(t, { url: 'nowhere' });
  t.match(await wrong('status'), { code: 2, err: /DALGA_URL must be a URL/ });
  t.notOk(isClientCommand(['-debug']));
  t.ok(isClientCommand(['list']));
});

t.test('tables and charts', async (t) => {
  const rows = [
    ['check_feed', `https://example.com/${'x'.repeat(100)}`],
    ['k', 'a\n\x1b[2J'],
  ];
  const shown = table(['KEY', 'JOB'], rows, { width: 40 }).split('\n');
  t.ok(shown.every((line) => line.length <= 40));
  t.match(shown[1], /^check_feed {2}https:\/\/example\.com\/x+…$/);
  t.equal(shown[2], 'k           a\\n\\u001b[2J', 'what would move the cursor is written out');
  t.equal(table(['KEY', 'JOB'], [['k', 'j']], { width: null }), 'k\tj');
  t.equal(
    barChart(
      [
        ['a', 10],
        ['b', 5],
        ['c', 0],
      ],
      { width: 20 },
    ),
    `a  10  ${'█'.repeat(13)}\nb   5  ${'█'.repeat(7)}\nc   0`,
  );
});
