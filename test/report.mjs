// Reads tap's stream as it comes: counts, a line for each finished file, and everything about a failure.

/**
 * Adds up the assertions as tap's own summary does: those of the innermost tests, not the tests around them.
 * @param parser the tap-parser of one level of the stream
 * @param counts { passed, failed, failures }, which grow; the failures are texts of several lines
 * @param path the names of the tests around this level, the file first
 */
export function follow(parser, counts, path) {
  let inner;
  parser.on('child', (child) => {
    inner = { passed: 0, failed: 0, failures: counts.failures };
    follow(child, inner, [...path, child.name]);
  });
  parser.on('assert', (result) => {
    const own = inner ?? { passed: 0, failed: 0 };
    const isTest = own.passed + own.failed > 0;
    inner = undefined;
    if (!result.skip && !result.todo) {
      if (!isTest && result.ok) own.passed += 1;
      // Also a test that failed although no assertion in it did: a crash, a time limit.
      if (!result.ok && own.failed === 0) {
        own.failed += 1;
        const failure = describeFailure([...path, result.name], result.diag);
        console.log(failure);
        counts.failures.push(failure);
      }
    }
    counts.passed += own.passed;
    counts.failed += own.failed;
  });
  parser.on('extra', show);
  parser.on('comment', (text) => {
    if (!/^\s*# (Subtest|time=|No coverage|\{ total|Stack|failed \d|skip:)/.test(text)) show(text);
  });
}

function show(text) {
  if (text.trim() !== '') process.stdout.write(`  ${text.trimEnd()}\n`);
}

/** @param duration ms */
export function showFile(file, duration, { passed, failed }) {
  const source = file.replace(/^dist\//, '').replace(/\.js$/, '.ts');
  const outcome = failed > 0 ? `${failed} of ${passed + failed} failed` : `${passed} passed`;
  console.log(`${failed > 0 ? '✗' : '✓'} ${source}: ${outcome} (${(duration / 1000).toFixed(1)} s)`);
}

function describeFailure(path, diagnostics) {
  const lines = [`✗ ${path.join(' > ')}`];
  for (const [name, value] of Object.entries(diagnostics ?? {})) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    lines.push(`    ${name}: ${text.trimEnd().replaceAll('\n', '\n      ')}`);
  }
  return lines.join('\n');
}
