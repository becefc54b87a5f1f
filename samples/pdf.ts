/** A minimal PDF of text pages, written object by object (ISO 32000-1, 7.5). */

interface PdfPage {
  lines: readonly string[];
}

const FONT_SIZE = 12;
const LINE_HEIGHT = 16;

/** Latin text only: the standard font Helvetica has nothing else. */
export function pdf(title: string, pages: readonly PdfPage[]): Buffer {
  const objects: string[] = [];
  const first = 4;
  const kids = pages.map((_page, index) => `${first + index * 2} 0 R`).join(' ');
  objects.push('<< /Type /Catalog /Pages 2 0 R >>');
  objects.push(`<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`);
  objects.push('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>');
  for (const [index, page] of pages.entries()) {
    const content = pageContent(page);
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${first + index * 2 + 1} 0 R >>`,
    );
    objects.push(`<< /Length ${content.length} >>\nstream\n${content}\nendstream`);
  }
  objects.push(`<< /Title (${escaped(title)}) /Producer (samples) >>`);
  let body = '%PDF-1.4\n';
  const offsets: number[] = [];
  for (const [index, object] of objects.entries()) {
    offsets.push(body.length);
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const end = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${body.length}\n%%EOF\n`;
  return Buffer.from(body + end, 'latin1');
}

function pageContent(page: PdfPage): string {
  const shown = page.lines.map((line) => `(${escaped(line)}) Tj T*`).join('\n');
  return `BT\n/F1 ${FONT_SIZE} Tf\n${LINE_HEIGHT} TL\n60 780 Td\n${shown}\nET`;
}

function escaped(text: string): string {
  return text.replace(/[\\()]/g, (char) => `\\${char}`);
}
