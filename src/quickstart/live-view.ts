import { type Feed, feedJobUrl, INTERVAL, QUEUE } from './feeds.ts';
import type { Arrival, Statistics } from './statistics.ts';

export type ViewOptions = {
  api: string;
  feeds: readonly Feed[];
  statistics: Statistics;
  /** The time that the quickstart was ready, ms. */
  since: number;
  /** The settings that lead to the servers; null where someone has given them. */
  settingsFile: string | null;
  out: NodeJS.WriteStream;
};

/**
 * Shows what happens until the returned function is called, for the first time. On a terminal it is redrawn in
 * place, else written in lines.
 */
export function startLiveView(options: ViewOptions): () => void {
  const stop = options.out.isTTY ? onTerminal(options) : inLines(options);
  let stopped = false;
  return () => {
    if (!stopped) stop();
    stopped = true;
  };
}

function onTerminal(options: ViewOptions): () => void {
  const { out } = options;
  let height = 0;
  const draw = (): void => {
    const width = (out.columns ?? 80) - 1;
    const lines = screen(options).map((line) => line.slice(0, width)); // one that wraps could not be redrawn
    out.write(`${height > 0 ? `\x1b[${height}A` : ''}\x1b[0J${lines.join('\n')}\n`);
    height = lines.length;
  };
  out.write(`\n${commands(options).join('\n')}\n\n\x1b[?25l`); // without the cursor
  draw();
  const timer = setInterval(draw, 250);
  return () => {
    clearInterval(timer);
    draw();
    out.write('\x1b[?25h');
  };
}

function inLines(options: ViewOptions): () => void {
  const { out } = options;
  out.write(`\n${commands(options).join('\n')}\n\n`);
  const print = (): void => {
    const [first] = options.statistics.recent;
    const last = first ? `; last: ${title(options.feeds, first)}` : '';
    out.write(`${elapsed(options)}: ${summary(options.statistics)}${last}\n`);
  };
  const timer = setInterval(print, 5000);
  return () => {
    clearInterval(timer);
    print();
  };
}

function screen(options: ViewOptions): string[] {
  const { statistics, feeds } = options;
  const recent = statistics.recent.map((arrival) => `  ${time(arrival)}  ${title(feeds, arrival)}`);
  return [
    `${feeds.length} feeds, each every ${INTERVAL} s, for ${elapsed(options)}`,
    summary(statistics),
    'The last:',
    ...(recent.length > 0 ? recent : ['  nothing yet']),
    '',
    'Ctrl-C ends everything that this has started; the jobs stay for the next time.',
  ];
}

function summary(statistics: Statistics): string {
  const late = (share: number): string => {
    const value = statistics.lateness(share);
    return value === undefined ? '-' : `${value} ms`;
  };
  const before = statistics.fromBefore > 0 ? ` (${statistics.fromBefore} from before this start)` : '';
  const rate = statistics.rate(Date.now()).toFixed(1);
  return `${statistics.total} messages${before}, ${rate}/s, lateness p50 ${late(0.5)}, p99 ${late(0.99)}`;
}

function elapsed({ since }: ViewOptions): string {
  return `${Math.round((Date.now() - since) / 1000)} s`;
}

function time({ receivedAt }: Arrival): string {
  return new Date(receivedAt).toISOString().slice(11, 23);
}

/** A feed's title, or the job itself when someone else has scheduled it (with curl, perhaps). */
function title(feeds: readonly Feed[], { job }: Arrival): string {
  return feeds.find(({ url }) => url === job)?.title ?? printable(job);
}

/** A job is whatever a client sent: its control characters must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '\u{fffd}').slice(0, 200);
}

function commands({ api, feeds, settingsFile }: ViewOptions): string[] {
  const own = `'${api}/jobs/${QUEUE}/1234`;
  return [
    'Try, in another terminal:',
    `  curl -i -X PUT ${own}?interval=5'       # a job of your own, every 5 s: it appears below`,
    `  curl -i ${own}'                          # when it runs next`,
    `  curl -i -X POST ${own}?interval=15'     # every 15 s from now on`,
    `  curl -i -X DELETE ${own}'                # no more`,
    ...feeds.slice(0, 1).map((feed) => `  curl -i '${feedJobUrl(api, feed)}'`),
    ...(settingsFile === null
      ? []
      : [
          `  (set -a; . ${settingsFile}; DALGA_HTTP_PORT=34007 npm start)   # a second Dalga: it waits as the standby`,
        ]),
    `  the API's description: ${api}/docs`,
  ];
}
