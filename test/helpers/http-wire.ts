import { once } from 'node:events';
import { connect } from 'node:net';

/** An answer as it stood on the wire. */
export type WireAnswer = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

/** How a client treats its connection. */
export type Manner = {
  /** The bytes are written in pieces of this size, each after the one before has left; all at once by default. */
  readonly piece?: number;
  /** Breaks off (RST or FIN, as the system likes) after this many bytes; by default it ends when all is sent. */
  readonly breakOffAt?: number;
};

/** Sends bytes on a connection of its own. @returns all that came until both sides had closed */
export async function exchange(port: number, bytes: Uint8Array, manner: Manner = {}): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setEncoding('latin1').setNoDelay(true);
  let received = '';
  socket.on('data', (text) => {
    received += text;
  });
  // The server may close, and reset, while the client still writes.
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  const { piece = bytes.length, breakOffAt = Number.POSITIVE_INFINITY } = manner;
  const end = Math.min(bytes.length, breakOffAt);
  for (let at = 0; at < end && socket.writable; at += Math.max(piece, 1)) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, Math.min(at + piece, end)), resolve));
  }
  if (breakOffAt < bytes.length) socket.destroy();
  else socket.end();
  // With allowHalfOpen the other half is this side's to close.
  socket.once('end', () => socket.end());
  await closed;
  return received;
}

/**
 * Takes the answers of a connection apart. @throws when they are not whole answers, one after another
 *
 * @param heads which of the answers are to a HEAD, and so have no body
 */
export function readAnswers(received: string, heads: readonly boolean[]): WireAnswer[] {
  const answers: WireAnswer[] = [];
  for (let at = 0; at < received.length; ) {
    const headEnd = received.indexOf('\r\n\r\n', at);
    const [line = '', ...fields] = received.slice(at, headEnd === -1 ? undefined : headEnd).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1];
    if (headEnd === -1 || status === undefined) {
      throw new Error(`not an answer: ${JSON.stringify(received.slice(at, at + 200))}`);
    }
    const headers = new Map(
      fields.map((field): [string, string] => {
        const colon = field.indexOf(':');
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
      }),
    );
    at = headEnd + 4;
    // An informational answer (100 Continue) stands before the one that counts.
    if (status.startsWith('1')) continue;
    const bodiless = heads[answers.length] === true || status === '204' || status === '304';
    // Node's parser refuses what it could not read to the end: it does not know then that it was a HEAD.
    const anyway = received[at] === '{';
    if (headers.get('transfer-encoding') === 'chunked' && !bodiless) {
      const { body, end } = readChunks(received, at);
      answers.push({ status: Number(status), headers, body });
      at = end;
      continue;
    }
    const length = bodiless && !anyway ? 0 : Number(headers.get('content-length'));
    if (!(at + length <= received.length)) throw new Error(`an answer of ${status} is not whole: ${line}`);
    answers.push({ status: Number(status), headers, body: received.slice(at, at + length) });
    at += length;
  }
  return answers;
}

/** A body in chunks (RFC 9112, section 7.1), without extensions or trailers. @throws when it is not whole */
function readChunks(received: string, from: number): { body: string; end: number } {
  let body = '';
  for (let at = from; ; ) {
    const [line, size] = /^([0-9a-f]+)\r\n/i.exec(received.slice(at, at + 20)) ?? [];
    if (line === undefined) throw new Error(`not a chunk: ${JSON.stringify(received.slice(at, at + 40))}`);
    const start = at + line.length;
    const end = start + Number.parseInt(size!, 16);
    if (received.slice(end, end + 2) !== '\r\n') throw new Error('a chunk is not whole');
    body += received.slice(start, end);
    at = end + 2;
    if (end === start) return { body, end: at };
  }
}
