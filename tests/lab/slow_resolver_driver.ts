/**
 * A name server that takes its time: answers every question for A with 10.1.1.1 after the milliseconds of its second
 * argument, on the address of its first, by UDP. Run with bun inside a lab.
 */
import { createSocket } from "node:dgram";
import { writeSync } from "node:fs";

const [address = "127.0.0.1", delay = "0"] = process.argv.slice(2);
const socket = createSocket(address.includes(":") ? "udp6" : "udp4");

socket.on("message", (query, client) => {
  const answer = Buffer.concat([
    query.subarray(0, 12),
    question(query),
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 1, 1, 1]),
  ]);
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(1, 6);
  answer.writeUInt32BE(0, 8);
  setTimeout(() => socket.send(answer, client.port, client.address), Number(delay));
});
socket.bind(53, address, () => writeSync(1, "serving\n"));

function question(query: Uint8Array): Uint8Array {
  let end = 12;
  while ((query[end] ?? 0) > 0) end += 1 + (query[end] as number);
  return query.subarray(12, end + 5);
}
