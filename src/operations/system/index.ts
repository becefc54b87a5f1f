/** The operations of the system room. */
import type { AnyOperation } from '../contract.ts';
import { whoami } from './whoami.ts';

export const systemOperations: AnyOperation[] = [whoami];
