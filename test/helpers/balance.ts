import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { type Exposition, parseExposition } from './exposition.ts';

const SETTLED = ['confirmed', 'returned', 'superseded', 'skipped', 'cancelled', 'handed_over'];

/** What /metrics says now. */
export async function scrape(url: string): Promise<Exposition> {
  return parseExposition(await (await fetch(`${url}/metrics`)).text());
}

/** The balance of occurrences: at any time `due` equals `accounted`. */
export function balanceOf({ samples }: Exposition): { readonly due: number; readonly accounted: number } {
  const read = (name: string) => samples.get(`dalga_occurrences_${name}`)!;
  const settled = SETTLED.reduce((sum, name) => sum + read(`${name}_total`), 0);
  return { due: read('due_total'), accounted: settled + read('in_flight') + read('held_back') };
}

/** Reads /metrics, and asserts that the occurrences balance. @param url the instance's */
export async function scrapeBalanced(t: Test, url: string): Promise<Exposition> {
  const answer = await fetch(`${url}/metrics`);
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const exposition = parseExposition(await answer.text());
  const { due, accounted } = balanceOf(exposition);
  t.equal(accounted, due, 'the balance');
  return exposition;
}

export async function scrapeUntil(
  t: Test,
  url: string,
  isThere: (samples: Exposition['samples']) => boolean,
): Promise<Exposition> {
  for (;;) {
    const exposition = await scrapeBalanced(t, url);
    if (isThere(exposition.samples)) return exposition;
    await delay(50);
  }
}
