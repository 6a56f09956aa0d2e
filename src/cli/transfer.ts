import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { type Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Progress } from './progress.ts';

/** What a command is given. `progress` shows how far it is; `say` is for what a person should read. */
export type TransferOptions = {
  /** Of the server, as http://127.0.0.1:34006. */
  readonly url: URL;
  /** `-` for standard input or output. */
  readonly file: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly progress: Progress;
  readonly say: (line: string) => void;
};

/** A message for a person: the command did not do what it was asked. */
export class TransferError extends Error {
  override readonly name = 'TransferError';
}

type Totals = { complete: boolean; lines: number; stored: number; created: number; refused: number };
type Told = Partial<Totals> & { line?: number; code?: string; detail?: string };

/**
 * Sends a file of jobs, a line of NDJSON each, to the server. Refused lines are said one by one.
 *
 * @returns whether all lines were stored
 * @throws TransferError when nothing could be sent, or the server ended early
 */
export async function importFile({ url, file, stdin, progress, say }: TransferOptions): Promise<boolean> {
  const size = file === '-' ? null : (await openable(file)).size;
  const source = file === '-' ? stdin : createReadStream(file);
  const request = open(url, 'POST', { 'content-type': 'application/x-ndjson' });
  // The server answers while it reads, and where it refuses it may stop reading.
  const sent = pipeline(source, counted(size, progress), request).catch(() => {});
  const response = await answerOf(request, url).catch((error: unknown) => {
    throw source.errored ? new TransferError(`${file} cannot be read (${source.errored.message})`) : error;
  });
  await refuseProblem(response, url);
  let totals: Told = {};
  for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
    const told = JSON.parse(line) as Told;
    if (told.line !== undefined) say(`line ${told.line}: ${told.detail}`);
    else totals = told;
  }
  await sent;
  progress.end();
  const { complete, lines = 0, stored = 0, created = 0, refused = 0 } = totals;
  if (complete === undefined)
    throw new TransferError(`${url.origin} ended before it told what became of the jobs`);
  if (refused > 1000) say(`${refused - 1000} more lines were refused`);
  say(`${stored} of ${lines} jobs are stored, ${created} of them new; ${refused} were refused`);
  if (!complete) throw new TransferError(`the load ended early: ${totals.detail}`);
  return refused === 0;
}

/** Writes all jobs of the server to a file, in the form that `importFile` takes. @throws TransferError */
export async function exportFile({ url, file, stdout, progress, say }: TransferOptions): Promise<void> {
  const request = open(url, 'GET', { accept: 'application/x-ndjson' });
  request.end();
  const response = await answerOf(request, url);
  await refuseProblem(response, url);
  let jobs = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (const byte of chunk) if (byte === 0x0a) jobs++;
      progress.show(`${jobs} jobs`, null);
      done(null, chunk);
    },
  });
  const target = file === '-' ? stdout : createWriteStream(file);
  try {
    await pipeline(response, count, target, { end: file !== '-' });
  } catch (error) {
    if (target.errored) throw new TransferError(`${file} cannot be written (${target.errored.message})`);
    throw new TransferError(`the export broke off after ${jobs} jobs: ${(error as Error).message}`);
  }
  progress.end();
  say(`${jobs} jobs are exported`);
}

function open(url: URL, method: string, headers: Record<string, string>): ClientRequest {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return send(new URL('/jobs', url), { method, headers });
}

async function answerOf(request: ClientRequest, url: URL): Promise<IncomingMessage> {
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = code?.startsWith('HPE_') ? 'does not answer as HTTP' : 'cannot be reached';
    throw new TransferError(`${url.origin} ${what} (${code ?? message}): set DALGA_URL`);
  }
}

async function refuseProblem(response: IncomingMessage, url: URL): Promise<void> {
  if (response.statusCode === 200) return;
  let text = '';
  for await (const chunk of response) text += chunk;
  let detail = text.slice(0, 200);
  try {
    detail = (JSON.parse(text) as { detail: string }).detail;
  } catch {
    // Something else than Dalga answers there.
  }
  throw new TransferError(`${url.origin} answers ${response.statusCode}: ${detail}`);
}

async function openable(file: string): Promise<{ size: number }> {
  try {
    return await stat(file);
  } catch (error) {
    throw new TransferError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Shows how much of `size` (bytes; null when it is not known) has gone through. */
function counted(size: number | null, progress: Progress): Transform {
  let sent = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length;
      progress.show(
        `${(sent / 2 ** 20).toFixed(1)} MiB sent`,
        size === null || size === 0 ? null : sent / size,
      );
      done(null, chunk);
    },
  });
}
