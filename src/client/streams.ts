import type { Begun, Transport } from './transport.ts';
import type { DalgaEvent } from './types/runs.ts';

/**
 * The bytes of an answer as they come. Whoever stops reading ends the request.
 *
 * @param timed whether the next ones must come within the time of the deadline; else it is the caller who starts it
 */
export async function* chunksOf(
  transport: Transport,
  { response, deadline }: Begun,
  timed = true,
): AsyncGenerator<Uint8Array> {
  const reader = response.body!.getReader();
  let ended = false;
  try {
    for (;;) {
      if (timed) deadline.start();
      const { done, value } = await transport.during(deadline, () => reader.read());
      // What the reader does with it takes none of the server's time.
      if (timed) deadline.pause();
      ended = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (ended) deadline.end();
    else deadline.abort();
  }
}

/** The lines of a text in UTF-8, without their ends; a last one without a newline counts. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}

/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), whose data are JSON. */
export async function* eventsOf(lines: AsyncIterable<string>): AsyncGenerator<DalgaEvent> {
  let type = '';
  let data: string[] = [];
  for await (const line of lines) {
    if (line === '') {
      if (data.length > 0) yield { type, ...JSON.parse(data.join('\n')) };
      type = '';
      data = [];
      continue;
    }
    // A line that begins with a colon is a comment: it keeps the connection open.
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
  }
}
