/**
 * One query, from the client's question to the one answer it gets: which servers are asked, when, and how long.
 *
 * A server that is silent for {@link PATIENCE} is not given up: the next one is asked beside it, and the first
 * answer counts. All in all it takes less than the five seconds after which libc asks again (RES_TIMEOUT).
 */
import type { Reactor, Timer } from "../kernel/reactor.ts";
import { errorAnswer, RCODE, rcodeOf } from "./resolver_message.ts";
import type { Attempt, Query, Transport } from "./resolver_upstream.ts";

/** Milliseconds until the next server is asked, or the only one again, unless said otherwise. */
const PATIENCE = 1500;
/** How many times anyone is asked. */
const TURNS = 3;
/** Silences in a row, without an answer to any query, after which a server is asked last. */
const SILENCES = 2;
/** Milliseconds until a silent server is preferred again. */
const REST = 30_000;

/** A server and how it behaved. */
class Server {
  readonly address: Uint8Array;
  #silences = 0;
  #restsUntil = 0;

  constructor(address: Uint8Array) {
    this.address = address;
  }

  rests(now: number): boolean {
    return now < this.#restsUntil;
  }

  spoke(): void {
    this.#silences = 0;
    this.#restsUntil = 0;
  }

  wasSilent(now: number): void {
    if (++this.#silences >= SILENCES) this.#restsUntil = now + REST;
  }
}

/** The servers in their order of preference, which only those that keep silent lose. */
export class Servers {
  readonly #servers: readonly Server[];

  constructor(addresses: readonly Uint8Array[]) {
    this.#servers = addresses.map((address) => new Server(address));
  }

  /** Whom to ask, in turn. */
  inOrder(now: number): Server[] {
    const awake = this.#servers.filter((server) => !server.rests(now));
    return [...awake, ...this.#servers.filter((server) => server.rests(now))];
  }
}

/** What an exchange works with. */
export interface ExchangeOptions {
  readonly reactor: Reactor;
  readonly servers: Servers;
  readonly transport: Transport;
  /** Milliseconds; for tests. */
  readonly patience?: number | undefined;
  /** Called once, unless disposed before. The answer is valid during the call. */
  readonly settle: (answer: Uint8Array) => void;
}

/** A query being answered. */
export class Exchange implements Disposable {
  readonly #query: Query;
  readonly #options: ExchangeOptions;
  /** Those that may still answer, each with its attempt once it was asked. */
  readonly #candidates: { readonly server: Server; attempt: Attempt | null }[];
  #turn = 0;
  #timer: Timer | null = null;
  /** An answer that says "not me", kept for when nobody says better. */
  #refusal: Uint8Array | null = null;
  #settled = false;

  constructor(query: Query, options: ExchangeOptions) {
    this.#query = query;
    this.#options = options;
    this.#candidates = options.servers.inOrder(Date.now()).map((server) => ({ server, attempt: null }));
  }

  /** Asks the first server; may settle at once. */
  start(): void {
    this.#ask();
  }

  /** Ends it without an answer. */
  [Symbol.dispose](): void {
    this.#settled = true;
    this.#timer?.cancel();
    for (const { attempt } of this.#candidates) attempt?.[Symbol.dispose]();
    this.#candidates.length = 0;
  }

  /** Asks whoever was asked least lately; settles when nobody is left. */
  #ask(): void {
    if (this.#candidates.length === 0 || this.#turn === TURNS) return this.#giveUp();
    const candidate = this.#candidates.find(({ attempt }) => attempt === null) ?? this.#oldest();
    this.#turn++;
    this.#timer = this.#options.reactor.timer(this.#options.patience ?? PATIENCE, () => {
      if (this.#candidates.includes(candidate)) candidate.server.wasSilent(Date.now());
      this.#ask();
    });
    if (candidate.attempt) return candidate.attempt.again();
    const outcome = {
      answered: (answer: Uint8Array) => this.#answered(candidate, answer),
      failed: () => this.#withdraw(candidate),
    };
    candidate.attempt = this.#options.transport(candidate.server.address, this.#query, {
      reactor: this.#options.reactor,
      outcome,
    });
  }

  /** All were asked: the one whose turn comes round again moves to the end. */
  #oldest(): Candidate {
    const first = this.#candidates.shift() as Candidate; // the caller saw that there is one
    this.#candidates.push(first);
    return first;
  }

  #answered(candidate: Candidate, answer: Uint8Array): void {
    candidate.server.spoke();
    const rcode = rcodeOf(answer);
    // As libc does: a server that cannot or will not answer is no reason not to ask the next.
    if (rcode !== RCODE.SERVFAIL && rcode !== RCODE.REFUSED && rcode !== RCODE.NOTIMP) return this.#settle(answer);
    this.#refusal = answer.slice();
    this.#withdraw(candidate);
  }

  /** One less; asks the next at once, unless others were asked already and may still answer. */
  #withdraw(candidate: Candidate): void {
    candidate.attempt?.[Symbol.dispose]();
    this.#candidates.splice(this.#candidates.indexOf(candidate), 1);
    if (this.#candidates.length > 0 && this.#candidates.every(({ attempt }) => attempt !== null)) return;
    this.#timer?.cancel();
    this.#ask();
  }

  #giveUp(): void {
    this.#settle(this.#refusal ?? errorAnswer(this.#query.message, RCODE.SERVFAIL));
  }

  #settle(answer: Uint8Array): void {
    if (this.#settled) return;
    this[Symbol.dispose]();
    this.#options.settle(answer);
  }
}

type Candidate = { readonly server: Server; attempt: Attempt | null };
