/** An operation that the broker did not answer in time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  readonly code = 'DEADLINE';
}

/**
 * The promise's result, or a DeadlineError after `ms`. A result that comes too late goes to `late`, which gives
 * back what it holds; an error that comes too late is of no interest.
 */
export function within<T>(
  ms: number,
  what: string,
  promise: Promise<T>,
  late?: (value: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      reject(new DeadlineError(`${what} took longer than ${ms} ms`));
    }, ms);
    promise.then(
      (value) => {
        clearTimeout(timer);
        if (over) late?.(value);
        else resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        if (!over) reject(error);
      },
    );
  });
}
