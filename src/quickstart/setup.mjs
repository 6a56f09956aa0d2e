// What stands between a fresh clone and the compiled program, for both `npm run quickstart` and `npm test`.
// Plain JavaScript on Node alone: it runs before any package is installed and before anything is compiled.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's folder. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Throws when this Node is older than package.json's `engines` asks for. */
export function checkNode() {
  const wanted = readJson('package.json').engines.node.replace(/^\D*/, '').split('.').map(Number);
  const have = process.versions.node.split('.').map(Number);
  const difference = [0, 1, 2].map((i) => have[i] - wanted[i]).find((d) => d !== 0) ?? 0;
  if (difference < 0)
    throw new Error(`Node.js ${wanted.join('.')} or later is needed; this is ${process.version}`);
}

/** Installs exactly package-lock.json's packages, if node_modules holds anything else. */
export async function installPackages(step) {
  if (packagesAreCurrent()) return;
  // The compiler is a development package, so NODE_ENV=production must not leave these out.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  await step('installing the packages (npm ci)', () => run('npm', args));
}

function packagesAreCurrent() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return Object.entries(readJson('package-lock.json').packages).every(
    ([path, wanted]) =>
      path === '' || (have[path]?.version ?? (wanted.optional && wanted.version)) === wanted.version,
  );
}

/** Compiles sources and tests to dist/, where nothing stays whose source is gone. */
export async function build(step) {
  await step('compiling (npm run build)', async () => {
    removeStaleOutput();
    await run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '--build']);
  });
}

function removeStaleOutput() {
  const outputs = new Set(filesBelow(join(root, 'dist')).map((file) => relative(join(root, 'dist'), file)));
  for (const output of outputs) {
    if (!/\.js(\.map)?$/.test(output)) continue;
    if (!existsSync(join(root, output.replace(/\.js(\.map)?$/, '.ts')))) rmSync(join(root, 'dist', output));
  }
  const sources = ['src', 'test'].flatMap((folder) => filesBelow(join(root, folder)));
  const missing = sources.some(
    (file) => /(?<!\.d)\.ts$/.test(file) && !outputs.has(relative(root, file).replace(/\.ts$/, '.js')),
  );
  // The compiler remembers what it has written and would not write it again.
  if (missing) rmSync(join(root, 'dist', '.tsbuildinfo'), { force: true });
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function readJson(name) {
  return JSON.parse(readFileSync(join(root, name), 'utf8'));
}

/** Runs a program quietly in the checkout; when it fails, the error shows the end of what it wrote. */
export function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-20_000);
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve();
      const name = [command.split('/').pop(), ...args].join(' ');
      reject(new Error(`${name} failed (${signal ?? `exit code ${code}`}):\n${output.trimEnd()}`));
    });
  });
}
