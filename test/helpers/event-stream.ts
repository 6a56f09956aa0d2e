/** An event of a stream, as it came. */
export type StreamedEvent = {
  readonly type: string;
  readonly id: number | null;
  readonly data: Readonly<Record<string, unknown>>;
};

/** A listener to GET /events. */
export type EventStream = {
  readonly events: readonly StreamedEvent[];
  /** The first event, past or to come, that has this type and these data. Rejects when the stream ends before. */
  next(type: string, data?: Readonly<Record<string, unknown>>): Promise<StreamedEvent>;
  /** Resolves when the server has ended the stream, with whether it did so in order. */
  readonly ended: Promise<boolean>;
  /** Leaves without a word. */
  leave(): void;
};

/** Listens to the events at a URL. @throws Error when they are refused */
export async function listenTo(url: string): Promise<EventStream> {
  const leaving = new AbortController();
  const response = await fetch(url, { signal: leaving.signal });
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  const events: StreamedEvent[] = [];
  const waiting = new Set<() => void>();
  let over = false;
  const read = async (): Promise<boolean> => {
    let rest = '';
    try {
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
        rest += text;
        const blocks = rest.split('\n\n');
        rest = blocks.pop()!;
        events.push(...blocks.flatMap(parse));
        for (const look of waiting) look();
      }
      return true;
    } catch {
      return false;
    } finally {
      over = true;
      for (const look of waiting) look();
    }
  };
  return {
    events,
    ended: read(),
    leave: () => leaving.abort(),
    next(type, data = {}) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = events.find((event) => event.type === type && has(event.data, data));
          if (found === undefined && !over) return;
          waiting.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`the stream has ended without ${type} ${JSON.stringify(data)}`));
        };
        waiting.add(look);
        look();
      });
    },
  };
}

function parse(block: string): StreamedEvent[] {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  const data = fields.get('data');
  if (data === undefined) return [];
  const id = fields.get('id');
  return [{ type: fields.get('event')!, id: id === undefined ? null : Number(id), data: JSON.parse(data) }];
}

function has(data: StreamedEvent['data'], wanted: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(wanted).every(([name, value]) => data[name] === value);
}
