/**
 * Reads a Dockerfile, and runs its steps without Docker: each stage is a folder that stands for the image's root.
 * Only what docker/Dockerfile uses is understood, and all else is refused, so that nothing is passed over. What a
 * base image brings (its system, its Node) is that of this machine.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, posix } from 'node:path';

export type Instruction = { readonly keyword: string; readonly text: string };

export type Stage = {
  /** The folder that stands for the image's `/`. */
  readonly root: string;
  /** Absolute, in the image. */
  workdir: string;
  env: Record<string, string>;
  user: string;
  entrypoint: string[];
  healthcheck: string[];
};

/** Instructions in their order, with continued lines put together and comments left out. */
export function parseDockerfile(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line) && line.trim() !== '');
  return lines
    .join('\n')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => {
      const [keyword = '', ...rest] = line.trim().split(/\s+/);
      return { keyword: keyword.toUpperCase(), text: rest.join(' ') };
    });
}

/** Whether a .dockerignore lets a path of the context in: the last pattern that fits it, or a folder above, decides. */
export function isIncluded(path: string, ignore: string): boolean {
  const above = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
  let included = true;
  for (const line of ignore.split('\n').map((line) => line.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const exception = line.startsWith('!');
    const pattern = globToRegExp(line.replace(/^!/, '').replace(/^\/|\/$/g, ''));
    if (above.some((part) => pattern.test(part))) included = exception;
  }
  return included;
}

function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/?|\*|\?/g, (wild) => (wild === '?' ? '[^/]' : wild === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${source}$`);
}

/**
 * Runs all stages in `scratch`, an empty folder, and returns the last one. Throws when a step fails.
 *
 * @param context the folder that is the build's context
 * @param env what `RUN` gets besides PATH and the stage's own ENV
 */
export function build(options: {
  readonly dockerfile: string;
  readonly ignore: string;
  readonly context: string;
  readonly scratch: string;
  readonly env: Readonly<Record<string, string>>;
}): Stage {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const { keyword, text } of parseDockerfile(options.dockerfile)) {
    if (keyword === 'FROM') {
      const [image = '', , name = ''] = text.split(' ');
      if (stages.has(image)) throw new Error('a stage made from another stage is not understood');
      const root = mkdtempSync(join(options.scratch, 'stage-'));
      stage = { root, workdir: '/', env: {}, user: 'root', entrypoint: [], healthcheck: [] };
      stages.set(name, stage);
      continue;
    }
    if (stage === undefined) throw new Error(`${keyword} before FROM`);
    switch (keyword) {
      case 'WORKDIR':
        stage.workdir = posix.resolve(stage.workdir, text);
        mkdirSync(join(stage.root, stage.workdir), { recursive: true });
        break;
      case 'ENV':
        for (const pair of text.split(' '))
          stage.env[pair.split('=')[0]!] = pair.split('=').slice(1).join('=');
        break;
      case 'COPY':
        copy(text, stage, stages, options);
        break;
      case 'RUN':
        run(text, stage, options.env);
        break;
      case 'USER':
        stage.user = text;
        break;
      case 'ENTRYPOINT':
        stage.entrypoint = JSON.parse(text) as string[];
        break;
      case 'HEALTHCHECK':
        stage.healthcheck = JSON.parse(text.replace(/^.*? CMD /, '')) as string[];
        break;
      case 'EXPOSE':
      case 'STOPSIGNAL':
        break;
      default:
        throw new Error(`the instruction ${keyword} is not understood`);
    }
  }
  if (stage === undefined) throw new Error('no stage');
  return stage;
}

/** COPY: of a folder its content is copied; of several sources the target is a folder. */
function copy(
  text: string,
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
  { context, ignore }: { readonly context: string; readonly ignore: string },
): void {
  const words = text.split(' ');
  const from = words[0]?.startsWith('--from=') ? words.shift()!.slice('--from='.length) : undefined;
  if (words[0]?.startsWith('--')) throw new Error(`COPY ${words[0]} is not understood`);
  const target = words.pop()!;
  const destination = join(stage.root, posix.resolve(stage.workdir, target));
  for (const source of words) {
    const root = from === undefined ? context : stages.get(from)?.root;
    if (root === undefined) throw new Error(`COPY from ${from}: there is no such stage`);
    const path = join(root, source);
    const filter = (file: string) =>
      from !== undefined || file === root || isIncluded(file.slice(join(root, '/').length), ignore);
    if (!filter(path)) throw new Error(`COPY ${source}: the ignore file keeps it out`);
    const intoFolder = words.length > 1 || target.endsWith('/');
    const folder = statSync(path).isDirectory();
    cpSync(path, !folder && intoFolder ? join(destination, basename(source)) : destination, {
      recursive: true,
      verbatimSymlinks: true,
      filter,
    });
  }
}

function run(command: string, stage: Stage, env: Readonly<Record<string, string>>): void {
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], {
    cwd: join(stage.root, stage.workdir),
    env: { PATH: process.env.PATH, ...env, ...stage.env },
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`RUN ${command} ended with ${status}:\n${stdout}\n${stderr}`);
}

/** Reads the project's Dockerfile and its ignore file. */
export function readDocker(project: string): { dockerfile: string; ignore: string } {
  const read = (name: string) => readFileSync(join(project, 'docker', name), 'utf8');
  if (readdirSync(project).includes('.dockerignore')) throw new Error('two ignore files');
  return { dockerfile: read('Dockerfile'), ignore: read('Dockerfile.dockerignore') };
}
