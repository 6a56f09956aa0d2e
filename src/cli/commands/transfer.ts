import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DalgaUnreachable, ImportEnded, type ImportProgress } from '../../client/client.ts';
import { monotonicNow } from '../../clock.ts';
import { type Command, CommandError, EXIT } from '../command.ts';
import { FILTERS, filtersOf } from '../job-options.ts';
import { createProgress, type Progress } from '../progress.ts';

/** All jobs of a server, from and into a file. */

/** ms that nothing may happen: MySQL may be slow to write. */
const TIMEOUT = 60_000;
/** Refused lines that Dalga tells one by one. */
const REFUSALS_TOLD = 1000;

export const importJobs: Command = {
  takes: ['FILE'],
  does: 'stores the jobs of a file, a line of NDJSON each (- for standard input)',
  examples: ['import jobs.ndjson'],
  async run({ client, takes, output, stdin }) {
    const file = takes[0]!;
    const size = file === '-' ? null : await sizeOf(file);
    const source = file === '-' ? stdin : createReadStream(file);
    const progress = createProgress(output.stderr, monotonicNow);
    let told: ImportProgress | undefined;
    try {
      const totals = await client.import(counted(source, size, progress), {
        timeout: TIMEOUT,
        onProgress: (last) => {
          told = last;
        },
        onRefused: ({ line, detail }) => {
          progress.end();
          output.say(`line ${line}: ${detail}`);
        },
      });
      const { lines, stored, created, refused } = totals;
      progress.end();
      if (refused > REFUSALS_TOLD) output.say(`${refused - REFUSALS_TOLD} more lines were refused`);
      output.say(`${stored} of ${lines} jobs are stored, ${created} of them new; ${refused} were refused`);
      const json = output.json ? { json: totals } : {};
      return { ...json, code: refused === 0 ? EXIT.done : EXIT.missing };
    } catch (error) {
      if (source.errored) throw new CommandError(`${file} cannot be read (${codeOf(source.errored)})`);
      progress.end();
      if (error instanceof ImportEnded) output.say(brokenOff(error.totals));
      else if (error instanceof DalgaUnreachable && error.begun) output.say(brokenOff(told));
      throw error;
    } finally {
      progress.end();
    }
  },
};

export const exportJobs: Command = {
  takes: ['FILE'],
  optional: 1,
  does: 'writes jobs as NDJSON, as import takes them (to standard output by default)',
  options: FILTERS,
  examples: ['export jobs.ndjson', 'export --tag news | gzip > news.ndjson.gz'],
  async run({ client, takes: [file = '-'], values, output }) {
    const progress = createProgress(output.stderr, monotonicNow);
    const jobs = client.exportBytes(filtersOf(values), { timeout: TIMEOUT });
    let count = 0;
    const lines = async function* () {
      for await (const chunk of jobs) {
        for (const byte of chunk) if (byte === 0x0a) count++;
        progress.show(`${count} jobs`, null);
        yield chunk;
      }
    };
    const target = file === '-' ? output.stdout : createWriteStream(file);
    try {
      await pipeline(Readable.from(lines()), target, { end: file !== '-' });
    } catch (error) {
      progress.end();
      if (target.errored) throw new CommandError(`${file} cannot be written (${codeOf(target.errored)})`);
      if (count > 0) output.say(`the export broke off after ${count} jobs`);
      throw error;
    }
    progress.end();
    output.say(`${count} jobs are exported`);
    return {};
  },
};

/** @param told what Dalga has told of it last */
function brokenOff(told: ImportProgress | undefined): string {
  const stored =
    told === undefined
      ? 'before Dalga told of any stored job'
      : `with ${told.stored} jobs stored, as Dalga told last`;
  return `the import broke off ${stored}; the same may be imported again: what is stored already stays as it is`;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${codeOf(error as Error)})`);
  }
}

/** Shows how much of `size` (bytes; null when it is not known) has gone through. */
async function* counted(
  source: Readable,
  size: number | null,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    sent += chunk.length;
    const share = size === null || size === 0 ? null : sent / size;
    progress.show(`${(sent / 2 ** 20).toFixed(1)} MiB sent`, share);
    yield chunk;
  }
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
