import { type Exposition, parseExposition } from './exposition.ts';

const SETTLED = ['confirmed', 'returned', 'superseded', 'cancelled', 'handed_over'];

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
