/** Several processes' metrics as one valid page: in Prometheus' text form a family may stand only once. */

interface Family {
  comments: string[];
  samples: string[];
}

/** Families in the order they are first met; help and type are taken from the first page that has them. */
export function mergeMetrics(pages: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const page of pages) {
    let current: Family | undefined;
    let isNew = false;
    let described = '';
    for (const line of page.split('\n')) {
      if (line.trim() === '' || line === '# EOF') continue;
      const comment = /^# (?:HELP|TYPE|UNIT) (\S+)/.exec(line);
      if (comment) {
        const name = comment[1] ?? '';
        if (name !== described) {
          described = name;
          isNew = !families.has(name);
          current = families.get(name) ?? { comments: [], samples: [] };
          families.set(name, current);
        }
        if (isNew) current?.comments.push(line);
      } else if (!line.startsWith('#')) {
        const name = /^[^\s{]+/.exec(line)?.[0] ?? '';
        // Samples of histograms and summaries carry a suffix; a sample without a described family is its own.
        if (!current || !name.startsWith(described) || described === '') {
          current = families.get(name) ?? { comments: [], samples: [] };
          families.set(name, current);
          described = name;
          isNew = true;
        }
        current.samples.push(line);
      }
    }
  }
  const lines = [...families.values()].flatMap(({ comments, samples }) =>
    samples.length > 0 ? [...comments, ...samples] : [],
  );
  return `${lines.join('\n')}\n`;
}
