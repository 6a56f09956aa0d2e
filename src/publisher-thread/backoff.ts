/** The wait before attempt number `failures` + 1, ms: doubles from `first` up to `last`, with a jitter of 25 %. */
export function backoff(
  failures: number,
  first: number,
  last: number,
  random: number = Math.random(),
): number {
  return Math.min(first * 2 ** failures, last) * (0.75 + random / 4);
}
