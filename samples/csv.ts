/** CSV as RFC 4180 writes it. */

export function csv(headers: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  return `${[headers, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** Every cell quoted, as Data Loader does. */
export function quotedCsv(headers: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  return `${[headers, ...rows].map((row) => row.map(quoted).join(',')).join('\n')}\n`;
}

function cell(value: string | number | null): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? quoted(text) : text;
}

function quoted(value: string | number | null): string {
  return `"${String(value ?? '').replaceAll('"', '""')}"`;
}
