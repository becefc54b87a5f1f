/** Readers of option values; each throws commander's InvalidArgumentError, which ends with exit code 2. */
import { InvalidArgumentError } from 'commander';

/** A whole number within bounds. */
export function parseCount(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Must be a whole number from ${min} to ${max}.`);
  };
}

/** Collects `key=value` options into one object; a later value of a key wins. */
export function parsePair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Must be KEY=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Collects one of `choices` each time; a value may hold several, separated by commas. */
export function parseChoices(choices: readonly string[]): (text: string, before?: string[]) => string[] {
  return (text, before = []) => {
    const parts = text.split(',').map((part) => part.trim());
    const wrong = parts.find((part) => !choices.includes(part));
    if (wrong !== undefined) throw new InvalidArgumentError(`Allowed are ${choices.join(', ')}.`);
    return [...before, ...parts];
  };
}

/** Collects `resource:access`, where a resource holds a colon itself: `file:<id>:read`. */
export function parseGrant(
  text: string,
  before: { resource: string; access: string }[] = [],
): { resource: string; access: string }[] {
  const match = /^(.+):(read|write)$/.exec(text);
  if (!match?.[1] || !match[2]) throw new InvalidArgumentError('Must be RESOURCE:read or RESOURCE:write.');
  return [...before, { resource: match[1], access: match[2] }];
}

/** Collects words; a value may hold several, separated by commas. */
export function parseWords(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(',').map((word) => word.trim())].filter(Boolean);
}
