import type { Bench } from './row.ts';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that this share of the values does not exceed. */
export function percentile(values: readonly number[] | Float64Array, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export type Sides<Name extends string> = {
  readonly [side in Name]: (round: number) => Promise<Readonly<Record<string, number>>>;
};

/**
 * Measures the sides in turns, A B A B, so that whatever slows the machine down for a while meets all of them. Each
 * round's numbers come as `side.number`.
 */
export async function inTurns<Name extends string>(
  { rounds, say }: Pick<Bench, 'rounds' | 'say'>,
  sides: Sides<Name>,
): Promise<Record<string, number>[]> {
  const results: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    const result: Record<string, number> = {};
    for (const side of Object.keys(sides) as Name[]) {
      const numbers = await sides[side](round);
      for (const [name, value] of Object.entries(numbers)) result[`${side}.${name}`] = value;
      const shown = Object.entries(numbers).map(([name, value]) => `${name} ${rounded(value)}`);
      say(`round ${round + 1} of ${rounds}, ${side}: ${shown.join(', ')}`);
    }
    results.push(result);
  }
  return results;
}

/** The median over the rounds of one number. */
export function medianOf(rounds: readonly Readonly<Record<string, number>>[], name: string): number {
  return median(
    rounds.map((round) => {
      const value = round[name];
      if (value === undefined) throw new Error(`no round has a number ${name}`);
      return value;
    }),
  );
}

/** A number as a person reads it: three digits that count, or all before the point. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
