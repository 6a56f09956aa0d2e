import t, { type Test } from 'tap';
import { acquireOwnership, type Owned, type OwnerInfo } from '../../../src/main-thread/store/ownership.ts';
import { listed } from '../../helpers/exceptions.ts';
import {
  breakable,
  type Fixture,
  LEASE,
  type OwnSettings,
  own,
  ownershipOptions,
  storeFixture,
  until,
} from './store-fixture.ts';

/** One that waits for the table; `standby` resolves when it has been told that it has to. */
function wait(t: Test, fixture: Fixture, settings: OwnSettings = {}) {
  const abort = new AbortController();
  let told: (owner: OwnerInfo) => void = () => {};
  const standby = new Promise<OwnerInfo>((resolve) => {
    told = resolve;
  });
  const owned = acquireOwnership(ownershipOptions(fixture, settings), {
    signal: abort.signal,
    onStandby: told,
  });
  owned.catch(() => {});
  t.teardown(async () => {
    abort.abort();
    await owned.then((owned: Owned) => owned.session.close()).catch(() => {});
  });
  return { owned, standby, abort };
}

t.test('the first instance owns the table at once, and its release lets another in at once', async (t) => {
  const fixture = await storeFixture(t);
  const trusted: number[] = [];
  const before = fixture.clock.monotonic();
  const first = await own(t, fixture, { lease: 60_000, onTrusted: (until) => trusted.push(until) });
  t.equal(first.epoch, 1);
  t.match(first.tag, /^[0-9a-z]{4}$/);
  t.equal(first.nextId, 1);
  t.ok(trusted[0]! >= before + 60_000 && trusted[0]! < fixture.clock.monotonic() + 60_000);
  const exceptions = listed([[7, 900]]);
  await first.session.release(() => ({
    checkpoint: { watermark: 1000, exceptions, exceptionsChanged: true },
    spans: null,
  }));
  t.strictSame(await fixture.query('SELECT owner, lease_until FROM jobs_state'), [[null, null]]);
  const second = await own(t, fixture, { lease: 60_000, address: 'elsewhere' });
  t.equal(second.epoch, 2);
  t.equal(second.tag, first.tag);
  t.equal(second.watermark, 1000);
  t.strictSame(second.exceptions, exceptions);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs_instance'), 0, 'an owner is no standby');
});

t.test('a restart after a crash, at the same address, does not wait for the lease', async (t) => {
  const fixture = await storeFixture(t);
  const first = await own(t, fixture, { lease: 600_000 });
  // As after kill -9: the connection goes, the lease stays.
  await first.session.close();
  const second = await own(t, fixture, { lease: 600_000 });
  t.equal(second.epoch, 2);
});

t.test('at the same address, but with the connection still there, it waits', async (t) => {
  const fixture = await storeFixture(t);
  const first = await own(t, fixture, { lease: 600_000 });
  const second = wait(t, fixture, { lease: 600_000 });
  t.strictSame(await second.standby, { host: 'here', address: '127.0.0.1:1' });
  await first.session.close();
  t.equal((await second.owned).epoch, 2);
});

t.test('another instance waits one full lease, registered, and then takes over', async (t) => {
  const fixture = await storeFixture(t);
  let fenced = 0;
  // It renews for as long as it is connected, then falls silent.
  let silent = false;
  const connect = breakable(fixture.mysql, () => (silent ? 'vanish' : 'pass'));
  const refusing = async () => {
    if (silent) throw Object.assign(new Error('refused by the test'), { code: 'ECONNREFUSED' });
    return connect();
  };
  const first = await own(t, fixture, { connect: refusing, onFenced: () => fenced++ });
  const connection = await fixture.value('SELECT owner_connection FROM jobs_state');
  silent = true;
  const began = fixture.clock.monotonic();
  const second = wait(t, fixture, { address: 'elsewhere' });
  await second.standby;
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs_instance'), 1);
  t.equal((await second.owned).epoch, 2);
  t.ok(fixture.clock.monotonic() - began >= LEASE, 'not before its own full lease');
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs_instance'), 0);
  await until(async () => {
    const rows = await fixture.query('SHOW PROCESSLIST');
    return !rows.some(([id]) => Number(id) === connection);
  });
  t.pass('the connection of the last owner was killed');
  silent = false;
  await until(async () => fenced === 1);
  await t.rejects(
    first.session.transaction(async ({ state }) => ({ write: true, ...state, value: null })),
    { name: 'Fenced' },
  );
});

t.test('a standby that waits while the owner renews does not take over', async (t) => {
  const fixture = await storeFixture(t);
  const trusted: number[] = [];
  await own(t, fixture, { lease: 900, onTrusted: (until) => trusted.push(until) });
  await until(async () => trusted.at(-1) === Number.POSITIVE_INFINITY);
  t.pass('alone, the owner need not fear for its lease');
  const second = wait(t, fixture, { lease: 900, address: 'elsewhere' });
  await second.standby;
  await until(async () => trusted.at(-1)! < Number.POSITIVE_INFINITY);
  t.pass('with a standby it must');
  const renewals = Number(await fixture.value('SELECT renewals FROM jobs_state'));
  // More than two leases of renewals.
  await until(async () => Number(await fixture.value('SELECT renewals FROM jobs_state')) > renewals + 7);
  t.equal(await fixture.value('SELECT epoch FROM jobs_state'), 1);
  second.abort.abort(new Error('ended by the test'));
  await t.rejects(second.owned, { message: 'ended by the test' });
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs_instance'), 0, 'it has unregistered');
});

t.test('withoutLease=stop: trust always ends with the lease', async (t) => {
  const fixture = await storeFixture(t);
  const trusted: number[] = [];
  await own(t, fixture, {
    config: { mysql: fixture.mysql, lease: 600, withoutLease: 'stop' },
    onTrusted: (until) => trusted.push(until),
  });
  await until(async () => trusted.length >= 3);
  t.ok(trusted.every(Number.isFinite));
});

t.test('the clock of MySQL is told at a renewal', async (t) => {
  const fixture = await storeFixture(t);
  let told: number | null = null;
  await own(t, fixture, {
    lease: 600,
    onServerClock: ({ time, monotonic }) => {
      told = time - (fixture.clock.now() - (fixture.clock.monotonic() - monotonic));
    },
  });
  await until(async () => told !== null);
  t.ok(Math.abs(told!) < 1000, `${told} ms from the clock of this machine`);
});

t.test('a lost COMMIT of the release is found out too', async (t) => {
  const fixture = await storeFixture(t);
  let releasing = false;
  const connect = breakable(fixture.mysql, ({ sql }) => {
    if (sql.includes('owner = NULL')) releasing = true;
    if (!releasing || sql !== 'COMMIT') return 'pass';
    releasing = false;
    return 'lose-after';
  });
  const owned = await own(t, fixture, { connect });
  await owned.session.release(() => ({
    checkpoint: { watermark: 5, exceptions: new Uint8Array(), exceptionsChanged: false },
    spans: null,
  }));
  t.strictSame(await fixture.query('SELECT owner, watermark FROM jobs_state'), [[null, 5]]);
});

t.test('an aborted wait ends before MySQL is asked', async (t) => {
  const fixture = await storeFixture(t);
  const signal = AbortSignal.abort(new Error('stop'));
  await t.rejects(acquireOwnership(ownershipOptions(fixture), { signal, onStandby: () => {} }), {
    message: 'stop',
  });
});

t.test('a MySQL that cannot be reached is told in one message', async (t) => {
  const fixture = await storeFixture(t);
  const mysql = { ...fixture.mysql, port: 1 };
  const options = ownershipOptions(fixture, { config: { mysql, lease: LEASE, withoutLease: 'publish' } });
  const waiting = { signal: AbortSignal.timeout(10_000), onStandby: () => {} };
  await t.rejects(acquireOwnership(options, waiting), {
    name: 'StartupError',
    message: /refused.*DALGA_MYSQL_HOST/,
  });
});
