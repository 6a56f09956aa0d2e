/** How far a command is. */
export type Progress = {
  /** @param share 0 to 1, null where it is not known */
  show(text: string, share: number | null): void;
  end(): void;
};

/** ms between two drawings. */
const INTERVAL = 100;
const WIDTH = 30;

/** A bar on a terminal, drawn over itself; nothing elsewhere, so that logs stay readable. */
export function createProgress(
  stream: { readonly isTTY?: boolean; write(text: string): unknown },
  monotonic: () => number,
): Progress {
  if (stream.isTTY !== true) return { show: () => {}, end: () => {} };
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  return {
    show(text, share) {
      const now = monotonic();
      if (now - drawnAt < INTERVAL) return;
      drawnAt = now;
      drawn = true;
      stream.write(`\r\x1b[K${share === null ? '' : `${bar(share)} `}${text}`);
    },
    end() {
      if (drawn) stream.write('\r\x1b[K');
    },
  };
}

function bar(share: number): string {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}
