import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

/**
 * Who may import what. A file belongs to the first place whose pattern fits its path in src/; it may import files
 * of its own place and of those named. The three threads share nothing but the protocol and what is below it.
 */
type Place = { readonly name: string; readonly pattern: RegExp; readonly mayImport: readonly string[] };

const ground = ['job', 'errors', 'nearest', 'clock', 'config', 'log', 'version'];
const below = [...ground, 'protocol', 'database'];
const threads = ['main-thread', 'scheduler-thread', 'publisher-thread'];

const places: readonly Place[] = [
  { name: 'errors', pattern: /^errors\.ts$/, mayImport: [] },
  { name: 'nearest', pattern: /^nearest\.ts$/, mayImport: [] },
  { name: 'clock', pattern: /^clock\.ts$/, mayImport: [] },
  { name: 'log', pattern: /^log\.ts$/, mayImport: ['errors'] },
  { name: 'version', pattern: /^version\.ts$/, mayImport: [] },
  { name: 'config', pattern: /^config(\.ts$|\/)/, mayImport: ['errors', 'nearest'] },
  { name: 'job', pattern: /^job\//, mayImport: ['errors', 'clock'] },
  { name: 'protocol', pattern: /^protocol\//, mayImport: ground },
  { name: 'database', pattern: /^database\//, mayImport: ground },
  ...threads.map((name) => ({ name, pattern: new RegExp(`^${name}/`), mayImport: below })),
  { name: 'dalga', pattern: /^dalga\.ts$/, mayImport: [...below, ...threads] },
  {
    name: 'main',
    pattern: /^(main|command-line)\.ts$/,
    mayImport: [...below, ...threads, 'dalga', 'cli'],
  },
  { name: 'quickstart', pattern: /^quickstart\//, mayImport: ['config', 'errors', 'clock', 'version'] },
  { name: 'client', pattern: /^client\//, mayImport: [] },
  { name: 'cli', pattern: /^cli\//, mayImport: ['nearest', 'clock', 'client'] },
];

/** Paths in src/ and their text. */
type Sources = ReadonlyMap<string, string>;

/** The files that a file imports: statically, as types, again exported, or dynamically. */
function importsOf(path: string, text: string): string[] {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => new URL(fileName, `file:///${path}`).pathname.slice(1));
}

function placeOf(path: string): Place | undefined {
  return places.find(({ pattern }) => pattern.test(path));
}

function brokenRules(sources: Sources): string[] {
  const broken: string[] = [];
  for (const [path, text] of sources) {
    const place = placeOf(path);
    if (place === undefined) {
      broken.push(`${path} has no place`);
      continue;
    }
    for (const imported of importsOf(path, text)) {
      const other = placeOf(imported);
      if (other !== place && !place.mayImport.includes(other?.name ?? '')) {
        broken.push(`${path} must not import ${imported}`);
      }
    }
  }
  return [...broken, ...circles(sources)];
}

/** Each circle of imports as `a -> b -> a`, found by walking down from every file once. */
function circles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, above: readonly string[]) => {
    if (above.includes(path)) {
      found.push([...above.slice(above.indexOf(path)), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const imported of importsOf(path, sources.get(path) ?? '')) walk(imported, [...above, path]);
    done.add(path);
  };
  for (const path of sources.keys()) walk(path, []);
  return found;
}

t.test('the sources keep to the floors', async (t) => {
  // The tests run from dist/test: the sources are beside dist.
  const folder = fileURLToPath(new URL('../../src/', import.meta.url));
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.(ts|mjs)$/.test(path),
  );
  const sources = new Map(paths.map((path) => [path, readFileSync(`${folder}${path}`, 'utf8')]));
  t.ok(sources.has('main.ts') && sources.has('job/job.ts'), 'the sources were found');
  t.strictSame(brokenRules(sources), []);
});

t.test('what breaks a rule is found', async (t) => {
  const cases: [text: string, path: string, broken: string[]][] = [
    ["import { x } from '../errors.ts';", 'job/a.ts', []],
    ["import type { X } from '../job/job.ts';", 'protocol/a.ts', []],
    ["import { x } from './dalga.ts';", 'main.ts', []],
    ["import mysql from 'mysql2';", 'main-thread/store/a.ts', []],
    ["// import { x } from '../dalga.ts';", 'job/a.ts', []],
    ["import { x } from '../protocol/p.ts';", 'job/a.ts', ['job/a.ts must not import protocol/p.ts']],
    [
      "import type { X } from '../../scheduler-thread/s.ts';",
      'main-thread/store/a.ts',
      ['main-thread/store/a.ts must not import scheduler-thread/s.ts'],
    ],
    [
      "export { x } from '../publisher-thread/p.ts';",
      'scheduler-thread/a.ts',
      ['scheduler-thread/a.ts must not import publisher-thread/p.ts'],
    ],
    [
      "const x = await import('../main-thread/m.ts');",
      'publisher-thread/a.ts',
      ['publisher-thread/a.ts must not import main-thread/m.ts'],
    ],
    ["import '../database/d.ts';", 'protocol/a.ts', ['protocol/a.ts must not import database/d.ts']],
    ["import '../dalga.ts';", 'main-thread/a.ts', ['main-thread/a.ts must not import dalga.ts']],
    ["import '../job/job.ts';", 'quickstart/a.ts', ['quickstart/a.ts must not import job/job.ts']],
    ["import '../quickstart/q.ts';", 'cli/a.ts', ['cli/a.ts must not import quickstart/q.ts']],
    ["import './main.ts';", 'dalga.ts', ['dalga.ts must not import main.ts']],
    ["import '../../test/helpers/h.ts';", 'job/a.ts', ['job/a.ts must not import test/helpers/h.ts']],
    ['', 'utils/a.ts', ['utils/a.ts has no place']],
  ];
  for (const [text, path, broken] of cases) {
    t.strictSame(brokenRules(new Map([[path, text]])), broken, `${path}: ${text}`);
  }
});

t.test('circles are found, those of types too', async (t) => {
  const sources = new Map([
    ['job/a.ts', "import { b } from './b.ts';"],
    ['job/b.ts', "import type { C } from './c.ts'; import './d.ts';"],
    ['job/c.ts', "export * from './a.ts';"],
    ['job/d.ts', ''],
  ]);
  t.strictSame(brokenRules(sources), ['job/a.ts -> job/b.ts -> job/c.ts -> job/a.ts']);
  t.strictSame(brokenRules(new Map([['job/a.ts', "import './a.ts';"]])), ['job/a.ts -> job/a.ts']);
});
