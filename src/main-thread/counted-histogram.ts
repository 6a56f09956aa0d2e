import { Histogram } from 'prom-client';

type Sample = {
  readonly metricName: string;
  readonly labels: Record<string, string | number>;
  readonly sharedLabels: Record<string, string>;
  readonly value: number;
};

/**
 * A histogram of what was counted elsewhere: prom-client's own takes its observations one at a time. It replaces
 * the one method that prom-client makes both the text and the objects from.
 */
export class CountedHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  #counts: readonly number[] = [];
  #sum = 0;

  /** @param bounds the upper bounds of the buckets, in the metric's unit */
  constructor(name: string, help: string, bounds: readonly number[]) {
    super({ name, help, buckets: [...bounds], registers: [] });
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  /** @param counts of each bucket alone, one more than there are bounds @param sum in the metric's unit */
  set(counts: readonly number[], sum: number): void {
    this.#counts = counts;
    this.#sum = sum;
  }

  getForPromString(): { name: string; help: string; type: string; values: readonly Sample[] } {
    const name = this.#name;
    const values: Sample[] = [];
    const add = (suffix: string, labels: Sample['labels'], value: number) => {
      values.push({ metricName: `${name}_${suffix}`, labels, sharedLabels: {}, value });
    };
    // In the text each bucket holds those before it too.
    let count = 0;
    for (const [index, bound] of [...this.#bounds, '+Inf'].entries()) {
      count += this.#counts[index] ?? 0;
      add('bucket', { le: bound }, count);
    }
    add('sum', {}, this.#sum);
    add('count', {}, count);
    return { name, help: this.#help, type: 'histogram', values };
  }
}
