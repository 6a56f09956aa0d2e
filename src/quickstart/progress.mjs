// The progress display of slow steps: a turning sign with the seconds on a terminal, plain lines elsewhere.
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Does `work` under a label and resolves with its result. `work` gets a function that shows how far it is:
 * step('scheduling', async (detail) => { detail('12 of 100'); }).
 */
export async function step(label, work) {
  const show = process.stdout.isTTY ? onTerminal(label) : inLines(label);
  try {
    const result = await work(show.detail);
    show.end('✓');
    return result;
  } catch (error) {
    show.end('✗');
    throw error;
  }
}

function onTerminal(label) {
  const elapsed = stopwatch();
  let detail = '';
  let frame = 0;
  const draw = (sign) =>
    process.stdout.write(`\r\x1b[K${sign} ${label}${detail && `: ${detail}`} (${elapsed()})`);
  const timer = setInterval(() => {
    frame = (frame + 1) % FRAMES.length;
    draw(FRAMES[frame]);
  }, 100);
  return {
    detail: (text) => {
      // A terminal's line that wraps could not be redrawn.
      detail = text.slice(0, Math.max(0, (process.stdout.columns ?? 80) - label.length - 14));
    },
    end: (sign) => {
      clearInterval(timer);
      detail = '';
      draw(sign);
      process.stdout.write('\n');
    },
  };
}

function inLines(label) {
  const elapsed = stopwatch();
  let detail = '';
  console.log(`- ${label} ...`);
  const timer = setInterval(() => console.log(`  ${label}: ${elapsed()}${detail && `, ${detail}`}`), 15_000);
  return {
    detail: (text) => {
      detail = text;
    },
    end: (sign) => {
      clearInterval(timer);
      console.log(`${sign} ${label} (${elapsed()})`);
    },
  };
}

function stopwatch() {
  const start = performance.now();
  return () => `${Math.round((performance.now() - start) / 1000)} s`;
}
