import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { systemTimers, type Timers } from '../src/clock.ts';
import { runCommandLine, type Service } from '../src/command-line.ts';
import { StartupError } from '../src/errors.ts';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

type Ended = { code: number | string | null; stdout: string; stderr: string };

/** Runs the compiled program as its own process, with nothing in its environment but what is given. */
function program(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env, timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr });
    });
  });
}

t.test('the program: help, version, refusals', async (t) => {
  for (const flag of ['-h', '--help']) {
    const { code, stdout, stderr } = await program([flag], { DALGA_LEASE: 'wrong' });
    t.equal(code, 0);
    t.equal(stderr, '');
    t.match(stdout, /^dalga .*\n\nUsage: dalga \[flags\]\n/);
    t.match(stdout, /\n {2}-mysql-host TEXT\n.*\n {8}DALGA_MYSQL_HOST, default localhost\n/);
  }
  t.strictSame(await program(['-version']), { code: 0, stdout: `dalga ${version}\n`, stderr: '' });

  const env = { DALGA_HTTP_PORT: 'x', DALGA_MYSQL_PASWORD: 'hunter2' };
  const { code, stdout, stderr } = await program(['-nonsense', '-mysql-pasword=hunter2'], env);
  t.equal(code, 2);
  t.equal(stdout, '');
  t.strictSame(stderr.split('\n'), [
    'dalga: warning: unknown variable DALGA_MYSQL_PASWORD is ignored, did you mean DALGA_MYSQL_PASSWORD?',
    'dalga: unknown flag -nonsense',
    'dalga: unknown flag -mysql-pasword, did you mean -mysql-password?',
    'dalga: DALGA_HTTP_PORT (-http-port) must be a whole number from 0 to 65535, not "x"',
    'dalga: see dalga -h',
    '',
  ]);
});

/** A promise and its ends, so that a test decides when and how it is settled. */
function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** The command line with a stand-in for the service, driven step by step. */
function stage(args: string[] = [], options: { timers?: Timers; env?: Record<string, string> } = {}) {
  const started = deferred<void>();
  const failed = deferred<Awaited<Service['failed']>>();
  const closed = deferred<boolean>();
  const listening = deferred<void>();
  const closing = deferred<void>();
  const tables = deferred<void>();
  const imported = deferred<{ lines: string[]; complete: boolean }>();
  const told = { stdout: '', stderr: '' };
  let listener = () => {};
  const exitCode = runCommandLine({
    args,
    env: options.env ?? {},
    version: '1.2.3',
    stdout: (text) => {
      told.stdout += text;
    },
    stderr: (text) => {
      told.stderr += text;
    },
    onSignal: (onSignal) => {
      listener = onSignal;
      listening.resolve();
    },
    timers: options.timers ?? systemTimers,
    createService: async () => ({
      start: () => started.promise,
      failed: failed.promise,
      close: () => {
        closing.resolve();
        return closed.promise;
      },
    }),
    createTables: () => tables.promise,
    importTable: (_config, original, { signal, tell }) => {
      tell(`importing ${original}`);
      signal.addEventListener('abort', () => imported.reject(signal.reason));
      return imported.promise;
    },
    resetWatermark: async (_config, time) => ({ lines: [`set to ${time}`], complete: true }),
    renewTag: async () => ({ lines: ['a tag'], complete: true }),
  });
  const signal = async () => {
    await listening.promise;
    listener();
  };
  return { exitCode, told, started, failed, closed, closing, tables, imported, signal };
}

t.test('a signal stops the service cleanly', async (t) => {
  const { exitCode, told, started, closed, signal } = stage();
  started.resolve();
  closed.resolve(true);
  await signal();
  t.equal(await exitCode, 0);
  t.strictSame(told, { stdout: '', stderr: '' });
});

t.test('a stop that could not settle all ends with 3', async (t) => {
  const { exitCode, started, closed, signal } = stage();
  started.resolve();
  closed.resolve(false);
  await signal();
  t.equal(await exitCode, 3);
});

t.test('a stop that does not come to an end is given up 1 s after its time', async (t) => {
  const set = deferred<{ callback: () => void; delay: number }>();
  const timers: Timers = { set: (callback, delay) => set.resolve({ callback, delay }), clear: () => {} };
  const { exitCode, started, signal } = stage(['-stop-timeout=5s'], { timers });
  started.resolve();
  await signal();
  const { callback, delay } = await set.promise;
  t.equal(delay, 6_000);
  callback();
  t.equal(await exitCode, 3);
});

t.test('a signal while starting stops as well', async (t) => {
  const { exitCode, started, closed, signal } = stage();
  closed.resolve(true);
  await signal();
  t.equal(await exitCode, 0);
  started.reject(new Error('nobody waits for this'));
});

t.test('a second signal ends at once', async (t) => {
  const timers: Timers = { set: () => {}, clear: () => {} };
  const { exitCode, told, started, closing, signal } = stage([], { timers });
  started.resolve();
  await signal();
  await closing.promise;
  await signal();
  await signal();
  t.equal(await exitCode, 1);
  t.equal(
    told.stderr,
    'dalga: ended at once, by a second signal, before all was settled: some messages may come twice\n',
  );
});

t.test('a start that is refused ends with one line and its exit code', async (t) => {
  for (const code of [2, 1]) {
    const { exitCode, told, started } = stage();
    started.reject(new StartupError('MySQL at localhost:3306 refuses the login', { exitCode: code }));
    t.equal(await exitCode, code);
    t.strictSame(told, { stdout: '', stderr: 'dalga: MySQL at localhost:3306 refuses the login\n' });
  }
});

t.test('a service that fails ends the process', async (t) => {
  const error = { name: 'Error', message: 'out of luck' };
  const running = stage();
  running.started.resolve();
  running.failed.resolve({ error, startup: false });
  t.equal(await running.exitCode, 1);
  t.equal(running.told.stderr, 'dalga: stopped by a fault: out of luck\n');

  const refused = stage();
  refused.failed.resolve({ error, startup: true });
  t.equal(await refused.exitCode, 2);
  t.equal(refused.told.stderr, 'dalga: out of luck\n');
});

t.test('an unexpected fault is told with where it came from', async (t) => {
  const { exitCode, told, started } = stage();
  started.reject(new TypeError('no such thing'));
  t.equal(await exitCode, 1);
  t.match(told.stderr, /^dalga: unexpected fault: TypeError: no such thing\n {4}at /);
});

t.test('warnings are told, and do not keep it from serving', async (t) => {
  const { exitCode, told, started, closed, signal } = stage([], { env: { DALGA_LEESE: '5s' } });
  started.resolve();
  closed.resolve(true);
  await signal();
  t.equal(await exitCode, 0);
  t.equal(
    told.stderr,
    'dalga: warning: unknown variable DALGA_LEESE is ignored, did you mean DALGA_LEASE?\n',
  );
});

t.test('-create-table creates the tables and ends', async (t) => {
  const { exitCode, told, tables } = stage(['-create-table', '-mysql-db=jobs']);
  tables.resolve();
  t.equal(await exitCode, 0);
  t.strictSame(told, { stdout: 'dalga: table dalga is ready in database jobs\n', stderr: '' });

  const refused = stage(['-create-table']);
  refused.tables.reject(new StartupError('no right to create tables'));
  t.equal(await refused.exitCode, 2);
  t.equal(refused.told.stderr, 'dalga: no right to create tables\n');
});

t.test('-reset-watermark and -new-tag report what they did', async (t) => {
  const reset = stage(['-reset-watermark', '2026-01-31T12:00:00Z']);
  t.equal(await reset.exitCode, 0);
  t.equal(reset.told.stdout, 'dalga: set to 2026-01-31T12:00:00Z\n');
  const tag = stage(['-new-tag']);
  t.equal(await tag.exitCode, 0);
  t.equal(tag.told.stdout, 'dalga: a tag\n');
});

t.test('-import-table reports what it took, and ends with 1 when jobs were refused', async (t) => {
  for (const complete of [true, false]) {
    const { exitCode, told, imported } = stage(['-import-table', 'old_jobs']);
    imported.resolve({ lines: ['refused: one', 'import of old_jobs'], complete });
    t.equal(await exitCode, complete ? 0 : 1);
    t.strictSame(told, {
      stdout: 'dalga: refused: one\ndalga: import of old_jobs\n',
      stderr: 'dalga: importing old_jobs\n',
    });
  }
  const refused = stage(['-import-table=old_jobs']);
  refused.imported.reject(new StartupError('no such table'));
  t.equal(await refused.exitCode, 2);
  t.equal(refused.told.stderr, 'dalga: importing old_jobs\ndalga: no such table\n');

  const given = stage(['-import-table=old_jobs']);
  given.imported.reject = () => {};
  await given.signal();
  await given.signal();
  t.equal(await given.exitCode, 1);
  t.match(given.told.stderr, /\ndalga: ended at once, by a second signal: run it again\n$/);

  const broken = stage(['-import-table=old_jobs']);
  await broken.signal();
  t.equal(await broken.exitCode, 2);
  t.match(broken.told.stderr, /\ndalga: ended before all was taken; .* run it again\n$/);
});
