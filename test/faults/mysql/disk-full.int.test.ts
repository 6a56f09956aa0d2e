import t from 'tap';
import { isRefused, isToldOnce } from './outage.ts';
import { type OwnMysql, startOwnMysql } from './own-mysql.ts';
import { startWorld } from './world.ts';

/** One file holds all tables, and may not grow beyond this: what a full disk is to InnoDB. */
const disk = (size: string) => [
  ...['--innodb-file-per-table=OFF', `--innodb-data-file-path=ibdata1:12M:autoextend:max:${size}`],
];

/** Bytes; a row of a job with a name so long takes pages of its own. */
const LONG = 15_000;

async function fill(server: OwnMysql): Promise<void> {
  await server.query('CREATE TABLE filler (bytes LONGBLOB) ENGINE=InnoDB');
  for (const size of [500_000, 50_000, 10_000]) {
    for (;;) {
      try {
        await server.query(`INSERT INTO filler VALUES (REPEAT('x', ${size}))`);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ER_RECORD_FILE_FULL') throw error;
        break;
      }
    }
  }
}

t.test("MySQL's disk is full", { timeout: 120_000 }, async (t) => {
  const server = await startOwnMysql(t, disk('16M'));
  const world = await startWorld(t, server.mysql);
  const from = world.logEnd;
  await fill(server);

  // What fits into the pages that the table has is stored as ever.
  const refused: string[] = [];
  for (let count = 0; refused.length < 3 && count < 200; count++) {
    const job = `${count}-`.padEnd(LONG, 'x');
    const answer = await world.put(job);
    if (answer.status === 201) continue;
    isRefused(t, answer, `job ${count}`);
    refused.push(job);
  }
  t.equal(refused.length, 3);
  for (const job of refused) t.equal((await world.ask('GET', job)).status, 404, 'what was refused');
  t.equal((await fetch(`${world.url}/readyz`)).status, 503);
  await world.ranAfter(Date.now() + 1_000);

  // Not even DROP works on a disk that is so full: it is made larger.
  await server.stop();
  await server.start(disk('64M'));
  for (const [index] of refused.entries()) await world.putAtLast(`after-${index}-`.padEnd(LONG, 'x'));
  await world.until('it is ready', async () => (await world.scrape())('ready') === 1);
  await world.logged('MySQL takes writes again', from);
  isToldOnce(
    t,
    world.told(from),
    /^MySQL takes no writes: The table .* is full/,
    /^MySQL takes writes again/,
  );
  await world.judge(t);
});
