/**
 * Asks 127.0.0.11 the same question from as many sockets at once as its argument says, and prints, as JSON, how many
 * answers had which response code, and after how many milliseconds the last one came. Waits as long as libc does.
 */
import { createSocket } from "node:dgram";
import { writeSync } from "node:fs";

const count = Number(process.argv[2]);
const QUERY = Uint8Array.fromHex("1234010000010000000000000573706c697404746573740000010001");
const LIBC_PATIENCE = 5000;

const began = performance.now();
const codes: Record<number, number> = {};
let last = 0;
let answered = 0;
const timer = setTimeout(tell, LIBC_PATIENCE);
for (let asked = 0; asked < count; asked++) {
  const socket = createSocket("udp4");
  socket.on("message", (answer) => {
    const code = (answer[3] ?? 0) & 15;
    codes[code] = (codes[code] ?? 0) + 1;
    last = performance.now() - began;
    if (++answered === count) tell();
  });
  socket.send(QUERY, 53, "127.0.0.11");
}

function tell(): void {
  clearTimeout(timer);
  writeSync(1, JSON.stringify({ codes, last }));
  process.exit();
}
