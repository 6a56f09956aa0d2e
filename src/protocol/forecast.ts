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
