import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import ts from 'typescript';
import { COMMANDS } from '../src/cli/commands.ts';
import { DalgaClient } from '../src/client/client.ts';
import { watchOver } from '../src/quickstart/owned-process.ts';
import { startService } from './helpers/service.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const PROGRAM = fileURLToPath(new URL('../src/main.js', import.meta.url));

function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n(.*?)^```/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text!);
}

t.test("the README's commands, in their order", async (t) => {
  const service = await startService(t);
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const lines = blocks('shell').flatMap((block) => block.trim().split('\n'));
  t.ok(lines.length >= 15);
  const env = { PATH: process.env.PATH, DALGA_URL: service.url };
  for (const line of lines) {
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
    const ended = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      execFile(
        process.execPath,
        [PROGRAM, ...words.slice(1)],
        { env, cwd: folder },
        (error, stdout, stderr) => {
          resolve({ code: error?.code ?? 0, stdout, stderr });
        },
      );
    });
    t.match(ended, { code: 0 }, `${line}: ${ended.stderr}`);
  }
  const named = new Set(lines.map((line) => line.split(' ')[1]!)).add('events');
  t.same([...named].sort(), Object.keys(COMMANDS).sort(), 'each has an example');
});

/** Checks the types of a program of the README, and compiles it. @returns the program's path */
function compile(t: Test, source: string): string {
  // Below the package, so that it finds the package by its name, and its dependencies.
  const parent = fileURLToPath(new URL('../readme/', import.meta.url));
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(parent);
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'program.ts');
  writeFileSync(file, source);
  writeFileSync(
    join(folder, 'feeds.ts'),
    'export async function check(feed: string, at: Date) { return { everyHour: feed !== "" && at.getTime() > 0 }; }',
  );
  const program = ts.createProgram([file], {
    ...{ strict: true, skipLibCheck: true, types: ['node'], target: ts.ScriptTarget.ES2023 },
    ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    ...{ rewriteRelativeImportExtensions: true, rootDir: folder, outDir: folder },
  });
  const faults = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  t.same(
    faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    [],
    'its types are right',
  );
  return join(folder, 'program.js');
}

t.test("the README's programs", async (t) => {
  const service = await startService(t);
  const { url, broker } = service;
  const [worker, tour, ...others] = blocks('ts');
  t.same(others, []);
  const queue = broker.name('worker');
  const login = `amqp://${broker.user}:${broker.password}@${broker.host}:${broker.port}`;
  const adapted = (text: string) =>
    text
      .replaceAll('http://127.0.0.1:34006', url)
      .replaceAll('amqp://127.0.0.1', login)
      .replaceAll("'check_feed'", `'${queue}'`);

  const running = spawn(process.execPath, [compile(t, adapted(worker!))], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  watchOver(running);
  let errors = '';
  running.stderr.on('data', (data) => {
    errors += data;
  });
  t.teardown(() => running.kill('SIGKILL'));
  const dalga = new DalgaClient({ url });
  const name = { routingKey: queue, job: 'https://example.com/feed.xml' };
  const paced = async () => (await dalga.get(name))?.job.interval === 3600;
  while (!(await paced()) && running.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(errors, '');
  t.equal(running.exitCode, null, 'it works on');
  const ended = new Promise((resolve) => running.once('exit', resolve));
  const connection = await broker.connect();
  const channel = await connection.createChannel();
  await channel.deleteQueue(queue);
  t.equal(await ended, 1, 'the end of its queue ends it');
  await connection.close();

  const toured = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [compile(t, adapted(tour!))], (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
  t.match(toured, /^\d{4}-.*\nweekly 1000\n$/s);
  t.equal((await dalga.list({ job_prefix: 'feed ' })).jobs.length, 0);
});
