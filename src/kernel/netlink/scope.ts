/** How far an address or a route reaches. include/uapi/linux/rtnetlink.h: enum rt_scope_t. */

const SCOPES = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

export type Scope = keyof typeof SCOPES;

/** RT_SCOPE_* of a name. */
export function scopeNumber(scope: Scope): number {
  return SCOPES[scope];
}

/** The name of an RT_SCOPE_*; numbers a person gave a meaning of their own count as `global`. */
export function scopeName(number: number): Scope {
  for (const name in SCOPES) {
    if (SCOPES[name as Scope] === number) return name as Scope;
  }
  return "global";
}
