export type Feed = { title: string; url: string };

/** The queue, and so the routing key, of the quickstart's jobs. */
export const QUEUE = 'check_feed';

/** s */
export const INTERVAL = 60;

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });
}

/**
 * The feeds of an OPML document (http://opml.org/spec2.opml): each `outline` element that has an `xmlUrl`, with
 * `text` as its title. Reads elements and attributes only, as our own flat file needs.
 */
export function parseOpml(text: string): Feed[] {
  const feeds: Feed[] = [];
  const outlines = text
    .replace(/<!--.*?-->/gs, '')
    .matchAll(/<outline\b((?:\s+[\w:]+\s*=\s*(?:"[^"]*"|'[^']*'))*)/g);
  for (const [, attributes = ''] of outlines) {
    const pairs = [...attributes.matchAll(/([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)];
    const values = new Map(
      pairs.map(([, name, double, single]) => [name, decodeEntities(double ?? single ?? '')]),
    );
    const url = values.get('xmlUrl');
    if (url) feeds.push({ title: values.get('text') ?? values.get('title') ?? url, url });
  }
  return feeds;
}

export function feedJobUrl(api: string, feed: Feed): string {
  return `${api}/jobs/${QUEUE}/${encodeURIComponent(feed.url)}`;
}

export type Scheduled = { created: number; kept: number };

/**
 * Schedules each feed every 60 s, the first runs spread over these. A job that is there already, from an earlier
 * start, is left as it is.
 */
export async function scheduleFeeds(
  api: string,
  feeds: readonly Feed[],
  progress: (text: string) => void,
): Promise<Scheduled> {
  const scheduled: Scheduled = { created: 0, kept: 0 };
  const start = Date.now() + 1000;
  const one = async (feed: Feed, index: number): Promise<void> => {
    const firstRun = new Date(start + Math.round((index * INTERVAL * 1000) / feeds.length)).toISOString();
    const query = new URLSearchParams({ interval: String(INTERVAL), first_run: firstRun });
    const response = await fetch(`${feedJobUrl(api, feed)}?${query}`, {
      method: 'PUT',
      headers: { 'if-none-match': '*' },
    });
    const body = await response.text();
    if (response.status === 201) scheduled.created += 1;
    else if (response.status === 412) scheduled.kept += 1;
    else throw new Error(`PUT of ${feed.url} was answered with ${response.status}: ${body}`);
    progress(`${scheduled.created + scheduled.kept} of ${feeds.length}`);
  };
  await Promise.all(feeds.map(one));
  return scheduled;
}
