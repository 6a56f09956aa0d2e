/** Prometheus' text format, as far as Dalga writes it. */
export type Exposition = {
  /** By name. */
  readonly metrics: ReadonlyMap<string, { readonly type: string; readonly help: string }>;
  /** By name and labels as they stand there: `dalga_connections{server="mysql"}`. */
  readonly samples: ReadonlyMap<string, number>;
};

/** @throws when a line is neither a comment nor a sample */
export function parseExposition(text: string): Exposition {
  const helps = new Map<string, string>();
  const metrics = new Map<string, { type: string; help: string }>();
  const samples = new Map<string, number>();
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') helps.set(name, rest);
    else if (kind === 'TYPE') metrics.set(name, { type: rest, help: helps.get(name) ?? '' });
    else {
      const [, sample, value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (sample === undefined) throw new Error(`not a sample: ${line}`);
      samples.set(sample, Number(value));
    }
  }
  return { metrics, samples };
}
