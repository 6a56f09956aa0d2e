// `npm test`: sets a fresh machine up, checks, compiles, and runs the tests.
//
//   npm test                            everything
//   npm test -- --unit                  only the quick ones: no servers (*.int.test.ts), no simulation of many seeds
//   npm test -- test/job                only the tests in a folder, or one file
//   npm test -- --grep=phase            only the tests whose name matches
//   npm test -- --timeout=1200          s that a file may take, instead of 300
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { step } from '../src/quickstart/progress.mjs';
import { build, checkNode, installPackages, root, run } from '../src/quickstart/setup.mjs';

const args = process.argv.slice(2);
const unitOnly = args.includes('--unit');
const option = (name) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
const timeout = Number(option('timeout') ?? 300);
const grep = option('grep');
const filters = args.filter((arg) => !arg.startsWith('-'));

// Whatever ends this process ends the servers too; a signal must still let `finally` clean up.
const children = new Set();
const stop = new Promise((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
stop.catch(() => {});

/** Many seeds of the simulation: they need the processors, but no servers and no time of theirs. */
const SIMULATION = /\/simulation\/(seeds-|breakages|rare)/;
/** They wait for most of their time: beside the others they cost nothing. */
const WAITING = /\/(main-job|rabbitmq\/silence|mysql\/frozen)\./;
/** They put a load on the program, and judge what comes of it: they want the machine to themselves. */
const ALONE = /\/faults\/(breakages|kill|standby|threads)\./;

const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
let servers = [];
let installed;
try {
  process.exitCode = await Promise.race([main(), stop]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  for (const child of children) child.kill('SIGTERM');
  await installed?.catch(() => {}); // apt must not be broken off
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

async function main() {
  checkNode();
  await installPackages(step);
  await build(step);
  await step('checking the style (Biome)', () =>
    run(join(root, 'node_modules', '.bin', 'biome'), ['check', '.']),
  );

  const files = testFiles();
  if (files.length === 0) throw new Error(`no test matches ${args.join(' ') || 'test/**/*.test.ts'}`);
  const env = files.some((file) => file.includes('.int.')) ? await startServers() : {};
  const counts = { passed: 0, failed: 0, failures: [] };
  const alone = files.filter((file) => ALONE.test(file));
  const simulation = files.filter((file) => SIMULATION.test(file));
  const waiting = files.filter((file) => WAITING.test(file));
  const others = files.filter((file) => ![alone, simulation, waiting].some((list) => list.includes(file)));
  await Promise.all([
    runFiles(others, counts, { env, jobs: 2 }),
    runFiles(waiting, counts, { env }),
    // At the lowest priority: they take what the others leave, and delay none of them.
    runFiles(simulation, counts, { background: true }),
  ]);
  await runFiles(alone, counts, { env });
  const { passed, failed, failures } = counts;
  // Again at the end: a log is read from there, and may be cut.
  if (failures.length > 0) console.log(`\nWhat failed:\n${failures.join('\n')}\n`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

/** The compiled tests, as paths relative to the checkout; filters may name sources or compiled files. */
function testFiles() {
  const all = readdirSync(join(root, 'dist', 'test'), { recursive: true })
    .map((name) => join('dist', 'test', name))
    .filter((path) => path.endsWith('.test.js'))
    .filter((path) => !unitOnly || !(path.includes('.int.') || SIMULATION.test(path)))
    .sort();
  if (filters.length === 0) return all;
  const wanted = filters.map((filter) => {
    const path = relative(root, resolve(filter)).replace(/\.ts$/, '.js');
    return path.startsWith('dist') ? path : join('dist', path);
  });
  return all.filter((file) => wanted.some((path) => file === path || file.startsWith(`${path}/`)));
}

/** One MySQL and one RabbitMQ for all test files; each makes a database and queues of its own there. */
async function startServers() {
  const load = (name) => import(pathToFileURL(join(root, 'dist', 'src', 'quickstart', name)).href);
  const { missingPackages, whyNoInstall, installDebianPackages } = await load('debian-packages.js');
  const missing = missingPackages();
  if (missing.length > 0) {
    const why = whyNoInstall();
    if (why) throw new Error(`the tests need the Debian packages ${missing.join(' and ')}, and ${why}`);
    installed = step(`installing ${missing.join(' and ')} (apt-get)`, (detail) =>
      installDebianPackages(missing, detail),
    );
    await installed;
  }
  const { startPrivateMysql, startPrivateRabbitmq } = await load('private-servers.js');
  const [mysql, rabbitmq] = await step('starting a MySQL and a RabbitMQ for the tests', () =>
    Promise.all([
      startPrivateMysql({ folder: join(folder, 'mysql'), args: ['--max-connections=500'] }),
      startPrivateRabbitmq({ folder: join(folder, 'rabbitmq') }),
    ]),
  );
  servers = [mysql, rabbitmq];
  return { DALGA_TEST_MYSQL: JSON.stringify(mysql), DALGA_TEST_RABBITMQ: JSON.stringify(rabbitmq) };
}

/** Runs the files, so many at a time, and adds to the counts. */
async function runFiles(files, counts, { env = {}, jobs = 1, background = false }) {
  const left = [...files];
  const worker = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      await runFile(file, counts, { env, background });
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

/**
 * Runs one file, which prints TAP by itself. (The tap command would load its compiler and its coverage into each, and
 * into each process that one starts: that takes longer than most tests.)
 */
async function runFile(file, counts, { env, background }) {
  // Not before the packages are there.
  const { Parser } = await import('tap-parser');
  const { follow, showFile } = await import('./report.mjs');
  const own = { passed: 0, failed: 0, failures: counts.failures };
  const begun = performance.now();
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd: root,
    env: { ...process.env, TAP_TIMEOUT: String(timeout), ...(grep && { TAP_GREP: grep }), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: background,
  });
  children.add(child);
  if (background && child.pid !== undefined) putInBackground(child.pid);
  // It ends itself when its time is over, unless it is beyond that.
  const deadline = setTimeout(() => child.kill('SIGKILL'), (timeout + 30) * 1000);
  const parser = new Parser();
  follow(parser, own, [file]);
  child.stdout.pipe(parser);
  const ended = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  clearTimeout(deadline);
  children.delete(child);
  // Also a file that broke off.
  if (ended !== 0 && own.failed === 0) {
    own.failed = 1;
    counts.failures.push(`✗ ${file}: ended with ${ended}`);
  }
  counts.passed += own.passed;
  counts.failed += own.failed;
  showFile(file, performance.now() - begun, own);
}

/** The lowest priority. On Linux it counts within a session only (sched(7), autogroup), so the session's is set too. */
function putInBackground(pid) {
  setPriority(pid, 19);
  try {
    writeFileSync(`/proc/${pid}/autogroup`, '19');
  } catch {
    // There is no such thing here.
  }
}
