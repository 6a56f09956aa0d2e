// `npm test`: sets a fresh machine up, checks, compiles, and runs the tests.
//
//   npm test                            everything
//   npm test -- --unit                  only the quick ones: no servers (*.int.test.ts), no simulation of many seeds
//   npm test -- test/job                only the tests in a folder, or one file
//   npm test -- --grep=phase            anything else with dashes goes to tap
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { step } from '../src/quickstart/progress.mjs';
import { build, checkNode, installPackages, root, run } from '../src/quickstart/setup.mjs';

const args = process.argv.slice(2);
const unitOnly = args.includes('--unit');
const tapOptions = args.filter((arg) => arg.startsWith('-') && arg !== '--unit');
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
  const others = files.filter((file) => !ALONE.test(file) && !SIMULATION.test(file));
  const [code] = await Promise.all([runTap(others, env, counts, 2), runBeside(simulation, counts)]);
  const codes = [code, await runTap(alone, env, counts, 1)];
  const { passed, failed, failures } = counts;
  // Again at the end: a log is read from there, and may be cut.
  if (failures.length > 0) console.log(`\nWhat failed:\n${failures.join('\n')}\n`);
  console.log(`${passed} passed, ${failed} failed`);
  return codes.find((code) => code !== 0) ?? (failed > 0 || passed === 0 ? 1 : 0);
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

/** Runs the files under tap, some at a time, adds to the counts, and resolves with its exit code. */
async function runTap(files, env, counts, jobs) {
  if (files.length === 0) return 0;
  const options = ['--disable-coverage', '--timeout=300', `--jobs=${jobs}`, '--reporter=tap'];
  return runChild(join(root, 'node_modules', '.bin', 'tap'), [...options, ...tapOptions, ...files], {
    env,
    counts,
  });
}

/**
 * Runs the files one after another, each by itself (two taps at a time would be in each other's way), at the lowest
 * priority: they take what the others leave, and delay none of them.
 */
async function runBeside(files, counts) {
  const { showFile } = await import('./report.mjs');
  for (const file of files) {
    const own = { passed: 0, failed: 0, failures: counts.failures };
    const begun = performance.now();
    const code = await runChild(process.execPath, [file], { counts: own, path: [file], background: true });
    // Also a file that broke off.
    if (code !== 0 && own.failed === 0) {
      own.failed = 1;
      counts.failures.push(`✗ ${file}: exit code ${code}`);
    }
    counts.passed += own.passed;
    counts.failed += own.failed;
    showFile({ name: file, ok: own.failed === 0, time: performance.now() - begun }, own);
  }
}

/** Runs a program that prints TAP, follows it, and resolves with its exit code. */
async function runChild(program, programArgs, { env = {}, counts, path = [], background = false }) {
  // Not before the packages are there.
  const { Parser } = await import('tap-parser');
  const { follow } = await import('./report.mjs');
  const child = spawn(program, programArgs, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: background,
  });
  children.add(child);
  if (background && child.pid !== undefined) putInBackground(child.pid);
  const parser = new Parser();
  follow(parser, counts, path);
  child.stdout.pipe(parser);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      children.delete(child);
      resolve(code ?? 1);
    });
  });
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
