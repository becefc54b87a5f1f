/** Who spoke on which call, from the parties of the calls in the same upload. */
import { id, isObject, objects, type Row, str } from '../values.ts';

export interface CallFacts {
  title: string | null;
  started: string | null;
  url: string | null;
  /** Names by speakerId, and by userId for speakers given by theirs. */
  speakers: ReadonlyMap<string, string>;
}

export interface Calls {
  add(call: Row): void;
  get(callId: string): CallFacts | null;
}

/** Calls come as `{metaData, parties, …}` (extensive) or flat (basic). */
export function metaOf(call: Row): Row {
  return isObject(call.metaData) ? call.metaData : call;
}

export function callIdOf(call: Row): string | null {
  return id(metaOf(call).id) ?? id(call.callId);
}

/** parties: https://help.gong.io/apidocs/retrieve-detailed-call-data-by-various-filters-v2callsextensive-2 */
export function partyName(party: Row): string | null {
  return str(party.name) ?? str(party.emailAddress) ?? str(party.phoneNumber);
}

export function factsOf(call: Row): CallFacts {
  const meta = metaOf(call);
  const speakers = new Map<string, string>();
  for (const party of objects(call.parties)) {
    const name = partyName(party);
    if (name === null) continue;
    for (const key of [id(party.userId), id(party.speakerId)]) if (key !== null) speakers.set(key, name);
  }
  return { title: str(meta.title), started: str(meta.started) ?? str(meta.scheduled), url: str(meta.url), speakers };
}

export function createCalls(): Calls {
  const calls = new Map<string, CallFacts>();
  return {
    add(call) {
      const callId = callIdOf(call);
      if (callId !== null) calls.set(callId, factsOf(call));
    },
    get: (callId) => calls.get(callId) ?? null,
  };
}

/** What a transcript's own row says about its call. */
export function metaFrom(title: string | null, started: string | null): CallFacts {
  return { title, started, url: null, speakers: new Map() };
}
