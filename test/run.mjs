// `npm test`: sets a fresh machine up, checks, compiles, and runs the tests.
//
//   npm test                            everything
//   npm test -- --unit                  only tests that need no servers (*.test.ts, not *.int.test.ts)
//   npm test -- test/job                only the tests in a folder, or one file
//   npm test -- --faults                those of test/faults that want a machine to themselves, which are else left out
//   npm test -- --grep=phase            anything else with dashes goes to tap
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { step } from '../src/quickstart/progress.mjs';
import { build, checkNode, installPackages, root, run } from '../src/quickstart/setup.mjs';

const args = process.argv.slice(2);
const unitOnly = args.includes('--unit');
const faults = args.includes('--faults');
const tapOptions = args.filter((arg) => arg.startsWith('-') && !['--unit', '--faults'].includes(arg));
const filters = args.filter((arg) => !arg.startsWith('-'));

// Whatever ends this process ends the servers too; a signal must still let `finally` clean up.
let tap;
const stop = new Promise((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
stop.catch(() => tap?.kill('SIGTERM'));

/** They put a load on the program that a machine with other work does not hold, and judge what comes of it. */
const ALONE = ['breakages', 'kill', 'standby', 'threads'];

const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
let servers = [];
let installed;
try {
  process.exitCode = await Promise.race([main(), stop]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
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
  const { code, passed, failed, failures } = await runTap(files, env);
  // Again at the end: a log is read from there, and may be cut.
  if (failures.length > 0) console.log(`\nWhat failed:\n${failures.join('\n')}\n`);
  console.log(`${passed} passed, ${failed} failed`);
  return code !== 0 ? code : failed > 0 || passed === 0 ? 1 : 0;
}

/** The compiled tests, as paths relative to the checkout; filters may name sources or compiled files. */
function testFiles() {
  const all = readdirSync(join(root, 'dist', 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.js') && !(unitOnly && name.includes('.int.')))
    .map((name) => join('dist', 'test', name))
    .sort();
  const alone = ALONE.map((name) => join('dist', 'test', 'faults', `${name}.int.test.js`));
  if (filters.length === 0) return all.filter((file) => alone.includes(file) === faults);
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

/** Runs the files under tap, two at a time, and resolves with its exit code and what it counted. */
async function runTap(files, env) {
  // Not before the packages are there.
  const { Parser } = await import('tap-parser');
  const { follow } = await import('./report.mjs');
  const options = ['--disable-coverage', '--timeout=300', `--jobs=${faults ? 1 : 2}`, '--reporter=tap'];
  tap = spawn(join(root, 'node_modules', '.bin', 'tap'), [...options, ...tapOptions, ...files], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const counts = { passed: 0, failed: 0, failures: [] };
  const parser = new Parser();
  follow(parser, counts);
  tap.stdout.pipe(parser);
  return new Promise((resolve, reject) => {
    tap.once('error', reject);
    tap.once('close', (code) => resolve({ code: code ?? 1, ...counts }));
  });
}
