export type ForecastRange = {
  /** Unix ms. */
  readonly from: number;
  /** Unix ms: what is due by then is not counted any more. */
  readonly to: number;
  /** ms */
  readonly step: number;
};

/** How many messages will be due in each step, by routing key: the busiest ones, and the others together under null. */
export type Forecast = {
  /** The part of the jobs that was looked at; what it says of all is that much more. 1: all. */
  readonly sampled: number;
  readonly steps: Float64Array;
  readonly routes: readonly { readonly routingKey: string | null; readonly steps: Float64Array }[];
};

/** Adds one to another, step by step. */
export function addSteps(into: Float64Array, steps: Float64Array): void {
  for (let index = 0; index < into.length; index++) into[index]! += steps[index]!;
}

/** Adds to what is told of a routing key; what comes first becomes the sum. */
export function addToKey(byKey: Map<string, Float64Array>, routingKey: string, steps: Float64Array): void {
  const known = byKey.get(routingKey);
  if (known === undefined) byKey.set(routingKey, steps);
  else addSteps(known, steps);
}
