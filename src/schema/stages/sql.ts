/** What can be said about SQL without parsing it whole: whether it is one statement, and one that only reads. */

type Token = { kind: 'word' | 'sign'; text: string };

/**
 * Words and signs outside comments, strings and quoted names, as Postgres' grammar (which the engine shares) reads
 * them. Null when a comment, string or quoted name does not end.
 */
function tokens(sql: string): Token[] | null {
  const pattern =
    /(--[^\n]*)|(\/\*)|([eE]'(?:[^'\\]|\\[\s\S]|'')*')|('(?:[^']|'')*')|("(?:[^"]|"")*")|(\$([A-Za-z_]\w*)?\$)|([\p{L}_][\p{L}\p{N}_$]*)|(\s+)|([\s\S])/uy;
  const found: Token[] = [];
  for (let at = 0; at < sql.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const match = pattern.exec(sql);
    if (!match) return null;
    const [text, , block, , , , dollar, , word, , sign] = match;
    if (block !== undefined || dollar !== undefined) {
      const end = block === undefined ? endOfText(sql, text, at) : endOfComment(sql, at);
      if (end === null) return null;
      pattern.lastIndex = end;
    } else if (word !== undefined) {
      found.push({ kind: 'word', text: word.toLowerCase() });
    } else if (sign === "'" || sign === '"') {
      return null;
    } else if (sign !== undefined) {
      found.push({ kind: 'sign', text: sign });
    }
  }
  return found;
}

function endOfText(sql: string, mark: string, start: number): number | null {
  const end = sql.indexOf(mark, start + mark.length);
  return end < 0 ? null : end + mark.length;
}

/** Comments nest. */
function endOfComment(sql: string, start: number): number | null {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  for (let depth = 0, mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return null;
}

const BEGINS_SELECT = new Set(['select', 'with', 'from', 'values']);

/** Why this is not one SELECT, or null when nothing speaks against it. */
export function sqlSelectFault(sql: string): string | null {
  if (sql.includes('\0')) return 'must not hold a NUL character';
  const found = tokens(sql);
  if (found === null) return 'has a comment, string or quoted name that does not end';
  while (found.at(-1)?.text === ';') found.pop();
  if (found.some((token) => token.kind === 'sign' && token.text === ';')) return 'must be one statement';
  const first = found.find((token) => token.text !== '(');
  if (!first) return 'is empty';
  if (!BEGINS_SELECT.has(first.text)) return 'must be a SELECT';
  return bracketFault(found);
}

/** Why this is not one expression, or null when nothing speaks against it. */
export function sqlExpressionFault(sql: string): string | null {
  if (sql.includes('\0')) return 'must not hold a NUL character';
  const found = tokens(sql);
  if (found === null) return 'has a comment, string or quoted name that does not end';
  if (found.length === 0 && sql.trim() === '') return 'is empty';
  if (found.some((token) => token.kind === 'sign' && token.text === ';')) return 'must be one expression';
  return bracketFault(found);
}

function bracketFault(found: readonly Token[]): string | null {
  const open: string[] = [];
  const closes: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
  for (const { kind, text } of found) {
    if (kind !== 'sign') continue;
    if ('([{'.includes(text)) open.push(text);
    else if (text in closes && open.pop() !== closes[text]) return 'has brackets that do not match';
  }
  return open.length > 0 ? 'has brackets that do not match' : null;
}
