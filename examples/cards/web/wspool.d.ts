// SPDX-License-Identifier: MIT
// wspool.d.ts - the types of wspool.js, which documents them.
export type State = 'disconnected' | 'connecting' | 'connected' | 'error';
export type Via = 'socket' | 'events' | 'poll';
export interface Status {
  state: State; via: Via | null; attempt: number; until: number | null;
  code: number | string; reason: string;
}
export interface Position { epoch: string; offset: number }
export interface Why extends Position {
  reason: string; follows: boolean; from?: number; to?: number;
}
export interface Publication<T = unknown> extends Position {
  type: string; channel: string; key?: string; removed?: true; data: T; timestamp: string;
}
export interface Problem {
  kind: 'unavailable' | 'attempt_failed' | 'connection' | 'protocol' | 'server';
  cause: 'network' | 'timeout' | 'auth' | 'resources' | 'refused' | 'protocol';
  code: number | string; attempt: number; message: string;
}
type Token = string | null | undefined;
export interface Options {
  route?: string; attempts?: number; queue?: number;
  token?: Token | ((how: { renew?: true }) => Token | Promise<Token>);
}
export interface ChannelOptions {
  refetch?: (why: Why) => Position | void | Promise<Position | void>;
  position?: Position; state?: boolean; events?: string; poll?: string;
}
interface Events<E> {
  on<K extends keyof E>(event: K, handler: (value: E[K]) => void): this;
  off<K extends keyof E>(event: K, handler: (value: E[K]) => void): this;
}
export interface Subscription<T = unknown> extends Events<{
  message: Publication<T>; subscribed: Position & { recovered: boolean; behind: number };
  unsubscribed: { channel: string; reason?: string };
  error: { code: string; message: string; retry?: boolean };
}> { readonly channel: string; readonly position: Position | null; close(): void }
export type Result = 'done' | 'repeated' | 'in_doubt';
export interface Client extends Events<{
  status: Status; error: Problem; established: { connection: string; [name: string]: unknown };
  draining: { seconds: number }; message: { type: string; data: unknown; [name: string]: unknown };
}> {
  readonly instance: string; readonly status: Status;
  connect(): void; reconnect(): void; check(): Promise<boolean>; close(): void;
  subscribe<T = unknown>(channel: string, options?: ChannelOptions): Subscription<T>;
  action(name: string, data?: object): Promise<Result>;
}
export function connect(url: string | URL, options?: Options): Client;
