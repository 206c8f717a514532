/** The device nodes of every container. Pure. */

/** Character devices that every container has: [name, major, minor], Documentation/admin-guide/devices.txt. */
export const DEVICES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
];
