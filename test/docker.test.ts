import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { variables } from '../src/config/environment.ts';
import { type Setting, settingNames, settings } from '../src/config/settings.ts';
import { isIncluded, parseDockerfile, readDocker } from './docker-steps.ts';

const project = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(project, path), 'utf8');

t.test('every variable in the deployment files is a setting', async (t) => {
  const examples = readdirSync(join(project, 'config')).filter((name) => name.endsWith('.example'));
  t.not(examples.length, 0);
  for (const path of [
    'docker/compose.yaml',
    'docker/Dockerfile',
    ...examples.map((name) => `config/${name}`),
  ]) {
    const named = read(path).match(/\bDALGA_[A-Z_]+/g) ?? [];
    t.not(named.length, 0, path);
    t.strictSame(
      named.filter((name) => !variables.includes(name)),
      [],
      path,
    );
  }
});

t.test('the example environment has every setting with its default and description', async (t) => {
  const lines = read('config/dalga.env.example').split('\n');
  for (const name of settingNames) {
    const setting: Setting = settings[name];
    const line = lines.indexOf(`#${name}=${setting.default}`);
    t.not(line, -1, name);
    t.equal(lines[line - 1], `# ${setting.description}`, name);
  }
});

t.test('the image: what the Dockerfile promises', async (t) => {
  const { dockerfile } = readDocker(project);
  const instructions = parseDockerfile(dockerfile);
  const lastStage = instructions.slice(instructions.findLastIndex(({ keyword }) => keyword === 'FROM'));
  const last = (keyword: string) =>
    lastStage.findLast((instruction) => instruction.keyword === keyword)?.text ?? '';
  for (const { keyword, text } of instructions) {
    if (keyword === 'FROM') t.match(text, /^node:24-slim( AS [a-z]+)?$/);
  }
  t.equal(last('USER'), 'node');
  t.equal(last('EXPOSE'), settings.DALGA_HTTP_PORT.default);
  t.equal(last('STOPSIGNAL'), 'SIGTERM');
  t.match(last('ENV'), /\bDALGA_HTTP_HOST=0\.0\.0\.0\b/);
  t.match(last('HEALTHCHECK'), /\/healthz/);
  t.strictSame(JSON.parse(last('ENTRYPOINT')), ['node', 'dist/src/main.js'], 'no shell keeps the signals');
});

t.test('compose: the versions, and that dalga waits for both servers', async (t) => {
  const compose = read('docker/compose.yaml');
  t.match(compose, /image: mysql:8\.4\n/);
  t.match(compose, /image: rabbitmq:4\n/);
  t.equal(compose.match(/condition: service_healthy/g)?.length, 2);
  t.equal(compose.match(/ {4}healthcheck:/g)?.length, 2);
});

t.test('the ignore file', async (t) => {
  const { ignore } = readDocker(project);
  for (const path of ['package.json', 'src', 'src/main.ts', 'src/job/job.ts']) {
    t.ok(isIncluded(path, ignore), path);
  }
  for (const path of ['node_modules', 'node_modules/a/package.json', 'dist/src/main.js', '.git', '.env']) {
    t.notOk(isIncluded(path, ignore), path);
  }
  t.ok(isIncluded('a', ''));
  t.notOk(isIncluded('a/b/c.log', '**/*.log'));
  t.ok(isIncluded('a/b/c.log', '*.log'));
  t.notOk(isIncluded('a/b', 'a'));
  t.ok(isIncluded('a/b', 'a\n!a/b'));
});

t.test('a Dockerfile is read', async (t) => {
  t.strictSame(parseDockerfile('# x\nFROM a AS b\n\nRUN x \\\n  # y\n  && z\ncmd ["a"]\n'), [
    { keyword: 'FROM', text: 'a AS b' },
    { keyword: 'RUN', text: 'x && z' },
    { keyword: 'CMD', text: '["a"]' },
  ]);
});
