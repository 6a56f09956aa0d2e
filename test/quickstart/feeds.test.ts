import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseOpml } from '../../src/quickstart/feeds.ts';
import { percentile, Statistics } from '../../src/quickstart/statistics.ts';

t.test('the feeds are read with their entities decoded, whatever the order and the quotes', (t) => {
  const text = `<opml><body><outline text="group"><outline xmlUrl='https://a.example/?x=1&amp;y=2' type="rss"
    text="Q &#38; A &quot;&#x263A;&quot; &unknown;"/></outline><!-- <outline xmlUrl="https://no.example"/> -->
    <outline text="1 > 0" xmlUrl="https://b.example/"></outline></body></opml>`;
  t.strictSame(parseOpml(text), [
    { title: 'Q & A "☺" &unknown;', url: 'https://a.example/?x=1&y=2' },
    { title: '1 > 0', url: 'https://b.example/' },
  ]);
  t.end();
});

t.test('config/feeds.opml has 100 different feeds', (t) => {
  // From the compiled file's place, dist/test/quickstart/.
  const file = fileURLToPath(new URL('../../../config/feeds.opml', import.meta.url));
  const feeds = parseOpml(readFileSync(file, 'utf8'));
  t.equal(feeds.length, 100);
  t.equal(new Set(feeds.map((feed) => feed.url)).size, 100);
  t.equal(new Set(feeds.map((feed) => feed.title)).size, 100);
  for (const feed of feeds) if (!URL.canParse(feed.url)) t.fail(`not a URL: ${feed.url}`);
  t.end();
});

t.test('percentile takes the nearest rank', (t) => {
  t.equal(percentile([], 0.5), undefined);
  t.equal(percentile([7], 0.99), 7);
  t.equal(percentile([3, 1, 2, 4], 0.5), 2);
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  t.equal(percentile(hundred, 0.99), 99);
  t.end();
});

t.test('what was scheduled before the start counts, but is not late', (t) => {
  const statistics = new Statistics();
  statistics.runningSince(10_000);
  statistics.add({ job: 'old', scheduledAt: 2000, receivedAt: 10_100 });
  statistics.add({ job: 'new', scheduledAt: 10_500, receivedAt: 10_504 });
  t.match(statistics, { total: 2, fromBefore: 1 });
  t.equal(statistics.lateness(0.99), 4);
  t.equal(statistics.rate(12_000), 1);
  t.strictSame(
    statistics.recent.map((arrival) => arrival.job),
    ['new', 'old'],
  );
  t.end();
});
