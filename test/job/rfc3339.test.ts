import t from 'tap';
import { formatTime, parseTime } from '../../src/job/rfc3339.ts';

t.test('times with a zone', async (t) => {
  const cases: [text: string, time: number][] = [
    ['2030-01-31T12:00:00Z', Date.UTC(2030, 0, 31, 12)],
    ['2030-01-31T12:00:00+02:00', Date.UTC(2030, 0, 31, 10)],
    ['2030-01-31T12:00:00-05:30', Date.UTC(2030, 0, 31, 17, 30)],
    ['2030-01-31T12:00:00-00:00', Date.UTC(2030, 0, 31, 12)],
    ['2030-01-31T12:00:00.5Z', Date.UTC(2030, 0, 31, 12, 0, 0, 500)],
    ['2030-01-31T12:00:00.0019999Z', Date.UTC(2030, 0, 31, 12, 0, 0, 1)],
    ['2028-02-29T23:59:59.999Z', Date.UTC(2028, 1, 29, 23, 59, 59, 999)],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29)],
    ['1970-01-01T00:00:00Z', 0],
    ['1969-12-31T23:30:00-00:30', 0],
    ['9999-12-31T23:59:59.999Z', Date.UTC(10000, 0, 1) - 1],
  ];
  for (const [text, time] of cases) t.equal(parseTime('first_run', text), time, text);
});

t.test('what is no time, each with its rule', async (t) => {
  const cases: [text: string, rule: RegExp][] = [
    ['', /RFC 3339/],
    ['tomorrow', /RFC 3339/],
    ['2030-01-31', /RFC 3339/],
    ['2030-01-31 12:00:00Z', /RFC 3339/],
    ['2030-01-31t12:00:00z', /RFC 3339/],
    ['2030-01-31T12:00Z', /RFC 3339/],
    ['2030-01-31T24:00:00Z', /RFC 3339/],
    ['2030-01-31T12:60:00Z', /RFC 3339/],
    ['2016-12-31T23:59:60Z', /RFC 3339/],
    ['2030-01-31T12:00:00.Z', /RFC 3339/],
    ['2030-01-31T12:00:00+2:00', /RFC 3339/],
    ['2030-01-31T12:00:00+24:00', /RFC 3339/],
    ['2030-01-31T12:00:00Z\n', /RFC 3339/],
    ['+12030-01-31T12:00:00Z', /RFC 3339/],
    ['2030-01-31T12:00:00', /the zone is missing/],
    ['2030-01-31T12:00:00 02:00', /%2B/],
    ['2030-02-29T12:00:00Z', /calendar does not have: 2030-02-29/],
    ['2100-02-29T12:00:00Z', /calendar/],
    ['2030-04-31T12:00:00Z', /calendar/],
    ['2030-13-01T12:00:00Z', /calendar/],
    ['2030-00-01T12:00:00Z', /calendar/],
    ['2030-01-00T12:00:00Z', /calendar/],
    ['0001-01-01T00:00:00Z', /1970 to 9999/],
    ['0070-01-01T00:00:00Z', /1970 to 9999/],
    ['1969-12-31T23:59:59Z', /1970 to 9999/],
    ['1970-01-01T00:00:00+00:01', /1970 to 9999/],
    ['9999-12-31T23:59:59-00:01', /1970 to 9999/],
  ];
  for (const [text, rule] of cases) {
    t.throws(
      () => parseTime('first_run', text),
      { code: 'invalid_parameter', parameter: 'first_run', message: rule },
      text,
    );
  }
});

t.test('formats with whole seconds, cut', async (t) => {
  t.equal(formatTime(Date.UTC(2014, 10, 11, 22, 11, 40, 999)), '2014-11-11T22:11:40Z');
  t.equal(formatTime(0), '1970-01-01T00:00:00Z');
});
