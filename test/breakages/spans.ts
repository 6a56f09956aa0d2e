import { type Breakage, rewriteProgress } from './breakage.ts';

/** A backfill's position is past the time that is not confirmed yet. */
export function spansAhead(): Breakage {
  return {
    mainPort: rewriteProgress((progress) => ({
      ...progress,
      spans: {
        ...progress.spans,
        moved: progress.spans.moved.map((span) => ({ ...span, position: span.position + 1 })),
      },
    })),
  };
}

/** How far backfills have come is written only when they end. */
export function spansNotWritten(): Breakage {
  return {
    mainPort: rewriteProgress((progress) => ({ ...progress, spans: { ...progress.spans, moved: [] } })),
  };
}
