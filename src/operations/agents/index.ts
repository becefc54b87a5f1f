/** The operations of the agents room. */
import type { AnyOperation } from '../contract.ts';
import { agentsActivate, agentsDelete, agentsDrain, agentsHeartbeat, agentsToken } from './control.ts';
import { agentsGet, agentsList } from './look.ts';
import { agentsRegister } from './register.ts';

export const agentOperations: AnyOperation[] = [
  agentsRegister,
  agentsList,
  agentsGet,
  agentsDelete,
  agentsHeartbeat,
  agentsDrain,
  agentsActivate,
  agentsToken,
];
